"""What the presets gain and cost is measured where a model is prepared, and told."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.quality import Quality
from winepress_shared.lane import Precision
from winepress_worker.commands import show_model
from winepress_worker.conversion.calibration import practice
from winepress_worker.conversion.preparation import measure, prepare
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest
from winepress_worker.models.measured_presets import MeasuredPresets
from winepress_worker.report import ignore_progress

pytestmark = pytest.mark.arithmetic


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, local_models: LocalModels) -> Path:
    """A home with vignette, whose presets were measured."""
    folder = tmp_path_factory.mktemp("home")
    full = prepare(local_models, "vignette", Precision.FP16, ignore_progress)
    shutil.copytree(full.path, folder / "models" / "vignette" / "fp16")
    own = LocalModels(folder, Catalogue.load())
    found = own.find("vignette", Precision.FP16)
    assert found
    measure(own, found, ignore_progress)
    return folder


def _measured(home: Path) -> MeasuredPresets:
    found = LocalModels(home, Catalogue.load()).find("vignette", Precision.FP16)
    manifest = Manifest.read(found.path) if found else None
    assert manifest
    assert manifest.presets
    return manifest.presets


@pytest.mark.parametrize("name", Catalogue.load().names)
@pytest.mark.parametrize("steps", [1, None])
def test_every_model_can_be_tried_alone(name: str, steps: int | None) -> None:
    """Also those that have refiners, and those that by their strength leave out most steps."""
    model = Catalogue.load().get(name)
    job = practice(model, "a fox", 0, steps, Quality.DRAFT).job
    assert (job.width, job.height) == (model.width, model.height)
    assert min(stage.steps for stage in job.stages) >= 1


def test_fast_is_hard_to_tell_from_exact_and_a_draft_may_be_told(home: Path) -> None:
    """On every processor, though not with the same numbers."""
    presets = _measured(home).presets
    fast, draft = presets[Quality.FAST], presets[Quality.DRAFT]
    assert fast.psnr_db >= 38  # 44 in bf16
    assert fast.ssim >= 0.98
    assert draft.psnr_db < fast.psnr_db
    assert set(fast.options) == {"step_cache_interval"}
    assert set(draft.options) == {"step_cache_interval"}


def test_measuring_changes_no_revision_and_is_done_once(
    home: Path, local_models: LocalModels
) -> None:
    """Else workers would compile the model anew, and every prepare would draw pictures."""
    own = LocalModels(home, Catalogue.load())
    found, other = (one.find("vignette", Precision.FP16) for one in (own, local_models))
    assert found
    assert other
    assert found.revision == other.revision
    before = (found.path / "manifest.json").stat().st_mtime_ns
    measure(own, found, ignore_progress)
    assert (found.path / "manifest.json").stat().st_mtime_ns == before


def test_a_model_shows_what_its_presets_do(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For eyes, with the time and the likeness of each."""
    monkeypatch.setenv("WINEPRESS_HOME", str(home))
    parser = argparse.ArgumentParser()
    show_model.register(parser.add_subparsers())
    arguments = parser.parse_args(["show", "vignette"])
    assert arguments.run(arguments) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("fp16 ")]
    assert [line.split()[1] for line in lines] == ["exact", "fast", "draft"]
    assert "dB PSNR" in lines[1]
    assert "step_cache_interval 3" in lines[1]
