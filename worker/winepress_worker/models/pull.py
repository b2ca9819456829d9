"""Fetches one published model; intact local files are kept, damaged ones are fetched again."""

from __future__ import annotations

import shutil
from pathlib import Path

from winepress_shared.errors import EnvironmentFault, ObjectTooLarge
from winepress_shared.stores.base import BytesCallback
from winepress_worker.models.manifest import FileRecord, Manifest, digest
from winepress_worker.models.registry import ModelRegistry, percents
from winepress_worker.report import Report

_PARTIAL = ".partial"  #: folder of incomplete files, each named by its hash


def pull(
    registry: ModelRegistry, manifest: Manifest, work: Path, older: Path, report: Report
) -> None:
    """Fill the folder ``work`` with the model of ``manifest``, which is written last.

    ``work`` may hold what a killed call had fetched; intact files in ``older`` are linked. Every
    file is compared with its hash. Raises EnvironmentFault for a file that is damaged in the store,
    StoreUnreachable, and OSError (ENOSPC: the disk is full).
    """
    total = max(sum(file.size for file in manifest.files.values()), 1)
    (work / _PARTIAL).mkdir(parents=True, exist_ok=True)
    done = 0
    for name, file in manifest.files.items():
        target = work / name
        if not _is(target, file):
            target.unlink(missing_ok=True)
            target.parent.mkdir(parents=True, exist_ok=True)
            if _is(older / name, file):
                _link(older / name, target)
            else:
                partial = work / _PARTIAL / file.sha256
                on_bytes = percents(f"fetching {name} from the store", done, total, report)
                _fetch(registry, file, partial, on_bytes, name)
                partial.rename(target)
        done += file.size
    shutil.rmtree(work / _PARTIAL)
    for path in [path for path in work.rglob("*") if path.is_file()]:
        if path.relative_to(work).as_posix() not in manifest.files:
            path.unlink()  # from an unfinished pull of another revision
    manifest.write(work)


def missing_bytes(manifest: Manifest, work: Path) -> int:
    """Bytes still to be fetched, by sizes alone."""
    total = sum(file.size for file in manifest.files.values())
    held = sum(path.stat().st_size for path in work.rglob("*") if path.is_file())
    return max(total - held, 0)


def _fetch(
    registry: ModelRegistry, file: FileRecord, partial: Path, on_bytes: BytesCallback, name: str
) -> None:
    """Complete ``partial``; restarted once, because its beginning may be damaged."""
    for _ in range(2):
        try:
            registry.fetch(file, partial, on_bytes)
        except ObjectTooLarge:
            break
        if _is(partial, file):
            return
        partial.unlink()
    raise EnvironmentFault(
        "a file of the model is damaged in the store",
        value=name,
        hint="run `winepress models push MODEL --replace` on a machine with an intact copy",
    )


def _is(path: Path, file: FileRecord) -> bool:
    """True when ``path`` has the recorded size and hash."""
    try:
        return path.stat().st_size == file.size and digest(path) == file.sha256
    except OSError:
        return False


def _link(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:  # some file systems have no links
        shutil.copyfile(source, target)
