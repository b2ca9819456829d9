"""What int8 and the other precisions save and cost, beside fp16 in the same run.

Two models: the full-size twin of tiny-sd at 256 pixels, whose weights are random, and vignette,
whose pictures mean something. All that is compared is measured in turns. OpenVINO computes a
16-bit model in bf16 where the CPU has it, which halves its time; both ways are shown.

``bench_precisions.py [HOME [SHEET.png]]`` keeps what it prepares below HOME, and draws the
contact sheet of the precisions.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from support.twins.full import build_full, build_full_tiny_vae

from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_shared.quantisation import Int8Recipe
from winepress_worker.conversion.calibration import practice
from winepress_worker.conversion.export import IR_FILE, export_tiny_vae
from winepress_worker.conversion.preparation import prepare
from winepress_worker.device_name import DeviceName
from winepress_worker.engines.base import PipelineKey, Request, ignore_steps
from winepress_worker.engines.compiled_parts import CompiledParts
from winepress_worker.engines.devices import core
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.models.likeness import psnr_db, ssim
from winepress_worker.models.local_models import LocalModels
from winepress_worker.models.manifest import Prepared
from winepress_worker.models.recipe import prompts
from winepress_worker.placement import Placement

_SIDE_PX = 256
_LATENTS = 4, _SIDE_PX // 8, _SIDE_PX // 8  #: of a KL autoencoder
_ROUNDS = 7
_MOST_STEPS = 10  #: of a picture that is timed; the autoencoder is in it once
_SEEDS = 12  #: pictures whose likeness is averaged
_NATIVE: Mapping[str, str | int] = {}
_F32: Mapping[str, str | int] = {"INFERENCE_PRECISION_HINT": "f32"}
_SHEET_PROMPTS = (
    "a red apple on teal",
    "a fox in the snow",
    "a rocket in space",
    "a house at sunset",
    "cat next to dog",
    "two pumpkins at night",
)


@dataclass(frozen=True)
class Subject:
    """One model in several precisions."""

    model: Model
    prepared: dict[Precision, Prepared]

    def graph(self, precision: Precision, part: str = "unet") -> Path:
        """The IR of a part."""
        return self.prepared[precision].path / part / IR_FILE

    def unet_bytes(self, precision: Precision) -> int:
        """Size of the UNet's weight file."""
        return self.graph(precision).with_suffix(".bin").stat().st_size


def prepare_all(
    model: Model, precisions: tuple[Precision, ...], home: Path, mirror: Path
) -> Subject:
    """Have every precision below ``home``."""
    local_models = LocalModels(home, Catalogue({model.name: model}))

    def report(message: str, share: float) -> None:
        print(f"  {model.name}: {share:4.0%} {message}", file=sys.stderr, flush=True)

    made = {each: prepare(local_models, model.name, each, report, mirror) for each in precisions}
    return Subject(model, made)


def tiny_sd(home: Path) -> Subject:
    """The full-size twin. What it is calibrated by decides no time, so two pictures do."""
    repository = home / "hub" / "segmind" / "tiny-sd"
    if not repository.exists():
        build_full("tiny-sd", repository)
    small = {
        "width": _SIDE_PX,
        "height": _SIDE_PX,
        "int8": Int8Recipe(method="full", pictures=2, samples=6),
    }
    model = Catalogue.load().get("tiny-sd").model_copy(update=small)
    return prepare_all(model, (Precision.FP16, Precision.INT8), home, home / "hub")


