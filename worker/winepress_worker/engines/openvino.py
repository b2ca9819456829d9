"""Rendering with OpenVINO through optimum-intel's pipelines, which run diffusers' own code.

The one module (with `models.prepare`) that imports torch, diffusers, optimum and OpenVINO; only
the process that owns the device imports it, since that takes about 8 s and 500 MB.
"""

from __future__ import annotations

import gc
import inspect
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import torch
import transformers
from optimum.intel import (
    OVPipelineForImage2Image,
    OVPipelineForInpainting,
    OVPipelineForText2Image,
)
from PIL import Image

from winepress_shared.errors import Environment, FailForGood, RetryElsewhere
from winepress_shared.job import ImageToImage, Inpaint, TextToImage
from winepress_shared.lane import Precision
from winepress_shared.metadata import PictureFacts
from winepress_worker.engines.autoencoders import Autoencoders
from winepress_worker.engines.base import Latents, OnStep, PipelineKey, Request, unheard
from winepress_worker.engines.canvas import Canvas, check_pictures
from winepress_worker.engines.devices import check_device, core, openvino_version
from winepress_worker.engines.native_faults import loading, rendering
from winepress_worker.engines.previews import Previews
from winepress_worker.engines.scheduling import make_scheduler
from winepress_worker.engines.steps import Draw, Steps
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.shelf import Report, Shelf

_TASKS: dict[str, Any] = {
    TextToImage.model_fields["kind"].default: OVPipelineForText2Image,
    ImageToImage.model_fields["kind"].default: OVPipelineForImage2Image,
    Inpaint.model_fields["kind"].default: OVPipelineForInpainting,
}
_INPAINT_CHANNELS = 9  #: of a UNet that also sees the mask and the masked picture
_PARTS = ("text_encoder", "text_encoder_2", "unet", "vae_decoder", "vae_encoder")
_ENCODER = "vae_encoder"  #: compiled only when a source picture is to be read


class OpenVinoEngine:
    """Loads pipelines for one OpenVINO device."""

    def __init__(
        self,
        shelf: Shelf,
        device: str,
        cache_dir: Path,
        properties: Mapping[str, str | int] | None = None,
    ) -> None:
        """``properties`` are handed to OpenVINO, for example ``{"INFERENCE_NUM_THREADS": 4}``.

        Raises WrongUsage when OpenVINO does not see ``device``.
        """
        quiet_libraries()
        check_device(device)
        self._shelf = shelf
        self._device = device
        blobs = cache_dir / openvino_version() / re.sub(r"\W+", "-", device)
        self._properties = {"CACHE_DIR": str(blobs), **(properties or {})}

    def key(self, model: str, precision: Precision, report: Report = unheard) -> PipelineKey:
        """The key of a model, which is prepared first if need be; see `Shelf.prepare`."""
        prepared = self._shelf.prepare(model, precision, report)
        return PipelineKey(model, prepared.revision, precision, self._device)

    def estimate(self, key: PipelineKey) -> int:
        """What the catalogue says the model needs at fp16, in bytes."""
        return self._shelf.catalogue.get(key.model).memory_mib * 2**20

    def load(self, key: PipelineKey) -> OpenVinoPipeline:
        """Compile and draw one warm-up picture of a single step.

        Raises Environment when the model is missing, corrupt or of another revision.
        """
        prepared = self._shelf.find(key.model, key.precision)
        if prepared is None or prepared.revision != key.revision:
            raise Environment(
                f"{key.model}.{key.precision.value} is not on this machine in this revision",
                value=key.revision,
                hint=f"run: winepress models prepare {key.model}",
            )
        request = trial_request(self._shelf.catalogue, key.model, key.precision, steps=1)
        before = _resident_bytes()
        pipeline = OpenVinoPipeline(key, prepared, request.job.kind, self._properties)
        pipeline.render(request, lambda done, total: None)
        model = self._shelf.catalogue.get(key.model)
        if model.has_previews:
            previews = Previews(model, prepared.path, self._device, self._properties)
            pipeline.draw_preview = previews.draw if previews.is_ready else None
        pipeline.footprint = max(_resident_bytes() - before, prepared.size_bytes)
        return pipeline


