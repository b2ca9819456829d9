"""The parts of one model, each compiled for its device; per shape where the device needs it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from winepress_shared.lane import Precision
from winepress_worker.blobs.sharing import SharedBlobs
from winepress_worker.engines.devices import core, openvino_version
from winepress_worker.engines.kept_texts import MOST_KEPT_BYTES, KeptTexts
from winepress_worker.engines.staged_model import StagedModel, Stages
from winepress_worker.engines.tiled_decoder import TiledDecoder
from winepress_worker.engines.unpacked_weights import unpacked
from winepress_worker.held_memory import return_freed
from winepress_worker.models.content import WEIGHTS_FILE
from winepress_worker.models.manifest import Prepared
from winepress_worker.placement import STAGES, Place, Placement, stage_of

_MOST_PLAIN_BYTES = 64 * 2**20  #: of 16-bit weights that are quicker read than compiled on a CPU
_MOST_KEPT_BYTES = 8 * 2**20  #: of weights of parts that stay in memory beside another stage
_DECODER = "vae_decoder"
_TEXT = "text"  #: stage of the text encoders
_SHAPES_KEPT = 4  #: per part; each one holds its own copy of the weights

Compile = Callable[[Any], Any]


class CompiledParts:
    """A pipeline's parts by name, compiled at first use."""

    def __init__(
        self,
        placement: Placement,
        cache_dir: Path | None,
        prepared: Prepared,
        stage_bytes: int = 0,
        on_compiled: Callable[[bool], None] = lambda is_read: None,
        text_bytes: int = MOST_KEPT_BYTES,
        shared: SharedBlobs | None = None,
    ) -> None:
        """``cache_dir`` holds compiled blobs, by version and device; None disables the cache.

        A CPU's blobs leave out the weights that are in the files of ``prepared``. With
        ``stage_bytes``, one stage is in memory at a time, and the largest needs so much.
        ``on_compiled`` is told of each compiled model whether it was read from a blob. Each text
        encoder keeps up to ``text_bytes`` of what it has encoded. With ``shared``, blobs are those
        that alike devices share, in a place of their own.
        """
        self._shared = shared
        self._on_compiled = on_compiled
        self._placement = placement
        self._cache_dir = cache_dir
        self._prepared = prepared
        self._stages = Stages() if stage_bytes else None
        self._text_bytes = text_bytes
        self.least_bytes = stage_bytes or prepared.size_bytes  #: that the model counts for
        self._parts: dict[str, Any] = {}

    def get(self, name: str, model: Any) -> Any:
        """The compiled part ``name``, compiled from ``model`` at the first call."""
        if name not in self._parts:
            self._parts[name] = self._adapted(name, self._compiled(name, model))
        return self._parts[name]

    @property
    def kept_bytes(self) -> int:
        """Memory that encoded texts take now."""
        return sum(part.kept_bytes for part in self._parts.values() if isinstance(part, KeptTexts))

    @property
    def device(self) -> str:
        """The device in use; ``text=CPU,denoise=NPU,vae=CPU`` if there are several."""
        used = {
            stage: ",".join(part.get_property("EXECUTION_DEVICES"))
            for stage, prefix in STAGES.items()
            for name, part in self._parts.items()
            if name.startswith(prefix)
        }
        if len(set(used.values())) == 1:
            return used.popitem()[1]
        return ",".join(f"{stage}={device}" for stage, device in used.items())

    @property
    def arithmetic(self) -> str:
        """The type in which the denoiser is computed, for example ``bf16``."""
        return str(self._parts["unet"].get_property("INFERENCE_PRECISION_HINT").to_string())

    def clear(self) -> None:
        """Free the memory."""
        self._parts.clear()

    def _adapted(self, name: str, compiled: Any) -> Any:
        if name == _DECODER:
            return TiledDecoder(compiled)
        if stage_of(name) == _TEXT:
            return KeptTexts(compiled, self._text_bytes)
        return compiled

    def _compiled(self, name: str, model: Any) -> Any:
        compile_model = self._compiler(name)
        if self._placement.place(name).device.is_static:
            return ShapedModel(model, compile_model)
        if self._stages and _size(self._weights(name)) > _MOST_KEPT_BYTES:
            return StagedModel(model, compile_model, self._stages, stage_of(name))
        return compile_model(model)

    def _weights(self, name: str) -> Path:
        return self._prepared.path / name / WEIGHTS_FILE

    def _compiler(self, name: str) -> Compile:
        place = self._placement.place(name)
        properties = dict(place.properties)
        if self._cache_dir is not None:
            properties["CACHE_DIR"] = str(self._cache_dir / openvino_version() / place.blobs)
            if place.device.real == "CPU":
                precision = self._prepared.precision
                properties = _without_weights(properties, self._weights(name), precision)
        blobs = None
        if self._shared and "CACHE_DIR" in properties:
            blobs = self._shared.of(self._prepared, name, place)

        def compile_model(model: Any) -> Any:
            if blobs is None:
                return self._compile(model, place, properties)
            with blobs.opened() as folder:
                return self._compile(model, place, properties | {"CACHE_DIR": str(folder or "")})

        return compile_model

    def _compile(self, model: Any, place: Place, properties: dict[str, str | int]) -> Any:
        is_plain = place.device.real != "CPU" or self._prepared.precision is Precision.FP16
        fit = model if is_plain else unpacked(model)
        compiled = core().compile_model(fit, place.device.real, properties)
        is_read = _is_from_blob(compiled)
        self._on_compiled(is_read)
        if not (is_plain or is_read) and properties.get("CACHE_DIR"):
            # Read from its blob, it maps what was unpacked instead of holding it.
            del compiled
            return_freed()
            compiled = core().compile_model(fit, place.device.real, properties)
        return compiled


