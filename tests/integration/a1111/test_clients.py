"""A1111's clients on a real farm: `webuiapi` unmodified, others by the requests that they send."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from PIL import Image
from support.running_farm import wait_until
from support.running_gateway import RunningGateway
from webuiapi import WebUIApi

from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions

_ENGINE = "fake:step_s=0.01"
_MANY = 64  #: pictures of 150 steps, a minute and a half of them
#: The header of SillyTavern without a password; Open WebUI sends an empty one.
_NO_PASSWORD = {"Authorization": "Basic " + base64.b64encode(b"undefined").decode()}
_EMPTY = {"Authorization": ""}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """The gateway of a farm whose worker draws without a model."""
    state = tmp_path_factory.mktemp("farm")
    with (
        Farm(FarmOptions(state=state, workers=1, flower=False, engine=_ENGINE)) as farm,
        RunningGateway(farm.settings) as one,
    ):
        yield one


@pytest.fixture
def api(gateway: RunningGateway) -> Iterator[WebUIApi]:
    """The client, as its users make it; each draws with the model that it chooses."""
    api = WebUIApi(host="127.0.0.1", port=int(gateway.url.rpartition(":")[2]), steps=4)
    api.session.trust_env = False
    api.util_set_model("vignette")
    yield api
    api.session.close()


def size(**fields: Any) -> dict[str, Any]:
    return {"width": 128, "height": 128} | fields


# -- webuiapi ----------------------------------------------------------------------------------


def test_webuiapi_draws_and_finds_how_it_was_drawn(api: WebUIApi) -> None:
    """Pictures, seeds and infotexts of a batch; the metadata is in each file."""
    result = api.txt2img(prompt="a red apple", negative_prompt="blur", seed=7, n_iter=2, **size())
    assert [image.size for image in result.images] == [(128, 128)] * 2
    assert result.info["all_seeds"] == [7, 8]
    assert result.image.info["parameters"] == result.info["infotexts"][0]
    assert result.parameters["cfg_scale"] == 7.0
    assert api.png_info(result.image).info == result.info["infotexts"][0]


def test_webuiapi_changes_a_picture_and_a_part_of_it(api: WebUIApi) -> None:
    """With everything else as that client sends it by default."""
    source = Image.new("RGB", (128, 128), "teal")
    changed = api.img2img(images=[source], prompt="a pear", **size())
    assert changed.info["denoising_strength"] == 0.75
    mask = Image.new("L", (128, 128), 0)
    mask.paste(255, (32, 32, 96, 96))
    part = api.img2img(images=[source], mask_image=mask, prompt="a pear", **size())
    assert part.image.size == (128, 128)
    assert part.info["is_using_inpainting_conditioning"]


def test_webuiapi_chooses_a_model_and_waits_until_it_is_there(api: WebUIApi) -> None:
    """By a name like its own; the next pictures are drawn with it."""
    assert len(api.util_get_model_names()) == 8
    api.util_set_model("VIGNETTE.INT8 ")
    api.util_wait_for_ready(check_interval=0.1)
    assert api.util_get_current_model().startswith("vignette.int8 [")
    assert api.txt2img(prompt="a pear", **size()).info["sd_model_name"] == "vignette.int8"


def test_webuiapi_watches_and_interrupts(api: WebUIApi) -> None:
    """The call that waits ends with what is finished, or with an error that says so."""
    told: list[object] = []

    def draw() -> None:
        try:
            told.append(len(api.txt2img(prompt="a pear", n_iter=_MANY, steps=150, **size()).images))
        except RuntimeError as error:
            told.append(error)

    thread = threading.Thread(target=draw)
    thread.start()
    wait_until(lambda: api.get_progress()["state"]["job_count"] == _MANY)
    assert api.interrupt() == {}
    thread.join()
    (end,) = told
    assert 0 < end < _MANY if isinstance(end, int) else "interrupted by its client" in str(end)
    api.util_wait_for_ready(check_interval=0.1)


def test_webuiapi_finds_every_list_and_resizes(api: WebUIApi) -> None:
    """What a farm lacks is empty."""
    assert {"Euler a", "DDIM", "DPM++ 2M"} <= set(api.util_get_sampler_names())
    assert "karras" in api.util_get_scheduler_names()
    lists = [api.get_sd_vae, api.get_latent_upscale_modes, api.get_loras, api.get_hypernetworks]
    lists += [api.get_face_restorers, api.get_realesrgan_models, api.get_prompt_styles]
    assert all(one() == [] for one in lists)
    assert api.get_scripts() == {"txt2img": [], "img2img": []}
    assert api.get_cmd_flags()["api"]
    assert api.get_memory()["ram"]["total"] > 0
    assert api.refresh_checkpoints() is None
    assert api.skip() == {}
    picture = Image.new("RGB", (8, 8))
    upscaled = api.extra_single_image(picture, upscaler_1="Lanczos", upscaling_resize=2)
    assert upscaled.image.size == (16, 16)
    assert len(api.extra_batch_images([picture, picture]).images) == 2
    with pytest.raises(RuntimeError, match="does not describe"):
        api.interrogate(picture)


def test_an_old_infotext_is_the_same_picture_again(gateway: RunningGateway, api: WebUIApi) -> None:
    """To the byte, as `infotext` of a request, or by the settings that png-info reads from it."""
    first = api.txt2img(
        prompt='a red apple: ripe, "sweet"',
        negative_prompt="a, b",
        sampler_name="DPM++ 2M",
        scheduler="Karras",
        cfg_scale=3.5,
        seed=7,
        **size(),
    )
    found = api.png_info(first.image)
    again = gateway.http.post("/sdapi/v1/txt2img", json={"infotext": found.info}).json()
    assert again["images"] == first.json["images"]
    settings = found.json["parameters"]
    third = api.txt2img(
        prompt=settings["Prompt"],
        negative_prompt=settings["Negative prompt"],
        seed=int(settings["Seed"]),
        steps=int(settings["Steps"]),
        cfg_scale=float(settings["CFG scale"]),
        sampler_name=settings["Sampler"],
        scheduler=settings["Schedule type"],
        width=int(settings["Size-1"]),
        height=int(settings["Size-2"]),
        override_settings={"sd_model_checkpoint": settings["Model"]},
    )
    assert third.json["images"] == first.json["images"]


# -- requests of clients that run nowhere here -------------------------------------------------


def test_sillytavern_finds_its_menus_and_draws(gateway: RunningGateway) -> None:
    """Its own requests, field by field, with the password that it always sends."""
    http = gateway.http
    for name in ("options", "sd-models", "samplers", "schedulers", "upscalers"):
        assert http.get(f"/sdapi/v1/{name}", headers=_NO_PASSWORD).status_code == 200
    for name in ("latent-upscale-modes", "sd-vae", "sd-modules"):
        assert http.get(f"/sdapi/v1/{name}", headers=_NO_PASSWORD).json() == []
    title = http.get("/sdapi/v1/sd-models", headers=_NO_PASSWORD).json()[0]["title"]
    chosen = {"sd_model_checkpoint": title}
    assert http.post("/sdapi/v1/options", json=chosen, headers=_NO_PASSWORD).status_code == 200
    state = http.get("/sdapi/v1/progress", headers=_NO_PASSWORD).json()
    assert (state["progress"], state["state"]["job_count"]) == (0.0, 0)
    assert "forge_preset" not in http.get("/sdapi/v1/options", headers=_NO_PASSWORD).json()
    body = {
        "url": gateway.url,
        "auth": "",
        "prompt": "best quality, a red apple",
        "negative_prompt": "worst quality",
        "sampler_name": "DPM++ 2M",
        "scheduler": "karras",
        "steps": 4,
        "cfg_scale": 7,
        "width": 128,
        "height": 128,
        "restore_faces": False,
        "enable_hr": False,
        "hr_upscaler": "Latent",
        "hr_scale": 1.5,
        "hr_additional_modules": [],
        "denoising_strength": 0.7,
        "hr_second_pass_steps": 0,
        "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic"},
        "override_settings_restore_afterwards": True,
        "clip_skip": 1,
        "save_images": True,
        "send_images": True,
        "do_not_save_grid": False,
        "do_not_save_samples": False,
    }
    answer = http.post("/sdapi/v1/txt2img", json=body, headers=_NO_PASSWORD)
    assert answer.status_code == 200, answer.text
    assert Image.open(io.BytesIO(base64.b64decode(answer.json()["images"][0]))).size == (128, 128)
    assert json.loads(answer.json()["info"])["warnings"] == []


def test_open_webui_changes_the_model_and_draws(gateway: RunningGateway) -> None:
    """It sends the whole object of options back, and needs `info`."""
    options = gateway.http.get("/sdapi/v1/options", headers=_EMPTY).json()
    models = gateway.http.get("/sdapi/v1/sd-models", headers=_EMPTY).json()
    assert options["sd_model_checkpoint"] in [one["title"] for one in models]
    options["sd_model_checkpoint"] = models[1]["title"]
    assert gateway.http.post("/sdapi/v1/options", json=options, headers=_EMPTY).status_code == 200
    body = {"prompt": "an apple", "batch_size": 2, "width": 128, "height": 128, "steps": 4}
    found = gateway.http.post("/sdapi/v1/txt2img", json=body, headers=_EMPTY).json()
    assert len(found["images"]) == 2
    assert json.loads(found["info"])["sd_model_name"] == models[1]["model_name"]


#: As Dify's tool sends it, but for a sampler that no farm has: its own is DPM++ SDE Karras.
_DIFY: dict[str, Any] = {
    "prompt": "an apple",
    "negative_prompt": "",
    "seed": -1,
    "subseed": -1,
    "subseed_strength": 0,
    "seed_resize_from_h": -1,
    "sampler_index": "DPM++ 2M Karras",
    "seed_resize_from_w": -1,
    "batch_size": 1,
    "n_iter": 1,
    "steps": 4,
    "cfg_scale": 7,
    "width": 128,
    "height": 128,
    "restore_faces": False,
    "do_not_save_samples": False,
    "do_not_save_grid": False,
    "eta": 0,
    "denoising_strength": 0,
    "s_min_uncond": 0,
    "s_churn": 0,
    "s_tmax": 0,
    "s_tmin": 0,
    "s_noise": 0,
    "override_settings": {"sd_model_checkpoint": "vignette"},
    "override_settings_restore_afterwards": True,
    "refiner_switch_at": 0,
    "disable_extra_networks": False,
    "comments": {},
    "enable_hr": False,
    "firstphase_width": 0,
    "firstphase_height": 0,
    "hr_scale": 2,
    "hr_second_pass_steps": 0,
    "hr_resize_x": 0,
    "hr_resize_y": 0,
    "hr_prompt": "",
    "hr_negative_prompt": "",
    "script_args": [],
    "send_images": True,
    "save_images": False,
    "alwayson_scripts": {},
}


def test_dify_draws_with_bodies_that_no_header_calls_json(gateway: RunningGateway) -> None:
    """The model, a picture, and a picture from it: `script_args` without a script ask for none."""
    names = [one["model_name"] for one in gateway.http.get("/sdapi/v1/sd-models").json()]
    assert "vignette" in names
    assert _dify(gateway, "options", {"sd_model_checkpoint": "vignette"}) is None
    (image,) = _dify(gateway, "txt2img", _DIFY)["images"]
    again = {
        "init_images": [image],
        "prompt": "a pear",
        "negative_prompt": "",
        "denoising_strength": 0.9,
        "width": 128,
        "height": 128,
        "cfg_scale": 7,
        "sampler_name": "Euler a",
        "restore_faces": False,
        "steps": 4,
        "script_args": ["outpainting mk2"],
        "override_settings": {"sd_model_checkpoint": "vignette"},
    }
    assert len(_dify(gateway, "img2img", again)["images"]) == 1


def _dify(gateway: RunningGateway, route: str, body: dict[str, Any]) -> Any:
    answer = gateway.http.post(f"/sdapi/v1/{route}", content=json.dumps(body))
    assert "Content-Type" not in answer.request.headers
    assert answer.status_code == 200, answer.text
    return answer.json()
