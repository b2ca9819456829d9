"""Every outside model of the catalogue, from a folder of weights to a picture, on its twin."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.utils import logging
from PIL import Image, ImageDraw
from support.twins.drawing import SEED, WarmModels, seeded, text_job
from support.twins.mirror import Mirror, twin_catalogue
from support.twins.prepared import PreparedTwins
from support.twins.published import PUBLISHED
from support.twins.tiny import SIDE_PX

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.lane import Precision
from winepress_shared.model import Model
from winepress_worker.commands.models import register
from winepress_worker.engines.base import Request
from winepress_worker.models.likeness import psnr_db
from winepress_worker.models.local_models import LocalModels

pytestmark = [
    # diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
    pytest.mark.filterwarnings("ignore:__array:DeprecationWarning"),
    pytest.mark.slow,
    pytest.mark.timeout(900),  # half a minute each on a machine of their own
]

LEAST_PSNR_DB = 35.0
MARGIN_DB = 6.0  #: by which another job's picture is less like it
MOST_STEPS = 4
logging.disable_progress_bar()


def source_picture() -> Image.Image:
    picture = Image.linear_gradient("L").resize((SIDE_PX, SIDE_PX)).convert("RGB")
    ImageDraw.Draw(picture).ellipse((30, 30, 90, 90), fill="red")
    return picture


def right_half() -> Image.Image:
    mask = Image.new("L", (SIDE_PX, SIDE_PX), 0)
    mask.paste(255, (SIDE_PX // 2, 0, SIDE_PX, SIDE_PX))
    return mask


def request_for(model: Model, **values: Any) -> Request:
    """One picture by the model's own defaults, but for the number of steps."""
    kind = model.kinds[0]
    image = source_picture() if kind != "text-to-image" else None
    mask = right_half() if kind == "inpaint" else None
    given: dict[str, Any] = {"kind": kind, "model": model.name, "prompt": "a red fox in ink"}
    given |= {"seed": SEED, "steps": min(model.num_inference_steps, MOST_STEPS)}
    if image:
        given |= {"image": image, "strength": 0.75}
    if mask:
        given["mask"] = mask
    if model.guidance_scale > 1:
        given["negative_prompt"] = "red ink"
    others = twin_catalogue(SIDE_PX)  # a model may name others as its refiners
    entries = {name: others.get(name) for name in others.names} | {model.name: model}
    job = Catalogue(entries).resolve(parse_job(given | values))
    return Request(job, (SEED,), image, mask)


def reference_picture(mirror: Mirror, model: Model, request: Request) -> Image.Image:
    """The same job by diffusers and torch alone."""
    job: Job = request.job
    pipe = mirror.reference(model, PUBLISHED[model.name].pipeline)
    if job.vae == "tiny" and not model.tiny_vae_only:
        pipe.vae = mirror.tiny_vae(model)
    arguments: dict[str, Any] = {
        "prompt": job.prompt,
        "negative_prompt": job.negative_prompt or None,
        "num_inference_steps": job.num_inference_steps,
        "guidance_scale": job.guidance_scale,
        "generator": torch.Generator("cpu").manual_seed(SEED),
    }
    if request.image is None:
        arguments |= {"width": job.width, "height": job.height}
        arguments["guidance_rescale"] = model.guidance_rescale
    else:
        arguments |= {"image": request.image, "strength": getattr(job, "strength", 1.0)}
    if request.mask is not None:
        arguments |= {"mask_image": request.mask, "width": job.width, "height": job.height}
    picture: Image.Image = pipe(**arguments).images[0]
    if request.image is not None and request.mask is not None:
        picture = Image.composite(picture, request.image, request.mask)
    return picture


@pytest.mark.parametrize("name", PUBLISHED)
def test_picture_is_the_one_that_plain_diffusers_draws(name: str, twins: PreparedTwins) -> None:
    """Scheduler, guidance, autoencoder's scale and the model's structure are all as published."""
    model = twins.catalogue.get(name)
    twins.prepare(name)
    pipeline = twins.engine.load(twins.engine.prepare(name, Precision.FP16))
    request = request_for(model)
    (drawn,) = pipeline.render(request, lambda done, total: None)
    wanted = reference_picture(twins.mirror, model, request)
    likeness_db = psnr_db(drawn, wanted)
    assert likeness_db >= LEAST_PSNR_DB
    for change in ({"prompt": "a teapot"}, {"steps": (request.job.num_inference_steps or 0) + 1}):
        other = request_for(model, **change)
        (different,) = pipeline.render(other, lambda done, total: None)
        # Untrained networks hardly listen to the prompt, least of all in a single step.
        most_db = max(LEAST_PSNR_DB, likeness_db - MARGIN_DB)
        assert psnr_db(different, wanted) < most_db, f"{change} changes nothing"
    pipeline.close()


@pytest.fixture
def base(twins: PreparedTwins) -> Model:
    """The model that hands over to a refiner."""
    return twins.catalogue.get("sdxl-base")


def test_tiny_autoencoder_draws_what_plain_diffusers_draws_around_a_mask(
    twins: PreparedTwins,
) -> None:
    """There it reads the picture as well, for a network of nine channels."""
    model = twins.catalogue.get("sd2-inpaint")
    twins.prepare(model.name)
    pipeline = twins.engine.load(twins.engine.prepare(model.name, Precision.FP16))
    request = request_for(model, vae="tiny")
    (drawn,) = pipeline.render(request, lambda done, total: None)
    pipeline.close()
    wanted = reference_picture(twins.mirror, model, request)
    assert psnr_db(drawn, wanted) >= LEAST_PSNR_DB
    full = reference_picture(twins.mirror, model, request_for(model))
    assert psnr_db(drawn, full) < LEAST_PSNR_DB, "it is the full autoencoder's"


