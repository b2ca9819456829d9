"""A deliverer tells receivers what happened to jobs, and records how that went."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from openai import OpenAI
from standardwebhooks import Webhook as Verifier
from support.command_line import Run, lines
from support.manual_worker import LANE, ManualWorker, apple
from support.running_farm import wait_until
from support.running_gateway import RunningGateway
from support.webhook_receiver import Message, Reply, WebhookReceiver

from winepress import Client
from winepress.gateway.webhooks import message
from winepress.gateway.webhooks.deliverer import Deliverer
from winepress.gateway.webhooks.guard import WebhookGuard
from winepress.gateway.webhooks.signing import read_secrets, rotate_secret
from winepress_shared.errors import InvalidJob
from winepress_shared.settings import Settings
from winepress_shared.webhook import Webhook, WebhookEvent


@pytest.fixture
def farm_settings(farm_settings: Settings) -> Settings:
    """The same, with quick retries, and receivers on this machine."""
    return farm_settings.model_copy(
        update={
            "webhook_allow": ("127.0.0.1",),
            "webhook_first_retry_s": 0.01,
            "webhook_tries": 3,
            "webhook_timeout_s": 20.0,
        }
    )


def statuses(*codes: int) -> Callable[[Message], Reply]:
    """Answers with these, one after the other."""
    left = iter(codes)
    return lambda message: Reply(next(left))


def deliver_all(client: Client, messages: int, receiver: WebhookReceiver) -> None:
    """Deliver until the receiver has had so many messages."""
    deliverer = Deliverer(client, 4)
    wait_until(lambda: deliverer.deliver_next() or len(receiver.messages) >= messages)
    wait_until(lambda: not deliverer.deliver_next() and len(receiver.messages) >= messages)


def test_a_receiver_gets_the_job_with_its_results_and_can_verify_it(
    client: Client, manual_worker: ManualWorker
) -> None:
    """By the reference library and by OpenAI's own client."""
    with WebhookReceiver() as receiver:
        hook = Webhook(receiver.url, tuple(WebhookEvent), "https://pictures.example/")
        job = client.submit(apple(n=2), webhook=hook, user="ada@x", warnings=["mind the gap"])
        manual_worker.work(LANE, failing=[1])
        deliver_all(client, 2, receiver)
    start, end = receiver.messages
    assert (start.content["type"], end.content["type"]) == ("job.start", "job.completed")
    data = end.content["data"]
    assert (data["id"], data["state"], data["user"]) == (job.id, "failed", "ada@x")
    assert "mind the gap" in data["warnings"]
    (output,), (failure,) = data["outputs"], data["failures"]
    assert output["url"].startswith(
        f"https://pictures.example/v1/jobs/{job.id}/outputs/000000.png?"
    )
    assert (failure["unit"], failure["message"]) == (1, "told to")
    secret = read_secrets(client.archive.store, "ada").current
    Verifier(secret).verify(end.body, end.headers)
    with OpenAI(api_key="none", base_url="http://127.0.0.1:1") as openai:
        event = openai.webhooks.unwrap(end.body.decode(), end.headers, secret=secret)
    assert str(event.type) == "job.completed"
    rotate_secret(client.archive.store, "ada")
    Verifier(secret).verify(end.body, end.headers)


