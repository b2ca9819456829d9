"""Where a model's weights come from: the installed package, a folder, or a model hub."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from winepress_shared.errors import EnvironmentFault
from winepress_shared.model import Model
from winepress_worker.models.folder import (
    INDEX_FILE,
    family_of,
    part_files,
    pipeline_files,
    plain_index,
    read_json,
)
from winepress_worker.models.manifest import digest
from winepress_worker.models.weights import header

_BUNDLED, _FOLDER, _HUB = "bundled:", "folder:", "hub:"
LORA_PART, TINY_VAE_PART = "lora", "tiny_vae"
_LORA_FILE = "pytorch_lora_weights.safetensors"

#: Turns ``ORGANISATION/REPOSITORY`` into a folder that holds its files; may download them.
Fetch = Callable[[str], Path]


@dataclass(frozen=True)
class Source:
    """All files of one model, by their place in the assembled folder."""

    files: dict[str, Path]

    @property
    def signature(self) -> tuple[tuple[str, int, int], ...]:
        """Names, sizes and times of all files: equal signatures need no new hash."""
        stats = ((name, path.stat()) for name, path in sorted(self.files.items()))
        return tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in stats)

    def digest(self) -> str:
        """Content hash over names and bytes of all files, 64 hexadecimal digits."""
        total = hashlib.sha256()
        for name, path in sorted(self.files.items()):
            total.update(f"{name}\0{digest(path)}\n".encode())
        return total.hexdigest()

    def assemble(self, target: Path) -> None:
        """Assemble the model in the new folder ``target``, by links; raises OSError."""
        for name, path in self.files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).symlink_to(path.absolute())
        index = plain_index(target)
        (target / INDEX_FILE).unlink()
        (target / INDEX_FILE).write_text(json.dumps(index), "utf-8")


def refuse_to_fetch(repository: str) -> Path:
    """A `Fetch` for places without a hub."""
    raise EnvironmentFault(
        "this model comes from a hub, which cannot be used here",
        value=repository,
        hint="if you have a copy of it: winepress models prepare MODEL --from FOLDER",
    )


def is_bundled(model: Model) -> bool:
    """True when the weights of ``model`` are installed with the worker."""
    return model.source.startswith(_BUNDLED)


def is_available_offline(model: Model) -> bool:
    """True when ``model`` can be prepared without a network."""
    places = (model.source, model.unet, model.lora, model.tiny_vae)
    return not any(place and place.startswith(_HUB) for place in places)


def find_source(model: Model, mirror: Path | None = None, fetch: Fetch = refuse_to_fetch) -> Source:
    """All files of ``model``; repositories of a hub are looked up below the folder ``mirror``.

    There a repository lies as ``ORGANISATION/REPOSITORY`` or ``REPOSITORY``; a model of a single
    repository may be the folder itself. Without a mirror, ``fetch`` gets the repositories. Raises
    EnvironmentFault, saying what is missing or unusable.
    """
    if is_bundled(model):
        return Source(_bundled_files(model))
    places = _Places(mirror, fetch)
    find = places.find
    folder = find(model.source)
    files = pipeline_files(folder)
    family, _ = family_of(read_json(folder / INDEX_FILE), folder)
    if family != model.family:
        raise EnvironmentFault(
            f"this is not {model.name} but a model of another family",
            value=family,
            allowed=model.family,
        )
    if model.unet:
        files = {name: path for name, path in files.items() if not name.startswith("unet/")}
        files |= part_files(find(model.unet), "unet")
    if model.lora:
        files[f"{LORA_PART}/{_LORA_FILE}"] = _lora_file(find(model.lora))
    if model.tiny_vae and (model.tiny_vae_only or places.may_have(model.tiny_vae)):
        files |= part_files(find(model.tiny_vae), TINY_VAE_PART)
    return Source(files)


@dataclass(frozen=True)
class _Places:
    """Finds the folders of named sources."""

    mirror: Path | None
    fetch: Fetch

    def find(self, name: str) -> Path:
        if name.startswith(_FOLDER):
            return Path(name.removeprefix(_FOLDER))
        repository = name.removeprefix(_HUB)
        if self.mirror is None:
            return self.fetch(repository)
        places = (*self._own_folders(name), self.mirror)
        return next(place for place in places if place.is_dir() or place == self.mirror)

    def may_have(self, name: str) -> bool:
        """False when the mirror has no folder of its own for an optional source."""
        return any(place.is_dir() for place in self._own_folders(name)) or self.mirror is None

    def _own_folders(self, name: str) -> list[Path]:
        repository = name.removeprefix(_HUB)
        parts = (repository, Path(repository).name)
        return [self.mirror / part for part in parts] if self.mirror else []


def _lora_file(folder: Path) -> Path:
    """The one weight file of a repository of low-rank weights."""
    found = sorted(folder.glob("*.safetensors"))
    if len(found) != 1:
        raise EnvironmentFault(
            "low-rank weights must be one safetensors file",
            value=[path.name for path in found],
            hint=f"check {folder}",
        )
    header(found[0])
    return found[0]


def _bundled_files(model: Model) -> dict[str, Path]:
    """Installed files of ``model``; a part it lacks comes from its sibling (`Model.shares`)."""
    root = Path(str(resources.files("winepress_worker"))) / "bundled"
    entries: dict[str, Path] = {}
    for folder in (model.source.removeprefix(_BUNDLED), model.shares):
        if folder and (root / folder).is_dir():
            for entry in (root / folder).iterdir():
                entries.setdefault(entry.name, entry)
    _check_complete(model, entries)
    paths = (path for entry in entries.values() for path in [entry, *entry.rglob("*")])
    return {"/".join(path.relative_to(root).parts[1:]): path for path in paths if path.is_file()}


def _check_complete(model: Model, entries: dict[str, Path]) -> None:
    """Check that every part named in model_index.json exists."""
    try:
        index = json.loads(entries[INDEX_FILE].read_bytes())
    except (KeyError, OSError, ValueError):
        raise EnvironmentFault(
            f"the bundled model {model.name} is not installed",
            hint="install winepress[worker] again",
        ) from None
    parts = [name for name, value in index.items() if isinstance(value, list) and value[0]]
    missing = [name for name in parts if name not in entries]
    if missing:
        raise EnvironmentFault(
            f"the bundled model {model.name} lacks {', '.join(missing)}",
            hint="install winepress[worker] again",
        )
