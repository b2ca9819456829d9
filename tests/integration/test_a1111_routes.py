"""The routes of A1111: bodies as its clients write them, and answers as they read them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from PIL import Image
from support.manual_worker import LANE, ManualWorker
from support.running_farm import wait_until
from support.running_gateway import RunningGateway

from winepress import Client, Priority, TextToImage
from winepress_shared.ledger.previews import Preview, PreviewStore
from winepress_shared.settings import Settings
from winepress_shared.state import JobState

_LANES = (LANE, "vignette.int8", "vignette-inpaint.fp16", "film")
_ZEROS = {"progress": 0.0, "eta_relative": 0.0, "current_image": None, "textinfo": None}


@pytest.fixture
def gateway(farm_settings: Settings) -> Iterator[RunningGateway]:
    """A gateway of the test's farm."""
    with RunningGateway(farm_settings) as one:
        yield one


@pytest.fixture
def draw(gateway: RunningGateway, manual_worker: ManualWorker) -> Iterator[Callable[..., Any]]:
    """POST to a route while a worker draws; returns the answer."""

    def post(route: str, **body: Any) -> httpx.Response:
        return gateway.http.post(f"/sdapi/v1/{route}", json={"prompt": "a red apple"} | body)

    with manual_worker.working(*_LANES):
        yield post


@pytest.fixture
def held(gateway: RunningGateway, manual_worker: ManualWorker) -> Iterator[Client]:
    """A farm whose worker is alive and draws nothing."""
    manual_worker.live(*_LANES)
    with Client(gateway.settings) as client:
        yield client


def picture(size: tuple[int, int] = (64, 64), colour: str = "teal") -> str:
    Image.new("RGB", size, colour).save(buffer := io.BytesIO(), "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def opened(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


# -- drawing -----------------------------------------------------------------------------------


def test_pictures_come_as_plain_base64_with_an_info_that_is_text(draw: Callable[..., Any]) -> None:
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
    draw: Callable[..., Any],
) -> None:
    """They are in the store all the same."""
    found = draw("txt2img", send_images=False).json()
    assert found["images"] == []
    assert len(json.loads(found["info"])["all_seeds"]) == 1


def test_what_a_client_says_to_its_own_server_is_neither_kept_nor_repeated(
    draw: Callable[..., Any],
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
    gateway: RunningGateway, draw: Callable[..., Any], fields: dict[str, Any], scheduler: str
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
    shown = {"sampler_name": "scheduler", "init_images": "image"}.get(field, field)
    assert shown in answer.json()["detail"]
    assert held.list() == []


def test_a_body_is_json_whatever_its_media_type_says(
    gateway: RunningGateway, draw: Callable[..., Any]
) -> None:
    """Dify sends none, or that of a form."""
    for kind in ("application/x-www-form-urlencoded", ""):
        answer = gateway.http.post(
            "/sdapi/v1/txt2img",
            content=json.dumps({"prompt": "an apple"}),
            headers={"Content-Type": kind},
        )
        assert answer.status_code == 200


def test_a_task_that_comes_again_is_the_same_job(
    gateway: RunningGateway, draw: Callable[..., Any]
) -> None:
    """The client's own id of a task is the key of the job."""
    first, again = (draw("txt2img", force_task_id="task(abc)").json() for _ in range(2))
    assert json.loads(first["info"])["job_id"] == json.loads(again["info"])["job_id"]
    with Client(gateway.settings) as client:
        assert len(client.list()) == 1


def test_pictures_and_masks_may_be_given(gateway: RunningGateway, draw: Callable[..., Any]) -> None:
    """With the defaults that clients send for a mask, which are told as ignored."""
    source = {"init_images": [f"data:image/png;base64,{picture()}"], "denoising_strength": 0.5}
    info = json.loads(draw("img2img", **source).json()["info"])
    assert info["denoising_strength"] == 0.5
    unasked = {"mask_blur": 4, "inpainting_fill": 0, "inpaint_full_res": True}
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
    gateway: RunningGateway, draw: Callable[..., Any], inverted: int
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


# -- the job in hand ---------------------------------------------------------------------------


def test_progress_without_a_job_is_zeros(gateway: RunningGateway, held: Client) -> None:
    """Whatever else runs: jobs that nobody waits for, and jobs of others."""
    held.submit(TextToImage(prompt="a long night", n=100))
    held.submit(TextToImage(prompt="a pear", priority=Priority.INTERACTIVE), user="someone")
    found = gateway.http.get("/sdapi/v1/progress").json()
    assert found.items() >= _ZEROS.items()
    assert (found["state"]["job_count"], found["state"]["job"]) == (0, "")


def test_progress_tells_steps_pictures_and_shows_the_newest_preview(
    gateway: RunningGateway, held: Client, manual_worker: ManualWorker
) -> None:
    """Of the newest running job of the caller."""
    jpeg = b"\xff\xd8 a small picture"
    with ThreadPoolExecutor() as pool:
        body = {"prompt": "an apple", "n_iter": 2}
        answer = pool.submit(gateway.http.post, "/sdapi/v1/txt2img", json=body)
        manual_worker.await_ticket(LANE)
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 512)
        assert part is not None
        queued = gateway.http.get("/sdapi/v1/progress").json()
        assert (queued["state"]["job_count"], queued["progress"]) == (2, 0.01)
        manual_worker.ledger.start(part.fence, 0)
        manual_worker.ledger.progress(part.fence, 0, 5, 10)
        previews = PreviewStore(gateway.settings)
        previews.put(part.fence, Preview(0, 5, 10, jpeg))
        previews.close()
        found = gateway.http.get("/sdapi/v1/progress").json()
        assert found["progress"] == 0.25
        assert base64.b64decode(found["current_image"]) == jpeg
        state = found["state"]
        assert (state["job_no"], state["sampling_step"], state["sampling_steps"]) == (0, 5, 10)
        assert (state["job"], found["current_task"]) == (part.job_id, part.job_id)
        short = gateway.http.get("/sdapi/v1/progress", params={"skip_current_image": True}).json()
        assert short["current_image"] is None
        gateway.http.post("/sdapi/v1/interrupt")
        assert answer.result().status_code == 409
    assert gateway.http.get("/sdapi/v1/progress").json()["state"]["job_count"] == 0


