"""What happens to a job with a webhook is in the outbox, and leaves it once it is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import pytest
import redis
from support.manual_worker import LANE, ManualWorker, apple, forget_farm
from support.running_farm import wait_until

from winepress import Client
from winepress_shared.errors import NotFound
from winepress_shared.ledger.outbox import Due, Outbox, Try, TryOutcome
from winepress_shared.settings import Settings
from winepress_shared.webhook import Webhook, WebhookEvent

URL = "https://hooks.example/x"
EVERY = Webhook(URL, tuple(WebhookEvent))
HOLD_MS = 60_000
MADE = Try(at=1.0, status=500, ms=7, error="the receiver answered 500")


@pytest.fixture
def outbox(farm_settings: Settings) -> Iterator[Outbox]:
    one = Outbox(farm_settings)
    yield one
    one.close()


@pytest.fixture
def broker(farm_settings: Settings) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(
        farm_settings.broker_url.get_secret_value(), decode_responses=True
    ) as server:
        yield server


def take(outbox: Outbox, *passed: str) -> Due:
    found = outbox.take(HOLD_MS, passed)
    assert found is not None
    return found


def waiting(broker: redis.Redis, settings: Settings) -> list[str]:
    return cast("list[str]", broker.zrange(f"{settings.farm}:outbox", 0, -1))


def await_next_millisecond(broker: redis.Redis) -> None:
    """Deliveries of one millisecond have no order."""
    began = broker.time()
    wait_until(lambda: broker.time()[1] // 1000 != began[1] // 1000)


def test_a_job_without_a_webhook_puts_nothing_there(
    client: Client, manual_worker: ManualWorker, outbox: Outbox
) -> None:
    """And most jobs have none."""
    client.submit(apple())
    manual_worker.work(LANE)
    assert outbox.take(HOLD_MS) is None
    assert outbox.deliveries(10) == []


@pytest.mark.parametrize("end", ["succeeded", "failed", "canceled", "expired"])
def test_every_end_of_a_job_is_told(
    client: Client, manual_worker: ManualWorker, outbox: Outbox, end: str
) -> None:
    """Once, whoever ended it."""
    expires = 0.001 if end == "expired" else None
    job = client.submit(apple(), webhook=URL, expires_in=expires)
    if end == "canceled":
        client.cancel(job.id)
    else:
        manual_worker.work(LANE, failing=[0] if end == "failed" else ())
    assert job.status().state == end
    due = take(outbox)
    assert (due.job_id, due.event, due.tries) == (job.id, "completed", 0)
    assert due.message_id == due.delivery
    assert outbox.take(HOLD_MS) is None


def test_a_job_that_is_retried_ends_twice_and_both_are_told(
    client: Client, manual_worker: ManualWorker, outbox: Outbox
) -> None:
    """Under two ids: the second is no repetition of the first."""
    job = client.submit(apple(), webhook=URL)
    manual_worker.work(LANE, failing=[0])
    client.retry(job.id)
    manual_worker.work(LANE)
    assert take(outbox).message_id != take(outbox).message_id


def test_of_its_progress_at_most_one_message_waits(
    client: Client,
    manual_worker: ManualWorker,
    outbox: Outbox,
    farm_settings: Settings,
    broker: redis.Redis,
) -> None:
    """It is due half a second after the first event, so that is how often one is sent."""
    job = client.submit(apple(n=40), webhook=EVERY)
    part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 40)
    assert part is not None
    manual_worker.ledger.progress(part.fence, 0, 1, 2)
    assert waiting(broker, farm_settings) == [f"{job.id}_start", f"{job.id}_logs"]
    for unit in part.units[:-1]:
        manual_worker.ledger.start(part.fence, unit)
        manual_worker.ledger.progress(part.fence, unit, 1, 2)
        manual_worker.ledger.commit(part.fence, unit, {"key": str(unit)})
    assert waiting(broker, farm_settings) == [f"{job.id}_start", f"{job.id}_output"]
    due = broker.zscore(f"{farm_settings.farm}:outbox", f"{job.id}_output")
    first = next(one for one in client.ledger.events(job.id) if one.name == "progress")
    assert due is not None
    assert round(due - first.at * 1000) == 500
    assert [take(outbox).event] == ["start"]
    wait_until(lambda: outbox.look("test/1")[0] == 1)
    assert take(outbox).event == "output"
    assert waiting(broker, farm_settings) == []


def test_the_end_makes_what_waits_needless(
    client: Client,
    outbox: Outbox,
    farm_settings: Settings,
    broker: redis.Redis,
    manual_worker: ManualWorker,
) -> None:
    """Nobody hears of progress after the end; and the list shows only what was sent."""
    job = client.submit(apple(n=2), webhook=Webhook(URL, tuple(WebhookEvent)[1:]))
    manual_worker.work(LANE)
    (only,) = waiting(broker, farm_settings)
    assert only.startswith(f"{job.id}_completed_")
    assert [one.id for one in outbox.deliveries(10)] == [only]


def test_progress_goes_on_to_be_told_without_the_end(
    client: Client, farm_settings: Settings, broker: redis.Redis, manual_worker: ManualWorker
) -> None:
    """The last picture is an output too."""
    job = client.submit(apple(n=2), webhook=Webhook(URL, (WebhookEvent.OUTPUT,)))
    manual_worker.work(LANE)
    assert waiting(broker, farm_settings) == [f"{job.id}_output"]


def test_a_job_starts_once_however_often_it_is_given_back(
    client: Client, manual_worker: ManualWorker, outbox: Outbox
) -> None:
    """A worker that hands its slice back is no news."""
    client.submit(apple(), webhook=EVERY)
    for _ in range(3):
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
        assert part is not None
        manual_worker.ledger.release(part.fence, manual_worker.holder)
    assert take(outbox).event == "start"
    assert outbox.take(HOLD_MS) is None


def test_what_a_deliverer_took_with_it_comes_again_under_the_same_id(
    client: Client, outbox: Outbox
) -> None:
    """It was killed between the request and its record; the receiver knows the id."""
    client.cancel(client.submit(apple(), webhook=URL).id)
    first = outbox.take(50)
    assert first is not None
    wait_until(lambda: outbox.look("test/1")[0] == 1)
    again = take(outbox)
    assert again == first


def test_a_failed_try_is_recorded_and_repeated(client: Client, outbox: Outbox) -> None:
    """With its number, its status and its reason; and the last one ends it."""
    client.cancel(client.submit(apple(), webhook=URL).id)
    outbox.end_try(take(outbox), TryOutcome.AGAIN, MADE, 0.01)
    wait_until(lambda: outbox.look("test/1")[0] == 1)
    again = take(outbox)
    assert again.tries == 1
    (listed,) = outbox.deliveries(10)
    assert (listed.state, listed.tries) == ("waiting", (MADE,))
    outbox.end_try(again, TryOutcome.FAILED, MADE)
    (listed,) = outbox.deliveries(10, failed=True)
    assert (listed.state, len(listed.tries)) == ("failed", 2)
    assert outbox.look("test/1") == (0, 0)


def test_a_late_deliverer_undoes_nothing(client: Client, outbox: Outbox) -> None:
    """It was frozen; another one has delivered meanwhile."""
    client.cancel(client.submit(apple(), webhook=URL).id)
    late = take(outbox)
    outbox.end_try(late, TryOutcome.DELIVERED, Try(1.0, 204, 3))
    outbox.end_try(late, TryOutcome.AGAIN, MADE, 0.0)
    (listed,) = outbox.deliveries(10)
    assert listed.state == "delivered"
    assert outbox.look("test/1")[0] == 0


def test_a_receiver_that_wants_no_more_gets_no_more(
    client: Client, manual_worker: ManualWorker, outbox: Outbox
) -> None:
    """Not even of the end."""
    client.submit(apple(), webhook=EVERY)
    part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
    assert part is not None
    outbox.end_try(take(outbox), TryOutcome.UNWANTED, MADE)
    manual_worker.ledger.release(part.fence, manual_worker.holder)
    manual_worker.work(LANE)
    assert outbox.take(HOLD_MS) is None
    assert [one.state for one in outbox.deliveries(10)] == ["failed"]


def test_a_delivery_is_replayed_under_its_own_id(client: Client, outbox: Outbox) -> None:
    """By hand, after the receiver was mended."""
    client.cancel(client.submit(apple(), webhook=URL).id)
    first = take(outbox)
    outbox.end_try(first, TryOutcome.FAILED, MADE)
    outbox.replay(first.delivery)
    again = take(outbox)
    assert (again.message_id, again.tries) == (first.message_id, 0)
    with pytest.raises(NotFound):
        outbox.replay("j1_completed_5")


def test_deliveries_are_found_by_job_owner_and_failure(
    client: Client, outbox: Outbox, broker: redis.Redis
) -> None:
    """Newest first, also those of a user's own users."""
    users = ("ada", "ada@x", "adam", "bob")
    jobs = [client.submit(apple(), webhook=URL, user=user) for user in users]
    for job in jobs:
        client.cancel(job.id)
        await_next_millisecond(broker)
    assert [one.user for one in outbox.deliveries(10)] == ["bob", "adam", "ada@x", "ada"]
    assert [one.user for one in outbox.deliveries(10, owner="ada")] == ["ada@x", "ada"]
    assert [one.job for one in outbox.deliveries(10, job_id=jobs[2].id)] == [jobs[2].id]
    assert len(outbox.deliveries(3)) == 3
    assert outbox.deliveries(10, failed=True) == []


