"""Making OpenVINO IR of a model: assemble, export, compress, verify, record.

Imports torch, optimum-intel and NNCF; only `Shelf.prepare` imports this module.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import warnings
from importlib.metadata import version
from pathlib import Path

from optimum.intel import OVDiffusionPipeline, OVWeightQuantizationConfig

from winepress_shared.catalogue import Catalogue, Model
from winepress_shared.errors import Environment, RenderFault
from winepress_shared.lane import Precision
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.openvino import OpenVinoPipeline, quiet_libraries
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.export import export, export_tiny_vae
from winepress_worker.models.lora import fuse
from winepress_worker.models.manifest import Manifest, Prepared, record_files
from winepress_worker.models.shelf import RECIPES, Report
from winepress_worker.models.source import LORA_PART, TINY_VAE_PART, Source

_LIBRARIES = ("openvino", "optimum-intel", "nncf", "torch", "diffusers", "transformers")
_TRIAL_STEPS = 4  #: enough for the verification picture to show that it is one


def build(
    catalogue: Catalogue,
    model: Model,
    precision: Precision,
    work: Path,
    origin: Source | Prepared,
    report: Report,
) -> Path:
    """Make ``model`` below the empty folder ``work``; returns the finished folder there.

    ``origin`` is the same model in fp16 if it is prepared already; weights are then compressed
    from it instead of exporting anew. Raises Environment when the result draws nothing.
    """
    quiet_libraries()
    if isinstance(origin, Prepared):
        made, known = origin.path, Manifest.read(origin.path)
        source = known.source if known else ""
    else:
        report("reading the weights", 0.0)
        source = origin.digest()
        report("exporting to OpenVINO", 0.1)
        made = work / Precision.FP16.value
        _export(model, origin, work / "source", made)
    if precision is Precision.INT8_WEIGHTS:
        report("compressing the weights to 8 bits", 0.6)
        exported, made = made, work / precision.value
        _compress_to_int8(exported, made)
    report("drawing a picture to verify it", 0.8)
    manifest = Manifest(
        model=model.name,
        precision=precision,
        source=source,
        recipe=RECIPES[precision],
        versions={library: version(library) for library in _LIBRARIES},
        channels=_channels(made),
        files=record_files(made),
    )
    _verify(catalogue, manifest.prepared(made))
    manifest.write(made)
    return made


def _export(model: Model, origin: Source, folder: Path, target: Path) -> None:
    """Assemble in ``folder``, export to ``target``; raises Environment for what does not fit."""
    origin.assemble(folder)
    lora = folder / LORA_PART
    try:
        if lora.is_dir():
            fuse(next(lora.iterdir()), folder / "unet")
        export(model.kinds[0], folder, target)
        if (folder / TINY_VAE_PART).is_dir():
            export_tiny_vae(folder / TINY_VAE_PART, target, "tiny_" if model.spare_vae else "")
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        # What diffusers raises for configurations and weights that do not fit together.
        raise Environment(
            f"the parts of {model.name} do not fit together: {error}",
            value=model.source,
        ) from error


def _compress_to_int8(source: Path, target: Path) -> None:
    """Data-free weight compression of every part (NNCF, 8 bits, asymmetric, per channel)."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        # NNCF draws progress bars on stdout, which belongs to the command line.
        warnings.simplefilter("ignore")
        pipe = OVDiffusionPipeline.from_pretrained(
            source,
            compile=False,
            safety_checker=None,
            quantization_config=OVWeightQuantizationConfig(bits=8),
        )
        pipe.save_pretrained(target)
    for part in source.glob("tiny_vae_*"):  # optimum does not know of them, and they are small
        shutil.copytree(part, target / part.name)


def _channels(folder: Path) -> int:
    config = json.loads((folder / "unet" / "config.json").read_bytes())
    return int(config["in_channels"])


def _verify(catalogue: Catalogue, prepared: Prepared) -> None:
    """Draw one picture on the CPU, the device whose output all others are held to."""
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    request = trial_request(catalogue, prepared.name, prepared.precision, _TRIAL_STEPS)
    pipeline = OpenVinoPipeline(key, prepared, request.job.kind)
    try:
        pipeline.render(request, lambda done, total: None)
    except RenderFault as error:
        raise Environment(f"{prepared.name} was prepared but does not draw: {error}") from error
    finally:
        pipeline.close()
