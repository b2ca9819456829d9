"""The tokenizer: byte-level BPE in CLIP's format, over the captions' words."""

import json
from pathlib import Path
from typing import Final

from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers  # type: ignore[import-untyped]
from transformers import CLIPTokenizer

from training.concepts import COLOURS, CONCEPTS, SCENES, STYLES, plural
from training.networks import TOKENS

_SIZE: Final = 2048  # most tokens
_END: Final = "</w>"
_WORD: Final = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
_COUNTS: Final = "two three small tiny little big large huge and next to beside the"
# Words that users are likely to add to the known ones.
_HABITS: Final = (
    "high quality, highly detailed, masterpiece, best quality, 4k, 8k, cute, beautiful, cartoon, "
    "emoji, icon, digital art, studio lighting, background, with, sitting, standing, of, "
    "low quality, blurry, bad, ugly, red, blue, green, yellow, black, white, purple, orange, pink"
)


def _byte_alphabet() -> list[str]:
    """CLIP's 256 byte letters, printable bytes first."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + n) for n in range(len(others))]


def _texts() -> list[str]:
    """The texts from which the merges are learned."""
    names = [name for concept in CONCEPTS for name in concept.names]
    texts = [text for name in names for text in (name, plural(name), "a " + name)] * 12
    phrases = [*STYLES, *SCENES, *(f"on a {colour} background" for colour in COLOURS), _COUNTS]
    return texts + phrases * 400 + [" ".join(SCENES.values())] * 60 + [_HABITS] * 12


def train_tokenizer(folder: Path) -> None:
    """Learn the merges and write the tokenizer's folder."""
    letters = _byte_alphabet()
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix=_END))
    split = pre_tokenizers.Split(Regex(_WORD), "removed", invert=True)
    as_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, as_bytes])
    trainer = trainers.BpeTrainer(
        vocab_size=_SIZE, min_frequency=2, end_of_word_suffix=_END, initial_alphabet=letters
    )
    tokenizer.train_from_iterator([text.lower() for text in _texts()], trainer)
    pairs = [
        pair if isinstance(pair, list) else pair.split(" ")
        for pair in json.loads(tokenizer.to_str())["model"]["merges"]
    ]
    words = [*letters, *(letter + _END for letter in letters), *("".join(pair) for pair in pairs)]
    vocabulary = [*dict.fromkeys(words), "<|startoftext|>", "<|endoftext|>"]
    folder.mkdir(parents=True, exist_ok=True)
    numbered = {word: number for number, word in enumerate(vocabulary)}
    (folder / "vocab.json").write_text(json.dumps(numbered, ensure_ascii=False))
    lines = ["#version: 0.2", *(" ".join(pair) for pair in pairs)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    made = CLIPTokenizer(
        str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=TOKENS
    )
    made.save_pretrained(folder)
