"""Broker, store and two workers in network namespaces of their own, between them real links."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.network import IS_POSSIBLE, Network
from support.servers import SeaweedServer, ValkeyServer
from support.worker_process import WorkerProcess

from winepress import Client, FarmUnreachable, JobHandle, TextToImage
from winepress_shared.polling import poll

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not IS_POSSIBLE, reason="network namespaces need root and iproute2"),
]

_FLAGS = ("fake:step_s=0.1", "--max-batch-size", "1")
_UNITS = 40
_PATIENCE_S = 600.0
_SLOW = "256kbit"
_WORKERS = ("near", "far")
#: Link that is cut → workers that are cut off, and from what.
_CUTS = {"far": (("far",), "broker"), "store": (_WORKERS, "store"), "broker": (_WORKERS, "broker")}


@dataclass(frozen=True)
class Spread:
    """A farm whose parts are in namespaces, and a client of it at a desk of its own."""

    network: Network
    client: Client
    folder: Path

    def said(self, worker: str, words: str) -> int:
        """How often a worker has logged these words."""
        return (self.folder / f"{worker}.log").read_text("utf-8").count(words)

    def drawing(self) -> set[str]:
        """The workers that hold slices."""
        return {held.worker for held in self.client.snapshots.take(10, 0).slices}


def _until(is_so: Callable[[], bool], what: str) -> None:
    """Return when it is so; an answer that does not come is a no."""

    def asked() -> bool:
        with suppress(FarmUnreachable):
            return is_so()
        return False

    assert poll(asked, every_s=0.2, timeout_s=_PATIENCE_S), what


@pytest.fixture
def spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spread]:
    """The farm, with all links whole."""
    monkeypatch.setenv("NO_PROXY", "*")
    folders = [tmp_path / name for name in ("valkey", "weed")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as stack:
        network = stack.enter_context(Network("broker", "store", *_WORKERS, "desk"))
        at = network.addresses
        with network.entered("broker"):
            bind = ("--bind", "127.0.0.1", at["broker"], "--protected-mode", "no")
            valkey = stack.enter_context(ValkeyServer(folders[0], *bind))
        with network.entered("store"):
            weed = stack.enter_context(SeaweedServer(folders[1], "-ip.bind=0.0.0.0"))
        settings = weed.address.settings(
            farm="spread",
            broker_url=SecretStr(f"redis://{at['broker']}:{valkey.port}/0"),
            s3_endpoint=f"http://{at['store']}:{weed.port}",
            home=tmp_path / "home",
        )
        for name in _WORKERS:
            with network.entered(name):
                stack.enter_context(WorkerProcess(settings, tmp_path, name, *_FLAGS))
        with network.entered("desk"), Client(settings) as client:
            one = Spread(network, client, tmp_path)
            _until(lambda: len(client.workers()) == len(_WORKERS), "the workers do not come")
            yield one


def _submit(spread: Spread) -> JobHandle:
    return spread.client.submit(TextToImage(prompt="a fox", n=_UNITS, num_inference_steps=4))


def _await_end(handle: JobHandle) -> None:
    _until(lambda: handle.status().state.is_terminal, "the job does not end")
    assert [output.unit for output in handle.result.outputs] == list(range(_UNITS))
    assert handle.result.failures == ()


def _both_draw(spread: Spread) -> list[JobHandle]:
    """Submit jobs until both workers draw at a time; returns them."""
    handles = [_submit(spread)]

    def is_so() -> bool:
        if handles[-1].status().state.is_terminal:
            handles.append(_submit(spread))
        return spread.drawing() == set(_WORKERS)

    _until(is_so, "not both of them draw")
    return handles


def _draw_through_cut(spread: Spread, link: str) -> list[JobHandle]:
    """Cut a link while both draw, until whoever is cut off has said so; then heal it."""
    cut_off, server = _CUTS[link]
    handles = _both_draw(spread)
    for end, words in ((spread.network.cut, ""), (spread.network.heal, " answers again")):
        said = f"the {server}{words}"
        before = {name: spread.said(name, said) for name in cut_off}
        end(link)
        _until(
            lambda: all(spread.said(name, said) > before[name] for name in cut_off),  # noqa: B023
            f"nobody says {said!r}",
        )
    return handles


def test_pictures_are_drawn_through_cut_slow_and_healed_links(spread: Spread) -> None:
    """Each once, by workers that go on with the renderer that they had; then both draw again."""
    handles = [handle for link in _CUTS for handle in _draw_through_cut(spread, link)]
    spread.network.slow("far", _SLOW)
    handles += _both_draw(spread)
    spread.network.heal("far")
    handles += _both_draw(spread)
    for handle in handles:
        _await_end(handle)
        assert len(list(spread.client.archive.store.list(f"jobs/{handle.id}/out/"))) == _UNITS
    for name in _WORKERS:
        assert not spread.said(name, "is killed")
