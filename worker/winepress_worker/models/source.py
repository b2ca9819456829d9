"""Where a model's weights come from: at present the folders that are installed with the worker."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from winepress_shared.catalogue import Model
from winepress_shared.errors import Environment
from winepress_worker.models.manifest import digest

_BUNDLED = "bundled:"


@dataclass(frozen=True)
class Source:
    """The parts of one model in diffusers' folder format, possibly lent by a sibling."""

    entries: tuple[Path, ...]  #: files and part folders that together make the model

    @property
    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times of all files: equal signatures need no new hash."""
        files = self._files()
        return tuple((name, p.stat().st_size, p.stat().st_mtime_ns) for name, p in files.items())

    def digest(self) -> str:
        """Content hash over names and bytes of all files, 64 hexadecimal digits."""
        total = hashlib.sha256()
        for name, path in self._files().items():
            total.update(f"{name}\0{digest(path)}\n".encode())
        return total.hexdigest()

    def assemble(self, target: Path) -> Source:
        """Copy all parts into the new folder ``target``; raises OSError."""
        target.mkdir(parents=True)
        for entry in self.entries:
            if entry.is_dir():
                shutil.copytree(entry, target / entry.name)
            else:
                shutil.copyfile(entry, target / entry.name)
        return Source(tuple(sorted(target.iterdir())))

    def _files(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for entry in self.entries:
            paths = entry.rglob("*") if entry.is_dir() else [entry]
            for path in paths:
                if path.is_file():
                    found[path.relative_to(entry.parent).as_posix()] = path
        return dict(sorted(found.items()))


def is_bundled(model: Model) -> bool:
    """True when the weights of ``model`` are installed with the worker."""
    return model.source.startswith(_BUNDLED)


def find_source(model: Model) -> Source:
    """The bundled weights of ``model``; a part it lacks is the sibling's (`Model.shares`).

    Raises Environment when the model is not a bundled one, or parts of it are not installed.
    """
    if not is_bundled(model):
        raise Environment(
            f"{model.name} cannot be prepared on this machine",
            field="source",
            value=model.source,
            allowed="models of source bundled:FOLDER",
        )
    root = Path(str(resources.files("winepress_worker"))) / "bundled"
    entries: dict[str, Path] = {}
    for folder in (model.source.removeprefix(_BUNDLED), model.shares):
        if folder and (root / folder).is_dir():
            for entry in (root / folder).iterdir():
                entries.setdefault(entry.name, entry)
    _check_complete(model, entries)
    return Source(tuple(entries[name] for name in sorted(entries)))


def _check_complete(model: Model, entries: dict[str, Path]) -> None:
    """Every part that model_index.json names must be there."""
    try:
        index = json.loads(entries["model_index.json"].read_bytes())
    except (KeyError, OSError, ValueError):
        raise Environment(
            f"the bundled model {model.name} is not installed",
            hint="install winepress[worker] again",
        ) from None
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0]]
    missing = [name for name in parts if name not in entries]
    if missing:
        raise Environment(
            f"the bundled model {model.name} lacks {', '.join(missing)}",
            hint="install winepress[worker] again",
        )
