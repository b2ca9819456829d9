"""A stand-in for a worker, for tests of everything in front of the workers."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import redis
from PIL import Image

from winepress_shared.archive import Archive, Output, Result, output_key
from winepress_shared.errors import FailForGood
from winepress_shared.jobs.job import TextToImage
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import Slice, UnitOutcome
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

LANE = "vignette.fp16"
_LOOK_S = 0.02  #: between two looks for work


def apple(**fields: Any) -> TextToImage:
    """A job like any other."""
    return TextToImage(prompt="a red apple", **fields)


def forget_farm(settings: Settings) -> None:
    """Lose this farm's part of the broker, and no other's."""
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as broker:
        for key in broker.scan_iter(f"{settings.farm}:*", count=1000):
            broker.delete(key)


class ManualWorker:
    """A worker in the test's own hands: it claims, paints one colour and ends jobs."""

    def __init__(self, settings: Settings) -> None:
        self.holder = "manual/1"
        self.ledger = Ledger(settings)
        self._archive = Archive(open_store(settings))
        self._queue = f"{settings.farm}:queue:"
        self._broker = redis.Redis.from_url(settings.broker_url.get_secret_value())

    def live(self, *lanes: str) -> None:
        """Let the farm know of this worker."""
        self.ledger.beat("manual", self.holder, {"device": "CPU", "lanes": list(lanes)})

    @contextmanager
    def working(self, *lanes: str, failing: Collection[int] = ()) -> Iterator[None]:
        """Be alive, and work off whatever comes into ``lanes``, while inside; see `work`."""
        over = threading.Event()

        def serve() -> None:
            while not over.is_set():
                self.live(*lanes)
                for lane in lanes:
                    self.work(lane, failing=failing)
                over.wait(_LOOK_S)

        self.live(*lanes)
        thread = threading.Thread(target=serve, name="manual-worker")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def await_ticket(self, lane: str) -> None:
        """Return when a ticket of ``lane`` has been taken from the broker."""
        assert self._broker.brpop([self._queue + lane], timeout=60), f"no ticket for {lane}"

    def work(self, lane: str, most: int = 1000, failing: Collection[int] = ()) -> None:
        """Render at most ``most`` slices; the units in ``failing`` fail for good."""
        for _ in range(most):
            slice_ = self.ledger.claim(lane, "manual", self.holder, 512)
            if slice_ is None:
                return
            ends = [self._unit(slice_, unit, unit in failing) for unit in slice_.units]
            if slice_.finish or UnitOutcome.LAST in ends:
                units = self.ledger.outputs(slice_.job_id)
                self._archive.write_result(Result.from_units(slice_.job_id, units))
                self.ledger.finish(slice_.fence, "it was told to fail" if failing else "")

    def _unit(self, slice_: Slice, unit: int, is_failing: bool) -> UnitOutcome:
        self.ledger.start(slice_.fence, unit)
        self.ledger.progress(slice_.fence, unit, 1, 2)
        if is_failing:
            return self.ledger.fail(slice_.fence, unit, FailForGood("told to"), retry=False)
        Image.new("RGB", (64, 64), (unit % 256, 0, 0)).save(buffer := io.BytesIO(), "PNG")
        data, key = buffer.getvalue(), output_key(slice_.job_id, unit, "png")
        digest = hashlib.sha256(data).hexdigest()
        output = Output(unit, key, digest, len(data), unit, 64, 64, "CPU", "manual", 0.1)
        row = output.row()
        self._archive.write_output(key, data, row)
        return self.ledger.commit(slice_.fence, unit, row)
