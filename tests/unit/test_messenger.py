"""What is told in the background: in order, the newest of each kind, and never lost to a fault."""

from __future__ import annotations

import threading

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_worker.renderer.messenger import Messenger


def test_only_the_newest_of_a_kind_is_sent_while_the_link_is_busy() -> None:
    """A slow link carries how things stand, not how they stood."""
    messenger, sent = Messenger(), list[str]()
    messenger.start()
    is_sending, go_on = threading.Event(), threading.Event()

    def slow() -> None:
        is_sending.set()
        go_on.wait()

    messenger.send("slow", slow)
    is_sending.wait()
    for step in range(5):
        messenger.send("progress", lambda step=step: sent.append(f"step {step}"))  # type: ignore[misc]
        messenger.send("description", lambda step=step: sent.append(f"warm {step}"))  # type: ignore[misc]
    go_on.set()
    messenger.settle()
    assert sent == ["step 4", "warm 4"]


@pytest.mark.parametrize("error", [BrokerUnreachable("away"), KeyError("unexpected")])
def test_a_message_that_fails_is_told_and_holds_nothing_up(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """The next one is sent all the same."""
    messenger, sent = Messenger(), list[str]()
    messenger.start()

    def fail() -> None:
        raise error

    messenger.send("progress", fail)
    messenger.settle()
    messenger.send("progress", lambda: sent.append("well"))
    messenger.settle()
    assert sent == ["well"]
    assert "progress" in caplog.text
