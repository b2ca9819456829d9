"""How long a film is, in frames, and which wishes no film can fulfil."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.film_cut import Direction, Easing, FilmCut
from winepress_shared.jobs.sound import Sound


@pytest.mark.parametrize(
    ("fields", "key_frames", "frames"),
    [
        ({}, 4, 90),
        ({"hold": 0.5}, 4, 120),
        ({"fps": 24, "seconds_per_key_frame": 2}, 6, 240),
        ({"direction": "ping-pong"}, 4, 178),
        ({"direction": "loop"}, 4, 90),
        ({"duration": 5}, 6, 150),
        ({"duration": 5, "hold": 1}, 4, 150),
        ({}, 1, 30),
        ({"direction": "ping-pong"}, 1, 30),
    ],
)
def test_a_film_has_as_many_frames_as_its_seconds_say(
    fields: dict[str, object], key_frames: int, frames: int
) -> None:
    """Seconds times frames a second; the way back of a ping-pong repeats neither end."""
    assert FilmCut.model_validate(fields).frame_count(key_frames) == frames


@pytest.mark.parametrize(
    ("fields", "needed"),
    [
        ({"duration": 3}, 4),
        ({"duration": 3.5}, 5),
        ({"duration": 8, "direction": "ping-pong"}, 5),
        ({"duration": 8, "hold": 1}, 7),
        ({"duration": 0.1}, 2),
    ],
)
def test_a_duration_asks_for_as_many_key_frames_as_fill_it(
    fields: dict[str, object], needed: int
) -> None:
    """One key frame a second, rests left out, and never none to zoom to."""
    assert FilmCut.model_validate(fields).key_frames_needed() == needed


@given(st.sampled_from(list(Easing)), st.floats(0, 1), st.floats(0, 1))
def test_easing_goes_from_start_to_end_and_never_back(
    easing: Easing, one: float, two: float
) -> None:
    """Begins at 0, ends at 1, rises in between."""
    assert easing(0) == pytest.approx(0, abs=1e-12)
    assert easing(1) == pytest.approx(1)
    assert easing(min(one, two)) <= easing(max(one, two)) + 1e-12


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"direction": "loop", "hold": 1}, "hold"),
        ({"film_format": "gif", "fps": 60}, "fps"),
        ({"duration": 2, "hold": 1}, "duration"),
        ({"seconds_per_key_frame": 60, "fps": 120}, "duration"),
        ({"film_format": "gif", "audio": Sound("sha256:" + "0" * 64 + ".wav")}, "audio"),
    ],
)
def test_what_no_film_can_be_is_refused(fields: dict[str, object], field: str) -> None:
    """A resting loop, a GIF too fast, no time left, too many frames, sound without a track."""
    with pytest.raises(InvalidJob) as caught:
        FilmCut.model_validate(fields).check_film(20)
    assert caught.value.field == field


def test_seconds_count_from_the_end_of_the_stack_the_camera_starts_at() -> None:
    """Inwards the widest key frame comes first."""
    outward, inward = FilmCut(hold=1), FilmCut(hold=1, direction=Direction.IN)
    assert [outward.second_of(i, 4) for i in range(4)] == pytest.approx([1, 2, 3, 4])
    assert [inward.second_of(i, 4) for i in range(4)] == pytest.approx([4, 3, 2, 1])
