"""Every way of quantising, on a tiny twin and on the bundled model: drawn, compared, recorded."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from diffusers.utils import logging
from support.twins.prepared import ShallowTwin

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.quantisation import Int8Recipe
from winepress_worker.conversion.build import LEAST_PSNR_DB, judge
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest, Prepared
from winepress_worker.models.measured import Measured

pytestmark = [
    # diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.slow,
]
logging.disable_progress_bar()

TWIN = ShallowTwin.name
END_S = 240.0  #: longest a prepare in a process of its own may take on a busy machine
LITTLE: dict[str, Any] = {"pictures": 2, "samples": 3}

#: Prepares int8 below the first argument; no file may be longer than the second, in bytes.
SCRIPT = """
import pathlib, resource, sys
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.models.local_models import LocalModels
local_models = LocalModels(pathlib.Path(sys.argv[1]), Catalogue.load())
if sys.argv[2:]:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    prepare(local_models, "vignette", Precision(sys.argv[3]), lambda m, f: print(m, flush=True))
except EnvironmentFault as error:
    sys.exit(str(error))
"""


def ignore_progress(message: str, fraction: float) -> None:
    pass


@pytest.fixture(scope="module")
def twin(shallow_twin: ShallowTwin, tmp_path_factory: pytest.TempPathFactory) -> LocalModels:
    """A tiny twin in fp16, in pictures of two steps."""
    return shallow_twin.copy(tmp_path_factory.mktemp("home"))


def with_recipe(local_models: LocalModels, **values: Any) -> LocalModels:
    """The same local models, whose catalogue says something else about int8."""
    model: Model = local_models.catalogue.get(TWIN)
    int8 = Int8Recipe(**({"method": "full"} | LITTLE | values))
    home = prepare(local_models, TWIN, Precision.FP16, ignore_progress).path.parents[2]
    return LocalModels(home, Catalogue({TWIN: model.model_copy(update={"int8": int8})}))


def graph(prepared: Prepared, part: str = "unet") -> str:
    return (prepared.path / part / "openvino_model.xml").read_text("utf-8")


def measured(prepared: Prepared) -> Measured:
    manifest = Manifest.read(prepared.path)
    assert manifest
    assert manifest.measured
    return manifest.measured


def test_int8_quantises_what_its_method_says(twin: LocalModels) -> None:
    """Convolutions always, matrices' activations by the full method alone, kept layers never."""
    quantised = {}
    for method in ("full", "hybrid"):
        made = prepare(with_recipe(twin, method=method), TWIN, Precision.INT8, ignore_progress)
        quantised[method] = graph(made).count('type="FakeQuantize"')
        layers = "__module.down_blocks.0.resnets.0.conv1/", "__module.conv_in/"
        marks = [f"{layer}aten::_convolution/Convolution/fq_weights_1" for layer in layers]
        assert [mark in graph(made) for mark in marks] == [True, False]
        assert measured(made).own.unet_bytes < 0.7 * measured(made).fp16.unet_bytes
    assert 0 < quantised["hybrid"] < quantised["full"]


def test_precisions_of_weights_alone_draw_almost_as_fp16(twin: LocalModels) -> None:
    """Nothing but weights is rounded; 4 bits are for the matrices of the UNet."""
    eight = prepare(twin, TWIN, Precision.INT8_WEIGHTS, ignore_progress)
    four = prepare(twin, TWIN, Precision.INT4_WEIGHTS, ignore_progress)
    assert measured(eight).psnr_db >= measured(four).psnr_db > LEAST_PSNR_DB
    assert "FakeQuantize" not in graph(eight) + graph(four)
    assert 'element_type="u4"' in graph(four)
    assert 'element_type="u4"' not in graph(four, "text_encoder") + graph(eight)


