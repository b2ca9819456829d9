"""The results of a job as tables: manifest.jsonl, manifest.csv and contact sheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from winepress.contact_sheet import contact_sheet
from winepress.handle import file_name, open_job
from winepress_shared.atomic_file import atomic_write
from winepress_shared.errors import WrongUsage
from winepress_shared.items import ItemReader

if TYPE_CHECKING:
    from winepress.connections import Connections

COLUMNS = (
    "job",
    "unit",
    "name",
    "line",
    "state",
    "file",
    "prompt",
    "seed",
    "width",
    "height",
    "num_inference_steps",
    "guidance_scale",
    "model",
    "precision",
    "key",
    "sha256",
    "size",
    "device",
    "worker",
    "render_s",
    "attempts",
    "warnings",
    "error",
    "message",
)
#: Spreadsheets take a cell that begins so for a formula, and a prompt may come from anybody
#: (https://owasp.org/www-community/attacks/CSV_Injection).
_COMPUTED = ("=", "+", "-", "@", "\t", "\r")
_PER_SHEET = 100  #: pictures on one contact sheet


def manifest_rows(connections: Connections, job_id: str) -> Iterator[dict[str, Any]]:
    """One row per picture of a job, in unit order; raises NotFound, ObjectMissing."""
    record, result = connections.archive.read_job(job_id), open_job(connections, job_id).result
    done = {output.unit: output for output in result.outputs}
    failed = {failure.unit: failure for failure in result.failures}
    reader = ItemReader(connections.archive)
    for unit in range(record.job.unit_count):
        item = reader.item(record, unit)
        values: dict[str, Any] = {
            "job": job_id,
            "name": item.name,
            "line": item.line or None,
            "state": "waiting",
        }
        values |= item.job.model_dump(mode="json")
        if unit in done:
            values |= vars(done[unit]) | {"state": "done"}
            values["file"] = file_name(job_id, done[unit].key)
            values["warnings"] = list(done[unit].warnings)
        elif unit in failed:
            values |= vars(failed[unit]) | {"state": "failed"}
        values["unit"] = unit
        yield {name: values.get(name) for name in COLUMNS}


def write_manifest(rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write ``manifest.jsonl`` and ``manifest.csv``, replacing older ones; raises WrongUsage.

    In the CSV file an apostrophe stands before a text that a spreadsheet would compute.
    """
    table = io.StringIO()
    writer = csv.DictWriter(table, COLUMNS)  # ends lines with CRLF, as RFC 4180 demands
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return [
        _write(folder / "manifest.jsonl", lines.encode()),
        # The byte order mark tells Excel that this is UTF-8.
        _write(folder / "manifest.csv", table.getvalue().encode("utf-8-sig")),
    ]


def write_contact_sheets(rows: Sequence[dict[str, Any]], folder: Path) -> list[Path]:
    """Write ``contact-sheet-001.png`` and so on, with a hundred saved pictures on each sheet."""
    finished = [
        row for row in rows if row["state"] == "done" and _is_saved_picture(folder / row["file"])
    ]
    paths = []
    for number, first in enumerate(range(0, len(finished), _PER_SHEET), 1):
        part = finished[first : first + _PER_SHEET]
        sheet = contact_sheet([(_caption(row), _open(folder / row["file"])) for row in part])
        buffer = io.BytesIO()
        sheet.save(buffer, "PNG")
        paths.append(_write(folder / f"contact-sheet-{number:03d}.png", buffer.getvalue()))
    return paths


def _cell(value: object) -> object:
    if isinstance(value, list):
        value = "; ".join(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_COMPUTED) else value


def _caption(row: dict[str, Any]) -> str:
    return f"{row['name'] or row['unit']} {row['prompt']}"


def _is_saved_picture(path: Path) -> bool:
    """False for a film, and for a picture that was finished after the others were saved."""
    return path.suffix in (".png", ".jpg", ".webp") and path.exists()


def _open(path: Path) -> Image.Image:
    """A small copy of a picture: a hundred large ones would fill the memory."""
    with Image.open(path, formats=("PNG", "JPEG", "WEBP")) as image:
        image.thumbnail((256, 256))
        return image.convert("RGB")


def _write(path: Path, data: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)  # a job without pictures made no folder
        atomic_write(path, data)
    except OSError as error:
        raise WrongUsage(f"cannot save here: {error.strerror}", value=str(path)) from None
    return path
