"""Reading a batch file: JSON lines, CSV or prompts, line by line."""

from __future__ import annotations

import codecs
import csv
import errno
import io
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, pairwise
from pathlib import Path
from typing import Any, TextIO

from winepress.bulk.line import Line, LineFault, OnFault, raise_fault
from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob, Refused, WrongUsage
from winepress_shared.json_text import parse_json
from winepress_shared.regular_file import read_regular

MAX_FILE_BYTES = 256 * 2**20  #: largest file of items
MAX_FILE_LINES = 1_000_000
MAX_LINE_CHARACTERS = 65_536
MAX_JSON_CHARACTERS = 96 * 2**20  #: of a line, which may hold pictures in base64
_MAX_FIELDS = 200  #: of a line of JSON or flags; the column of each is searched for
#: Finds our fields in those of a line, with a warning for each that is ignored; raises Refused.
Understand = Callable[[Mapping[str, Any]], tuple[dict[str, Any], list[str]]]
FORMS = ("jsonl", "csv", "prompts")
_SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".tsv": "csv", ".txt": "prompts"}
#: Columns and fields that name an item.
_NAMES = ("custom_id", "id", "name")
_IMAGES_URL = "/v1/images/generations"
_EDITS_URL = "/v1/images/edits"
_URLS = (_IMAGES_URL, _EDITS_URL)
_REQUEST = ("custom_id", "method", "url", "body")  #: all fields of a line of the OpenAI Batch API
_TOO_MANY = "too many fields"
_FLAG = re.compile(r"--([a-z_]+)\Z")
_UNSPACED = re.compile(r"\S+")
_APOSTROPHE = re.compile(r"\w'\w")
_DELIMITERS = ",;\t|"
#: A first line with which Excel gives the delimiter of a table.
_SEP = re.compile(r'"?sep=(.)"?\s*\Z', re.IGNORECASE | re.DOTALL)


def read_lines(
    path: Path,
    form: str | None = None,
    on_fault: OnFault = raise_fault,
    understand: Understand = read_fields,
) -> Iterator[Line]:
    """Every item of ``path``; ``form`` is one of `FORMS`, and by default that of the file name.

    ``on_fault`` is called with the fault of each invalid line. ``understand`` finds our fields in
    those of a line, and leaves its paths as they are. Raises WrongUsage when the file cannot be
    read, and LineFault where the next line cannot be found.
    """
    form = form or _SUFFIXES.get(path.suffix.lower())
    if form is None:
        raise WrongUsage(
            "unknown form of file",
            value=str(path),
            allowed=", ".join(_SUFFIXES),
            hint=f"Name the form with --form: {', '.join(FORMS)}",
        )
    readers = {"jsonl": _json_lines, "csv": _csv_lines, "prompts": _prompt_lines}
    for line in readers[form](_read(path), on_fault):
        try:
            values, warnings = understand(line.values)
        except Refused as error:
            on_fault(line.fault(error))
        else:
            yield Line(line.number, values, line.name, line.columns, tuple(warnings))


def _read(path: Path) -> TextIO:
    try:
        data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        if error.errno == errno.EFBIG:
            allowed = f"{MAX_FILE_BYTES >> 20} MiB"
            raise WrongUsage("the file is too large", allowed=allowed) from None
        raise WrongUsage(
            f"cannot read the file of pictures: {error.strerror}", value=str(path)
        ) from None
    if max(data.count(b"\n"), data.count(b"\r")) > MAX_FILE_LINES:
        raise WrongUsage("the file has too many lines", allowed=f"{MAX_FILE_LINES}")
    is_wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # Excel's `Unicode text`
    encoding = "utf-16" if is_wide else "utf-8-sig"
    try:
        data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise WrongUsage(
            f"line {line} is not UTF-8 text",
            value=str(path),
            hint="Save the file as UTF-8; Excel calls it `CSV UTF-8`",
        ) from None
    return io.TextIOWrapper(io.BytesIO(data), encoding, newline="")


def _numbered(text: TextIO, most: int = MAX_LINE_CHARACTERS) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(_within(text, most), 1):
        yield number, line.rstrip("\r\n")


def _within(lines: Iterable[str], most: int, first: int = 1) -> Iterator[str]:
    for number, line in enumerate(lines, first):
        if len(line) > most:
            raise LineFault(number, None, InvalidJob("too long", allowed=f"{most} characters"))
        yield line


def _json_lines(text: TextIO, on_fault: OnFault) -> Iterator[Line]:
    for number, written in _numbered(text, MAX_JSON_CHARACTERS):
        if not written.strip():
            continue
        try:
            line = _json_line(number, written)
        except LineFault as fault:
            on_fault(fault)
        else:
            yield line


def _json_line(number: int, written: str) -> Line:
    try:
        values = parse_json(written)
    except json.JSONDecodeError as error:
        raise LineFault(number, error.colno, InvalidJob(f"not JSON: {error.msg}")) from None
    except ValueError as error:
        raise LineFault(number, None, InvalidJob(f"not JSON: {error}")) from None
    if not isinstance(values, dict):
        raise LineFault(number, 1, InvalidJob("not a JSON object", value=values))
    body = values.get("body")
    if max(len(values), len(body) if isinstance(body, dict) else 0) > _MAX_FIELDS:
        raise LineFault(number, 1, InvalidJob(_TOO_MANY, allowed=f"{_MAX_FIELDS}"))
    line = Line(number, values, columns=_json_columns(written, values))
    return _openai(line, written) if "body" in values else _named(line)


