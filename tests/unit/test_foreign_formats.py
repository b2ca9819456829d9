"""Requests as other programs write them: what they ask for is drawn, or named."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from support.openai_fields import OPENAI
from support.written_files import job_of, jobs_of, plan_of, written

from winepress.job_files.written_job import read_fields
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import ImageToImage, Inpaint, TextToImage, parse_job

#: As a client of A1111 sends it: every field there is, and what is not wanted is off.
A1111: dict[str, Any] = {
    "prompt": "a castle",
    "negative_prompt": "",
    "styles": [],
    "seed": 7,
    "subseed": -1,
    "subseed_strength": 0,
    "seed_resize_from_h": -1,
    "seed_resize_from_w": 0,
    "sampler_name": "Euler a",
    "sampler_index": "Euler",
    "scheduler": "automatic",
    "batch_size": 1,
    "n_iter": 2,
    "steps": 5,
    "cfg_scale": 7.0,
    "width": 256,
    "height": 256,
    "restore_faces": False,
    "tiling": False,
    "do_not_save_samples": False,
    "do_not_save_grid": True,
    "eta": 1.0,
    "denoising_strength": 0.7,
    "s_churn": 0,
    "s_tmax": 0,
    "s_tmin": 0,
    "s_noise": 1,
    "override_settings": {"sd_model_checkpoint": "vignette", "CLIP_stop_at_last_layers": 1},
    "override_settings_restore_afterwards": True,
    "refiner_checkpoint": None,
    "refiner_switch_at": None,
    "disable_extra_networks": False,
    "comments": {},
    "enable_hr": False,
    "firstphase_width": 0,
    "firstphase_height": 0,
    "hr_scale": 2.0,
    "hr_upscaler": None,
    "hr_second_pass_steps": 0,
    "hr_resize_x": 0,
    "hr_prompt": "",
    "force_task_id": None,
    "script_name": None,
    "script_args": [],
    "send_images": True,
    "save_images": False,
    "alwayson_scripts": {},
}


def png(colour: str = "teal", mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, (64, 64), colour).save(buffer, "PNG")
    return buffer.getvalue()


# -- requests of A1111 -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["job.json", "items.jsonl"])
def test_a_request_of_a1111_with_every_switch_off_is_the_job_without_them(
    tmp_path: Path, name: str
) -> None:
    """As a job file and as a line; the strength is that of a second pass, which is off."""
    path = written(tmp_path, name, A1111)
    job = job_of(path) if name == "job.json" else jobs_of(path)[0]
    assert isinstance(job, TextToImage)
    assert (job.prompt, job.num_inference_steps, job.guidance_scale) == ("a castle", 5, 7.0)
    assert (job.scheduler, job.model, job.clip_skip) == ("euler_a", "vignette", 1)
    assert job.seed == 7


@pytest.mark.parametrize("is_inside", [True, False])
@pytest.mark.parametrize("is_for_all", [True, False])
def test_settings_that_leave_out_the_negative_prompt_are_fields_of_ours(
    is_inside: bool, is_for_all: bool
) -> None:
    """Beside the fields or among the settings; A1111 goes by every second step unless told."""
    settings = {"skip_early_cond": 0.25, "s_min_uncond": 1.5}
    switch = {"s_min_uncond_all": True} if is_for_all else {}
    body = {"prompt": "a fox", "override_settings": switch | (settings if is_inside else {})}
    fields, warnings = read_fields(body if is_inside else body | settings)
    job = parse_job(fields)
    assert (job.guidance_start, job.guidance_min_sigma) == (0.25, 1.5)
    wanted = "s_min_uncond is taken for all steps, not for every second one"
    assert warnings == ([] if is_for_all else [wanted])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("restore_faces", True),
        ("tiling", True),
        ("enable_hr", True),
        ("styles", ["cinematic"]),
        ("script_name", "x/y/z plot"),
        ("alwayson_scripts", {"controlnet": {}}),
        ("alwayson_scripts", {"ADetailer": {"args": [True, {"ad_model": "x"}]}}),
        ("alwayson_scripts", {"ControlNet": {"args": [{"module": "canny"}]}}),
        ("alwayson_scripts", {"ADetailer": {"args": "yes"}}),
        ("alwayson_scripts", ["ADetailer"]),
        ("subseed_strength", 0.3),
        ("s_churn", 0.1),
        ("override_settings", {"eta_noise_seed_delta": 31337}),
        ("override_settings", 3),
        ("resize_mode", 2),
    ],
)
def test_a_switch_that_is_on_is_refused_by_name(tmp_path: Path, name: str, value: object) -> None:
    """Nothing that was asked for is left out without a word."""
    with pytest.raises(InvalidJob, match=name):
        job_of(written(tmp_path, "a.json", A1111 | {name: value}))
    with pytest.raises(InvalidJob, match=rf"line 1, column \d+ \({name}\)"):
        plan_of(written(tmp_path, "a.jsonl", A1111 | {name: value}))


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    [("enable_hr", True, "false"), ("styles", ["cinematic"], r'\[\], ""')],
)
def test_what_switches_a_feature_off_is_told_in_words_of_json(
    tmp_path: Path, name: str, value: object, allowed: str
) -> None:
    """As the clients of that API write it, and not as Python does."""
    with pytest.raises(InvalidJob, match=f"allowed: {allowed}. Switch it off") as caught:
        job_of(written(tmp_path, "a.json", A1111 | {name: value}))
    assert "True" not in str(caught.value)


def test_scripts_that_are_switched_off_ask_for_nothing(tmp_path: Path) -> None:
    """Clients name those that a server has, with false or with no arguments."""
    scripts = {"ADetailer": {"args": [False]}, "ControlNet": {"args": []}}
    path = written(tmp_path, "a.json", A1111 | {"alwayson_scripts": scripts})
    assert job_of(path).prompt == "a castle"


@pytest.mark.parametrize("form", ["data:image/png;base64,{}", "{}"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_pictures_may_be_written_out(tmp_path: Path, form: str, name: str) -> None:
    """In base64 or as a data: URL; a request with pictures is of the kind that they make it."""
    image, mask = (form.format(base64.b64encode(data).decode()) for data in (png(), png("white")))
    request = A1111 | {"init_images": [image], "denoising_strength": 0.5}
    read = job_of if name == "a.json" else lambda path: jobs_of(path)[0]
    job = read(written(tmp_path, name, request))
    assert isinstance(job, ImageToImage)
    assert (job.image.reference, job.strength) == (
        ImageToImage(prompt="a", image=png()).image.reference,
        0.5,
    )
    inpaint = {"mask": mask, "mask_blur": 0, "inpaint_full_res": False, "inpainting_fill": 1}
    request["override_settings"] = {}
    assert isinstance(read(written(tmp_path, name, request | inpaint)), Inpaint)
    with pytest.raises(InvalidJob, match="mask_blur"):
        read(written(tmp_path, name, request | inpaint | {"mask_blur": 4}))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "data:image/png,plain"),
        ("image", "data:image/png;base64,!!!"),
        ("init_images", ["data:image/png;base64,AAAA"]),
        ("image", "iVBORw0KGgo" + "A" * 100),
    ],
)
def test_what_is_written_out_and_no_picture_is_refused(
    tmp_path: Path, field: str, value: object
) -> None:
    """By the name of the field, and not as a file that is missing."""
    request = {"kind": "image-to-image", "prompt": "a", field: value}
    with pytest.raises(InvalidJob, match=r"^image|^init_images") as caught:
        job_of(written(tmp_path, "a.json", request))
    assert "No such file" not in str(caught.value)


@pytest.mark.parametrize(
    "field", ["image", "init_image", "source_image", "input_reference", "init_images"]
)
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_paths_are_relative_to_the_file_that_names_them(
    tmp_path: Path, field: str, name: str
) -> None:
    """Whatever the field is called."""
    (tmp_path / "in.png").write_bytes(png())
    value = ["in.png"] if field == "init_images" else "in.png"
    request = {"kind": "image-to-image", "prompt": "a", field: value}
    path = written(tmp_path, name, request)
    job = job_of(path) if name == "a.json" else jobs_of(path)[0]
    assert job.pictures[0].reference == ImageToImage(prompt="a", image=png()).image.reference


@given(
    st.dictionaries(
        st.sampled_from([*A1111, *OPENAI, "init_images", "mask", "mask_blur", "image", "odd"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.text(max_size=20)
        | st.lists(st.text(max_size=5), max_size=2)
        | st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
        max_size=8,
    )
)
def test_any_fields_are_read_or_refused(values: dict[str, Any]) -> None:
    """No value of any known field raises anything but InvalidJob; what is read reads the same."""
    try:
        fields, _ = read_fields(values)
    except InvalidJob:
        return
    assert repr(read_fields(fields)[0]) == repr(fields)
