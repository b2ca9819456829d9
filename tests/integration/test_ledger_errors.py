"""When the server is away, refuses or is full: one sentence of ours, never a secret."""

from __future__ import annotations

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from support.audited_farm import AuditedFarm
from support.servers import ValkeyServer, free_ports

from winepress_shared.errors import BrokerUnreachable, QueueFull, WrongUsage
from winepress_shared.ledger import connections
from winepress_shared.ledger.channel import Channel
from winepress_shared.ledger.event_log import BLOCK_MS
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.ledger.records import UnitOutcome
from winepress_shared.settings import Settings

SECRET = "correct-horse"  # a made-up one, to be looked for in messages


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server that this test alone may fill or stop."""
    with ValkeyServer(tmp_path) as server:
        yield server


def _hear(channel: Channel) -> str:
    """The next message; what came before it may be none."""
    while True:
        message = channel.get_message(timeout=1)
        if message:
            return str(message["data"])


def _ledger(url: str) -> Ledger:
    return Ledger(Settings(farm="t", broker_url=SecretStr(url)))


def test_a_dead_server_is_named_without_its_password() -> None:
    """Every way in: a plain command, a script, a channel."""
    (port,) = free_ports(1)
    ledger = _ledger(f"redis://ada:{SECRET}@127.0.0.1:{port}/0?username={SECRET}")
    for call in (
        ledger.ping,
        lambda: ledger.get("job"),
        lambda: ledger.claim("lane", "w", "w/1", 1),
        lambda: ledger.directives("w/1"),
    ):
        with pytest.raises(BrokerUnreachable, match=f"127.0.0.1:{port}/0") as caught:
            call()
        assert SECRET not in str(caught.value) + repr(caught.value.__dict__)
        assert caught.value.__cause__ is None
        assert caught.value.exit_code == 3


def test_a_server_that_never_answers_is_given_up_after_one_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A command is not sent a second time into the same silence; ten seconds are the most."""
    assert connections.ANSWER_TIMEOUT_S <= 9
    assert BLOCK_MS / 1000 <= connections.ANSWER_TIMEOUT_S - 2
    monkeypatch.setattr(connections, "ANSWER_TIMEOUT_S", 0.4)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ledger = _ledger(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(BrokerUnreachable, match="did not answer within"):
            ledger.waiting()
        silent.setblocking(False)
        caller, _ = silent.accept()
        caller.close()
        with pytest.raises(BlockingIOError):  # nobody called a second time
            silent.accept()
        ledger.close()


@pytest.mark.parametrize("login", [f":{SECRET}", f"nobody:{SECRET}"])
def test_wrong_credentials_are_told_apart_from_silence(
    own_server: ValkeyServer, login: str
) -> None:
    """Waiting would not help; and the password is not in the message."""
    with redis.Redis.from_url(own_server.url) as admin:
        admin.config_set("requirepass", "another")
    for auth in (f"{login}@", ""):
        ledger = _ledger(own_server.url.replace("redis://", f"redis://{auth}"))
        with pytest.raises(BrokerUnreachable, match="refuses these credentials") as caught:
            ledger.ping()
        assert SECRET not in str(caught.value)


def test_an_option_of_the_address_that_makes_no_sense_is_wrong_usage() -> None:
    """A typing error gives a sentence with the name of the setting, and no password."""
    with pytest.raises(WrongUsage, match="broker_url") as caught:
        _ledger(f"redis://:{SECRET}@host/0?socket_timeout=soon")
    assert SECRET not in str(caught.value)


def test_something_else_that_answers_is_not_taken_for_a_broker() -> None:
    """A web server on the port, say."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            for _ in range(2):
                with suppress(OSError), server.accept()[0] as peer:  # either end hangs up
                    peer.recv(1000)
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        with pytest.raises(BrokerUnreachable):
            _ledger(f"redis://127.0.0.1:{server.getsockname()[1]}/0").ping()


def test_a_full_server_takes_no_new_job_and_lets_running_ones_end(
    own_server: ValkeyServer,
) -> None:
    """Submitting is refused as a whole; claims, commits and the end of the job go on."""
    farm = AuditedFarm(own_server.url)
    farm.submit("job", 3)
    first = farm.claim(most=1)
    farm.redis.config_set("maxmemory", 1)
    with pytest.raises(QueueFull, match="memory is full"):
        farm.submit("another", idempotency_key="k")
    assert not farm.redis.exists(farm.key("job", "another"), farm.key("idem", "ada", "k"))
    assert farm.draw(first) == [UnitOutcome.OK]
    second = farm.claim(most=1)
    assert farm.fail(second, 1, retry=False) is UnitOutcome.FAILED
    farm.ledger.beat("w1", "w1/1", {})
    farm.ledger.release(farm.claim().fence, "w1/1")
    farm.ledger.describe_renderer("w1", {"warm": []})
    farm.ledger.note("job", "still here")
    assert farm.ledger.sweep() is not None
    last = farm.claim()
    assert farm.draw(last) == [UnitOutcome.LAST]
    assert farm.ledger.finish(last.fence, "one failed") == "failed"
    farm.redis.config_set("maxmemory", 0)
    farm.submit("another", idempotency_key="k")
    farm.audit()
    farm.close()


def test_a_server_that_is_busy_with_a_script_is_away_for_now(own_server: ValkeyServer) -> None:
    """Somebody else's: everything else is answered with BUSY, and a worker waits until it ends."""
    farm = AuditedFarm(own_server.url)
    farm.redis.config_set("busy-reply-threshold", 1)

    def stare() -> None:
        with redis.Redis.from_url(own_server.url) as other, suppress(redis.ResponseError):
            other.eval("while true do end", 0)

    thread = threading.Thread(target=stare)
    thread.start()
    try:
        with pytest.raises(BrokerUnreachable, match="accepts no writes"):
            [farm.ledger.worker_count() for _ in itertools.count()]
    finally:
        farm.redis.script_kill()
        thread.join()
    farm.close()


def test_a_server_that_cannot_be_written_to_is_away_for_now(own_server: ValkeyServer) -> None:
    """A replica that is about to be promoted: try later, do not fail the picture."""
    farm = AuditedFarm(own_server.url)
    farm.submit("job")
    slice_ = farm.claim()
    farm.redis.replicaof("127.0.0.1", str(free_ports(1)[0]))
    with pytest.raises(BrokerUnreachable, match="accepts no writes"):
        farm.ledger.commit(slice_.fence, 0, {})
    farm.redis.replicaof("NO", "ONE")
    assert farm.draw(slice_) == [UnitOutcome.LAST]
    farm.close()


def test_a_server_that_was_restarted_is_used_again(own_server: ValkeyServer) -> None:
    """Scripts are loaded anew; a channel says that it broke, and a new one works."""
    farm = AuditedFarm(own_server.url)
    farm.submit("job")
    slice_ = farm.claim()
    channel = farm.ledger.directives("w1/1")
    own_server.kill()
    with pytest.raises(BrokerUnreachable):
        _hear(channel)
    channel.close()
    own_server.start()
    farm.ledger.start(slice_.fence, 0)
    again = farm.ledger.directives("w1/1")
    farm.ledger.tell("w1/1", "drain")
    assert _hear(again) == "drain"
    again.close()
    farm.close()


def test_a_message_that_cannot_be_sent_as_it_is_does_not_lose_the_report(farm: AuditedFarm) -> None:
    """A file name of no encoding in a fault, and a fault of endless words."""
    farm.submit("job", 4)
    slice_ = farm.claim()
    fault = OSError("cannot read \udcff.png " + "x" * 10_000)
    assert farm.ledger.fail(slice_.fence, 0, fault, retry=False) is UnitOutcome.FAILED
    failed = farm.ledger.outputs("job")[0]
    assert failed["error"] == "OSError"
    assert failed["message"].startswith("cannot read ?.png x")
    assert len(failed["message"]) == 500


def test_a_job_whose_record_was_deleted_by_hand_stops_nobody(farm: AuditedFarm) -> None:
    """That is the remedy for a damaged one; the job may be submitted again, before or after."""
    for job in ("a1", "a2", "a3"):
        farm.submit(job, 3)
    farm.redis.delete(farm.key("job", "a1"), farm.key("job", "a2"))
    farm.submit("a2", 3)
    assert farm.work_off() == ["a3", "a3", "a2", "a2"]
    assert farm.ledger.waiting() == {}
    farm.submit("a1", 3)
    assert farm.work_off() == ["a1", "a1"]
