"""Quantises IR with 16-bit weights to fewer bits, part by part (NNCF)."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nncf
import openvino
from nncf.quantization.advanced_parameters import GroupSizeFallbackMode

from winepress_shared.errors import EnvironmentFault
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.quantisation import Int4Recipe, Int8Recipe
from winepress_worker.conversion.calibration import Sample, collect
from winepress_worker.conversion.export import IR_FILE, writing
from winepress_worker.conversion.scales import halve_scales
from winepress_worker.engines.devices import read_graph
from winepress_worker.models.content import MANIFEST_FILE
from winepress_worker.models.manifest import Prepared
from winepress_worker.report import Report

#: Operations between a compressed weight and the operation that uses it.
_UNPACKING = frozenset({"Convert", "FakeQuantize", "Multiply", "Reshape", "Subtract"})
_COLLECTED = 0.5  #: share of the time that collecting the inputs takes


def quantise(
    model: Model, precision: Precision, full: Prepared, target: Path, report: Report
) -> None:
    """Write ``full`` in ``precision`` into the new folder ``target``, one part at a time.

    Raises OSError, and EnvironmentFault if the recipe does not fit the network.
    """
    weights = {str(path) for part in full.path.glob(f"*/{IR_FILE}") for path in _both(part)}
    shutil.copytree(
        full.path,
        target,
        ignore=lambda folder, names: [
            name for name in names if str(Path(folder, name)) in weights or name == MANIFEST_FILE
        ],
    )
    for part in sorted(full.path.glob(f"*/{IR_FILE}")):
        name = part.parent.name
        network = read_graph(part)
        if name == "unet" and precision is Precision.INT8:
            made = _calibrated(network, model, full, report)
        elif name == "unet" and precision is Precision.INT4_WEIGHTS:
            made = _to_4_bits(network, model.int4)
        else:
            report(f"compressing the weights of {name}", _COLLECTED)
            with _quiet():
                made = nncf.compress_weights(network)
        with writing():
            # Weights are small already; scales and ranges need all their bits.
            openvino.save_model(made, target / name / IR_FILE, compress_to_fp16=False)


def _calibrated(network: Any, model: Model, full: Prepared, report: Report) -> Any:
    recipe = model.int8
    assert recipe  # `Model` requires one for this precision
    samples = collect(model, recipe, full, lambda text, share: report(text, _COLLECTED * share))
    report(f"quantising the UNet with {len(samples)} of its inputs", _COLLECTED)
    try:
        with _quiet():
            made = _METHODS[recipe.method](network, samples, recipe)
    except nncf.ValidationError as error:
        raise EnvironmentFault(
            "the recipe names a layer that this network does not have",
            field="int8.keep",
            value=", ".join(recipe.keep),
        ) from error
    halve_scales(made)
    return made


def _full(network: Any, samples: list[Sample], recipe: Int8Recipe) -> Any:
    """Quantise weights and activations of all layers, and attention's products of activations."""
    return nncf.quantize(
        network,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        ignored_scope=nncf.IgnoredScope(patterns=_patterns(recipe)),
    )


def _hybrid(network: Any, samples: list[Sample], recipe: Int8Recipe) -> Any:
    """Compress the weights of matrices, then quantise the convolutions."""
    convolutions = nncf.IgnoredScope(types=["Convolution"])
    light = nncf.compress_weights(network, ignored_scope=convolutions)
    matrices = [op.get_friendly_name() for op in light.get_ops() if _holds_weights(op)]
    return nncf.quantize(
        light,
        nncf.Dataset(samples),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(samples),
        ignored_scope=nncf.IgnoredScope(names=matrices, patterns=_patterns(recipe)),
        # Smoothing would scale weights that are compressed already.
        advanced_parameters=nncf.AdvancedQuantizationParameters(smooth_quant_alpha=-1),
    )


_METHODS = {"full": _full, "hybrid": _hybrid}


def _to_4_bits(network: Any, recipe: Int4Recipe) -> Any:
    """Compress matrices in groups that share a scale; smaller groups where rows do not divide."""
    with _quiet():
        return nncf.compress_weights(
            network,
            mode=nncf.CompressWeightsMode.INT4_ASYM,
            group_size=recipe.group_size,
            ratio=recipe.ratio,
            advanced_parameters=nncf.AdvancedCompressionParameters(
                group_size_fallback_mode=GroupSizeFallbackMode.ADJUST, min_adjusted_group_size=16
            ),
        )


def _patterns(recipe: Int8Recipe) -> list[str]:
    """Patterns of layer names in an exported graph: ``__module.conv_in/aten::…``."""
    return [rf"(.*\.)?{re.escape(name)}/.*" for name in recipe.keep]


def _holds_weights(op: Any) -> bool:
    """True for a matrix product with a constant, and for an embedding table."""
    ports = {"MatMul": (0, 1), "Gather": (0,)}.get(op.get_type_name(), ())
    return any(_is_constant(op.input_value(port).get_node()) for port in ports)


def _is_constant(node: Any) -> bool:
    while node.get_type_name() in _UNPACKING:
        node = node.input_value(0).get_node()
    return bool(node.get_type_name() == "Constant")


def _both(part: Path) -> tuple[Path, Path]:
    """A part's graph and its weights."""
    return part, part.with_suffix(".bin")


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Suppress NNCF's progress bars on stdout, which belongs to the command line."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