def test_a_message_lists_so_many_outputs_and_says_that_there_are_more(
    client: Client, manual_worker: ManualWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of ten thousand pictures is no body of megabytes; its results are at a link."""
    monkeypatch.setattr(message, "MOST_LISTED", 2)
    with WebhookReceiver() as receiver:
        for count in (2, 3):
            client.submit(apple(n=count), webhook=receiver.url)
            manual_worker.work(LANE)
        deliver_all(client, 2, receiver)
    found = [one.content["data"] for one in receiver.messages]
    assert [(len(one["outputs"]), one["is_cut"]) for one in found] == [(2, False), (2, True)]
    assert found[1]["links"]["results"].endswith("/results")


def test_a_failed_delivery_is_repeated_under_its_id_until_it_is_accepted(client: Client) -> None:
    """Every try is recorded, with what the receiver answered."""
    with WebhookReceiver(statuses(500, 302, 204)) as receiver:
        client.cancel(client.submit(apple(), webhook=receiver.url).id)
        deliver_all(client, 3, receiver)
    assert len({message.id for message in receiver.messages}) == 1
    (listed,) = client.outbox.deliveries(10)
    assert [one.status for one in listed.tries] == [500, 302, 204]
    assert (listed.state, listed.tries[-1].error) == ("delivered", "")


def test_after_the_last_try_it_is_given_up_and_can_be_replayed(client: Client, run: Run) -> None:
    """By its id, or with all others that failed."""
    with WebhookReceiver(statuses(500, 500, 500, 204)) as receiver:
        client.cancel(client.submit(apple(), webhook=receiver.url).id)
        deliver_all(client, 3, receiver)
        (shown,) = lines(run("webhooks", "list", "--failed", "--json"))
        assert (shown["state"], len(shown["tries"])) == ("failed", 3)
        assert "the receiver answered 500" in run("webhooks", "list").stdout
        assert run("webhooks", "replay", "--failed").returncode == 0
        deliver_all(client, 4, receiver)
    assert len({message.id for message in receiver.messages}) == 1
    assert lines(run("webhooks", "list", "--failed", "--json")) == []
    assert run("webhooks", "replay", "nonesuch").returncode == 4
    assert run("webhooks", "replay").returncode == 2


def test_messages_before_the_end_are_sent_once(client: Client, manual_worker: ManualWorker) -> None:
    """The next one tells more."""
    with WebhookReceiver(statuses(500, 204)) as receiver:
        client.submit(apple(), webhook=Webhook(receiver.url, tuple(WebhookEvent)))
        manual_worker.work(LANE)
        deliver_all(client, 2, receiver)
    assert [one.content["type"] for one in receiver.messages] == ["job.start", "job.completed"]


def test_410_ends_the_messages_of_a_job(client: Client, manual_worker: ManualWorker) -> None:
    """And is not repeated."""
    with WebhookReceiver(statuses(410)) as receiver:
        client.submit(apple(), webhook=Webhook(receiver.url, tuple(WebhookEvent)))
        part = manual_worker.ledger.claim(LANE, "manual", manual_worker.holder, 1)
        assert part is not None
        deliver_all(client, 1, receiver)
        manual_worker.ledger.release(part.fence, manual_worker.holder)
        manual_worker.work(LANE)
        assert not Deliverer(client, 4).deliver_next()
    assert len(receiver.messages) == 1


def test_a_host_is_checked_again_at_every_delivery(client: Client) -> None:
    """What was public at the submission may be something else now."""
    with WebhookReceiver() as receiver:
        client.cancel(client.submit(apple(), webhook=receiver.url).id)
        Deliverer(client, 4, WebhookGuard()).deliver_next()
        assert receiver.messages == []
    (listed,) = client.outbox.deliveries(10)
    assert "not on the public internet" in listed.tries[0].error


def test_a_job_that_is_no_longer_there_ends_its_messages(client: Client) -> None:
    """Nothing is left to tell, so it is not tried a dozen times."""
    with WebhookReceiver() as receiver:
        job = client.submit(apple(), webhook=receiver.url)
        client.cancel(job.id)
        client.archive.store.delete(f"jobs/{job.id}/job.json")
        Deliverer(client, 4).deliver_next()
        assert receiver.messages == []
    (listed,) = client.outbox.deliveries(10)
    assert listed.state == "failed"
    assert "nothing to tell" in listed.tries[0].error


def test_one_owner_s_slow_receivers_take_half_of_the_threads(client: Client) -> None:
    """The messages of others go past them."""
    over = threading.Event()

    def wait(message: Message) -> Reply:
        over.wait(60)
        return Reply()

    with WebhookReceiver(wait) as slow, WebhookReceiver() as quick:
        for user, receiver in (("ada", slow), ("ada@x", slow), ("ada", slow), ("bob", quick)):
            client.cancel(client.submit(apple(), webhook=receiver.url, user=user).id)
        deliverer = Deliverer(client, 4)
        threads = [threading.Thread(target=deliverer.deliver_next) for _ in range(2)]
        for thread in threads:
            thread.start()
        wait_until(lambda: deliverer.busy == 2)
        assert deliverer.deliver_next()
        assert len(quick.messages) == 1
        assert not deliverer.deliver_next()
        over.set()
        for thread in threads:
            thread.join()
        assert deliverer.deliver_next()
        assert len(slow.messages) == 3


def test_a_submission_says_that_nothing_delivers(client: Client) -> None:
    """Else somebody would wait for messages without a sign."""
    url = "https://hooks.example/x"
    assert "webhooks run" in client.submit(apple(), webhook=url).warnings[0]
    assert client.submit(apple()).warnings == ()
    client.outbox.look("here/1")
    assert client.submit(apple(), webhook=url).warnings == ()


def test_the_command_line_names_a_webhook(client: Client, run: Run) -> None:
    """With the events it is told of; a wrong one is refused before anything is queued."""
    words = ("submit", "text-to-image", "a fox", "--json")
    url = "https://hooks.example/x"
    done = run(*words, "--webhook", url, "--webhook-events", "start,completed")
    (job,) = lines(done)
    stored = client.archive.read_job(job["id"]).webhook
    assert stored == Webhook(url, (WebhookEvent.START, WebhookEvent.COMPLETED))
    assert run(*words, "--webhook", "ftp://x").returncode == 4
    assert run(*words, "--webhook", url, "--webhook-events", "end").returncode == 4
    assert run(*words, "--webhook-events", "start").returncode == 4


def test_the_command_line_shows_and_changes_the_secret(client: Client, run: Run) -> None:
    """Of oneself, or of a user; it is what signs."""
    first = run("webhooks", "secret", "--user", "ada").stdout.strip()
    assert first == read_secrets(client.archive.store, "ada").current
    (rotated,) = lines(run("webhooks", "secret", "--user", "ada", "--rotate", "--json"))
    assert rotated["key"] != first
    assert read_secrets(client.archive.store, "ada").secrets == (rotated["key"], first)
    assert run("webhooks", "secret", "--user", "../x").returncode == 4


def test_a_request_to_the_gateway_names_a_webhook(
    client: Client, farm_settings: Settings, manual_worker: ManualWorker
) -> None:
    """Links in its messages begin with the address by which the job came."""
    with WebhookReceiver() as receiver, RunningGateway(farm_settings) as gateway:
        events = ["completed", "start"]
        job = gateway.submit(webhook=receiver.url, webhook_events_filter=events)
        manual_worker.work(LANE)
        deliver_all(client, 2, receiver)
        end = receiver.messages[-1]
        picture = gateway.http.get(end.content["data"]["outputs"][0]["url"])
        assert picture.content.startswith(b"\x89PNG")
        secret = gateway.http.get("/v1/webhooks/default/secret").json()["key"]
        Verifier(secret).verify(end.body, end.headers)
        listed = gateway.http.get("/v1/webhooks", params={"job": job["id"]}).json()["deliveries"]
        assert [one["event"] for one in listed] == ["completed", "start"]
        assert listed[0]["tries"][0]["status"] == 204


@pytest.mark.parametrize(
    "fields",
    [
        {"webhook": "http://169.254.169.254/"},
        {"webhook": "http://127.0.0.2:9000/"},
        {"webhook": "http://[::ffff:127.0.0.1]/"},
        {"webhook": "http://2130706433/"},
        {"webhook": 7},
        {"webhook": "https://hooks.example/", "webhook_events_filter": ["end"]},
        {"webhook_events_filter": ["completed"]},
    ],
)
def test_the_gateway_refuses_a_webhook_that_could_not_be_served(
    client: Client, farm_settings: Settings, fields: dict[str, object]
) -> None:
    """With 422 and a reason, before anything is queued."""
    with RunningGateway(farm_settings) as gateway:
        answer = gateway.http.post("/v1/jobs", json={"prompt": "a fox"} | fields)
    assert answer.status_code == 422
    assert answer.json()["field"].startswith("webhook")
    assert client.list() == []


def test_a_client_refuses_an_address_that_is_none(client: Client) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidJob, match="webhook"):
        client.submit(apple(), webhook="ftp://example.com/")
