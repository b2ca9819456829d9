"""Preparing models: whole or not at all, once, and noticed when it goes bad."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from support.twins.prepared import ShallowTwin

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, UnknownModel
from winepress_shared.lane import Precision
from winepress_shared.quantisation import loaded_bytes
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines import open_engine
from winepress_worker.models.content import MANIFEST_FILE
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest
from winepress_worker.models.source import find_source
from winepress_worker.options import WorkerOptions

MODEL = "vignette"
# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

Start = Callable[..., subprocess.Popen[str]]
END_S = 240.0  #: longest a prepare in a process of its own may take on a busy machine

TWIN = ShallowTwin.name
#: Compresses a model below a folder, saying what it does, and may stop at what the last word is in.
SCRIPT = """
import pathlib, signal, sys
from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
home, entry, *stop = sys.argv[1:]
model = Model.model_validate_json(entry)
local_models = LocalModels(pathlib.Path(home), Catalogue({model.name: model}))
def report(message, share):
    print(message, flush=True)
    if any(word in message for word in stop):
        signal.pause()
print(prepare(local_models, model.name, Precision.INT8_WEIGHTS, report).revision)
"""


def ignore_progress(message: str, fraction: float) -> None:
    pass


@pytest.fixture
def home(tmp_path: Path, local_models: LocalModels) -> Path:
    """A home of its own with vignette in fp16, from which compressing starts in seconds."""
    full = prepare(local_models, MODEL, Precision.FP16, ignore_progress)
    shutil.copytree(full.path, tmp_path / "models" / MODEL / "fp16")
    return tmp_path


@pytest.fixture
def own(home: Path) -> LocalModels:
    return LocalModels(home, Catalogue.load())


@pytest.fixture
def small(shallow_twin: ShallowTwin, tmp_path: Path) -> LocalModels:
    """A home of its own with a small model in fp16, for what must be compressed again."""
    return shallow_twin.copy(tmp_path)


@pytest.fixture
def start(shallow_twin: ShallowTwin, tmp_path: Path) -> Iterator[Start]:
    """Begin to compress the small model in a process, which stops where ``stop`` is reported."""
    entry = shallow_twin.catalogue.get(TWIN).model_dump_json()
    begun: list[subprocess.Popen[str]] = []

    def one(*stop: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", SCRIPT, str(tmp_path), entry, *stop]
        quiet = subprocess.DEVNULL
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True)
        begun.append(child)
        return child

    yield one
    for child in begun:
        with child:
            child.kill()


def lines_until(stream: IO[str] | None, word: str) -> None:
    assert stream
    for line in stream:
        if word in line:
            return
    pytest.fail(f"the process ended without saying {word!r}")


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["vignette", "vignette-inpaint"])
@pytest.mark.parametrize("precision", [Precision.FP16, Precision.INT8_WEIGHTS])
def test_a_bundled_model_is_prepared_and_found_again(
    local_models: LocalModels, name: str, precision: Precision
) -> None:
    """A new process finds what another one made, complete down to the hash of every file."""
    made = prepare(local_models, name, precision, ignore_progress)
    found = LocalModels(made.path.parents[2], local_models.catalogue).find(name, precision)
    assert found == made
    assert made.channels == (9 if name == "vignette-inpaint" else 4)
    files = [path for path in made.path.rglob("*") if path.is_file() and path.name != MANIFEST_FILE]
    assert made.size_bytes == sum(path.stat().st_size for path in files)


def test_compressed_weights_take_little_more_than_half_the_room(local_models: LocalModels) -> None:
    """Every part is compressed, not the UNet alone."""
    full = prepare(local_models, MODEL, Precision.FP16, ignore_progress)
    small = prepare(local_models, MODEL, Precision.INT8_WEIGHTS, ignore_progress)
    for part in ("unet", "text_encoder", "vae_decoder", "vae_encoder"):
        sizes = [(m.path / part / "openvino_model.bin").stat().st_size for m in (small, full)]
        assert sizes[0] < 0.6 * sizes[1], part


def test_what_a_model_holds_in_memory_is_measured_where_it_is_prepared(
    small: LocalModels,
) -> None:
    """That is what workers go by; for a manifest that does not tell, the catalogue guesses.

    What was compiled for that is kept, so that the first worker need not do it again.
    """
    guessed = small.memory_needed(TWIN, Precision.INT8_WEIGHTS)
    assert guessed == loaded_bytes(small.catalogue.get(TWIN).memory_mib, Precision.INT8_WEIGHTS)
    made = prepare(small, TWIN, Precision.INT8_WEIGHTS, ignore_progress)
    manifest = Manifest.read(made.path)
    assert manifest is not None
    assert small.memory_needed(TWIN, Precision.INT8_WEIGHTS) == manifest.memory_bytes
    assert (manifest.memory_bytes or 0) >= made.size_bytes
    engine = open_engine(WorkerOptions("w"), small, small.blobs.parent)
    pipeline: Any = engine.load(engine.prepare(TWIN, Precision.INT8_WEIGHTS))
    assert pipeline._compiled._parts["unet"].get_property("LOADED_FROM_CACHE")
    pipeline.close()


def test_nothing_prepared_names_a_folder_of_this_machine(local_models: LocalModels) -> None:
    """Equal weights give equal bytes wherever they are prepared, so revisions can be compared."""
    made = prepare(local_models, MODEL, Precision.FP16, ignore_progress)
    for path in made.path.rglob("*"):
        if path.is_file():
            assert str(made.path.parents[1]).encode() not in path.read_bytes(), path.name


def test_a_killed_prepare_leaves_nothing_that_looks_finished(
    small: LocalModels, start: Start
) -> None:
    """After SIGKILL there is no model, and the next run sweeps the remains and succeeds."""
    process = start("compressing")
    lines_until(process.stdout, "compressing")
    process.send_signal(signal.SIGKILL)
    process.wait(END_S)
    folder = small.folder(TWIN, Precision.INT8_WEIGHTS).parent
    remains = list(folder.glob(".int8-weights.*"))
    assert remains
    assert small.find(TWIN, Precision.INT8_WEIGHTS) is None
    assert prepare(small, TWIN, Precision.INT8_WEIGHTS, ignore_progress)
    assert not [path for path in remains if path.exists()]
    assert not list(folder.glob(".*"))


@pytest.mark.usefixtures("small")
def test_of_two_processes_one_prepares_and_the_other_one_finds_it(start: Start) -> None:
    """The work is done once; both end with the same revision."""
    both = [start(), start()]
    outputs = [child.communicate(timeout=END_S)[0].splitlines() for child in both]
    assert [child.returncode for child in both] == [0, 0]
    assert outputs[0][-1] == outputs[1][-1]
    assert (
        sum("compressing the weights of unet" in line for lines in outputs for line in lines) == 1
    )


def test_a_damaged_file_is_noticed_and_the_model_prepared_again(small: LocalModels) -> None:
    """A flipped bit is found by a new process, a truncated file by every call."""
    made = prepare(small, TWIN, Precision.INT8_WEIGHTS, ignore_progress)
    weights = made.path / "unet" / "openvino_model.bin"
    flip_a_byte(weights)
    fresh = LocalModels(made.path.parents[2], small.catalogue)
    assert fresh.find(TWIN, Precision.INT8_WEIGHTS) is None
    again = prepare(fresh, TWIN, Precision.INT8_WEIGHTS, ignore_progress)
    assert again.revision == made.revision
    assert fresh.find(TWIN, Precision.INT8_WEIGHTS) == again
    weights.write_bytes(weights.read_bytes()[:-1])
    assert fresh.find(TWIN, Precision.INT8_WEIGHTS) is None


@pytest.mark.parametrize("field", ["source", "recipe"])
def test_a_model_made_of_other_weights_or_in_another_way_is_not_used(
    own: LocalModels, home: Path, field: str
) -> None:
    """New bundled weights and new recipes reach machines that had prepared the old ones."""
    manifest = home / "models" / MODEL / "fp16" / MANIFEST_FILE
    values = json.loads(manifest.read_bytes())
    values[field] = "0" * 64 if field == "source" else {"export": "fp32"}
    assert own.find(MODEL, Precision.FP16)
    manifest.write_text(json.dumps(values))
    assert own.find(MODEL, Precision.FP16) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"files": {"../../x": 1}}'])
def test_a_manifest_that_makes_no_sense_is_no_manifest(
    own: LocalModels, home: Path, text: str
) -> None:
    """The model counts as missing; nothing is raised and nothing outside is touched."""
    (home / "models" / MODEL / "fp16" / MANIFEST_FILE).write_text(text)
    assert own.find(MODEL, Precision.FP16) is None


def test_a_part_a_bundled_model_lacks_is_its_siblings(tmp_path: Path) -> None:
    """The inpainting model has a UNet of its own, all else is shared with vignette."""
    find_source(Catalogue.load().get("vignette-inpaint")).assemble(tmp_path / "whole")
    parts = {path.name for path in (tmp_path / "whole").iterdir()}
    assert {"unet", "vae", "text_encoder", "tokenizer", "scheduler", "model_index.json"} <= parts
    config = json.loads((tmp_path / "whole" / "unet" / "config.json").read_bytes())
    assert config["in_channels"] == 9


def test_a_model_from_elsewhere_is_refused_with_what_is_possible(tmp_path: Path) -> None:
    """Nothing is guessed or downloaded; the message names the sources that work here."""
    extra = tmp_path / "more.toml"
    table = (
        "[other]\ntitle='x'\nsource='hub:someone/something'\nfamily='stable-diffusion'\n"
        "kinds=['text-to-image']\nprecisions=['fp16', 'int8-weights']\nwidth=512\nheight=512\n"
        "num_inference_steps=20\nguidance_scale=7.5\nscheduler='ddim'\nlicence='x'\nmemory_mib=1\n"
    )
    extra.write_text(table)
    local_models = LocalModels(tmp_path, Catalogue.load(extra))
    assert ("other", Precision.FP16) not in local_models.available()
    assert (MODEL, Precision.INT8_WEIGHTS) in local_models.available()
    with pytest.raises(EnvironmentFault, match="hub"):
        prepare(local_models, "other", Precision.FP16, ignore_progress)
    with pytest.raises(UnknownModel, match="int8"):
        prepare(local_models, "other", Precision.INT8, ignore_progress)


def test_removing_gives_the_room_back(own: LocalModels, home: Path) -> None:
    """The files are gone, and removing what is not there frees nothing."""
    assert own.remove(MODEL, Precision.FP16) > 10 * 2**20
    assert own.find(MODEL, Precision.FP16) is None
    assert own.remove(MODEL, Precision.FP16) == 0
