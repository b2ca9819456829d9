"""Reading a file of items: JSON lines, CSV or prompts; every form streams."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from winepress.bulk.line import Line, fault_at
from winepress_shared.errors import InvalidJob, WrongUsage

MAX_FILE_BYTES = 256 * 2**20  #: largest file of items
MAX_LINE_CHARACTERS = 65_536
FORMS = ("jsonl", "csv", "prompts")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "prompts"}
#: Columns and fields that name an item and say nothing about its picture.
_NAMES = ("custom_id", "id", "name")
_IMAGES_URL = "/v1/images/generations"
#: Fields of an OpenAI request that are about the answer and not about the picture.
_ABOUT_THE_ANSWER = ("response_format", "user", "moderation")
_FLAG = re.compile(r"--([a-z_]+)\Z")


def read_lines(path: Path, form: str | None = None) -> Iterator[Line]:
    """Every item of ``path``; ``form`` is one of `FORMS`, by default told by the file's name.

    Raises WrongUsage when the file cannot be read, InvalidJob with line and column for one that
    is broken.
    """
    form = form or _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise WrongUsage(
            "cannot tell what kind of file this is",
            value=str(path),
            allowed=", ".join(_SUFFIXES),
            hint=f"Say it with --form: {', '.join(FORMS)}",
        )
    text = io.StringIO(_read(path), newline="")
    readers = {"jsonl": _json_lines, "csv": _csv_lines, "prompts": _prompt_lines}
    return readers[form](text)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise WrongUsage("the file is too large", allowed=f"{MAX_FILE_BYTES >> 20} MiB")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise WrongUsage(f"cannot read the items: {error.strerror}", value=str(path)) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WrongUsage(
            f"line {line} is not UTF-8 text",
            value=str(path),
            hint="Save the file as UTF-8; Excel calls it `CSV UTF-8`",
        ) from None


def _numbered(text: io.StringIO) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text, 1):
        if len(line) > MAX_LINE_CHARACTERS:
            error = InvalidJob("too long", allowed=f"{MAX_LINE_CHARACTERS} characters")
            raise fault_at(number, None, error)
        yield number, line.rstrip("\r\n")


def _json_lines(text: io.StringIO) -> Iterator[Line]:
    for number, written in _numbered(text):
        if not written.strip():
            continue
        try:
            values = json.loads(written)
        except json.JSONDecodeError as error:
            raise fault_at(number, error.colno, InvalidJob(f"not JSON: {error.msg}")) from None
        except (ValueError, RecursionError):
            raise fault_at(number, None, InvalidJob("not JSON that can be read")) from None
        if not isinstance(values, dict):
            raise fault_at(number, 1, InvalidJob("not a JSON object", value=values))
        line = Line(number, values, columns=_json_columns(written, values))
        yield _openai(line, written) if "body" in values else _named(line)


def _json_columns(written: str, values: dict[str, Any]) -> dict[str, int]:
    """Where each field begins; a field's name inside a prompt may be found instead."""
    return {name: written.find(json.dumps(name)) + 1 for name in values}


def _named(line: Line) -> Line:
    """Take the item's own name out of its values."""
    values = dict(line.values)
    found = [str(values.pop(name)) for name in _NAMES if name in values]
    return Line(line.number, values, found[0] if found else "", line.columns)


def _openai(line: Line, written: str) -> Line:
    """A line of the OpenAI Batch API: custom_id, method, url, body."""
    values = line.values
    if values.get("url", _IMAGES_URL) != _IMAGES_URL or values.get("method", "POST") != "POST":
        raise line.fault(
            InvalidJob(
                "only pictures are drawn here",
                field="url" if values.get("url", _IMAGES_URL) != _IMAGES_URL else "method",
                value=f"{values.get('method', 'POST')} {values.get('url', _IMAGES_URL)}",
                allowed=f"POST {_IMAGES_URL}",
            )
        )
    body = values["body"]
    if not isinstance(body, dict):
        raise line.fault(InvalidJob("not an object", field="body", value=body))
    fields = {name: value for name, value in body.items() if name not in _ABOUT_THE_ANSWER}
    columns = _json_columns(written, body)
    if "output_compression" in fields:
        fields["output_quality"] = fields.pop("output_compression")
        columns["output_quality"] = columns["output_compression"]
    return Line(line.number, fields, str(values.get("custom_id", "")), columns)


def _csv_lines(text: io.StringIO) -> Iterator[Line]:
    head = text.readline()
    text.seek(0)
    rows = csv.reader(text, delimiter=max(",;\t", key=head.count), strict=True)
    header, first = _csv_row(rows, 1)
    if header is None:
        return
    names = [name.strip().lower().replace(" ", "_") for name in header]
    columns = {name: column for column, name in enumerate(names, 1)}
    if "" in columns or len(columns) < len(names):
        raise fault_at(first, None, InvalidJob("each column needs a name of its own"))
    while True:
        row, first = _csv_row(rows, rows.line_num + 1)
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            problem = "not as many cells as columns"
            error = InvalidJob(problem, value=len(row), allowed=f"{len(names)}")
            raise fault_at(first, min(len(row), len(names)) + 1, error)
        values = {name: cell for name, cell in zip(names, row, strict=True) if cell != ""}
        yield _named(Line(first, _counts(values), columns=columns))


def _csv_row(rows: Any, first: int) -> tuple[list[str] | None, int]:
    """The next record and the line it begins in; None at the end of the file."""
    try:
        return next(rows, None), first
    except csv.Error as error:
        # A quotation mark left open is met lines later, often at the end of the file.
        hint = "is a quotation mark of this record not closed?"
        raise fault_at(first, None, InvalidJob(f"not CSV: {error}", hint=hint)) from None


def _prompt_lines(text: io.StringIO) -> Iterator[Line]:
    for number, written in _numbered(text):
        stripped = written.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if stripped.startswith("--"):
            yield _flag_line(number, written)
        else:
            yield Line(number, {"prompt": stripped}, columns={"prompt": 1})


def _flag_line(number: int, written: str) -> Line:
    """``--prompt "a cat" --steps 30``, as the prompts-from-file script of A1111 takes it."""
    try:
        words = shlex.split(written)
    except ValueError as error:
        raise fault_at(number, len(written), InvalidJob(str(error).lower())) from None
    values: dict[str, Any] = {}
    columns: dict[str, int] = {}
    for flag, value in zip(words[::2], [*words[1::2], None], strict=False):
        name, column = _FLAG.match(flag), written.find(flag) + 1
        if name is None or name[1] in values:
            problem = "not a flag" if name is None else "given twice"
            raise fault_at(number, column, InvalidJob(problem, value=flag, allowed="--name value"))
        if value is None:
            raise fault_at(number, column, InvalidJob("has no value"), flag)
        values["model" if name[1] == "sd_model" else name[1]] = value
        columns["model" if name[1] == "sd_model" else name[1]] = column
    return Line(number, _counts(values), columns=columns)


def _counts(values: dict[str, Any]) -> dict[str, Any]:
    """Counts whose product is taken must be numbers; every other text is read by `Job`."""
    return {
        name: int(value) if name in ("batch_size", "n_iter") and value.isdecimal() else value
        for name, value in values.items()
    }
