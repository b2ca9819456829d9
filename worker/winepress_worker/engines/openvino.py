"""Renders with OpenVINO through optimum-intel's pipelines, which run diffusers' own code.

Imports torch, diffusers, optimum and OpenVINO, which takes about 8 s and 500 MB; so only the
process that owns the device imports it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from winepress_shared.errors import BadOutput, EnvironmentFault, FailForGood
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.blobs.sharing import SharedBlobs
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.arguments import arguments_of, guided_part, takes_rescale
from winepress_worker.engines.assembly import PARTS, assemble, draws
from winepress_worker.engines.autoencoders import Autoencoders
from winepress_worker.engines.base import Latents, OnStep, PipelineKey, Request, ignore_steps
from winepress_worker.engines.canvas import STATIC_GRID_PX, Canvas, check_pictures
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.denoiser import shortened
from winepress_worker.engines.devices import check_devices, openvino_version
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.native_faults import loading, rendering
from winepress_worker.engines.previews import Previews
from winepress_worker.engines.scheduling import make_scheduler
from winepress_worker.engines.steps import Draw, Steps
from winepress_worker.engines.token_limit import unread_warnings
from winepress_worker.engines.trial import trial_request
from winepress_worker.held_memory import own_bytes, return_freed
from winepress_worker.models.local_models import UNBOUNDED, LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.placement import Placement
from winepress_worker.report import Report, ignore_progress
from winepress_worker.tally import Tally

_INPAINT_CHANNELS = 9  #: of a UNet that also gets the mask and the masked picture
_TOKENIZERS = ("tokenizer", "tokenizer_2")
_REFINING = "image-to-image"  #: kind of the pipeline that refines latents
_ENCODER = "vae_encoder"  #: compiled only if there is a source picture

#: Returns the prepared model of a name and precision; makes it if it is missing.
Prepare = Callable[[LocalModels, str, Precision, Report], Prepared]


class OpenVinoEngine:
    """Loads pipelines for one OpenVINO device."""

    def __init__(
        self,
        local_models: LocalModels,
        device: str,
        cache_dir: Path,
        placement: Placement | None = None,
        prepare: Prepare | None = None,
        staged_above: int = UNBOUNDED,
    ) -> None:
        """``placement`` gives each stage its device; without it all stages use ``device``.

        ``prepare`` makes a missing model; without it a missing model is an error. Models that need
        more than ``staged_above`` bytes hold one stage at a time. Raises WrongUsage if OpenVINO
        does not find a device.
        """
        quiet_libraries()
        self._local_models = local_models
        self._prepare = prepare
        self._staged_above = staged_above
        self._device = device
        self._placement = placement or Placement.of(DeviceName.parse(device))
        self._cache_dir = cache_dir
        self.tally = Tally()  #: of parts compiled, and of those read from blobs
        self.shared_blobs: SharedBlobs | None = None  #: see `BlobSharingEngine`
        for place in self._placement.places:
            check_devices(place.device.parts)

    def prepare(
        self, model: str, precision: Precision, report: Report = ignore_progress
    ) -> PipelineKey:
        """Prepare a model on this machine; returns the key under which it is loaded."""
        if self._prepare:
            prepared = self._prepare(self._local_models, model, precision, report)
        else:
            prepared = self._find(model, precision)
        return PipelineKey.of(prepared, self._device)

    def _find(self, model: str, precision: Precision) -> Prepared:
        prepared = self._local_models.find(model, precision)
        if prepared is None:
            raise EnvironmentFault(
                f"{model}.{precision.value} is not on this machine",
                hint=f"run: winepress models prepare {model}",
            )
        return prepared

    def estimate(self, key: PipelineKey) -> int:
        """Memory of a model by `LocalModels.memory_needed`, in bytes."""
        return self._local_models.memory_needed(key.model, key.precision, self._staged_above)

    def load(self, key: PipelineKey) -> OpenVinoPipeline:
        """Read and compile the parts for the model's first kind of job.

        Raises EnvironmentFault if the model is missing, corrupt or of another revision.
        """
        prepared = self._find(key.model, key.precision)
        if prepared.revision != key.revision:
            raise EnvironmentFault(
                f"this revision of {key.name} is not on this machine",
                value=key.revision,
                hint=f"run: winepress models prepare {key.model}",
            )
        trial = trial_request(self._local_models.catalogue, key.model, key.precision, steps=1)
        before = own_bytes()
        staged = self._local_models.stage_bytes(key.model, key.precision, self._staged_above)
        parts = CompiledParts(
            self._placement,
            self._cache_dir,
            prepared,
            staged,
            lambda is_read: self.tally.add("blob_hits" if is_read else "blob_misses", key.name),
            shared=self.shared_blobs,
        )
        pipeline = OpenVinoPipeline(key, prepared, trial.job.kind, parts)
        pipeline.trial = trial
        previews = Previews(self._local_models.catalogue.get(key.model), prepared.path, parts.get)
        pipeline.draw_preview = previews.draw if previews.is_ready else None
        pipeline.hold(own_bytes() - before - pipeline.held)
        return pipeline


class OpenVinoPipeline:
    """One model compiled for one device; its task pipelines share one set of compiled parts."""

    def __init__(
        self,
        key: PipelineKey,
        prepared: Prepared,
        kind: str,
        parts: CompiledParts | None = None,
    ) -> None:
        """Read and compile the parts for jobs of ``kind``.

        Without ``parts`` all are computed on the key's device, and no blobs are cached. Raises
        EnvironmentFault or RetryElsewhere.
        """
        self.key = key
        self.held = 0  #: memory taken by compiling and drawing, in bytes
        self.is_warm = False
        self.trial: Request | None = None  #: the picture it warms up with
        self._prepared = prepared
        device = DeviceName.parse(key.device)
        self._compiled = parts or CompiledParts(Placement.of(device), None, prepared)
        self.footprint = self._compiled.least_bytes
        self._grid = STATIC_GRID_PX if device.is_static else 1
        self._largest = 0
        self._facts: dict[str, PictureFacts] = {}
        self._pipes: dict[str, Any] = {}
        self._autoencoders = Autoencoders(prepared.path, self._compiled.get)
        self.draw_preview: Draw | None = None
        pipe = self._pipe(kind)
        # A copy: schedulers are built from the model's own settings, never from each other's.
        self._scheduler_config = dict(pipe.scheduler.config)

    @property
    def device(self) -> str:
        """The device in use; see `CompiledParts.device`."""
        return self._compiled.device

    def hold(self, taken: int) -> None:
        """Add ``taken`` bytes to the footprint; mapped files may not be in memory yet."""
        self.held += max(taken, 0)
        self.footprint = max(self.held, self._compiled.least_bytes) + self._compiled.kept_bytes

    def warm_up(self) -> None:
        """Draw the trial picture in one step; see `Pipeline.warm_up`."""
        if self.trial:
            self.render(self.trial, ignore_steps)

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        canvas = Canvas.of(request, self._grid)
        before, pixels = own_bytes(), len(request.seeds) * canvas.frame[0] * canvas.frame[1]
        arrays = self._call(request, request.job.kind, arguments_of(request, canvas), on_step, "np")
        pictures = _pictures(arrays)
        check_pictures(pictures)
        if pixels > self._largest:  # memory for a larger call than before stays allocated
            self.hold(own_bytes() - before)
            self._largest = pixels
        return [canvas.finish(picture) for picture in pictures]

    def run_base(self, request: Request, on_step: OnStep) -> Latents:
        """The first stage of a job with a refiner; see `Pipeline.run_base`."""
        arguments = arguments_of(request, Canvas.of(request, self._grid))
        refinement = request.job.refinement
        arguments["denoising_end"] = refinement and refinement.denoising_end
        return self._call(request, request.job.kind, arguments, on_step, "latent")

    def run_refiner(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """The second stage; see `Pipeline.run_refiner`."""
        canvas = Canvas.of(request, self._grid)
        arguments = arguments_of(request, canvas) | {"image": latents}
        for size in ("width", "height"):
            del arguments[size]
        refinement = request.job.refinement
        if refinement and refinement.strength:
            arguments["strength"] = refinement.strength
        else:
            arguments["denoising_start"] = refinement and refinement.denoising_end
        pictures = _pictures(self._call(request, _REFINING, arguments, on_step, "np"))
        check_pictures(pictures)
        return [canvas.finish(picture) for picture in pictures]

    def _call(
        self, request: Request, kind: str, arguments: dict[str, Any], on_step: OnStep, output: str
    ) -> Any:
        """Run the task pipeline of ``kind``; returns arrays of pictures, or latents."""
        pipe = self._pipe(kind)
        steps = Steps(request, on_step, self.draw_preview)
        with rendering(lambda: steps.raised):
            pipe.scheduler = make_scheduler(self._scheduler_config, request.job)
            pipe.vae = self._autoencoders.pick(pipe, kind, request.job.vae == "tiny")
            if takes_rescale(pipe):
                arguments["guidance_rescale"] = request.job.guidance_rescale or 0.0
            with shortened(pipe, request.job, guided_part(request.job, arguments)):
                drawn = pipe(**arguments, callback_on_step_end=steps, output_type=output).images
        self.is_warm = True
        self.hold(0)  # texts that it keeps from now on
        return drawn

    def facts(self, request: Request) -> PictureFacts:
        """How this pipeline renders ``request``."""
        name = str(request.job.scheduler)
        if name not in self._facts:  # cached: it takes longer than a Redis call
            self._facts[name] = PictureFacts(
                engine=f"openvino {openvino_version()}",
                device=self.device,
                arithmetic=self._compiled.arithmetic,
                revision=self.key.revision,
                scheduler=type(make_scheduler(self._scheduler_config, request.job)).__name__,
            )
        return self._facts[name]

    def unread(self, job: Job) -> tuple[str, ...]:
        """Warnings about texts longer than the text encoders read; see `Pipeline.unread`."""
        pipe = next(iter(self._pipes.values()))
        found = (getattr(pipe, name, None) for name in _TOKENIZERS)
        return unread_warnings([each for each in found if each is not None], job)

    def close(self) -> None:
        """Free the memory."""
        self._pipes.clear()
        self._autoencoders.close()
        self._compiled.clear()
        gc.collect()

    def _pipe(self, kind: str) -> Any:
        """The task pipeline of ``kind``, made on first use around the shared compiled parts."""
        if kind not in self._pipes:
            if not draws(kind) or (self._paints_into_masks and not Job.kinds[kind].is_composite):
                raise FailForGood(f"{self.key.model} does not support {kind}", field="kind")
            before = own_bytes()
            with loading():
                self._pipes[kind] = self._assemble(kind)
            return_freed()
            self.hold(own_bytes() - before)
        return self._pipes[kind]

    def _assemble(self, kind: str) -> Any:
        models: dict[str, Any] = {}
        for sibling in self._pipes.values():
            models = {name: part.model for name, part in _parts(sibling)}
        pipe = assemble(self._prepared.path, kind, models)
        pipe.set_progress_bar_config(disable=True)
        for name, part in _parts(pipe):
            if name != _ENCODER or Job.kinds[kind].picture_names:
                part.request = self._compiled.get(name, part.model)
        return pipe

    @property
    def _paints_into_masks(self) -> bool:
        return self._prepared.channels == _INPAINT_CHANNELS


def _pictures(arrays: Any) -> list[Image.Image]:
    """Turn floats of 0 to 1, shape (count, height, width, 3), into pictures."""
    if not np.isfinite(arrays).all():
        raise BadOutput("the output contains NaN or infinity")
    return [Image.fromarray(array) for array in (arrays * 255).round().astype(np.uint8)]


def _parts(pipe: Any) -> list[tuple[str, Any]]:
    found = ((name, getattr(pipe, name, None)) for name in PARTS)
    return [(name, part) for name, part in found if part is not None]
