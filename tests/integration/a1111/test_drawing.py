"""txt2img and img2img: bodies as clients write them, answers as they read them."""

from __future__ import annotations

import base64
import io
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from PIL import Image
from support.a1111 import Draw, opened, picture
from support.manual_worker import LANE, ManualWorker
from support.running_gateway import RunningGateway

from winepress import Client


def test_pictures_come_as_plain_base64_with_an_info_that_is_text(draw: Draw) -> None:
    """Status 200 exactly, batch_size times n_iter pictures, and one seed and prompt for each."""
    answer = draw("txt2img", batch_size=2, n_iter=3, seed=-1, width=64, height=64)
    assert answer.status_code == 200
    found = answer.json()
    assert [opened(image).format for image in found["images"]] == ["PNG"] * 6
    info = json.loads(found["info"])
    assert info["all_prompts"] == ["a red apple"] * 6
    assert len(info["all_seeds"]) == len(info["infotexts"]) == 6
    assert found["parameters"]["batch_size"] == 2


def test_pictures_are_left_out_of_the_answer_when_nobody_wants_them(
    draw: Draw,
) -> None:
    """They are in the store all the same."""
    found = draw("txt2img", send_images=False).json()
    assert found["images"] == []
    assert len(json.loads(found["info"])["all_seeds"]) == 1


def test_what_a_client_says_to_its_own_server_is_neither_kept_nor_repeated(
    draw: Draw,
) -> None:
    """SillyTavern puts its password into the body."""
    answer = draw("txt2img", url="http://sd", auth="user:secret", flavour="sweet")
    assert answer.status_code == 200
    assert "secret" not in answer.text
    warnings = json.loads(answer.json()["info"])["warnings"]
    assert warnings == ["flavour is ignored: there is no such field"]


@pytest.mark.parametrize(
    ("fields", "scheduler"),
    [
        ({"sampler_name": "DPM++ 2M Karras"}, "dpmpp_2m:karras"),
        ({"sampler_name": "DPM++ 2M", "scheduler": "Karras"}, "dpmpp_2m:karras"),
        ({"sampler_name": "Euler a", "scheduler": "automatic"}, "euler_a"),
        ({"sampler_index": "k_euler_a", "sampler_name": None}, "euler_a"),
        ({"sampler_name": "", "scheduler": "Automatic"}, "ddim"),
    ],
)
def test_samplers_are_known_by_old_and_new_names(
    gateway: RunningGateway, draw: Draw, fields: dict[str, Any], scheduler: str
) -> None:
    """With the schedule in the name, or beside it."""
    info = json.loads(draw("txt2img", **fields).json()["info"])
    with Client(gateway.settings) as client:
        assert client.archive.read_job(info["job_id"]).job.scheduler == scheduler


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enable_hr", True),
        ("tiling", True),
        ("restore_faces", True),
        ("script_name", "x/y/z plot"),
        ("alwayson_scripts", {"ADetailer": {"args": [True]}}),
        ("sampler_name", "DPM adaptive"),
        ("batch_size", 65),
        ("number_of_images", 65),
        ("init_images", [picture()]),
        ("override_settings", {"sd_vae": "another.safetensors"}),
        ("force_task_id", "x" * 101),
    ],
)
def test_what_a_farm_lacks_is_refused_by_name(
    gateway: RunningGateway, held: Client, field: str, value: object
) -> None:
    """In the API's own form, and nothing is queued."""
    body = {"prompt": "a red apple", field: value}
    answer = gateway.http.post("/sdapi/v1/txt2img", json=body)
    assert answer.status_code == 422
    assert answer.json().keys() == {"error", "detail", "body", "errors"}
    assert field in answer.json()["detail"]
    assert held.list() == []


def test_a_mistyped_prompt_is_told_the_right_name(gateway: RunningGateway) -> None:
    """Other fields that nobody knows are ignored with a warning."""
    answer = gateway.http.post("/sdapi/v1/txt2img", json={"promt": "a red apple", "stps": 3})
    assert answer.status_code == 422
    assert "Did you mean 'prompt'?" in answer.json()["detail"]


