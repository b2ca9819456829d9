"""Builds a model's OpenVINO IR: assemble, export, quantise, verify, record.

Imports torch, optimum-intel and NNCF; only `preparation` imports this module.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import EnvironmentFault, FailForGood, RetryElsewhere, WorkerBroken
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.conversion.comparison import compare
from winepress_worker.conversion.export import export, export_tiny_vae, writing
from winepress_worker.conversion.lora import fuse
from winepress_worker.conversion.quantise import quantise
from winepress_worker.engines.base import PipelineKey, ignore_steps
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.engines.trial import trial_request
from winepress_worker.held_memory import HeldMemory
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Manifest, Prepared, record_files
from winepress_worker.models.measured import Measured
from winepress_worker.models.recipe import recipe
from winepress_worker.models.source import LORA_PART, TINY_VAE_PART, Source
from winepress_worker.report import Report

_LIBRARIES = ("openvino", "optimum-intel", "nncf", "torch", "diffusers", "transformers")
_TRIAL_STEPS = 4  #: enough to tell the verification picture from noise
#: PSNR of two unrelated pictures, in decibels: a model that is less like fp16 is broken.
LEAST_PSNR_DB = 10.0
_EXPORTED, _QUANTISED = 0.3, 0.8  #: shares of the whole that are done after each stage


def build(
    local_models: LocalModels,
    model: Model,
    precision: Precision,
    work: Path,
    origin: Source | Prepared,
    report: Report,
) -> Path:
    """Make ``model`` below the empty folder ``work``; returns the finished folder there.

    If ``origin`` is the same model prepared in fp16, it is quantised instead of exported again.
    Raises OSError, and EnvironmentFault if the result cannot draw or differs too much from fp16.
    """
    quiet_libraries()
    with _drawing(model):
        full = origin if isinstance(origin, Prepared) else _export(model, origin, work, report)
        if precision is Precision.FP16:
            report("drawing a first picture to verify the model", _QUANTISED)
            memory = _verify(local_models.catalogue, full)
            made = Manifest.read(full.path)
            if made:
                made.model_copy(update={"memory_bytes": memory}).write(full.path)
            return full.path
        target = work / precision.value
        quantise(model, precision, full, target, _part(report, _EXPORTED, _QUANTISED))
        known = Manifest.read(full.path)
        manifest = _manifest(model, precision, target, known.source if known else "")
        report("drawing pictures to compare them with fp16's", _QUANTISED)
        measured = compare(model, full, manifest.prepared(target), local_models.blobs)
        judge(model, measured)
        found = {"measured": measured, "memory_bytes": measured.own.memory_bytes}
        manifest.model_copy(update=found).write(target)
        return target


def _export(model: Model, origin: Source, work: Path, report: Report) -> Prepared:
    """Assemble and export below ``work``; raises EnvironmentFault if the parts do not fit."""
    folder, target = work / "source", work / Precision.FP16.value
    report("reading the weights", 0.0)
    digest = origin.digest()
    report("exporting to OpenVINO", _EXPORTED / 3)
    origin.assemble(folder)
    lora = folder / LORA_PART
    try:
        with writing():
            if lora.is_dir():
                fuse(next(lora.iterdir()), folder / "unet")
            export(folder, target)
            if (folder / TINY_VAE_PART).is_dir():
                prefix = "" if model.tiny_vae_only else "tiny_"
                export_tiny_vae(folder / TINY_VAE_PART, target, prefix)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        # diffusers raises these for configurations and weights that do not fit together.
        raise EnvironmentFault(
            f"the parts of {model.name} do not fit together: {error}",
            value=model.source,
        ) from error
    manifest = _manifest(model, Precision.FP16, target, digest)
    manifest.write(target)
    return manifest.prepared(target)


def _manifest(model: Model, precision: Precision, folder: Path, source: str) -> Manifest:
    return Manifest(
        model=model.name,
        precision=precision,
        source=source,
        recipe=recipe(model, precision),
        versions={library: version(library) for library in _LIBRARIES},
        channels=_channels(folder),
        files=record_files(folder),
    )


def _channels(folder: Path) -> int:
    config = json.loads((folder / "unet" / "config.json").read_bytes())
    return int(config["in_channels"])


def _verify(catalogue: Catalogue, prepared: Prepared) -> int:
    """Draw one picture on the CPU, the reference for all other devices.

    Returns the bytes of memory the model holds then.
    """
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    request = trial_request(catalogue, prepared.name, prepared.precision, _TRIAL_STEPS)
    held = HeldMemory()
    pipeline = OpenVinoPipeline(key, prepared, request.job.kind)
    try:
        pipeline.render(request, ignore_steps)
        return held.grown(prepared.size_bytes)
    finally:
        pipeline.close()


def judge(model: Model, measured: Measured) -> None:
    """Raise EnvironmentFault if the pictures differ too much from those of fp16."""
    if measured.psnr_db < LEAST_PSNR_DB:
        raise EnvironmentFault(
            f"the quantised {model.name} draws other pictures than in fp16",
            value=f"{measured.psnr_db} dB",
            allowed=f"{LEAST_PSNR_DB} dB or more",
            hint="keep more layers in 16 bits, or calibrate with more pictures",
        )


@contextlib.contextmanager
def _drawing(model: Model) -> Iterator[None]:
    """Raise a failed picture as EnvironmentFault: no job is at fault here, but the model."""
    try:
        yield
    except (FailForGood, RetryElsewhere, WorkerBroken) as error:
        raise EnvironmentFault(f"{model.name} was prepared but cannot draw: {error}") from error


def _part(report: Report, begin: float, end: float) -> Report:
    """A `Report` that maps a stage's progress to ``begin`` … ``end`` of the whole."""
    return lambda message, share: report(message, begin + (end - begin) * share)