def in_turns(calls: Mapping[str, Callable[[], object]], rounds: int = _ROUNDS) -> dict[str, float]:
    """Median seconds of every call, one of each after the other."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - began)
    return {name: statistics.median(series) for name, series in times.items()}


def unet_call(
    graph: Path, inputs: dict[str, Any], properties: Mapping[str, Any], is_static: bool
) -> Callable[[], object]:
    """A call of a compiled UNet, with shapes fixed or left open as exported."""
    network = core().read_model(graph)
    if is_static:
        network.reshape({name: value.shape for name, value in inputs.items()})
    latency = {"PERFORMANCE_HINT": "LATENCY"}
    request = (
        core().compile_model(network, "CPU", latency | dict(properties)).create_infer_request()
    )
    return lambda: request.infer(inputs)


def unet_inputs(graph: Path, latents: tuple[int, int, int]) -> dict[str, Any]:
    """What one guided step hands to the UNet."""
    rng = np.random.default_rng(0)
    words, width = (
        size.get_length()
        for size in list(core().read_model(graph).input("encoder_hidden_states").partial_shape)[1:]
    )
    return {
        "sample": rng.standard_normal((2, *latents)).astype(np.float32),
        "timestep": np.array([500], dtype=np.int64),
        "encoder_hidden_states": rng.standard_normal((2, words, width)).astype(np.float32),
    }


def show_unet(subject: Subject, latents: tuple[int, int, int], rounds: int) -> None:
    """Print sizes, and times by arithmetic and shapes."""
    full, small = Precision.FP16, Precision.INT8
    share = subject.unet_bytes(small) / subject.unet_bytes(full)
    print(f"{subject.model.name}: UNet file int8 ÷ fp16 {share:.4f} (≤ 0.51)")
    inputs = unet_inputs(subject.graph(full), latents)
    for shapes in ("dynamic", "static"):
        calls = {
            f"{precision.value} {name}": unet_call(
                subject.graph(precision), inputs, properties, shapes == "static"
            )
            for precision in (full, small)
            for name, properties in (("native", _NATIVE), ("f32", _F32))
        }
        took = in_turns(calls, rounds)
        native, exact = took["fp16 native"], took["fp16 f32"]
        print(
            f"  UNet alone, {shapes} shapes: fp16 {1e3 * native:.1f} ms "
            f"({1e3 * exact:.1f} in f32), "
            f"int8 {1e3 * took['int8 native']:.1f} ms: {native / took['int8 native']:.2f} times, "
            f"{exact / took['int8 native']:.2f} against f32"
        )


def open_pipeline(prepared: Prepared, hints: Sequence[str] = ()) -> OpenVinoPipeline:
    """A pipeline as a worker opens it."""
    parts = CompiledParts(Placement.of(DeviceName.parse("CPU"), hints=hints), None, prepared)
    key = PipelineKey(prepared.name, prepared.revision, prepared.precision, "CPU")
    return OpenVinoPipeline(key, prepared, "text-to-image", parts)


def draw(pipeline: OpenVinoPipeline, request: Request) -> Image.Image:
    """The request's one picture."""
    (picture,) = pipeline.render(request, ignore_steps)
    return picture


def show_pictures(subject: Subject, rounds: int) -> None:
    """Print the times of whole pictures."""
    steps = min(subject.model.num_inference_steps, _MOST_STEPS)
    request = practice(subject.model, prompts(subject.model)[0], 0, steps)
    full, small = subject.prepared[Precision.FP16], subject.prepared[Precision.INT8]
    pipelines = {
        "fp16 native": open_pipeline(full),
        "fp16 f32": open_pipeline(full, ("f32",)),
        "int8 native": open_pipeline(small),
    }
    took = in_turns({n: lambda p=p: draw(p, request) for n, p in pipelines.items()}, rounds)  # type: ignore[misc]
    for pipeline in pipelines.values():
        pipeline.close()
    quick = took["int8 native"]
    print(
        f"  picture of {steps} steps: fp16 "
        f"{took['fp16 native']:.3f} s ({took['fp16 f32']:.3f} in f32), int8 {quick:.3f} s: "
        f"{took['fp16 native'] / quick:.2f} times, {took['fp16 f32'] / quick:.2f} against f32"
    )


