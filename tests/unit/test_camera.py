"""The camera moves on one continuous coordinate; what it sees follows exactly."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.jobs.film_cut import Direction, FilmCut
from winepress_shared.jobs.nesting import Nesting
from winepress_worker.zoom.camera import Camera

SQUARE = Nesting((256, 256), (64, 64))


def _camera(key_frames: int = 4, nesting: Nesting = SQUARE, **fields: Any) -> Camera:
    return Camera(nesting, key_frames, FilmCut.model_validate(fields))


@given(
    st.integers(1, 8),
    st.sampled_from(["in", "out", "ping-pong"]),
    st.sampled_from(["linear", "ease-in", "ease-out", "ease-in-out"]),
    st.floats(0, 2),
    st.sampled_from([1, 7, 24, 29.97, 60]),
)
def test_every_film_begins_and_ends_where_it_should(
    key_frames: int, direction: str, easing: str, hold: float, fps: float
) -> None:
    """As many places as frames, none outside the stack, both ends reached."""
    camera = _camera(key_frames, direction=direction, easing=easing, hold=hold, fps=fps)
    places = list(camera.places())
    top = key_frames - 1
    assert len(places) == camera.frame_count
    assert min(places) >= -1e-9
    assert max(places) <= top + 1e-9
    assert places[0] == pytest.approx(top if direction == "in" else 0, abs=1e-9)
    if direction != "ping-pong" and (key_frames == 1 or fps > 1):
        assert places[-1] == pytest.approx(top if direction == "out" else 0, abs=1e-9)


def test_even_speed_is_one_constant_step() -> None:
    """The camera multiplies its view by the same factor at every frame."""
    places = list(_camera(5, fps=29.97).places())
    steps = [after - before for before, after in pairwise(places)]
    assert max(steps) == pytest.approx(min(steps), rel=1e-9)


def test_a_loop_ends_one_step_before_it_begins() -> None:
    """Played again, it goes on evenly: its first frame is not shown twice."""
    camera = _camera(4, direction=Direction.LOOP)
    places = list(camera.places())
    step = places[0] - places[1]
    assert places[0] == 3
    assert places[-1] == pytest.approx(step)


def test_a_ping_pong_shows_neither_end_twice() -> None:
    """The way back is the way there without its two ends."""
    places = list(_camera(3, direction=Direction.PING_PONG, fps=4).places())
    assert places == pytest.approx([*places[:8], *reversed(places[1:7])])
    assert len(places) == 14


@given(st.floats(0, 3))
def test_at_any_place_one_key_frame_fills_the_view(place: float) -> None:
    """The outermost layer covers the film, the next one lies within, each magnified as it must."""
    layers = _camera().layers(place)
    assert 1 - 1e-6 <= layers[0].scale[0] <= 2
    for layer in layers:
        assert layer.scale[0] == pytest.approx(2 ** (layer.level - place))
    assert [layer.level for layer in layers] == list(
        range(layers[0].level, layers[0].level - len(layers), -1)
    )


def test_narrow_borders_show_several_key_frames_at_once() -> None:
    """With a zoom of 1.14 five of them lie within the inner half of the view."""
    nesting = Nesting((512, 512), (32, 32))
    assert len(_camera(12, nesting).layers(10.0)) >= 5


def test_at_a_key_frame_the_view_is_that_key_frame() -> None:
    """Its magnification is exactly one, without help of the one around it."""
    for level in range(4):
        (outermost, *_) = _camera().layers(float(level))
        assert (outermost.level, outermost.scale) == (level, (1.0, 1.0))


@pytest.mark.parametrize(
    ("fields", "size"),
    [
        ({}, (256, 256)),
        ({"film_width": 128}, (128, 128)),
        ({"film_height": 301}, (302, 302)),
        ({"film_width": 301, "film_height": 201}, (302, 202)),
        ({"film_width": 301, "film_height": 201, "film_format": "gif"}, (301, 201)),
    ],
    ids=str,
)
def test_film_sizes_are_even_where_colours_are_halved(
    fields: dict[str, Any], size: tuple[int, int]
) -> None:
    """H.264 and VP9 as players expect them take no odd side; the others do."""
    assert _camera(**fields).size == size


def test_another_aspect_is_filled_and_not_letterboxed() -> None:
    """A wide film of square key frames shows their middle."""
    (layer, *_) = _camera(film_width=512, film_height=128).layers(2.0)
    assert layer.scale == (2.0, 2.0)
