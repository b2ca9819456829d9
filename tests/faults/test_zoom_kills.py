"""A zoom survives the death of its worker at any key frame, and while its film is cut."""

from __future__ import annotations

import os
import signal

import psutil
import pytest
from support.running_farm import RunningFarm

from winepress import JobHandle, ZoomVideo

_KEY_FRAMES = 6
_PATIENCE_S = 120
_JOB = ZoomVideo(
    prompt="a valley",
    seed=5,
    width=128,
    height=128,
    key_frames=_KEY_FRAMES,
    num_inference_steps=10,
    first_steps=10,
    fps=120,
    seconds_per_key_frame=1.5,
)


def _digests(handle: JobHandle) -> list[str]:
    return [output.sha256 for output in handle.result.outputs if not output.is_film]


def _kill_at_every_unit(handle: JobHandle) -> list[str]:
    """Kill whoever holds a unit in the middle of it, once for each unit; the ones killed."""
    killed: dict[str, str] = {}
    holder = ""
    for event in handle.events(_PATIENCE_S):
        unit = event.fields.get("unit", "")
        if event.name == "unit-started":
            holder = event.fields["holder"]
        elif event.name == "progress" and unit not in killed:
            killed[unit] = holder
            pid = int(holder.rpartition("/")[2])
            if psutil.pid_exists(pid):
                os.kill(pid, signal.SIGKILL)
    return sorted(killed)


def _drawn_again(handle: JobHandle) -> set[str]:
    """Units that were begun once more after they had been counted."""
    done: set[str] = set()
    again: set[str] = set()
    for event in handle.events():
        if event.name == "unit-done":
            done.add(event.fields["unit"])
        elif event.name == "unit-started":
            again |= {event.fields["unit"]} & done
    return again


@pytest.mark.slow
def test_a_zoom_killed_at_each_key_frame_ends_like_one_left_in_peace(
    running_farm: RunningFarm,
) -> None:
    """Six key frames and the film: the same bytes, and nothing is drawn after it was counted."""
    handle = running_farm.client.submit(_JOB)
    assert _kill_at_every_unit(handle) == [str(unit) for unit in range(_KEY_FRAMES + 1)]
    handle.wait(_PATIENCE_S)
    assert _drawn_again(handle) == set()
    running_farm.assert_exactly_once([handle])
    undisturbed = running_farm.client.submit(_JOB).wait(_PATIENCE_S)
    assert _digests(handle) == _digests(undisturbed)
    assert len(_digests(handle)) == _KEY_FRAMES
    assert handle.film is not None
    assert handle.film.frames == _JOB.frame_count(_KEY_FRAMES)


def test_a_canceled_zoom_goes_on_from_its_last_key_frame(running_farm: RunningFarm) -> None:
    """Cancel in the middle, retry: what was counted is not drawn again."""
    handle = running_farm.client.submit(_JOB)
    for event in handle.events(_PATIENCE_S):
        if event.name == "unit-done" and event.fields["unit"] == "2":
            handle.cancel()
            break
    first = {output.unit: output.sha256 for output in handle.result.outputs}
    running_farm.client.retry(handle.id)
    handle.wait(_PATIENCE_S)
    assert _drawn_again(handle) == set()
    running_farm.assert_exactly_once([handle])
    kept = {output.unit: output.sha256 for output in handle.result.outputs}
    assert first.items() <= kept.items()
    assert {0, 1, 2} <= first.keys()


def test_a_key_frame_that_kills_its_worker_ends_the_zoom(running_farm: RunningFarm) -> None:
    """Three crashes; what builds on it is not tried, what was drawn before is kept."""
    poison = _JOB.model_copy(update={"prompt": f"poison [[exit@2#{5 + 2}]]"})
    handle = running_farm.client.submit(poison)
    with pytest.raises(Exception, match="5 of 7 pictures failed"):
        handle.wait(_PATIENCE_S)
    assert [output.unit for output in handle.result.outputs] == [0, 1]