def show_likeness(subject: Subject) -> None:
    """Print how like fp16 the other precisions draw, by prompts that calibration leaves over."""
    requests = [
        practice(subject.model, prompt, seed)
        for seed, prompt in enumerate(prompts(subject.model)[-_SEEDS:])
    ]
    drawn = {}
    for precision, prepared in subject.prepared.items():
        pipeline = open_pipeline(prepared)
        drawn[precision] = [draw(pipeline, request) for request in requests]
        pipeline.close()
    full = drawn.pop(Precision.FP16)
    for precision, pictures in drawn.items():
        decibels = [psnr_db(*pair) for pair in zip(full, pictures, strict=True)]
        alike = [ssim(*pair) for pair in zip(full, pictures, strict=True)]
        share = subject.unet_bytes(precision) / subject.unet_bytes(Precision.FP16)
        print(
            f"  {precision.value}: UNet file {share:.3f} of fp16's, PSNR "
            f"{statistics.mean(decibels):.1f} dB (least {min(decibels):.1f}), SSIM "
            f"{statistics.mean(alike):.3f} (least {min(alike):.3f}), {len(pictures)} pictures"
        )


def show_decoders(subject: Subject, folder: Path) -> None:
    """Print the time of the full-size decoder ÷ that of the tiny one."""
    (folder / "model_index.json").write_text("{}")  # where an autoencoder is exported into
    export_tiny_vae(build_full_tiny_vae(folder / "taesd"), folder)
    rng = np.random.default_rng(0)
    inputs = {"latent_sample": rng.standard_normal((1, *_LATENTS)).astype(np.float32)}
    graphs = {
        "full": subject.graph(Precision.FP16, "vae_decoder"),
        "tiny": folder / "vae_decoder" / IR_FILE,
    }
    took = in_turns({n: unet_call(graph, inputs, {}, False) for n, graph in graphs.items()})
    print(
        f"decoding at {_SIDE_PX} px: full {1e3 * took['full']:.0f} ms, "
        f"tiny {1e3 * took['tiny']:.1f} ms: {took['full'] / took['tiny']:.1f} times"
    )


def contact_sheet(subject: Subject, path: Path) -> None:
    """One row a precision, one column a prompt, the same seed everywhere."""
    side, head, left = 160, 18, 92
    size = (left + side * len(_SHEET_PROMPTS), head + side * len(subject.prepared))
    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    for row, (precision, prepared) in enumerate(subject.prepared.items()):
        pen.text((6, head + side * row + side // 2), precision.value, fill="black")
        pipeline = open_pipeline(prepared)
        for column, prompt in enumerate(_SHEET_PROMPTS):
            picture = draw(pipeline, practice(subject.model, prompt, 7))
            sheet.paste(picture.resize((side, side)), (left + side * column, head + side * row))
            pen.text((left + side * column + 2, 3), prompt[:28], fill="black")
        pipeline.close()
    palette = sheet.quantize(256)
    sheet.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(path, optimize=True)


def main(home: Path, sheet: Path | None) -> None:
    """Print everything."""
    quiet_libraries()
    every = (Precision.FP16, Precision.INT8, Precision.INT8_WEIGHTS, Precision.INT4_WEIGHTS)
    vignette = prepare_all(Catalogue.load().get("vignette"), every, home, home)
    large = tiny_sd(home)
    show_unet(large, _LATENTS, _ROUNDS)
    show_pictures(large, 3)
    show_unet(vignette, (4, 16, 16), 5 * _ROUNDS)
    show_pictures(vignette, 2 * _ROUNDS)
    show_likeness(vignette)
    with tempfile.TemporaryDirectory() as folder:
        show_decoders(large, Path(folder))
    if sheet:
        contact_sheet(vignette, sheet)


if __name__ == "__main__":
    given = [Path(word) for word in sys.argv[1:3]]
    with tempfile.TemporaryDirectory() as unkept:
        main(given[0] if given else Path(unkept), given[1] if given[1:] else None)