def test_interrupt_stops_the_newest_job_of_the_caller_alone(
    gateway: RunningGateway, held: Client
) -> None:
    """Not what nobody waits for, and not another's; a second call finds nothing and says so."""
    night = held.submit(TextToImage(prompt="a long night"))
    other = held.submit(TextToImage(prompt="a pear", priority=Priority.INTERACTIVE), user="someone")
    mine = [held.submit(TextToImage(prompt=p, priority=Priority.INTERACTIVE)) for p in "ab"]
    assert gateway.http.post("/sdapi/v1/interrupt").json() == {}
    assert [one.status().state for one in mine] == [JobState.QUEUED, JobState.CANCELED]
    gateway.http.post("/sdapi/v1/interrupt")
    assert gateway.http.post("/sdapi/v1/interrupt").status_code == 200
    assert [one.status().state for one in (night, other)] == [JobState.QUEUED] * 2


def test_skip_ends_a_job_at_its_last_picture_only(gateway: RunningGateway, held: Client) -> None:
    """One picture of several cannot be skipped here, and the error says what can."""
    assert gateway.http.post("/sdapi/v1/skip").status_code == 200
    values = {"prompt": "an apple", "priority": Priority.INTERACTIVE}
    several = held.submit(TextToImage(**values, n=2))
    told = gateway.http.post("/sdapi/v1/skip")
    assert (told.status_code, "interrupt" in told.json()["detail"]) == (409, True)
    assert several.status().state is JobState.QUEUED
    last = held.submit(TextToImage(**values))
    assert gateway.http.post("/sdapi/v1/skip").status_code == 200
    assert last.status().state is JobState.CANCELED


def test_an_interrupted_batch_answers_with_what_is_finished(
    gateway: RunningGateway, held: Client, manual_worker: ManualWorker
) -> None:
    """As A1111 does."""
    with ThreadPoolExecutor() as pool:
        body = {"prompt": "an apple", "n_iter": 2}
        answer = pool.submit(gateway.http.post, "/sdapi/v1/txt2img", json=body)
        manual_worker.await_ticket(LANE)
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 512)
        assert part is not None
        manual_worker._unit(part, 0, is_failing=False)
        gateway.http.post("/sdapi/v1/interrupt")
        assert answer.result().status_code == 200
        assert len(answer.result().json()["images"]) == 1