class ShapedModel:
    """Acts as a compiled model on a static-shape device: compiles one model per input shape.

    The shape comes from each call's inputs, so a denoiser without guidance is compiled for half the
    batch.
    """

    def __init__(self, model: Any, compile_model: Compile) -> None:
        self._model = model
        self._compile = compile_model
        self._shaped: OrderedDict[tuple[tuple[str, tuple[int, ...]], ...], Any] = OrderedDict()

    def __call__(self, inputs: dict[str, Any], share_inputs: bool = False) -> Any:
        """Infer, like a compiled model of OpenVINO."""
        shapes = {name: tuple(value.shape) for name, value in inputs.items()}
        key = tuple(shapes.items())
        if key not in self._shaped:
            while len(self._shaped) >= _SHAPES_KEPT:
                self._shaped.popitem(last=False)
            self._shaped[key] = self._compile(self._fixed(shapes))
        self._shaped.move_to_end(key)
        return self._shaped[key](inputs, share_inputs=share_inputs)

    @property
    def shapes(self) -> list[dict[str, tuple[int, ...]]]:
        """The input shapes it is compiled for, last used last."""
        return [dict(key) for key in self._shaped]

    def get_property(self, name: str) -> Any:
        """A property of the model called last; fails before the first call."""
        return next(reversed(self._shaped.values())).get_property(name)

    def _fixed(self, shapes: dict[str, tuple[int, ...]]) -> Any:
        model = self._model.clone()
        open_inputs = {
            port.get_any_name(): list(shapes[port.get_any_name()])
            for port in model.inputs
            if port.get_partial_shape().is_dynamic
        }
        if open_inputs:
            model.reshape(open_inputs)
        return model


def _without_weights(
    properties: dict[str, str | int], weights: Path, precision: Precision
) -> dict[str, str | int]:
    """Properties for a CPU's blobs without weights, which would double the disk.

    Without a blob where none pays: its key is made of all weights, and reading many of 16 bits
    takes longer than compiling, which leaves them as they are. Some of 8 bits are unpacked.
    """
    size = _size(weights)
    if precision is Precision.FP16 and size > _MOST_PLAIN_BYTES:
        return {name: value for name, value in properties.items() if name != "CACHE_DIR"}
    if not size:  # a tiny autoencoder, whose blob is small
        return properties
    return properties | {"CACHE_MODE": "OPTIMIZE_SIZE", "WEIGHTS_PATH": str(weights)}


def _is_from_blob(compiled: Any) -> bool:
    """Whether a compiled model was read from a blob; False where its device does not tell."""
    try:
        return bool(compiled.get_property("LOADED_FROM_CACHE"))
    except RuntimeError:
        return False


def _size(file: Path) -> int:
    """In bytes; 0 if there is no such file: a tiny autoencoder's has another name."""
    return file.stat().st_size if file.is_file() else 0