def test_kept_layer_that_is_not_there_is_named(twin: LocalModels) -> None:
    """A typo in a recipe would otherwise cost quality that nobody can explain."""
    local_models = with_recipe(twin, keep=("conv_inn",))
    with pytest.raises(EnvironmentFault, match=r"int8\.keep.*does not have.*conv_inn"):
        prepare(local_models, TWIN, Precision.INT8, ignore_progress)
    folder = prepare(twin, TWIN, Precision.FP16, ignore_progress).path.parent
    assert not list(folder.glob(".int8.*"))


def test_pictures_unlike_those_of_fp16_are_refused(local_models: LocalModels) -> None:
    """Nothing is served that draws something else; the message says what would help."""
    figures = measured(prepare(local_models, "vignette", Precision.INT8, ignore_progress))
    model = local_models.catalogue.get("vignette")
    judge(model, figures)
    with pytest.raises(EnvironmentFault, match=r"draws other pictures.*9\.9 dB.*Keep more layers"):
        judge(model, figures.model_copy(update={"psnr_db": 9.9}))


def test_bundled_model_in_int8_draws_the_same_pictures(local_models: LocalModels) -> None:
    """Half the size, and the likeness is stored where `winepress models prepare` reads it.

    What other instructions round otherwise moves it by decibels: 23.9 dB were seen without AVX-512.
    """
    made = prepare(local_models, "vignette", Precision.INT8, ignore_progress)
    figures = measured(made)
    assert figures.own.unet_bytes <= 0.51 * figures.fp16.unet_bytes
    assert figures.psnr_db > 2 * LEAST_PSNR_DB
    assert figures.ssim > 0.8
    assert "dB PSNR" in figures.sentence
    assert (
        made.revision != prepare(local_models, "vignette", Precision.FP16, ignore_progress).revision
    )


@pytest.fixture
def home(tmp_path: Path, local_models: LocalModels) -> Path:
    """A home of its own with vignette in fp16, by links."""
    full = prepare(local_models, "vignette", Precision.FP16, ignore_progress)
    place = tmp_path / "models" / "vignette"
    place.mkdir(parents=True)
    (place / "fp16").symlink_to(full.path)
    return tmp_path


@pytest.fixture
def process(home: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", SCRIPT, str(home), *request.param]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as child:
        yield child
        child.kill()


UNLIMITED = str(resource.RLIM_INFINITY)


@pytest.mark.parametrize("process", [(UNLIMITED, "int8")], indirect=True)
def test_killed_calibration_leaves_nothing_that_looks_finished(
    home: Path, process: subprocess.Popen[str]
) -> None:
    """What is left is a hidden folder that the next run sweeps."""
    assert process.stdout
    assert any("calibration" in line for line in process.stdout)
    process.send_signal(signal.SIGKILL)
    process.wait(END_S)
    assert list((home / "models" / "vignette").glob(".int8.*"))
    assert LocalModels(home, Catalogue.load()).find("vignette", Precision.INT8) is None


@pytest.mark.parametrize("process", [(str(4 * 2**20), "int4-weights")], indirect=True)
def test_file_that_cannot_be_written_in_full_is_an_error(
    home: Path, process: subprocess.Popen[str]
) -> None:
    """As on a disk that fills up meanwhile: one sentence, and no half-made model."""
    _, said = process.communicate(timeout=END_S)
    assert process.returncode == 1
    assert "a file could not be written completely; is the disk full?" in said.splitlines()[-1]
    folder = home / "models" / "vignette"
    left = {path.name for path in folder.iterdir()}
    assert left == {"fp16", "fp16.checked", "int4-weights.lock"}


def test_likeness_is_no_part_of_the_revision(local_models: LocalModels) -> None:
    """Two machines measure different times for what is the same model."""
    made = prepare(local_models, "vignette", Precision.INT8, ignore_progress)
    manifest = Manifest.read(made.path)
    assert manifest
    values = json.loads(manifest.model_dump_json()) | {"measured": None}
    assert Manifest.model_validate(values).revision == manifest.revision == made.revision