def test_a_busy_owner_is_passed_over(client: Client, outbox: Outbox) -> None:
    """Their slow receivers hold up nobody else."""
    for user in ("ada", "ada@x", "bob"):
        client.cancel(client.submit(apple(), webhook=URL, user=user).id)
    assert take(outbox, "ada").user == "bob"
    assert outbox.take(HOLD_MS, ["ada", "bob"]) is None
    assert take(outbox).owner == "ada"


def test_a_recovered_job_still_has_its_webhook(
    client: Client, manual_worker: ManualWorker, outbox: Outbox, farm_settings: Settings
) -> None:
    """The broker is disposable: the address is in the store."""
    job = client.submit(apple(), webhook=EVERY)
    forget_farm(farm_settings)
    assert [one.id for one in client.recover()] == [job.id]
    manual_worker.work(LANE)
    assert take(outbox).job_id == job.id
    stored = client.archive.read_job(job.id).webhook
    assert stored == EVERY
    assert stored.url == URL


def test_entries_of_others_do_no_harm(
    client: Client, outbox: Outbox, farm_settings: Settings, broker: redis.Redis
) -> None:
    """Whoever may write to the broker may write nonsense there."""
    client.cancel(client.submit(apple(), webhook=URL).id)
    prefix = farm_settings.farm
    broker.zadd(f"{prefix}:outbox", {"nonsense": 0, "": 1})
    broker.zadd(f"{prefix}:deliveries", {"nonsense": 0, "x": 2e12})
    broker.hset(f"{prefix}:delivery:x", mapping={"job": "../x", "created": "soon"})
    broker.hset(f"{prefix}:delivery:bad", mapping={"job": "j1", "event": "completed"})
    broker.set(f"{prefix}:delivery:worse", "1")
    broker.zadd(f"{prefix}:outbox", {"bad": 0, "worse": 0})
    due = take(outbox)
    broker.rpush(f"{prefix}:tries:{due.delivery}", "nonsense", '{"at": -1}')
    assert [one.tries for one in outbox.deliveries(10)] == [()]


def test_old_deliveries_are_forgotten(
    client: Client, outbox: Outbox, farm_settings: Settings, broker: redis.Redis
) -> None:
    """A farm where nothing delivers does not fill the broker."""
    broker.zadd(f"{farm_settings.farm}:outbox", {"old": 1})
    broker.zadd(f"{farm_settings.farm}:deliveries", {"old": 1})
    client.cancel(client.submit(apple(), webhook=URL).id)
    (only,) = waiting(broker, farm_settings)
    assert [one.id for one in outbox.deliveries(10)] == [only]
    left_ms = broker.pttl(f"{farm_settings.farm}:delivery:{only}")
    assert 0 < left_ms <= 7 * 86_400_000


def test_who_delivers_is_known(outbox: Outbox) -> None:
    """A submission warns where nobody does."""
    assert outbox.deliverers() == []
    outbox.look("here/7")
    assert outbox.deliverers() == ["here/7"]
