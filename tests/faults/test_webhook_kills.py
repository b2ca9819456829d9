"""Whatever is killed, the end of every job reaches its receiver."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.running_farm import wait_until
from support.webhook_receiver import Message, Reply, WebhookReceiver

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.process import Child
from winepress_deploy.services import deliverer

_JOBS = 50
_SETTINGS = {
    "WINEPRESS_WEBHOOK_ALLOW": "127.0.0.1",
    "WINEPRESS_WEBHOOK_FIRST_RETRY_S": "0.2",
    "WINEPRESS_WEBHOOK_TIMEOUT_S": "1",
}


class HalfDeaf:
    """A receiver that fails every second time; it notes which messages it accepted."""

    def __init__(self) -> None:
        self.count = 0
        self.accepted: dict[str, set[str]] = defaultdict(set)  #: job → ids of messages of its end
        self._lock = threading.Lock()

    def reply(self, message: Message) -> Reply:
        with self._lock:
            self.count += 1
            if self.count % 2:
                return Reply(500)
            self.accepted[message.content["data"]["id"]].add(message.id)
            return Reply()


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm with a gateway, so that what delivers has the gateway's key."""
    state: Path = tmp_path_factory.mktemp("farm")
    options = FarmOptions(state=state, workers=2, flower=False, gateway=True, engine="fake")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _SETTINGS.items():
            patch.setenv(name, value)
        with Farm(options) as one:
            yield one


def test_no_end_of_a_job_is_lost(farm: Farm) -> None:
    """Receiver and deliverers die in the middle; every message arrives under one id of its own."""
    program = replace(deliverer.deliverer(farm.state, farm.settings), log=farm.state.log("second"))
    second = Child(program, print)
    half_deaf = HalfDeaf()
    with WebhookReceiver(half_deaf.reply) as receiver, Client(farm.settings) as client:
        second.start()
        try:
            jobs = [
                client.submit(TextToImage(prompt=f"job {n}", seed=n), webhook=receiver.url)
                for n in range(_JOBS)
            ]
            wait_until(lambda: half_deaf.count >= 10)
            second.kill()
            receiver.stop()
            farm.services[deliverer.NAME].kill()
            receiver.start()
            wait_until(lambda: half_deaf.count >= 60)
            farm.services[deliverer.NAME].kill()
            wait_until(lambda: len(half_deaf.accepted) == _JOBS)
        finally:
            second.ask_to_stop()
            second.wait_stopped()
        assert set(half_deaf.accepted) == {job.id for job in jobs}
        assert {len(ids) for ids in half_deaf.accepted.values()} == {1}
        by_id: dict[str, set[bytes]] = defaultdict(set)
        for message in receiver.messages:
            by_id[message.content["data"]["id"]].add(message.id.encode())
        assert {len(ids) for ids in by_id.values()} == {1}
        assert {one.state for one in client.outbox.deliveries(_JOBS)} <= {"delivered", "waiting"}
