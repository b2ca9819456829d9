"""A denoiser that is called less often draws almost the same picture, and always the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from optimum.intel.openvino.modeling_diffusion import OVModelUnet
from PIL import Image

from winepress_shared.errors import Stopped
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.jobs.schedulers import SCHEDULERS, Scheduler
from winepress_shared.jobs.shortcuts import exact_steps
from winepress_shared.lane import Precision
from winepress_worker.engines import open_engine
from winepress_worker.engines.base import OnStep, Pipeline, Request, ignore_steps
from winepress_worker.engines.scheduling import make_scheduler, own_scheduler
from winepress_worker.models.likeness import psnr_db
from winepress_worker.models.local_models import LocalModels
from winepress_worker.options import WorkerOptions

# diffusers 0.37 turns torch tensors into arrays in ways NumPy 2 will drop one day.
pytestmark = pytest.mark.filterwarnings("ignore:__array:DeprecationWarning")

STEPS = 20
SMALL: dict[str, Any] = {"width": 64, "height": 64}  #: pictures of which only the calls count
#: Least likeness of a light cache to the full picture; most measured are above 45.
LEAST_DB = 40.0
#: The same of schedulers that add noise in every step; a picture of as few steps has about 25.
LEAST_NOISY_DB = 32.0
NOISY = ("ddpm", "euler_a", "dpmpp_2m_sde")


@dataclass
class Artist:
    """Draws with one model, and notes how many items each call of the denoiser had."""

    pipeline: Pipeline
    models: LocalModels
    calls: list[int] = field(default_factory=list)

    def job(self, **values: Any) -> Job:
        given = {"prompt": "a red apple on a teal background", "seed": 1}
        given |= {"model": self.pipeline.key.model, "num_inference_steps": STEPS}
        return self.models.catalogue.resolve(parse_job(given | values))

    def draw(self, on_step: OnStep = ignore_steps, **values: Any) -> Image.Image:
        """The one picture of a job."""
        return self.draw_all([self.job(**values)], on_step)[0]

    def draw_all(self, jobs: list[Job], on_step: OnStep = ignore_steps) -> list[Image.Image]:
        """The pictures of jobs that share a call."""
        self.calls.clear()
        image, mask = (source_picture(jobs[0].kind), mask_of(jobs[0].kind))
        return self.pipeline.render(Request.together(jobs, image, mask), on_step)


def source_picture(kind: str) -> Image.Image | None:
    return None if kind == "text-to-image" else Image.radial_gradient("L").convert("RGB")


def mask_of(kind: str) -> Image.Image | None:
    mask = Image.linear_gradient("L").point(lambda level: 255 * (level > 99))
    return mask if kind == "inpaint" else None


def artist_of(model: str, local_models: LocalModels, home: Path) -> Iterator[Artist]:
    engine = open_engine(WorkerOptions("test"), local_models, home)
    artist = Artist(engine.load(engine.prepare(model, Precision.FP16)), local_models)
    plain = OVModelUnet.forward

    def counted(self: Any, sample: Any, *others: Any, **named: Any) -> Any:
        artist.calls.append(len(sample))
        return plain(self, sample, *others, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OVModelUnet, "forward", counted)
        yield artist
    artist.pipeline.close()


def own_scheduler_of(artist: Artist) -> Any:
    """The scheduler that the model names."""
    prepared = artist.models.find(artist.pipeline.key.model, Precision.FP16)
    assert prepared
    return own_scheduler(prepared.path)


@pytest.fixture(scope="module")
def artist(local_models: LocalModels, model_home: Path) -> Iterator[Artist]:
    yield from artist_of("vignette", local_models, model_home)


@pytest.fixture(scope="module")
def full(artist: Artist) -> Image.Image:
    return artist.draw()


@pytest.mark.arithmetic
@pytest.mark.parametrize(
    ("values", "calls", "least_db"),
    [
        ({"step_cache": "light"}, 11, LEAST_DB),
        ({"step_cache": "strong"}, 8, 32.0),
        ({"step_cache_interval": 4}, 7, 26.0),
        ({"step_cache": "light", "guidance_scale": 1}, 11, LEAST_DB),
    ],
)
def test_fewer_calls_draw_almost_the_same_picture(
    values: dict[str, Any], calls: int, least_db: float, artist: Artist, full: Image.Image
) -> None:
    """All steps are still told of, and where nothing is guided the batch stays one picture."""
    seen: list[tuple[int, int]] = []
    picture = artist.draw(lambda done, total: seen.append((done, total)), **values)
    guidance = {name: values[name] for name in ("guidance_scale",) if name in values}
    assert artist.calls == [1 if guidance else 2] * calls
    assert seen == [(done, STEPS) for done in range(1, STEPS + 1)]
    wanted = artist.draw(**guidance) if guidance else full
    assert psnr_db(picture, wanted) >= least_db


@pytest.mark.arithmetic
def test_same_bytes_again_and_nothing_is_left_behind(artist: Artist, full: Image.Image) -> None:
    """After other jobs, and after one that was stopped in the middle."""
    values: dict[str, Any] = {"step_cache": "light", "guidance_start": 0.1, "guidance_stop": 0.8}
    first = artist.draw(**values)

    def stop(done: int, total: int) -> None:
        if done == STEPS // 2:
            raise Stopped("enough")

    with pytest.raises(Stopped):
        artist.draw(stop, **values)
    assert artist.draw().tobytes() == full.tobytes()
    assert artist.calls == [2] * STEPS
    assert artist.draw(step_cache="off").tobytes() == full.tobytes()
    assert artist.draw(**values).tobytes() == first.tobytes()


@pytest.mark.arithmetic
def test_company_changes_a_picture_no_more_than_without_a_cache(artist: Artist) -> None:
    """Where pictures of a call are those of calls of their own, they are so with a cache."""
    prompts = ("a fox in the snow", "a rocket")

    def is_alike(**values: Any) -> bool:
        jobs = [artist.job(prompt=text, seed=seed, **values) for seed, text in enumerate(prompts)]
        together = artist.draw_all(jobs)
        return all(
            one.tobytes() == artist.draw_all([job])[0].tobytes()
            for one, job in zip(together, jobs, strict=True)
        )

    is_alike_in_full = is_alike() and is_alike(guidance_scale=1)
    assert is_alike(step_cache="light", guidance_stop=0.5) or not is_alike_in_full


@pytest.mark.parametrize(
    ("values", "calls"),
    [
        ({"guidance_stop": 0.5}, [2] * 10 + [1] * 10),
        ({"guidance_start": 0.2}, [1] * 4 + [2] * 16),
        ({"guidance_start": 0.1, "guidance_stop": 0.3}, [1] * 2 + [2] * 4 + [1] * 14),
        ({"guidance_stop": 0.5, "guidance_scale": 1}, [1] * 20),
        ({"guidance_stop": 0.5, "step_cache": "light"}, [2] * 5 + [1] * 6),
        ({"guidance_start": 0.5, "step_cache": "light"}, [1] * 5 + [2] * 6),
    ],
)
def test_steps_without_guidance_compute_half(
    values: dict[str, Any], calls: list[int], artist: Artist
) -> None:
    """The half with the prompts; the numbers are of pictures in each call."""
    artist.draw(**values, **SMALL)
    assert artist.calls == calls


@pytest.mark.parametrize("name", ["euler", "euler:karras", "dpmpp_2m"])
def test_guidance_ends_below_a_sigma_of_the_scheduler(name: str, artist: Artist) -> None:
    """It is reckoned from the time alone, and is the sigma that the scheduler itself steps by."""
    scheduler = make_scheduler(own_scheduler_of(artist).config, artist.job(scheduler=name))
    scheduler.set_timesteps(STEPS)
    artist.draw(scheduler=name, guidance_min_sigma=1.2, **SMALL)
    assert artist.calls == [2 if sigma >= 1.2 else 1 for sigma in scheduler.sigmas[:-1]]
    assert {*artist.calls} == {1, 2}


@pytest.mark.arithmetic
def test_guidance_in_no_step_is_a_picture_without_guidance(artist: Artist) -> None:
    """Equal halves leave nothing for guidance to enlarge, rescaled or not."""
    wanted = artist.draw(guidance_scale=1)
    for rescale in (0.0, 0.7):
        drawn = artist.draw(guidance_min_sigma=1000, guidance_rescale=rescale)
        assert artist.calls == [1] * STEPS
        assert psnr_db(drawn, wanted) >= 60


@pytest.mark.arithmetic
@pytest.mark.parametrize("scheduler", SCHEDULERS, ids=lambda scheduler: scheduler.name)
def test_every_scheduler_draws_its_picture_with_a_cache(
    scheduler: Scheduler, artist: Artist
) -> None:
    """Those whose steps cannot be predicted compute them all."""
    wanted = artist.draw(scheduler=scheduler.name)
    calls = len(artist.calls)
    drawn = artist.draw(scheduler=scheduler.name, step_cache="light")
    assert calls == STEPS * scheduler.calls + scheduler.more_calls
    if scheduler.cache_interval == 1:
        assert len(artist.calls) == calls
        assert drawn.tobytes() == wanted.tobytes()
        return
    assert len(artist.calls) == len(exact_steps(calls, 2)) < 0.7 * calls
    least = LEAST_NOISY_DB if scheduler.name in NOISY else LEAST_DB
    assert psnr_db(drawn, wanted) >= least


@pytest.mark.arithmetic
@pytest.mark.parametrize(
    ("values", "steps"),
    [
        ({"kind": "image-to-image", "strength": 0.6}, 12),
        ({"kind": "image-to-image", "strength": 0.4}, 8),  # all of them are computed
    ],
)
def test_steps_that_a_source_picture_replaces_are_not_counted(
    values: dict[str, Any], steps: int, artist: Artist
) -> None:
    """The first steps that are really taken are computed."""
    values = values | {"image": source_picture("image-to-image")}
    wanted = artist.draw(**values)
    assert len(artist.calls) == steps
    drawn = artist.draw(**values, step_cache="light")
    assert artist.calls == [2] * len(exact_steps(steps, 2))
    assert psnr_db(drawn, wanted) >= LEAST_DB


@pytest.mark.arithmetic
def test_inpainting_by_nine_channels_is_predicted_and_halved(
    local_models: LocalModels, model_home: Path
) -> None:
    """Mask and masked picture belong to each item, like its noise."""
    given: dict[str, Any] = {
        "kind": "inpaint",
        "image": source_picture("inpaint"),
        "mask": mask_of("inpaint"),
    }
    for painter in artist_of("vignette-inpaint", local_models, model_home):
        wanted = painter.draw(**given)
        drawn = painter.draw(**given, step_cache="light")
        assert painter.calls == [2] * 11
        assert psnr_db(drawn, wanted) >= LEAST_DB
        painter.draw(**given, step_cache="light", guidance_stop=0.5)
        assert painter.calls == [2] * 5 + [1] * 6
