"""A job written down in a YAML or JSON file."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import yaml

from winepress_shared.errors import WrongUsage

MAX_JOB_FILE_BYTES = 2**20
_FILES = (
    *("image", "mask", "init_image", "source_image", "mask_image", "source_mask"),
    *("first_image", "exit_image", "audio"),
)


class _Loader(yaml.SafeLoader):
    """Plain values only; no aliases, with which a small file describes a huge value."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("aliases are not accepted")
        return super().compose_node(parent, index)


def read_job_file(path: Path) -> dict[str, Any]:
    """The fields of the job in ``path``; its picture paths are relative to the file's folder.

    What is named ``.json`` is JSON, as is any other text that can be read so; the rest is YAML.
    Raises WrongUsage.
    """
    data = read_bounded(path)
    try:
        values = _parsed(data, must_be_json=path.suffix.lower() == ".json")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = " ".join(str(error).split())[:200]
        raise WrongUsage(f"not a YAML or JSON job: {first}", value=str(path)) from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise WrongUsage("a job file holds the fields of one job", value=str(path))
    for name in _FILES:
        value = values.get(name)
        if isinstance(value, str) and not value.startswith("sha256:"):
            values[name] = str(path.parent / value)
    return values


def _parsed(data: bytes, *, must_be_json: bool) -> object:
    """YAML would read JSON too, but for what JSON escapes: an emoji as two halves of one."""
    if must_be_json or data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        try:
            return read_json(data)
        except ValueError:
            if must_be_json:
                raise
    return yaml.load(data, _Loader)  # noqa: S506 - a SafeLoader


def read_json(data: bytes) -> object:
    """Strict JSON in UTF-8: no NaN, no name twice; raises ValueError, RecursionError."""
    text = data.decode("utf-8-sig")
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_object)


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    values = dict(pairs)
    if len(values) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{twice!r} is given twice")
    return values


def read_bounded(path: Path) -> bytes:
    """The bytes of a job file or of a part of one; raises WrongUsage."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_JOB_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise WrongUsage(f"cannot read the file: {reason}", value=str(path)) from None
    if len(data) > MAX_JOB_FILE_BYTES:
        raise WrongUsage(
            "the job file is too large", value=str(path), allowed=f"{MAX_JOB_FILE_BYTES} bytes"
        )
    return data
