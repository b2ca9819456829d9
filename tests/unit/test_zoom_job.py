"""The job kind zoom-video: what it accepts, what it refuses, and what each key frame is told."""

from __future__ import annotations

from typing import Any

import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import decode_job
from winepress_shared.jobs.sound import Sound
from winepress_shared.jobs.zoom import ZoomVideo

CATALOGUE = Catalogue.load()


def _zoom(**fields: Any) -> ZoomVideo:
    values: dict[str, Any] = {"prompt": "a valley"} | fields
    return ZoomVideo(**values)


def _resolved(**fields: Any) -> ZoomVideo:
    job = CATALOGUE.resolve(_zoom(**fields))
    assert isinstance(job, ZoomVideo)
    return job


def test_a_resolved_zoom_survives_the_wire() -> None:
    """What is written to the store is read back equal, pictures and sound as references."""
    job = _resolved(
        image=Image.new("RGB", (256, 256), "red"),
        exit_image=Image.new("RGB", (256, 256), "blue"),
        audio=Sound("sha256:" + "0" * 64 + ".wav"),
        prompts_by_second={0: "a", 1.5: "b"},
        prompt="",
        border=(64, 32),
        direction="in",
    )
    values = job.model_dump(mode="json")
    assert decode_job(values).model_dump(mode="json") == values


def test_a_zoom_without_wishes_is_complete() -> None:
    """Five key frames at a factor of two, the first from the text-to-image model's own values."""
    job = _resolved()
    assert job.key_frame_count == 5
    assert job.unit_count == 6
    assert [job.model_of(unit) for unit in (0, 1, 4)] == ["vignette", *["vignette-inpaint"] * 2]
    assert (job.is_film(5), job.model_of(5), job.for_unit(5).output_format) == (True, None, "mp4")
    assert job.nesting.zoom == (2.0, 2.0)
    assert job.first_drawing().model == "vignette"
    assert job.first_steps == CATALOGUE.get("vignette").num_inference_steps


def test_key_frames_have_seeds_of_their_own() -> None:
    """Seed plus number: the notebook drew every border from the same noise."""
    job = _resolved(seed=7)
    seeds = [job.first_drawing().seed] + [job.drawing_of(index).seed for index in (1, 2)]
    assert seeds == [job.for_unit(index).seed for index in (0, 1, 2)] == [7, 8, 9]


def test_a_prompt_holds_until_the_next_cue() -> None:
    """By key frame; the plain prompt rules before the first cue; prefix and suffix are common."""
    job = _zoom(
        prompts={"1": "a castle", "3": "a city"}, prompt_prefix="photo of", prompt_suffix="at dusk"
    )
    wanted = ["a valley", "a castle", "a castle", "a city", "a city"]
    assert [job.prompt_of(i) for i in range(5)] == [f"photo of {text} at dusk" for text in wanted]


def test_cues_by_second_follow_the_film_and_not_the_drawing() -> None:
    """Inwards the film begins at the key frame that is drawn last."""
    job = _zoom(prompt="", prompts_by_second={0: "first", 3: "last"}, direction="in", key_frames=4)
    assert [job.prompt_of(i) for i in range(4)] == ["last", "first", "first", "first"]


def test_the_json_of_the_a1111_extension_is_understood() -> None:
    """Prompts, prefix, suffix, negative prompt and settings; files of another machine are not."""
    job = decode_job(
        {
            "kind": "zoom-video",
            "prompts": {
                "headers": ["outpaint steps", "prompt", "image location"],
                "data": [[0, "a door", "pictures/door.png"], [2, "a garden", ""]],
            },
            "prePrompt": "cozy",
            "postPrompt": "oil on canvas",
            "negPrompt": "text",
            "audioFileName": "song.mp3",
            "outpaintAmount": 64,
            "zoomMode": "Zoom-in",
            "guidanceScale": 6,
            "steps": 12,
            "fps": 24,
        }
    )
    assert isinstance(job, ZoomVideo)
    assert job.prompt_of(2) == "cozy a garden oil on canvas"
    assert (job.negative_prompt, job.border, job.direction) == ("text", (64, 64), "in")
    assert (job.guidance_scale, job.num_inference_steps, job.fps) == (6, 12, 24)
    assert job.audio is None
    assert job.image is None
    assert job.for_unit(2).prompt == "cozy a garden oil on canvas"