def test_a_client_that_goes_away_leaves_its_job_running(
    gateway: RunningGateway, held: Client
) -> None:
    """Whoever wants it stopped calls interrupt."""
    with pytest.raises(httpx.ReadTimeout):
        gateway.http.post("/sdapi/v1/txt2img", json={"prompt": "an apple"}, timeout=0.5)
    wait_until(lambda: len(held.list()) == 1)
    wait_until(lambda: gateway.requests == 0)
    assert held.list()[0].state is JobState.QUEUED


# -- options and lists -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["title", "name", "hash", "file", "upper"])
def test_a_checkpoint_is_chosen_under_any_of_its_names(
    gateway: RunningGateway, draw: Callable[..., Any], name: str
) -> None:
    """Kept for the caller, and used by the next request that names none."""
    (entry,) = (
        one
        for one in gateway.http.get("/sdapi/v1/sd-models").json()
        if one["model_name"] == "vignette.int8"
    )
    assert entry["title"] == f"vignette.int8 [{entry['hash']}]"
    names = {"title": entry["title"], "name": "vignette.int8", "hash": entry["hash"]}
    names |= {"file": "vignette.int8.safetensors", "upper": entry["title"].upper()}
    answer = gateway.http.post("/sdapi/v1/options", json={"sd_model_checkpoint": names[name]})
    assert (answer.status_code, answer.json()) == (200, None)
    options = gateway.http.get("/sdapi/v1/options").json()
    assert options["sd_model_checkpoint"] == entry["title"]
    assert json.loads(draw("txt2img").json()["info"])["sd_model_name"] == "vignette.int8"
    override = {"override_settings": {"sd_model_checkpoint": "vignette"}}
    assert json.loads(draw("txt2img", **override).json()["info"])["sd_model_name"] == "vignette"


def test_the_whole_object_of_options_may_be_sent_back(
    gateway: RunningGateway, held: Client
) -> None:
    """Open WebUI does so to change the model; settings that only A1111 has change nothing."""
    options = gateway.http.get("/sdapi/v1/options").json()
    changed = options | {"sd_model_checkpoint": "vignette.int8", "ESRGAN_tile": 192}
    assert gateway.http.post("/sdapi/v1/options", json=changed).status_code == 200
    after = gateway.http.get("/sdapi/v1/options").json()
    assert {name for name in options if options[name] != after[name]} == {
        "sd_model_checkpoint",
        "sd_checkpoint_hash",
    }
    unknown = gateway.http.post("/sdapi/v1/options", json={"sd_model_checkpoint": "v1-5"})
    assert (unknown.status_code, unknown.json()["error"]) == (422, "unknown-model")


def test_every_list_that_clients_ask_for_is_there(gateway: RunningGateway, held: Client) -> None:
    """Lists of named things, or objects; SillyTavern empties two menus when one is missing."""
    for name in ("samplers", "schedulers", "upscalers"):
        assert all(one["name"] for one in gateway.http.get(f"/sdapi/v1/{name}").json())
    empty = "latent-upscale-modes sd-vae sd-modules loras hypernetworks face-restorers"
    for name in f"{empty} realesrgan-models prompt-styles script-info extensions".split():
        assert gateway.http.get(f"/sdapi/v1/{name}").json() == []
    assert gateway.http.get("/sdapi/v1/scripts").json() == {"txt2img": [], "img2img": []}
    assert gateway.http.get("/sdapi/v1/embeddings").json() == {"loaded": {}, "skipped": {}}
    assert gateway.http.get("/sdapi/v1/cmd-flags").json()["api"] is True
    assert gateway.http.get("/sdapi/v1/memory").json()["ram"]["total"] > 0
    assert gateway.http.get("/internal/ping").json() == {}
    for name in ("refresh-checkpoints", "refresh-loras"):
        assert gateway.http.post(f"/sdapi/v1/{name}").status_code == 200


def test_models_are_those_that_live_workers_draw_with(gateway: RunningGateway) -> None:
    """None without a worker; each precision but the usual one under a name of its own."""

    def names() -> list[str]:
        return [one["model_name"] for one in gateway.http.get("/sdapi/v1/sd-models").json()]

    assert names() == []
    ManualWorker(gateway.settings).live(*_LANES)
    wait_until(lambda: names() == ["vignette", "vignette.int8", "vignette-inpaint"])