class OpenVinoPipeline:
    """One model compiled for one device; its task pipelines share one set of compiled parts."""

    def __init__(
        self,
        key: PipelineKey,
        prepared: Prepared,
        kind: str,
        properties: Mapping[str, str | int] | None = None,
    ) -> None:
        """Read and compile what jobs of ``kind`` need; raises Environment or RetryElsewhere."""
        self.key = key
        self.footprint = prepared.size_bytes
        self._prepared = prepared
        self._properties = {"PERFORMANCE_HINT": "LATENCY", **(properties or {})}
        self._facts: dict[str, PictureFacts] = {}
        self._pipes: dict[str, Any] = {}
        self._compiled: dict[str, Any] = {}
        self._autoencoders = Autoencoders(prepared.path, self._compile)
        self.draw_preview: Draw | None = None
        pipe = self._pipe(kind)
        # Frozen here: schedulers are built from the model's own settings, never from each other's.
        self._scheduler_config = dict(pipe.scheduler.config)
        self.device = ",".join(self._compiled["unet"].get_property("EXECUTION_DEVICES"))

    def render(self, request: Request, on_step: OnStep) -> list[Image.Image]:
        """Draw one RGB picture per seed; see `Pipeline.render`."""
        canvas = Canvas.of(request)
        arrays = self._call(request, request.job.kind, _arguments(request, canvas), on_step, "np")
        pictures = _pictures(arrays)
        check_pictures(pictures)
        return [canvas.keep_unmasked(picture) for picture in pictures]

    def sketch(self, request: Request, on_step: OnStep) -> Latents:
        """The first stage of a job with a refiner; see `Pipeline.sketch`."""
        arguments = _arguments(request, Canvas.of(request))
        arguments["denoising_end"] = getattr(request.job, "denoising_end", None)
        return self._call(request, request.job.kind, arguments, on_step, "latent")

    def refine(self, request: Request, latents: Latents, on_step: OnStep) -> list[Image.Image]:
        """The second stage; see `Pipeline.refine`."""
        arguments = _arguments(request, Canvas.of(request)) | {"image": latents}
        for size in ("width", "height"):
            del arguments[size]
        end, strength = (
            getattr(request.job, name, None) for name in ("denoising_end", "refiner_strength")
        )
        arguments |= {"strength": strength} if strength else {"denoising_start": end}
        pictures = _pictures(self._call(request, "image-to-image", arguments, on_step, "np"))
        check_pictures(pictures)
        return pictures

    def _call(
        self, request: Request, kind: str, arguments: dict[str, Any], on_step: OnStep, output: str
    ) -> Any:
        """Run the task pipeline of ``kind``; gives arrays of pictures, or latents."""
        pipe = self._pipe(kind)
        steps = Steps(request, on_step, self.draw_preview)
        with rendering(lambda: steps.raised):
            pipe.scheduler = make_scheduler(self._scheduler_config, request.job)
            pipe.vae = self._autoencoders.pick(pipe, kind, request.job.vae == "tiny")
            if _takes_rescale(pipe):
                arguments["guidance_rescale"] = request.job.guidance_rescale or 0.0
            return pipe(**arguments, callback_on_step_end=steps, output_type=output).images

    def facts(self, request: Request) -> PictureFacts:
        """How this pipeline renders ``request``."""
        name = str(request.job.scheduler)
        if name not in self._facts:  # asking OpenVINO and diffusers takes longer than a Redis call
            arithmetic = self._compiled["unet"].get_property("INFERENCE_PRECISION_HINT")
            self._facts[name] = PictureFacts(
                engine=f"openvino {openvino_version()}",
                device=self.device,
                arithmetic=arithmetic.to_string(),
                revision=self.key.revision,
                scheduler=type(make_scheduler(self._scheduler_config, request.job)).__name__,
            )
        return self._facts[name]

    def close(self) -> None:
        """Give the memory back."""
        self._pipes.clear()
        self._autoencoders.close()
        self._compiled.clear()
        gc.collect()

    def _pipe(self, kind: str) -> Any:
        """The task pipeline of ``kind``, made on first use around the shared compiled parts."""
        if kind not in self._pipes:
            if kind not in _TASKS or (self._paints_into_masks and kind != "inpaint"):
                raise FailForGood(f"{self.key.model} does not do {kind}", field="kind")
            before = _resident_bytes()
            with loading():
                self._pipes[kind] = self._assemble(kind)
            self.footprint += max(_resident_bytes() - before, 0)
        return self._pipes[kind]

    def _assemble(self, kind: str) -> Any:
        shared: dict[str, Any] = {}
        for sibling in self._pipes.values():
            shared = {name: part.model for name, part in _parts(sibling)}
            shared |= {name: getattr(sibling, name, None) for name in ("tokenizer", "tokenizer_2")}
        pipe = _TASKS[kind].from_pretrained(
            self._prepared.path,
            device=self.key.device,
            compile=False,
            ov_config=dict(self._properties),
            safety_checker=None,
            local_files_only=True,
            **shared,
        )
        pipe.set_progress_bar_config(disable=True)
        for name, part in _parts(pipe):
            if name != _ENCODER or kind != "text-to-image":
                part.request = self._compile(name, part.model)
        return pipe

    def _compile(self, name: str, part: Any) -> Any:
        if name not in self._compiled:
            self._compiled[name] = core().compile_model(part, self.key.device, self._properties)
        return self._compiled[name]

    @property
    def _paints_into_masks(self) -> bool:
        return self._prepared.channels == _INPAINT_CHANNELS


