"""What makes a folder of networks one in diffusers' format: tokenizers, scheduler and index."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import diffusers
from transformers import CLIPTokenizer

from support.twins.published import Config, Published

_MERGES = ["r e", "re d</w>", "f o", "fo x</w>", "i n", "in k</w>"]


def save(network: Any, folder: Path) -> None:
    """Write one network in 16 bits."""
    network.half().save_pretrained(folder, safe_serialization=True)


def unet_folder(published: Published) -> str:
    """Where the repository keeps its denoiser."""
    return "flexible_unet" if published.is_flexible else "unet"


def save_rest(
    published: Published, folder: Path, text_encoder: Callable[[Config, int, str], Any]
) -> None:
    """Write all but UNet and VAE; ``text_encoder`` is given configuration, words and suffix."""
    for suffix, config in {"": published.text_encoder, "_2": published.text_encoder_2}.items():
        if config:
            words = _save_tokenizer(config, folder / f"tokenizer{suffix}")
            save(text_encoder(config, words, suffix), folder / f"text_encoder{suffix}")
    cls, settings = published.scheduler
    getattr(diffusers, f"{cls}Scheduler")(**settings).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps(_index(published)))


def _save_tokenizer(encoder: Config, folder: Path) -> int:
    """Write the tokenizer of a text encoder; gives back its number of words."""
    # The big tokenizers fill up with "!", CLIP's own with the end mark.
    pad = "<|endoftext|>" if encoder["hidden_act"] == "quick_gelu" else "!"
    tokenizer = _tokenizer(pad)
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def _tokenizer(pad: str) -> CLIPTokenizer:
    """Bytes, a few merges and the two marks, in CLIP's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(byte) for byte in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    merged = [pair.replace(" ", "") for pair in _MERGES]
    words = [*letters, *(f"{x}</w>" for x in letters), *merged, "<|startoftext|>", "<|endoftext|>"]
    vocab = {word: number for number, word in enumerate(words)}
    merges = [tuple(pair.split(" ")) for pair in _MERGES]
    return CLIPTokenizer(vocab=vocab, merges=merges, pad_token=pad, model_max_length=77)


def _index(published: Published) -> Config:
    text = [published.text_encoder, published.text_encoder_2]
    index: Config = {
        "_class_name": published.pipeline,
        "_diffusers_version": diffusers.__version__,
        "scheduler": ["diffusers", f"{published.scheduler[0]}Scheduler"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    classes = ["CLIPTextModel", "CLIPTextModelWithProjection"]
    for config, suffix, cls in zip(text, ("", "_2"), classes, strict=True):
        if config or (suffix == "" and published.text_encoder_2):
            index[f"text_encoder{suffix}"] = ["transformers" if config else None, config and cls]
            tokenizer = config and "CLIPTokenizer"
            index[f"tokenizer{suffix}"] = ["transformers" if config else None, tokenizer]
    if "StableDiffusionXL" not in published.pipeline:
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None]}
        index["requires_safety_checker"] = False
    return index | published.index