@pytest.mark.parametrize(
    ("method", "path", "status", "hint"),
    [
        ("POST", "/sdapi/v1/text2img", 404, "/sdapi/v1/txt2img"),
        ("GET", "/sdapi/v2/options", 404, "/sdapi/v1/options"),
        ("GET", "/sdapi/v1/txt2img", 405, "POST"),
        ("POST", "/sdapi/v1/interrogate", 404, "png-info"),
    ],
)
def test_routes_that_are_not_there_are_told_in_the_form_of_the_api(
    gateway: RunningGateway, method: str, path: str, status: int, hint: str
) -> None:
    """With what was probably meant."""
    answer = gateway.http.request(method, path)
    assert answer.status_code == status
    assert answer.json().keys() == {"error", "detail", "body", "errors"}
    assert hint in answer.json()["detail"]


@pytest.mark.parametrize("text", ["{", "[]", '{"prompt": NaN}', '{"a": 1, "a": 2}', "\xff"])
@pytest.mark.parametrize("route", ["txt2img", "options", "png-info", "extra-single-image"])
def test_bodies_that_are_no_json_object_are_refused(
    gateway: RunningGateway, route: str, text: str
) -> None:
    """400, in the form of the API."""
    answer = gateway.http.post(f"/sdapi/v1/{route}", content=text.encode("latin-1"))
    assert (answer.status_code, answer.json()["error"]) == (400, "bad-request")


# -- pictures that are there already -----------------------------------------------------------


def test_a_picture_is_passed_through_or_resized_and_never_improved(
    gateway: RunningGateway,
) -> None:
    """By a factor, or to a size that it fills."""

    def resized(**body: Any) -> httpx.Response:
        one = {"image": picture((64, 32))} | body
        return gateway.http.post("/sdapi/v1/extra-single-image", json=one)

    assert resized(upscaling_resize=4).json()["image"] == picture((64, 32))
    larger = resized(upscaler_1="Lanczos", upscaling_resize=2.5).json()["image"]
    assert opened(larger).size == (160, 80)
    sides = {"resize_mode": 1, "upscaling_resize_w": 100, "upscaling_resize_h": 100}
    assert opened(resized(upscaler_1="Nearest", **sides).json()["image"]).size == (100, 100)
    uncut = resized(upscaler_1="Nearest", upscaling_crop=False, **sides).json()["image"]
    assert opened(uncut).size == (200, 100)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"upscaler_1": "R-ESRGAN 4x+"}, "upscaler_1"),
        ({"upscaler_2": "ESRGAN", "extras_upscaler_2_visibility": 0.5}, "upscaler_2"),
        ({"gfpgan_visibility": 1}, "gfpgan_visibility"),
        ({"upscaler_1": "Lanczos", "upscaling_resize": 16, "image": picture((512, 8))}, "resize"),
        ({"upscaling_resize": -1}, "upscaling_resize"),
        ({"upscaling_resize_w": 10**9}, "upscaling_resize_w"),
        ({"image": "/etc/passwd"}, "image"),
        ({"image": "http://127.0.0.1/a.png"}, "image"),
        ({"image": None}, "image"),
        ({"image": base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 99).decode()}, "picture"),
    ],
)
def test_what_cannot_be_resized_is_refused_by_name(
    gateway: RunningGateway, body: dict[str, Any], named: str
) -> None:
    """No path and no address is opened."""
    answer = gateway.http.post("/sdapi/v1/extra-single-image", json={"image": picture()} | body)
    assert answer.status_code == 422
    assert named in answer.json()["detail"]


def test_several_pictures_are_resized_in_their_order(gateway: RunningGateway) -> None:
    """At most 32."""
    given = [{"name": "a", "data": picture((n, 8))} for n in (8, 16)]
    body = {"upscaler_1": "Lanczos", "imageList": given}
    images = gateway.http.post("/sdapi/v1/extra-batch-images", json=body).json()["images"]
    assert [opened(image).size for image in images] == [(16, 16), (32, 16)]
    body["imageList"] = given * 17
    assert gateway.http.post("/sdapi/v1/extra-batch-images", json=body).status_code == 422


def test_the_texts_of_a_picture_are_read(gateway: RunningGateway) -> None:
    """And a picture without any has none."""
    found = gateway.http.post("/sdapi/v1/png-info", json={"image": picture()}).json()
    assert found == {"info": "", "items": {}, "parameters": {}}
