"""A disk that a film fills is not a disk that is full."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.local_worker import small_zoom
from support.servers import SeaweedServer
from support.worker_process import PATIENCE_S, WorkerProcess, await_condition

from winepress import Client, FarmUnreachable, JobFailed, StoreUnreachable, TextToImage, ZoomVideo
from winepress.farm_checks import check_room
from winepress_shared.lane import FILM
from winepress_shared.ledger.records import Worker
from winepress_shared.settings import Settings

_DISK_BYTES = 256 * 2**10  #: the film of a small zoom fits, and the large one not by far


@contextmanager
def _mounted(place: Path, size: int) -> Iterator[Path]:
    place.mkdir()
    made = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place),
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no file system may be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(("umount", "-l", place), check=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system so small that a film fills it."""
    with _mounted(tmp_path / "disk", _DISK_BYTES) as place:
        yield place


@pytest.fixture
def large_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system on which a store has room to begin with."""
    with _mounted(tmp_path / "large-disk", 64 * 2**20) as place:
        yield place


def too_large() -> ZoomVideo:
    """Each of its frames is kept as a picture of its own."""
    return small_zoom(film_format="frames", fps=60, seconds_per_key_frame=4)


def worker_of(client: Client) -> Worker | None:
    return next(iter(client.workers()), None)


def test_a_film_that_fills_the_disk_ends_and_other_films_are_made(
    farm_settings: Settings, client: Client, tmp_path: Path, disk: Path
) -> None:
    """Its lane is never left, and the message says what was too large for what."""
    with WorkerProcess(farm_settings, tmp_path, "small", scratch=disk):
        large, small = client.submit(too_large()), client.submit(small_zoom())
        left: list[str] = []

        def both_ended() -> bool:
            worker = worker_of(client)
            left.extend(worker.unfit if worker else ())
            return all(handle.status().state.is_terminal for handle in (large, small))

        await_condition(both_ended)
        assert left == []
        assert small.wait(PATIENCE_S).film is not None
        with pytest.raises(JobFailed, match="the film is too large for the disk"):
            large.wait(PATIENCE_S)


@pytest.mark.case(44)
def test_a_disk_that_others_have_filled_is_left_until_there_is_room(
    farm_settings: Settings, client: Client, tmp_path: Path, disk: Path
) -> None:
    """No attempt of the film counts meanwhile."""
    filled = disk / "of-others"
    with WorkerProcess(farm_settings, tmp_path, "full", scratch=disk):
        await_condition(lambda: "pid" in getattr(worker_of(client), "renderer", {}))
        filled.write_bytes(bytes(shutil.disk_usage(disk).free))
        zoom = client.submit(small_zoom())
        await_condition(lambda: FILM in getattr(worker_of(client), "unfit", {}))
        assert "cannot write the film" in zoom.why_stalled
        filled.unlink()
        film = zoom.wait(PATIENCE_S).film
        assert film is not None
        assert film.attempts == 1


def test_a_store_without_room_is_told_by_doctor_and_refuses_submissions(
    farm_settings: Settings, tmp_path: Path, disk: Path
) -> None:
    """It answers every question meanwhile, also for what was written before."""
    settings = farm_settings.model_copy(update={"store_folder": disk / "store"})
    with Client(settings) as client:
        assert check_room(client).text == "what is written is taken"
        filled = disk / "of-others"
        filled.write_bytes(bytes(shutil.disk_usage(disk).free))
        with pytest.raises(FarmUnreachable, match="takes nothing that is written to it"):
            check_room(client)
        with pytest.raises(StoreUnreachable):
            client.submit(TextToImage(prompt="a fox"))
        assert client.list() == []
        filled.unlink()
        check_room(client)


@pytest.mark.lengthy
def test_doctor_does_not_wait_for_a_store_that_tries_for_half_a_minute(
    farm_settings: Settings, tmp_path: Path, large_disk: Path
) -> None:
    """SeaweedFS holds each write to a full disk for so long, and then answers with an error."""
    with SeaweedServer(large_disk) as store:
        settings = store.address.settings(
            farm=farm_settings.farm, broker_url=farm_settings.broker_url
        )
        with Client(settings) as client:
            check_room(client)
            filled = large_disk / "of-others"
            filled.write_bytes(bytes(shutil.disk_usage(large_disk).free))
            with pytest.raises(FarmUnreachable, match="takes nothing that is written to it"):
                check_room(client)
            filled.unlink()