def test_a_body_is_json_whatever_its_media_type_says(gateway: RunningGateway, draw: Draw) -> None:
    """Dify sends none, or that of a form."""
    for kind in ("application/x-www-form-urlencoded", ""):
        answer = gateway.http.post(
            "/sdapi/v1/txt2img",
            content=json.dumps({"prompt": "an apple"}),
            headers={"Content-Type": kind},
        )
        assert answer.status_code == 200


def test_a_task_that_comes_again_is_the_same_job(gateway: RunningGateway, draw: Draw) -> None:
    """The client's own id of a task is the key of the job."""
    first, again = (draw("txt2img", force_task_id="task(abc)").json() for _ in range(2))
    assert json.loads(first["info"])["job_id"] == json.loads(again["info"])["job_id"]
    with Client(gateway.settings) as client:
        assert len(client.list()) == 1


def test_pictures_and_masks_may_be_given(gateway: RunningGateway, draw: Draw) -> None:
    """With the defaults that clients send for a mask, which are told as ignored."""
    source = {"init_images": [f"data:image/png;base64,{picture()}"], "denoising_strength": 0.5}
    info = json.loads(draw("img2img", **source).json()["info"])
    assert info["denoising_strength"] == 0.5
    blurs = dict.fromkeys(("mask_blur", "mask_blur_x", "mask_blur_y"), 4)
    unasked = {**blurs, "inpainting_fill": 0, "inpaint_full_res": True}
    answer = draw("img2img", **source, mask=picture(colour="white"), **unasked).json()
    told = " ".join(json.loads(answer["info"])["warnings"])
    assert all(name in told for name in unasked)
    assert "init_images" not in answer["parameters"]
    assert "init_images" in draw("img2img", **source, include_init_images=True).json()["parameters"]
    blurred = draw("img2img", **source, mask=picture(colour="white"), mask_blur=8)
    assert (blurred.status_code, "mask_blur" in blurred.json()["detail"]) == (422, True)
    assert "init_images" in draw("img2img").json()["detail"]


@pytest.mark.parametrize("inverted", [0, 1])
def test_a_mask_is_white_or_opaque_where_it_is_drawn_anew(
    gateway: RunningGateway, draw: Draw, inverted: int
) -> None:
    """Not transparent, as with OpenAI; and it can be inverted."""
    mask = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    mask.paste((0, 0, 0, 255), (0, 0, 32, 64))
    mask.save(buffer := io.BytesIO(), "PNG")
    text = base64.b64encode(buffer.getvalue()).decode()
    body = {"init_images": [picture()], "mask": text, "inpainting_mask_invert": inverted}
    info = json.loads(draw("img2img", **body).json()["info"])
    with Client(gateway.settings) as client:
        job: Any = client.archive.read_job(info["job_id"]).job
        read = Image.open(io.BytesIO(client.archive.read_input(job.mask)))
    levels = [read.getpixel((16, 32)), read.getpixel((48, 32))]
    assert levels == ([0, 255] if inverted else [255, 0])


def test_no_worker_is_an_error_at_once(gateway: RunningGateway) -> None:
    """503 in the API's form, with the time after which to try again."""
    answer = gateway.http.post("/sdapi/v1/txt2img", json={"prompt": "a red apple"})
    assert answer.status_code == 503
    assert answer.json()["error"] == "no-worker"
    assert int(answer.headers["Retry-After"]) > 0


def test_a_job_that_fails_is_an_error_that_says_why(
    gateway: RunningGateway, held: Client, manual_worker: ManualWorker
) -> None:
    """Not a picture fewer."""
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(gateway.http.post, "/sdapi/v1/txt2img", json={"prompt": "an apple"})
        manual_worker.await_ticket(LANE)
        manual_worker.work(LANE, failing=[0])
        told = answer.result()
    assert (told.status_code, told.json()["error"]) == (500, "job-failed")
    assert "told to fail" in told.json()["errors"]
