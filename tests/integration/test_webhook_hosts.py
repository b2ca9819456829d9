"""What becomes of webhooks whose hosts are not on the public internet."""

from __future__ import annotations

import pytest
from support.command_line import Run
from support.manual_worker import apple
from support.running_farm import wait_until
from support.webhook_receiver import Reply, WebhookReceiver

from winepress import Client
from winepress.gateway.webhooks.deliverer import Deliverer
from winepress.gateway.webhooks.guard import WebhookGuard
from winepress_shared.settings import Settings


def test_a_host_that_is_refused_three_times_is_given_up(
    farm_settings: Settings,
) -> None:
    """It is not tried for hours; a receiver that failed before counts for itself."""
    settings = farm_settings.model_copy(
        update={"webhook_allow": ("127.0.0.1",), "webhook_first_retry_s": 0.01}
    )
    with WebhookReceiver(lambda message: Reply(500)) as receiver, Client(settings) as patient:
        patient.cancel(patient.submit(apple(), webhook=receiver.url).id)
        kind = Deliverer(patient, 4)
        wait_until(lambda: kind.deliver_next() and len(receiver.messages) == 3)
        refusing = Deliverer(patient, 4, WebhookGuard())
        for _ in range(3):
            wait_until(refusing.deliver_next)
        (listed,) = patient.outbox.deliveries(10)
        assert (listed.state, len(listed.tries)) == ("failed", 6)
        patient.outbox.replay(listed.id)
        assert refusing.deliver_next()
        (listed,) = patient.outbox.deliveries(10)
        assert listed.state == "waiting"


def test_a_submission_says_that_nothing_is_delivered_to_a_host(
    client: Client, farm_settings: Settings, run: Run, caplog: pytest.LogCaptureFixture
) -> None:
    """Where its text says so already: the gateway would refuse it."""
    client.outbox.look("here/1")
    for host in ("127.0.0.1", "localhost"):
        (warning,) = client.submit(apple(), webhook=f"http://{host}:9000/").warnings
        assert "webhook_allow" in warning
    allowing = farm_settings.model_copy(update={"webhook_allow": ("127.0.0.1",)})
    with Client(allowing) as allowed:
        assert allowed.submit(apple(), webhook="http://127.0.0.1:9000/").warnings == ()
    caplog.clear()
    words = ("submit", "text-to-image", "a fox", "--webhook", "http://10.0.0.1/")
    assert run(*words).returncode == 0
    assert "webhook_allow" in caplog.text
