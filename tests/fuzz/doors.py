"""All doors: what is read from files, bodies, the store and the broker."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from support.stored_documents import DOCUMENTS, Reader

from fuzz.door import Door, Enter, Opened
from fuzz.gateway_door import gateway
from winepress.bulk.bulk_file import FORMS, read_lines
from winepress.bulk.line import LineFault
from winepress.bulk.plan import Plan, PlanOptions
from winepress.bulk.wildcards import Wildcards
from winepress.client import Client
from winepress.gateway.key_store import KeyStore
from winepress.gateway.openai.batch_record import UserBatches
from winepress.gateway.openai.user_files import UserFiles
from winepress.gateway.requested_job import read_job
from winepress.job_files.infotext import with_infotext
from winepress.job_files.job_file import read_job_file
from winepress_shared.archive import Archive
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, NotFound, WinepressError
from winepress_shared.jobs.aliases import canonical_fields
from winepress_shared.jobs.foreign_syntax import foreign_syntax
from winepress_shared.jobs.job import MAX_PROMPT_CHARACTERS, decode_job, parse_job
from winepress_shared.jobs.picture import Picture
from winepress_shared.jobs.sound import Sound
from winepress_shared.json_text import parse_json
from winepress_shared.metadata import read
from winepress_shared.settings import Settings
from winepress_shared.stores.folder import FolderStore
from winepress_worker.models.weights import header

_CATALOGUE = Catalogue.load()
_READINGS = 50  #: of a prompt with wildcards
_ID = "0" * 12


def _plain(enter: Enter) -> Opened:
    """The opening of a door that needs no folder."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Enter]:
        yield enter

    return opened


def _of_file(name: str, enter: Callable[[Path], object]) -> Opened:
    """The opening of a door that reads a file."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Enter]:
        path = folder / name

        def write_and_enter(data: bytes) -> object:
            path.write_bytes(data)
            return enter(path)

        yield write_and_enter

    return opened


def _stored(read_it: Reader) -> Opened:
    """The opening of a door that reads a document of the store or the broker."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Enter]:
        os.fsync = lambda fd: None  # this process does nothing else
        archive = Archive(FolderStore(folder))
        yield lambda data: read_it(archive, data)

    return opened


def _values(data: bytes) -> dict[str, Any]:
    """The JSON object in ``data``; anything else is no matter of these doors."""
    try:
        values = parse_json(data)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _job(data: bytes) -> object:
    """A job that anybody wrote: what is taken is the same job again after its own JSON."""
    job = _CATALOGUE.resolve(decode_job(_values(data)))
    assert decode_job(json.loads(job.model_dump_json())) == job
    _CATALOGUE.warnings(job)
    return job.for_unit(0)


def _requested(data: bytes) -> object:
    job, _ = read_job(cast("Client", SimpleNamespace(settings=Settings())), _values(data))
    return _CATALOGUE.resolve(job)


def _job_file(path: Path) -> object:
    fields, _ = read_job_file(path)
    return parse_job(canonical_fields(fields))


def _bulk(form: str) -> Callable[[Path], object]:
    def enter(path: Path) -> object:
        wildcards = Wildcards(path.parent)
        plan = Plan(_CATALOGUE, PlanOptions(path.parent, wildcards=wildcards))
        faults: list[LineFault] = []
        plan.add(read_lines(path, form, faults.append), faults.append)
        if faults:
            raise faults[0]
        return plan.count

    return enter


@contextmanager
def _prompt(folder: Path) -> Iterator[Enter]:
    (folder / "x.txt").write_text("a\n2::b\n# c\n{a|c}\n")

    def enter(data: bytes) -> object:
        text = data.decode("utf-8", "replace")[:MAX_PROMPT_CHARACTERS]  # as jobs check it before
        foreign_syntax(text)
        Wildcards(folder).pick(text, random.Random(1))
        return list(islice(Wildcards(folder).every(text), _READINGS))

    yield enter


def _infotext(data: bytes) -> object:
    fields, _ = with_infotext({"infotext": data.decode("utf-8", "replace")})
    return parse_job(canonical_fields(fields))


def _picture(data: bytes) -> object:
    picture = Picture.load(data, "#123456")
    assert Picture.load(picture.png or b"").reference == picture.reference
    return picture


def _mask(data: bytes) -> object:
    return [Picture.load_mask(data, mode) for mode in ("auto", "luminance")]


def _key(archive: Archive, data: bytes) -> object:
    archive.store.put(f"gateway/keys/{_ID}.json", data)
    key = KeyStore(archive.store).find(_ID)
    if key is None:  # the log says why
        raise NotFound("no such key")
    return key.state(), key.caller


def _batch(archive: Archive, data: bytes) -> object:
    archive.store.put(f"gateway/batches/ada/batch_{'0' * 28}.json", data)
    return UserBatches(archive.store, "ada").get(f"batch_{'0' * 28}")


def _file(archive: Archive, data: bytes) -> object:
    archive.store.put(f"gateway/files/ada/file-{'0' * 28}.json", data)
    return UserFiles(archive.store, "ada").get(f"file-{'0' * 28}")


def _notes(archive: Archive, data: bytes) -> object:
    """What lies beside an object of a folder, and should be its metadata."""
    key = "jobs/job/out/000007.png"
    archive.store.put(key, b"a picture", metadata={"a": "b"})
    place = Path(archive.store.url(key).removeprefix("file://"))
    place.with_name(f".{place.name}.json").write_bytes(data)
    return archive.read_output(key)


_GATEWAY: dict[str, Reader] = {"key": _key, "batch record": _batch, "user file": _file}
_READERS = {name: read_it for name, (read_it, _) in DOCUMENTS.items()} | _GATEWAY

DOORS: tuple[Door, ...] = (
    Door("job", _plain(_job), share=500),
    Door("requested-job", _plain(_requested), share=300),
    Door("yaml-job-file", _of_file("job.yaml", _job_file), share=100),
    Door("json-job-file", _of_file("job.json", _job_file), share=100),
    *(Door(f"bulk-{form}", _of_file("items", _bulk(form)), share=100) for form in FORMS),
    Door("prompt", _prompt, share=200),
    Door("infotext", _plain(_infotext), share=200),
    Door("picture", _plain(_picture), share=60),
    Door("mask", _plain(_mask), share=40),
    Door("picture-metadata", _plain(read), share=100),
    Door("sound", _plain(Sound.load), share=100),
    *(
        Door(f"stored-{name.replace(' ', '-')}", _stored(read_it), (WinepressError,))
        for name, read_it in (_READERS | {"notes": _notes}).items()
    ),
    Door("weights", _of_file("model.safetensors", header), (EnvironmentFault,)),
    Door("gateway", gateway, share=60),
)
