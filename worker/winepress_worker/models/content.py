"""The files that a prepared model may consist of, each with its largest size.

Anybody who may write to the farm's store can change such a folder. So every file name must be in
this table, no link is followed, and all content is data: graphs, weights, settings.
"""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

from winepress_shared.errors import EnvironmentFault
from winepress_worker.models.folder import INDEX_FILE, read_json

MANIFEST_FILE, MAX_MANIFEST_BYTES = "manifest.json", 2**20
GRAPH_FILE, WEIGHTS_FILE = "openvino_model.xml", "openvino_model.bin"
TOKENIZERS = ("tokenizer", "tokenizer_2")
SCHEDULER_FILE = "scheduler/scheduler_config.json"
#: Folders of networks; a tiny autoencoder's are beside those of the model's own autoencoder.
_NETWORKS = (
    *("text_encoder", "text_encoder_2", "unet", "vae_decoder", "vae_encoder"),
    *("tiny_vae_decoder", "tiny_vae_encoder"),
)
_MIB, _GIB = 2**20, 2**30
#: Name → most bytes.
_NETWORK = {"config.json": _MIB, GRAPH_FILE: 256 * _MIB, WEIGHTS_FILE: 32 * _GIB}
_TOKENIZER = {"tokenizer.json": 16 * _MIB, "tokenizer_config.json": _MIB}
LARGEST: dict[str, int] = {
    INDEX_FILE: _MIB,
    SCHEDULER_FILE: _MIB,
    **{f"{part}/{name}": most for part in _NETWORKS for name, most in _NETWORK.items()},
    **{f"{part}/{name}": most for part in TOKENIZERS for name, most in _TOKENIZER.items()},
}
_ALLOWED = LARGEST | {MANIFEST_FILE: MAX_MANIFEST_BYTES}
_FOLDERS = frozenset(name.partition("/")[0] for name in LARGEST if "/" in name)
#: OpenVINO stores the path of a graph's weights under this name; a graph that gives one itself
#: could make OpenVINO read another file.
_WEIGHTS_NOTE = b"__weights_path"


def check_content(folder: Path) -> None:
    """Check that ``folder`` holds only files of the table; raises EnvironmentFault if not."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name in _FOLDERS and entry.is_dir(follow_symlinks=False):
                    with os.scandir(entry.path) as files:
                        for file in files:
                            _check_file(f"{entry.name}/{file.name}", file)
                else:
                    _check_file(entry.name, entry)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read the model: {error.strerror}", value=str(folder)
        ) from None


def stamp_of(folder: Path) -> frozenset[tuple[str, int, int, int]] | None:
    """Name, size, time of writing (ns) and number of each file; None if it cannot be read.

    It differs whenever a file was added, removed, replaced or written.
    """
    found = []
    try:
        for place in (folder, *(folder / name for name in _FOLDERS)):
            with suppress(FileNotFoundError), os.scandir(place) as entries:
                for entry in entries:
                    seen = entry.stat(follow_symlinks=False)
                    found.append((entry.path, seen.st_size, seen.st_mtime_ns, seen.st_ino))
    except OSError:
        return None
    return frozenset(found)


def read_settings(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in the file ``name`` of the table; raises EnvironmentFault."""
    return read_json(folder / name, LARGEST[name])


def check_graph(path: Path) -> None:
    """Raise EnvironmentFault if the graph at ``path`` names a weight file."""
    try:
        is_named = _WEIGHTS_NOTE in path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read {path.name}: {error.strerror}", value=str(path)
        ) from None
    if is_named:
        raise EnvironmentFault("a graph may not name its weight file", value=str(path))


def _check_file(name: str, entry: os.DirEntry[str]) -> None:
    found, most = entry.stat(follow_symlinks=False), _ALLOWED.get(name)
    if most is None or not stat.S_ISREG(found.st_mode):
        raise EnvironmentFault(
            "unexpected file in a prepared model",
            value=entry.path,
            hint="the model is not used; remove it, and prepare or pull it again",
        )
    if found.st_size > most:
        raise EnvironmentFault(
            "this model file is too large",
            value=entry.path,
            allowed=f"up to {most} bytes",
        )
