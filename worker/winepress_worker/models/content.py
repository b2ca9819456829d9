"""What a prepared model may consist of: a closed table of files, each with a largest size.

Whoever may write to the farm's store decides what lies in such a folder. So every file has its name
from this table, no link is followed, and nothing but data is in it: graphs, weights, settings.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from winepress_shared.errors import EnvironmentFault
from winepress_worker.models.folder import INDEX_FILE, read_json

MANIFEST_FILE, MAX_MANIFEST_BYTES = "manifest.json", 2**20
GRAPH_FILE, WEIGHTS_FILE = "openvino_model.xml", "openvino_model.bin"
TOKENIZERS = ("tokenizer", "tokenizer_2")
SCHEDULER_FILE = "scheduler/scheduler_config.json"
#: Folders of networks; those of a tiny autoencoder lie beside the ones of the model's own.
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
#: OpenVINO notes under this name where the weights of a graph lie; a graph that says so itself
#: could have another file read.
_WEIGHTS_NOTE = b"__weights_path"


def check_content(folder: Path) -> None:
    """Return when ``folder`` holds nothing but files of the table; raises EnvironmentFault."""
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


def read_settings(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object in the file ``name`` of the table; raises EnvironmentFault."""
    return read_json(folder / name, LARGEST[name])


def check_graph(path: Path) -> None:
    """Raises EnvironmentFault when the graph at ``path`` names a file."""
    try:
        is_named = _WEIGHTS_NOTE in path.read_bytes()
    except OSError as error:
        raise EnvironmentFault(
            f"cannot read {path.name}: {error.strerror}", value=str(path)
        ) from None
    if is_named:
        raise EnvironmentFault("a graph may not say where its weights lie", value=str(path))


def _check_file(name: str, entry: os.DirEntry[str]) -> None:
    found, most = entry.stat(follow_symlinks=False), _ALLOWED.get(name)
    if most is None or not stat.S_ISREG(found.st_mode):
        raise EnvironmentFault(
            "not a file that a prepared model has",
            value=entry.path,
            hint="nothing of this model is used; remove it, and prepare or pull it again",
        )
    if found.st_size > most:
        raise EnvironmentFault(
            "this file of a model is too large",
            value=entry.path,
            allowed=f"up to {most} bytes",
        )
