"""Every alert fires by its fault in a real Prometheus, and is over when the fault is mended."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.audited_farm import LANE
from support.prometheus import CONFIG, Prometheus
from support.promql import ALERTS, alerts, hurried
from support.running_gateway import RunningGateway
from support.servers import ValkeyServer, free_ports
from support.watched_farm import WatchedFarm

from winepress_shared.errors import FailForGood
from winepress_shared.ledger.ledger import holder_of
from winepress_shared.settings import Settings

_UNIT_TESTS = Path(__file__).with_name("alerts_test.yaml")


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WatchedFarm]:
    """Alerts wait for nothing here; that they wait elsewhere is tested by promtool."""
    folder = tmp_path_factory.mktemp("alerts")
    for name in ("valkey", "prometheus"):
        (folder / name).mkdir()
    with ExitStack() as stack:
        server = stack.enter_context(ValkeyServer(folder / "valkey"))
        settings = Settings(broker_url=SecretStr(server.url), store_folder=folder / "store")
        (port,) = free_ports(1)
        gateway = RunningGateway(settings, port).__enter__()
        rules = hurried(ALERTS.read_text("utf-8"))
        address = gateway.url.removeprefix("http://")
        prometheus = Prometheus(folder / "prometheus", address, rules)
        stack.enter_context(prometheus)
        one = WatchedFarm(settings, server, folder / "valkey", gateway, prometheus)
        stack.callback(lambda: one.gateway.__exit__())  # which may be another one by then
        one.live()
        prometheus.wait_until(lambda: prometheus.query("winepress_workers == 1"), "no metrics")
        yield one


def _no_worker(farm: WatchedFarm) -> Callable[[], None]:
    farm.ledger.leave("w1")
    return farm.live


def _unserved(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("unserved", lane="nobody.fp16")
    return lambda: _cancel(farm, "unserved")


def _cancel(farm: WatchedFarm, *jobs: str) -> None:
    for job in jobs:
        farm.ledger.control(job, "cancel")


def _starved(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("starved")
    farm.broker.hset(farm.key("priority_served", LANE), "1", farm.ago_ms(2000))
    return lambda: _cancel(farm, "starved")


def _parked(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("parked")
    slice_ = farm.ledger.claim(LANE, "w1", holder_of("w1", 1), 1)
    assert slice_
    farm.ledger.release(slice_.fence, holder_of("w1", 1), 600_000, "the store does not answer")

    def heal() -> None:
        farm.broker.delete(farm.key("parked", LANE))
        _cancel(farm, "parked")

    return heal


def _lost(farm: WatchedFarm) -> Callable[[], None]:
    farm.live("w2")
    for number in range(8):
        farm.submit(f"lost{number}")
        farm.ledger.claim(LANE, "w2", holder_of("w2", number + 1), 1)
        farm.live("w2", number + 2)  # its process is another one now

    def heal() -> None:
        farm.ledger.leave("w2")
        _cancel(farm, *(f"lost{number}" for number in range(8)))

    return heal


def _unfit(farm: WatchedFarm) -> Callable[[], None]:
    farm.ledger.describe_renderer("w1", {"unfit": {LANE: "too little memory"}})
    return lambda: farm.ledger.describe_renderer("w1", {})


def _failing(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("failing", 12, chained=True)
    slice_ = farm.ledger.claim(LANE, "w1", holder_of("w1", 1), 12)
    assert slice_
    farm.ledger.fail(slice_.fence, 0, FailForGood("told to"), retry=False)
    farm.ledger.finish(slice_.fence)
    return lambda: farm.draw("well", 40)


def _full(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("full", 10)
    farm.limits.set_limits({"queue_limit": 10})

    def heal() -> None:
        farm.limits.set_limits({"queue_limit": 1000})
        _cancel(farm, "full")

    return heal


def _backlog(farm: WatchedFarm) -> Callable[[], None]:
    farm.submit("backlog", 2)
    farm.ledger.describe_renderer("w1", {"seconds_per_picture": {LANE: 50_000.0}})

    def heal() -> None:
        farm.ledger.describe_renderer("w1", {})
        _cancel(farm, "backlog")

    return heal


def _paused(farm: WatchedFarm) -> Callable[[], None]:
    farm.limits.pause(user="ann")

    def heal() -> None:
        farm.limits.resume(user="ann")

    return heal


def _webhook(farm: WatchedFarm, due_s: int) -> None:
    job = f"hooked{due_s}"
    farm.submit(job, hooks=("completed",))
    _cancel(farm, job)
    (delivery,) = farm.broker.zrange(farm.key("outbox"), 0, -1)
    farm.broker.zadd(farm.key("outbox"), {str(delivery): farm.ago_ms(due_s)})


def _forget_webhooks(farm: WatchedFarm) -> None:
    farm.broker.delete(farm.key("outbox"), farm.key("deliverers"))


def _undelivered(farm: WatchedFarm) -> Callable[[], None]:
    _webhook(farm, 1)
    return lambda: _forget_webhooks(farm)


def _late(farm: WatchedFarm) -> Callable[[], None]:
    _webhook(farm, 700)
    farm.broker.zadd(farm.key("deliverers"), {"host/1": farm.ago_ms(-600)})
    return lambda: _forget_webhooks(farm)


def _no_gateway(farm: WatchedFarm) -> Callable[[], None]:
    farm.gateway.__exit__()
    port = int(farm.gateway.url.rpartition(":")[2])

    def heal() -> None:
        farm.gateway = RunningGateway(farm.settings, port).__enter__()

    return heal


def _start_broker(farm: WatchedFarm) -> None:
    farm.server.start()
    farm.live()


def _no_broker(farm: WatchedFarm) -> Callable[[], None]:
    farm.server.kill()
    return lambda: _start_broker(farm)


def _erring_gateway(farm: WatchedFarm) -> Callable[[], None]:
    farm.server.kill()
    for _ in range(5):
        assert farm.gateway.http.get("/v1/jobs").status_code == 503

    def heal() -> None:
        _start_broker(farm)
        for _ in range(5):
            assert farm.gateway.http.get("/v1/jobs").status_code == 200

    return heal


def _config(name: str, bad: str, good: str) -> Callable[[WatchedFarm], Callable[[], None]]:
    def fault(farm: WatchedFarm) -> Callable[[], None]:
        farm.configure(name, bad)
        return lambda: farm.configure(name, good)

    return fault


def _scarce_memory(farm: WatchedFarm) -> Callable[[], None]:
    used: int = farm.broker.info()["used_memory"]
    farm.configure("maxmemory", str(used * 5 // 4))
    return lambda: farm.configure("maxmemory", "0")


def _unwritable(farm: WatchedFarm) -> Callable[[], None]:
    in_the_way = farm.data / "dump.rdb"
    in_the_way.mkdir()
    farm.broker.bgsave()

    def heal() -> None:
        in_the_way.rmdir()
        farm.broker.bgsave()

    return heal


#: Alert → what brings it about; what that returns mends it.
FAULTS: dict[str, Callable[[WatchedFarm], Callable[[], None]]] = {
    "WinepressMetricsMissing": _no_gateway,
    "WinepressBrokerUnreachable": _no_broker,
    "WinepressNoWorker": _no_worker,
    "WinepressLaneUnserved": _unserved,
    "WinepressLaneStarved": _starved,
    "WinepressLaneParked": _parked,
    "WinepressWorkersLost": _lost,
    "WinepressWorkerUnfit": _unfit,
    "WinepressPicturesFail": _failing,
    "WinepressQueueNearlyFull": _full,
    "WinepressBacklogOverADay": _backlog,
    "WinepressPaused": _paused,
    "WinepressNoDeliverer": _undelivered,
    "WinepressWebhooksLate": _late,
    "WinepressGatewayFails": _erring_gateway,
    "WinepressBrokerMemory": _scarce_memory,
    "WinepressBrokerEvicts": _config("maxmemory-policy", "allkeys-lru", "noeviction"),
    "WinepressBrokerKeepsNothing": _config("appendonly", "no", "yes"),
    "WinepressBrokerCannotWrite": _unwritable,
}


def test_every_alert_has_its_fault() -> None:
    """Whoever adds a rule shows here that it fires."""
    assert FAULTS.keys() == alerts().keys()


@pytest.mark.parametrize("name", FAULTS)
def test_an_alert_fires_by_its_fault_and_is_over_when_that_is_mended(
    farm: WatchedFarm, name: str
) -> None:
    """In a Prometheus that scrapes, evaluates and resolves, over a real broker and gateway."""
    farm.live()

    def is_quiet() -> bool:
        return name not in farm.prometheus.firing()

    farm.prometheus.wait_until(is_quiet, f"{name} fires before its fault")
    heal = FAULTS[name](farm)
    farm.prometheus.wait_until(lambda: not is_quiet(), f"{name} does not fire")
    heal()
    farm.prometheus.wait_until(is_quiet, f"{name} goes on")


def test_promtool_accepts_rules_and_configuration() -> None:
    """As they lie there."""
    promtool = shutil.which("promtool")
    assert promtool, "install Prometheus: in Debian the package prometheus"
    for words in (("check", "config", CONFIG), ("test", "rules", _UNIT_TESTS)):
        done = subprocess.run([promtool, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
