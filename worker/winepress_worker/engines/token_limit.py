"""Finds the words of a prompt beyond the token limit of a model's text encoders."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from winepress_shared.jobs.job import Job

_MOST_CHARACTERS = 200  #: of the words shown


def unread_words(tokenizer: Any, text: str) -> str:
    """The end of ``text`` that diffusers cuts off; may be empty.

    In the original spelling if the tokenizer keeps it, else as it decodes the tokens.
    """
    most: int = tokenizer.model_max_length
    tokens = tokenizer(text, truncation=False).input_ids
    if len(tokens) <= most:
        return ""
    kept = most - 1  # one place is the end token's
    if getattr(tokenizer, "is_fast", False):
        places = tokenizer(text, truncation=False, return_offsets_mapping=True).offset_mapping
        return text[places[kept][0] :].strip()
    return str(tokenizer.decode(tokens[kept:-1], skip_special_tokens=True)).strip()


def unread_warnings(tokenizers: Iterable[Any], job: Job) -> tuple[str, ...]:
    """One warning per text of ``job`` and distinct cut."""
    texts = {"prompt": job.prompt}
    if (job.guidance_scale or 0) > 1:
        texts["negative_prompt"] = job.negative_prompt
    found = (
        f"{field} is cut after {tokenizer.model_max_length} tokens, not read: {_short(words)}"
        for tokenizer in tokenizers
        for field, text in texts.items()
        if (words := unread_words(tokenizer, text))
    )
    return tuple(dict.fromkeys(found))


def _short(words: str) -> str:
    return words if len(words) <= _MOST_CHARACTERS else words[: _MOST_CHARACTERS - 1] + "…"
