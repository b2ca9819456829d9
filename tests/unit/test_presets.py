"""What a preset sets, for which models, and who decides when a job names none."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.jobs.job import Job, parse_job
from winepress_shared.jobs.quality import Quality
from winepress_shared.jobs.shared_call import are_alike
from winepress_shared.settings import Settings

CATALOGUE = Catalogue.load()
OUTSIDE = [name for name in CATALOGUE.names if CATALOGUE.get(name).source.startswith("hub:")]
MANY_STEPS = ("vignette", "tiny-sd", "sd21", "sd21-base", "decidiffusion", "sdxl-base", "ssd-1b")


def resolve(catalogue: Catalogue = CATALOGUE, **values: Any) -> Job:
    return catalogue.resolve(parse_job({"prompt": "a fox"} | values))


def picture_for(kind: str) -> dict[str, Any]:
    """The source pictures that a job of ``kind`` needs."""
    picture = Image.new("RGB", (512, 512))
    fields = Job.kinds[kind].picture_names
    return {"kind": kind} | dict.fromkeys(fields, picture)


@pytest.mark.parametrize("model", MANY_STEPS)
def test_presets_compute_fewer_steps_where_many_are_taken(model: str) -> None:
    """Fast predicts steps, a draft no fewer of them; the guidance stays as it is."""
    exact, fast, draft = (resolve(model=model, quality=one) for one in Quality)
    assert exact.cache_interval == 1
    assert 1 < fast.cache_interval <= draft.cache_interval
    assert {one.guided_span for one in (exact, fast, draft)} == {(0.0, 1.0)}
    assert CATALOGUE.warnings(fast) == CATALOGUE.warnings(draft) == ()


@pytest.mark.parametrize("model", ["sdxl-turbo", "vega-rt", "lcm-ssd-1b"])
@pytest.mark.parametrize("quality", ["fast", "draft"])
def test_a_model_of_few_steps_is_decoded_by_the_tiny_autoencoder(model: str, quality: str) -> None:
    """Decoding takes most of the time of such a picture."""
    job = resolve(model=model, quality=quality)
    assert (job.vae, job.cache_interval) == ("tiny", 1)


@pytest.mark.parametrize("model", OUTSIDE)
def test_a_draft_of_every_outside_model_is_decoded_by_a_tiny_autoencoder(model: str) -> None:
    """Of its own family: another one's latents would come out in wrong colours."""
    entry = CATALOGUE.get(model)
    job = resolve(model=model, quality="draft", **picture_for(entry.kinds[0]))
    assert (job.vae or entry.autoencoders[0]) == "tiny"
    fitting = {"stable-diffusion": "taesd", "stable-diffusion-xl": "taesdxl"}
    assert entry.tiny_vae == f"hub:madebyollin/{fitting[entry.family]}"


@pytest.mark.parametrize(("has_tiny", "vae"), [(True, "tiny"), (False, None)])
def test_a_refined_draft_is_decoded_as_the_refiner_can(has_tiny: bool, vae: str | None) -> None:
    """The refiner decodes the picture; a job that it must refuse would be accepted in vain."""
    refiner = CATALOGUE.get("sdxl-refiner").model_copy(
        update={} if has_tiny else {"tiny_vae": None}
    )
    farm = CATALOGUE.plus(refiner)
    job = resolve(farm, model="sdxl-base", refiner=refiner.name, quality="draft")
    assert (job.vae, job.cache_interval > 1) == (vae, True)


def test_a_preset_that_can_change_nothing_says_so() -> None:
    """Nothing that a user asked for is dropped silently."""
    (said,) = CATALOGUE.warnings(resolve(num_inference_steps=4, quality="fast"))
    assert said.startswith("quality fast changes nothing: vignette at 4 steps")
    assert CATALOGUE.warnings(resolve(num_inference_steps=4, quality="exact")) == ()


def test_what_a_job_names_itself_is_never_changed() -> None:
    """A preset fills in only what is left open."""
    given: dict[str, Any] = {"step_cache": "off", "vae": "full"}
    job = resolve(model="sdxl-base", quality="draft", **given)
    assert (job.step_cache, job.step_cache_interval) == ("off", None)
    assert job.vae == "full"


