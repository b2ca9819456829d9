"""Pictures that are there already: resized, and read."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from support.a1111 import opened, picture
from support.running_gateway import RunningGateway


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