def test_what_is_said_beside_the_json_of_the_extension_wins() -> None:
    """Flags given with an imported file."""
    values = {"prompts": {"data": [[0, "a door"]]}, "outpaintAmount": 64, "zoomMode": "Zoom-in"}
    job = ZoomVideo.model_validate({**values, "border": 32, "direction": "out"})
    assert (job.border, job.direction) == ((32, 32), "out")


def test_a_zoom_names_the_model_of_its_first_key_frame() -> None:
    """The catalogue's companion of its model, unless the job names another one."""
    assert CATALOGUE.resolve(_zoom(model="sd2-inpaint")).model_of(0) == "sd21-base"
    named = _zoom(model="sd2-inpaint", first_model="tiny-sd")
    assert CATALOGUE.resolve(named).model_of(0) == "tiny-sd"
    assert _resolved(image=Image.new("RGB", (256, 256))).model_of(0) is None


def test_a_film_of_other_key_frames_is_one_unit_of_the_film_lane() -> None:
    """It waits for no model."""
    job = _resolved(key_frames_of="j123", key_frames=4)
    assert (job.unit_count, job.key_frame_count, job.is_film(0)) == (1, 4, True)
    assert (str(job.lane), job.last_lane) == ("film", None)
    assert str(_resolved().lane) == "vignette-inpaint.fp16"


def test_a_job_of_key_frames_that_can_be_none_is_refused_as_a_job() -> None:
    """Not with the names of models, as a model would be."""
    with pytest.raises(InvalidJob, match=r"^key_frames_of: not the id of a job .* 64 letters"):
        ZoomVideo(prompt="x", key_frames_of="a b")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"border": 128}, "border"),
        ({"border": (64, 200)}, "border"),
        ({"border": 64, "zoom": 2}, "border"),
        ({"width": 250}, "width"),
        ({"prompts": {}}, "prompts"),
        ({"prompts": []}, "prompts"),
        ({"prompts": {0: ""}}, "prompts"),
        ({"prompts": {0: "a", "x": "b"}}, "prompts"),
        ({"prompts": {3: "a", 1: "b"}}, "prompts"),
        ({"prompts_by_second": [[0, "a"], [2, "b"], [2, "c"]]}, "prompts"),
        ({"prompts": {0: "a"}, "prompts_by_second": {0: "a"}}, "prompts"),
        ({"prompts": {"data": 7}}, "prompts"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": "x" * 1500, "prompt_prefix": "x" * 1500}, "prompts"),
        ({"image": Image.new("RGB", (256, 192)), "width": 256, "height": 256}, "image"),
        ({"exit_image": Image.new("RGB", (192, 256)), "width": 256, "height": 256}, "exit_image"),
        ({"image": Image.new("RGB", (500, 333))}, "image"),
        ({"audio": b"RIFF    WAVEbroken"}, "audio"),
        ({"audio": 7}, "audio"),
        ({"key_frames": 0}, "key_frames"),
        ({"key_frames": 501}, "key_frames"),
        ({"key_frames": 5, "duration": 5, "seconds_per_key_frame": 1}, "duration"),
        ({"overlap": 12}, "overlap"),
        ({"overlap": 64}, "overlap"),
        ({"overlap": 16, "feather": 17}, "feather"),
        ({"direction": "loop", "key_frames": 2}, "key_frames"),
        ({"direction": "loop", "exit_image": Image.new("RGB", (256, 256))}, "exit_image"),
        ({"direction": "sideways"}, "direction"),
        ({"n": 2}, "n"),
        ({"output_format": "jpeg"}, "output_format"),
        ({"model": "vignette"}, "kind"),
        ({"first_model": "vignette-inpaint"}, "kind"),
        ({"fps": float("nan")}, "fps"),
    ],
    ids=str,
)
def test_a_zoom_that_cannot_be_is_refused_with_the_field(
    fields: dict[str, Any], field: str
) -> None:
    """At submission, with a sentence, before anything is queued."""
    with pytest.raises(InvalidJob) as caught:
        CATALOGUE.resolve(_zoom(**fields))
    assert caught.value.field == field
    assert str(caught.value)


def test_a_zoom_takes_its_size_from_the_first_picture() -> None:
    """On the model's grid; the aspect is the picture's."""
    job = _resolved(image=Image.new("RGB", (400, 200)))
    assert job.nesting.size == (384, 192)
