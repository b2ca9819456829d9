"""The list of deliveries names what was sent."""

from __future__ import annotations

import pytest
from support.manual_worker import LANE, ManualWorker, apple
from support.running_farm import wait_until

from winepress import Client
from winepress_shared.errors import NotFound
from winepress_shared.ledger.outbox import Due, Outbox, Try, TryOutcome
from winepress_shared.webhook import Webhook, WebhookEvent

HOLD_MS = 60_000
MADE = Try(at=1.0, status=204, ms=3)


def take(outbox: Outbox) -> Due:
    found = outbox.take(HOLD_MS)
    assert found is not None
    return found


def test_a_message_that_was_delivered_stays_listed_under_the_id_that_was_sent(
    client: Client, manual_worker: ManualWorker
) -> None:
    """Though a later one of its name was superseded; and by this id it is replayed."""
    outbox = client.outbox
    hook = Webhook("https://hooks.example/x", tuple(WebhookEvent))
    job = client.submit(apple(n=3), webhook=hook)
    sent = []
    for unit in range(2):
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
        assert part is not None
        manual_worker.ledger.start(part.fence, unit)
        manual_worker.ledger.commit(part.fence, unit, {"key": str(unit)})
        if unit == 0:
            wait_until(lambda: outbox.look("test/1")[0] == 2)
            sent = [take(outbox), take(outbox)]
            for one in sent:
                outbox.end_try(one, TryOutcome.DELIVERED, MADE)
    assert [one.event for one in sent] == ["start", "output"]
    client.cancel(job.id)
    end, *told = outbox.deliveries(10)
    assert end.event == "completed"
    assert {one.id: (one.state, len(one.tries)) for one in told} == {
        one.message_id: ("delivered", 1) for one in sent
    }
    outbox.end_try(take(outbox), TryOutcome.DELIVERED, MADE)
    outbox.replay(sent[1].message_id)
    assert take(outbox).message_id == sent[1].message_id
    with pytest.raises(NotFound):
        outbox.replay(f"{sent[1].delivery}_5")
