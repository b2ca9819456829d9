"""Makes a model's tokenizers from the words and settings in its files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from transformers import AddedToken, CLIPTokenizer

from winepress_shared.errors import EnvironmentFault
from winepress_worker.models.content import TOKENIZERS, read_settings

_MOST_TOKENS = 1024  #: of one prompt; CLIP's encoders take 77

_Token = Annotated[str, Field(min_length=1, max_length=100)]


class _Model(BaseModel):
    model_config = ConfigDict(strict=True)
    vocab: dict[str, Annotated[int, Field(ge=0, lt=2**31)]]
    merges: list[str | list[str]]


class _Added(BaseModel):
    """A token beside the vocabulary."""

    model_config = ConfigDict(strict=True)
    id: Annotated[int, Field(ge=0, lt=2**31)]
    content: _Token
    single_word: bool = False
    lstrip: bool = False
    rstrip: bool = False
    normalized: bool = False
    special: bool = False


class _Words(BaseModel):
    """The part of ``tokenizer.json`` that is read; texts are always split as CLIP does."""

    model_config = ConfigDict(strict=True)
    model: _Model
    added_tokens: list[_Added]


class _Settings(BaseModel):
    """The part of ``tokenizer_config.json`` that is read."""

    model_config = ConfigDict(strict=True)
    model_max_length: Annotated[int, Field(ge=1, le=_MOST_TOKENS)]
    bos_token: _Token
    eos_token: _Token
    pad_token: _Token
    unk_token: _Token


def make_tokenizers(folder: Path) -> dict[str, CLIPTokenizer]:
    """The tokenizers of the prepared model in ``folder`` by name; raises EnvironmentFault."""
    present = [name for name in TOKENIZERS if (folder / name).is_dir()]
    return {name: _make_tokenizer(folder, name) for name in present}


def _make_tokenizer(folder: Path, name: str) -> CLIPTokenizer:
    try:
        words = _Words.model_validate(read_settings(folder, f"{name}/tokenizer.json"))
        settings = _Settings.model_validate(read_settings(folder, f"{name}/tokenizer_config.json"))
        merges = [_pair(merge) for merge in words.model.merges]
    except ValueError as error:
        field = error.errors()[0]["loc"] if isinstance(error, ValidationError) else ("merges",)
        where = ".".join(str(part) for part in field[:3])
        raise EnvironmentFault(
            "the model's tokenizer is damaged", value=str(folder / name), allowed=f"see {where}"
        ) from None
    added = {one.id: AddedToken(**one.model_dump(exclude={"id"})) for one in words.added_tokens}
    by_text = {str(token): token for token in added.values()}
    given: dict[str, Any] = settings.model_dump()
    tokens = {key: by_text.get(text, text) for key, text in given.items() if key.endswith("_token")}
    return CLIPTokenizer(
        vocab=words.model.vocab,
        merges=merges,
        added_tokens_decoder=added,
        **(given | tokens),
    )


def _pair(merge: str | list[str]) -> tuple[str, str]:
    first, second = merge.split(" ") if isinstance(merge, str) else merge
    return first, second
