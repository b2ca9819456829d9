"""Making OpenVINO IR of a model: assemble, export, compress, verify, record.

Imports torch, optimum-intel and NNCF; only `Shelf.prepare` imports this module.
"""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from importlib.metadata import version
from pathlib import Path

from optimum.exporters.openvino import main_export
from optimum.intel import OVConfig, OVDiffusionPipeline, OVWeightQuantizationConfig

from winepress_shared.catalogue import Catalogue, Model
from winepress_shared.errors import Environment, RenderFault
from winepress_shared.lane import Precision
from winepress_worker.engines.base import PipelineKey
from winepress_worker.engines.openvino import OpenVinoPipeline, quiet_libraries
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.manifest import Manifest, Prepared, record_files
from winepress_worker.models.shelf import RECIPES, Report
from winepress_worker.models.source import find_source

_LIBRARIES = ("openvino", "optimum-intel", "nncf", "torch", "diffusers", "transformers")
#: Job kind a model is exported for → optimum's name of it.
_EXPORT_TASKS = {
    "text-to-image": "text-to-image",
    "image-to-image": "image-to-image",
    "inpaint": "inpainting",
}
_TRIAL_STEPS = 4  #: enough for the verification picture to show that it is one


def build(
    catalogue: Catalogue,
    model: Model,
    precision: Precision,
    work: Path,
    full: Prepared | None,
    report: Report,
) -> Path:
    """Make ``model`` below the empty folder ``work``; returns the finished folder there.

    ``full`` is the same model in fp16 if it is prepared already; weights are then compressed from
    it instead of exporting anew. Raises Environment when the result draws nothing.
    """
    quiet_libraries()
    known = Manifest.read(full.path) if full else None
    if full and known:
        made, source = full.path, known.source
    else:
        report("reading the weights", 0.0)
        source = find_source(model).assemble(work / "source").digest()
        report("exporting to OpenVINO", 0.1)
        made = work / Precision.FP16.value
        _export(model, work / "source", made)
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


def _export(model: Model, source: Path, target: Path) -> None:
    with warnings.catch_warnings():
        # Tracing warns of every shape check it freezes; the picture drawn afterwards is the proof.
        warnings.simplefilter("ignore")
        main_export(
            str(source),
            target,
            task=_EXPORT_TASKS[model.kinds[0]],
            library_name="diffusers",
            ov_config=OVConfig(dtype="fp16"),
            local_files_only=True,
        )
    _forget_paths(target)


def _forget_paths(folder: Path) -> None:
    """Drop the work folder's name from the configurations, so equal exports are equal in bytes."""
    for path in [folder / "model_index.json", *folder.glob("*/config.json")]:
        config = json.loads(path.read_bytes())
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", "utf-8")


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