@pytest.mark.parametrize(
    "share",
    [{"denoising_end": 0.6}, {"refiner_strength": 0.5}, {"refiner_strength": 0.5, "vae": "tiny"}],
)
def test_two_stages_draw_what_plain_diffusers_draws(
    share: dict[str, Any],
    base: Model,
    twins: PreparedTwins,
    warm_models: WarmModels,
) -> None:
    """Latents are handed over untouched, with their noise or without it, to be decoded there."""
    request = text_job(twins.catalogue, refiner="sdxl-refiner", **share)
    drawn = warm_models.draw(request)
    mirror = twins.mirror
    first = mirror.reference(base, PUBLISHED["sdxl-base"].pipeline)
    refiner = PUBLISHED["sdxl-refiner"].pipeline
    second = mirror.reference(twins.catalogue.get("sdxl-refiner"), refiner)
    if "vae" in share:
        second.vae = mirror.tiny_vae(base)
    both: dict[str, Any] = {
        "prompt": request.job.prompt,
        "negative_prompt": request.job.negative_prompt,
        "num_inference_steps": 5,
        "guidance_scale": request.job.guidance_scale,
    }
    size = {"width": SIDE_PX, "height": SIDE_PX, "output_type": "latent"}
    end = share.get("denoising_end")
    latents = first(**both, **size, denoising_end=end, generator=seeded()).images
    rest = {"denoising_start": end} if end else {"strength": share["refiner_strength"]}
    wanted = second(**both, **rest, image=latents, generator=seeded()).images[0]
    assert psnr_db(drawn, wanted) >= LEAST_PSNR_DB
    alone = warm_models.draw(text_job(twins.catalogue))
    assert psnr_db(alone, wanted) < LEAST_PSNR_DB, "the refiner changes nothing"


@pytest.mark.parametrize("option", [{"clip_skip": 2}, {"vae": "tiny"}, {"guidance_rescale": 0.7}])
def test_options_draw_what_plain_diffusers_draws(
    option: dict[str, Any],
    base: Model,
    twins: PreparedTwins,
    warm_models: WarmModels,
) -> None:
    """Another text layer, the autoencoder beside the model's own, rescaled guidance."""
    request = text_job(twins.catalogue, **option)
    drawn = warm_models.draw(request)
    pipe = twins.mirror.reference(base, PUBLISHED["sdxl-base"].pipeline)
    if "vae" in option:
        pipe.vae = twins.mirror.tiny_vae(base)
    job = request.job
    wanted = pipe(
        prompt=job.prompt,
        negative_prompt=job.negative_prompt,
        num_inference_steps=5,
        guidance_scale=job.guidance_scale,
        guidance_rescale=job.guidance_rescale,
        clip_skip=1 if "clip_skip" in option else None,
        width=SIDE_PX,
        height=SIDE_PX,
        generator=seeded(),
    ).images[0]
    likeness_db = psnr_db(drawn, wanted)
    assert likeness_db >= LEAST_PSNR_DB
    plain = warm_models.draw(text_job(twins.catalogue))
    assert psnr_db(plain, wanted) < likeness_db - MARGIN_DB / 2, f"{option} changes nothing"


def test_previews_of_the_tiny_autoencoder_come_nearer_to_the_picture(
    twins: PreparedTwins, warm_models: WarmModels
) -> None:
    """One after every second step but the last, each nearer than noise would be."""
    seen: list[tuple[int, int, Image.Image]] = []
    request = text_job(twins.catalogue, steps=8, vae="tiny", preview_every=2)
    watched = replace(
        request, on_preview=lambda done, total, pictures: seen.append((done, total, pictures[0]))
    )
    drawn = warm_models.draw(watched)
    assert [(done, total) for done, total, _ in seen] == [(2, 8), (4, 8), (6, 8)]
    likeness = [psnr_db(preview, drawn) for _, _, preview in seen]
    assert likeness == sorted(likeness)
    assert drawn.tobytes() == warm_models.draw(request).tobytes(), "watching changes the picture"


def test_folder_nobody_described_is_prepared_under_a_name_of_its_own(
    tmp_path: Path,
    twins: PreparedTwins,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its limits are read from its files; what is printed is the entry that a farm adds."""
    folder = twins.mirror.provide(twins.catalogue.get("tiny-sd"))
    monkeypatch.setenv("WINEPRESS_HOME", str(tmp_path / "home"))
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    for precision in ("fp16", "int8-weights"):
        given = ["models", "prepare", "mine", "--from", str(folder), "--precision", precision]
        arguments = parser.parse_args(given)
        with twins.conversions.kept():
            assert arguments.run(arguments) == 0
    printed = capsys.readouterr().out
    assert "mine.int8-weights is ready" in printed
    assert "PSNR" in printed
    (tmp_path / "farm.toml").write_text(printed[printed.rindex("[mine]") :])
    farm = LocalModels(tmp_path / "home", Catalogue.load(tmp_path / "farm.toml"))
    full, small = (farm.find("mine", p) for p in (Precision.FP16, Precision.INT8_WEIGHTS))
    assert full
    assert small
    assert small.size_bytes < 0.8 * full.size_bytes
    assert farm.catalogue.get("mine").scheduler == "dpmpp_2m"