def test_no_more_steps_are_predicted_than_the_scheduler_allows() -> None:
    """Where none can be, a preset sets nothing, and no warning blames an option nobody gave."""
    assert resolve(scheduler="pndm", quality="draft").cache_interval == 2
    job = resolve(scheduler="lms", quality="fast")
    assert job.cache_interval == 1
    assert all("quality fast" in said for said in CATALOGUE.warnings(job))


def test_a_picture_of_few_steps_left_by_its_strength_is_drawn_whole() -> None:
    """Steps are counted as they are really taken."""
    image = Image.new("RGB", (256, 256))
    few = resolve(kind="image-to-image", image=image, strength=0.3, quality="fast")
    many = resolve(kind="image-to-image", image=image, strength=0.9, quality="fast")
    assert (few.cache_interval, many.cache_interval > 1) == (1, True)


def test_the_settings_name_presets_for_lanes() -> None:
    """The precision's own comes before the model's, and that before everybody's."""
    settings = Settings.load(
        {"WINEPRESS_QUALITIES": '{"*": "draft", "vignette": "fast", "vignette.int8": "exact"}'}
    )
    farm = Catalogue.load(None, settings.qualities)
    found = [
        resolve(farm, model="vignette", precision="int8").quality,
        resolve(farm, model="vignette").quality,
        resolve(farm, model="tiny-sd").quality,
        resolve(farm, model="tiny-sd", quality="exact").quality,
        resolve(model="tiny-sd").quality,
    ]
    assert found == ["exact", "fast", "draft", "exact", "exact"]


def test_a_resolved_job_gives_the_same_picture_in_a_farm_with_other_presets() -> None:
    """Its file names every option, so that drawing it again is drawing it alike."""
    farm = Catalogue.load(None, {"*": Quality.DRAFT})
    for job in (resolve(), resolve(quality="fast"), resolve(farm)):
        assert farm.resolve(job) == CATALOGUE.resolve(job) == job


def test_key_frames_are_drawn_with_the_preset_of_their_zoom() -> None:
    """The first one too, though another model may draw it."""
    zoom: Any = resolve(kind="zoom-video", model="vignette-inpaint", quality="fast")
    drawings = [zoom.first_drawing(), zoom.drawing_of(1)]
    assert [one.cache_interval for one in drawings] == [zoom.cache_interval] * 2
    assert zoom.cache_interval > 1


@pytest.mark.parametrize("lane", ["vignet", "vignette.int9", "vignette.", "no-such-model.fp16"])
def test_a_preset_for_nothing_is_refused(lane: str) -> None:
    """A typing mistake in the settings would otherwise never be noticed."""
    with pytest.raises(WrongUsage, match="qualities"):
        Catalogue.load(None, {lane: Quality.FAST})


def test_key_frames_keep_the_full_autoencoder() -> None:
    """Each is drawn around the one before, so what a tiny one loses would add up."""
    full = CATALOGUE.get("vignette-inpaint")
    farm = Catalogue(
        {
            "vignette": CATALOGUE.get("vignette"),
            full.name: full.model_copy(update={"tiny_vae": "hub:someone/tiny"}),
        }
    )
    zoom = resolve(farm, kind="zoom-video", model=full.name, quality="draft")
    assert (zoom.vae, zoom.cache_interval > 1) == (None, True)


def test_what_a_preset_sets_decides_which_pictures_share_a_call() -> None:
    """Not its name: the same options by hand are the same arithmetic."""
    fast = resolve(quality="fast", seed=1)
    by_hand = resolve(step_cache_interval=fast.step_cache_interval, seed=2)
    assert are_alike(fast, by_hand)
    assert not are_alike(fast, resolve(seed=2))


@pytest.mark.parametrize(("scheduler", "steps"), [("ddim", 9), ("pndm", 8), ("heun", 5)])
def test_a_preset_begins_where_the_schedulers_step_cache_does(scheduler: str, steps: int) -> None:
    """Schedulers differ in their calls of the network per step."""
    few, many = (
        resolve(scheduler=scheduler, num_inference_steps=number, quality="fast")
        for number in (steps - 1, steps)
    )
    assert (few.cache_interval, many.cache_interval > 1) == (1, True)