def _json_columns(written: str, values: dict[str, Any]) -> dict[str, int]:
    """The column of each field; a wrong one where an earlier text contains the name."""
    return {name: written.find(json.dumps(name)) + 1 for name in values}


def _named(line: Line) -> Line:
    """Move the name of the item out of its values."""
    values = dict(line.values)
    found = [values.pop(name) for name in _NAMES if name in values]
    names = [str(name) for name in found if name is not None]
    return Line(line.number, values, names[0] if names else "", line.columns)


def _openai(line: Line, written: str) -> Line:
    """A line of the OpenAI Batch API, with custom_id, method, url and body."""
    values = {name: value for name, value in line.values.items() if value is not None}
    stranger = next((name for name in values if name not in _REQUEST), None)
    if stranger is not None:
        allowed = ", ".join(_REQUEST)
        raise line.fault(InvalidJob("unknown field of a request", field=stranger, allowed=allowed))
    url, method = values.get("url", _IMAGES_URL), values.get("method", "POST")
    if url not in _URLS or method != "POST":
        raise line.fault(
            InvalidJob(
                "only pictures can be asked for",
                field="method" if url in _URLS else "url",
                value=f"{method} {url}",
                allowed=" and ".join(f"POST {one}" for one in _URLS),
            )
        )
    body = values.get("body")
    if not isinstance(body, dict):
        raise line.fault(InvalidJob("not an object", field="body", value=body))
    if url == _EDITS_URL:
        body = {"kind": "inpaint" if body.get("mask") else "image-to-image"} | body
    return Line(line.number, body, str(values.get("custom_id", "")), _json_columns(written, body))


def _csv_lines(text: TextIO, on_fault: OnFault) -> Iterator[Line]:
    head, before = text.readline(), 0
    said = _SEP.match(head.rstrip("\r\n"))
    if said:
        head, before = text.readline(), 1
    delimiter = said[1] if said else max(_DELIMITERS, key=head.count)
    lines = _within(chain([head], text), MAX_LINE_CHARACTERS, before + 1)
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    header, first = _csv_row(rows, before)
    if header is None:
        return
    names = [name.strip().lower().replace(" ", "_") for name in header]
    columns = {name: column for column, name in enumerate(names, 1)}
    if "" in columns or len(columns) < len(names):
        raise LineFault(first, None, InvalidJob("column names must be unique and not empty"))
    while True:
        row, first = _csv_row(rows, before)
        if row is None:
            return
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            problem = "wrong number of cells"
            error = InvalidJob(problem, value=len(row), allowed=f"{len(names)}")
            on_fault(LineFault(first, min(len(row), len(names)) + 1, error))
            continue
        values = {name: cell for name, cell in zip(names, row, strict=True) if cell != ""}
        yield _named(Line(first, _counts(values), columns=columns))


def _csv_row(rows: Any, before: int) -> tuple[list[str] | None, int]:
    """The next record and its first line; ``before`` lines were read before the header."""
    first = rows.line_num + before + 1
    try:
        return next(rows, None), first
    except csv.Error as error:
        # An open quotation mark is noticed lines later, often at the end of the file.
        hint = "Check that every quotation mark of this record is closed"
        raise LineFault(first, None, InvalidJob(f"not CSV: {error}", hint=hint)) from None


def _prompt_lines(text: TextIO, on_fault: OnFault) -> Iterator[Line]:
    for number, written in _numbered(text):
        stripped = written.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if not stripped.startswith("--"):
            yield Line(number, {"prompt": stripped}, columns={"prompt": 1})
            continue
        try:
            line = _flag_line(number, written)
        except LineFault as fault:
            on_fault(fault)
        else:
            yield line


def _flag_line(number: int, written: str) -> Line:
    """Read ``--prompt a cat --steps 30``, the form of A1111's prompts-from-file script.

    A value extends to the next flag, with or without quotation marks around it.
    """
    try:
        words = _words(written)
    except ValueError as error:
        raise LineFault(number, len(written), InvalidJob(str(error).lower())) from None
    values: dict[str, Any] = {}
    columns: dict[str, int] = {}
    places = {found[0]: found.start() + 1 for found in reversed([*_UNSPACED.finditer(written)])}
    flags = [at for at, word in enumerate(words) if at == 0 or word.startswith("--")]
    for at, end in pairwise([*flags, len(words)]):
        flag = words[at]
        name, column = _FLAG.match(flag), places.get(flag, 1)
        field = "model" if name and name[1] == "sd_model" else name and name[1]
        if not field or field in values:
            problem = "given twice" if field else "not a flag"
            raise LineFault(number, column, InvalidJob(problem, value=flag, allowed="--name value"))
        if end == at + 1:
            raise LineFault(number, column, InvalidJob("has no value"), flag)
        if len(values) == _MAX_FIELDS:
            raise LineFault(number, column, InvalidJob(_TOO_MANY, allowed=f"{_MAX_FIELDS}"))
        values[field], columns[field] = " ".join(words[at + 1 : end]), column
    return Line(number, _counts(values), columns=columns)


def _words(written: str) -> list[str]:
    """Split as a shell does, but keep apostrophes inside words; raises ValueError."""
    if not _APOSTROPHE.search(written):
        with suppress(ValueError):
            return shlex.split(written)
    words = shlex.shlex(written, posix=True)
    words.whitespace_split, words.commenters, words.quotes = True, "", '"'
    return list(words)


def _counts(values: dict[str, Any]) -> dict[str, Any]:
    """Convert the counts that are multiplied to numbers; `Job` reads every other text."""
    return {
        name: int(value)
        if name in ("batch_size", "n_iter") and value.isdecimal() and len(value) < 10
        else value
        for name, value in values.items()
    }
