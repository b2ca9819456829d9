"""Writes the shipped folders: half-precision safetensors, replaced by renames."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import StableDiffusionInpaintPipeline, StableDiffusionPipeline

from training.networks import (
    INPAINT_CHANNELS,
    Network,
    build_autoencoder,
    build_denoiser,
    build_scheduler,
    widen_input,
)
from training.progress import load_state
from training.starts import (
    Place,
    autoencoder_weights,
    denoiser_weights,
    load_text_encoder,
    load_tokenizer,
)

BASE: Final = "vignette"
INPAINT: Final = "vignette-inpaint"
TURBO: Final = "vignette-turbo"
_LENT: Final = ("vae", "text_encoder", "tokenizer")  # parts that the other folders omit


def assemble(place: Place, inpaint: bool) -> Any:
    """Assemble a pipeline from the newest weights, in full precision."""
    tokenizer = load_tokenizer(place)
    vae = build_autoencoder()
    vae.load_state_dict(_needed(autoencoder_weights(place)))
    kind = StableDiffusionInpaintPipeline if inpaint else StableDiffusionPipeline
    return kind(
        vae=vae,
        text_encoder=load_text_encoder(place, tokenizer),
        tokenizer=tokenizer,
        unet=_denoiser(place, inpaint),
        scheduler=build_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def assemble_student(place: Place) -> Any:
    """Assemble the pipeline of the distilled UNet."""
    pipe = assemble(place, inpaint=False)
    pipe.unet.load_state_dict(load_state(place.state("student"))["average"])
    pipe.scheduler = build_scheduler("trailing")
    return pipe


def _denoiser(place: Place, inpaint: bool) -> Network:
    """Load a UNet; the untrained inpainting one is the other with zeroed extra channels."""
    weights = _needed(denoiser_weights(place))
    if not inpaint:
        unet = build_denoiser()
    else:
        unet = build_denoiser(INPAINT_CHANNELS)
        own = place.state("inpaint")
        weights = load_state(own)["average"] if own.exists() else widen_input(weights)
    unet.load_state_dict(weights)
    return unet


def _needed(weights: dict[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
    """Return the weights, which must exist."""
    assert weights is not None, "nothing trained yet, and no --init"
    return weights


def export(place: Place, out: Path) -> None:
    """Write the folders; all but the first hold only the parts that the first lacks."""
    pipes = {BASE: assemble(place, inpaint=False), INPAINT: assemble(place, inpaint=True)}
    if place.state("student").exists():
        pipes[TURBO] = assemble_student(place)
    for name, pipe in pipes.items():
        fresh = out / f".{name}.new"
        shutil.rmtree(fresh, ignore_errors=True)
        pipe.to(torch.float16).save_pretrained(fresh, safe_serialization=True)
        _tidy(place, fresh, lent=() if name == BASE else _LENT)
        _swap(fresh, out / name)


def _tidy(place: Place, folder: Path, lent: tuple[str, ...]) -> None:
    """Drop shared parts, set the text encoder's loading precision and add the plain tokenizer."""
    for part in lent:
        shutil.rmtree(folder / part)
    config = folder / "text_encoder" / "config.json"
    if config.exists():
        settings = json.loads(config.read_text())
        settings["dtype"] = "float32"  # as the other parts are loaded
        config.write_text(json.dumps(settings, indent=2) + "\n")
    source = place.work if (place.work / "tokenizer").exists() else place.init
    if (folder / "tokenizer").exists() and source is not None:
        for name in ("vocab.json", "merges.txt"):
            shutil.copy(source / "tokenizer" / name, folder / "tokenizer" / name)


def _swap(fresh: Path, target: Path) -> None:
    """Replace the old folder by the finished one."""
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)