def quiet_libraries() -> None:
    """Silence what the libraries say about themselves; their errors still come as exceptions."""
    for library in (diffusers.utils.logging, transformers.utils.logging):
        library.set_verbosity_error()
        library.disable_progress_bar()
    for name in ("nncf", "optimum"):
        logging.getLogger(name).setLevel(logging.ERROR)


def _arguments(request: Request, canvas: Canvas) -> dict[str, Any]:
    """Arguments of the diffusers call, one entry per seed wherever a list is allowed.

    Prompts and pictures are repeated rather than asked for with ``num_images_per_prompt``: then
    each picture is encoded and noised by its own generator alone, whatever else is in the batch.
    """
    job, count = request.job, len(request.seeds)
    arguments: dict[str, Any] = {
        "prompt": [job.prompt] * count,
        # None and not "": SDXL then uses zeros, as it was trained.
        "negative_prompt": [job.negative_prompt] * count if job.negative_prompt else None,
        "num_inference_steps": job.num_inference_steps,
        "guidance_scale": job.guidance_scale,
        "generator": [torch.Generator("cpu").manual_seed(seed) for seed in request.seeds],
    }
    if not isinstance(job, ImageToImage):
        arguments |= {"width": canvas.size[0], "height": canvas.size[1]}
    if (job.clip_skip or 1) > 1:
        arguments["clip_skip"] = (job.clip_skip or 1) - 1  # diffusers counts what is left out
    if isinstance(job, ImageToImage | Inpaint):
        arguments |= {"image": [canvas.image] * count, "strength": job.strength}
    if isinstance(job, Inpaint):
        arguments["mask_image"] = [canvas.mask] * count
    return arguments


def _takes_rescale(pipe: Any) -> bool:
    """Diffusers' image-to-image and inpainting of the first family do not (0.37)."""
    return "guidance_rescale" in inspect.signature(pipe.auto_model_class.__call__).parameters


def _pictures(arrays: Any) -> list[Image.Image]:
    """Turn floats of 0 to 1, shape (count, height, width, 3), into pictures."""
    if not np.isfinite(arrays).all():
        raise RetryElsewhere("the decoded picture holds numbers that are none (NaN or infinity)")
    return [Image.fromarray(array) for array in (arrays * 255).round().astype(np.uint8)]


def _parts(pipe: Any) -> list[tuple[str, Any]]:
    found = ((name, getattr(pipe, name, None)) for name in _PARTS)
    return [(name, part) for name, part in found if part is not None]


def _resident_bytes() -> int:
    """Memory this process holds now (field 2 of /proc/self/statm, see proc(5))."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
