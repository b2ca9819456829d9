"""Delivers what is in the outbox: one try after the other, each recorded."""

from __future__ import annotations

import logging
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from winepress.client import Client
from winepress.gateway.links import Links, read_link_secret
from winepress.gateway.webhooks.backoff import pause_s
from winepress.gateway.webhooks.guard import Unreachable, WebhookGuard
from winepress.gateway.webhooks.message import encode_message, take_snapshot
from winepress.gateway.webhooks.post import GONE, Answer, post
from winepress.gateway.webhooks.signing import read_secrets
from winepress_shared.errors import (
    FailForGood,
    InvalidJob,
    NotFound,
    ObjectMissing,
    StoreUnreachable,
)
from winepress_shared.ledger.outbox import Due, Try, TryOutcome
from winepress_shared.log_context import log_ids
from winepress_shared.trace_context import HEADER
from winepress_shared.tracing import Attributes, Kind, Span, Tracer, naming_trace
from winepress_shared.webhook import Webhook, WebhookEvent, read_destination

log = logging.getLogger(__name__)

_MOST_REFUSALS = 3  #: by the guard, until a delivery is given up
_LOOKUP_AND_STORE_S = 10.0  #: what a try may take beside the request itself


class Deliverer:
    """Makes deliveries for one farm; threads share it."""

    def __init__(
        self,
        client: Client,
        threads: int,
        guard: WebhookGuard | None = None,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        """``threads`` is how many call `deliver_next` at a time; for ``verify`` see `post`."""
        settings = client.settings
        self._client = client
        self._guard = guard or WebhookGuard(settings.webhook_allow)
        self._verify = verify or ssl.create_default_context()  # reads all authorities
        self._links = Links(read_link_secret(client))
        self._again_ms = int((settings.webhook_timeout_s + _LOOKUP_AND_STORE_S) * 1000)
        # The receivers of one owner, if they are slow, leave half of the threads to others.
        self._most_of_owner = max(1, threads // 2)
        self._busy: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def busy(self) -> int:
        """Deliveries in hand."""
        with self._lock:
            return self._busy.total()

    def deliver_next(self) -> bool:
        """Make one try of what has been due for longest; False if nothing is due.

        Raises BrokerUnreachable.
        """
        with self._lock:
            passed = [one for one, count in self._busy.items() if count >= self._most_of_owner]
        due = self._client.outbox.take(self._again_ms, passed)
        if due is None:
            return False
        ids = {"job": due.job_id, "webhook": due.message_id}
        with self._in_hand(due.owner), log_ids(ids), naming_trace([due.traceparent]):
            self._try(due)
        return True

    @contextmanager
    def _in_hand(self, owner: str) -> Iterator[None]:
        with self._lock:
            self._busy[owner] += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy[owner] -= 1
                if not self._busy[owner]:
                    del self._busy[owner]

    def _try(self, due: Due) -> None:
        at, began = time.time(), time.monotonic()
        span = self._begin_span(due)
        try:
            answer = self._send(due, span.traceparent)
            _tell(span, answer)
        except StoreUnreachable as error:
            # The outbox brings it again after a while; no try of the receiver is counted.
            log.warning("%s waits: %s", due.message_id, error)
            span.fail(error)
            return
        finally:
            span.end()
        made = Try(at, answer.status, round((time.monotonic() - began) * 1000), answer.error)
        outcome = self._outcome(due, answer)
        settings = self._client.settings
        again_s = pause_s(due.tries + 1, settings.webhook_first_retry_s, answer.retry_after_s)
        self._client.outbox.end_try(due, outcome, made, again_s)
        log.info("%s: %s after %d ms %s", due.message_id, outcome, made.ms, answer.error)

    def _begin_span(self, due: Due) -> Span:
        """The span of a try, by the conventions of HTTP; without the address, which may be secret.

        A job without a trace gets none now.
        """
        tracer = self._client.tracer if due.traceparent else Tracer()
        told: Attributes = {
            "http.request.method": "POST",
            "http.request.resend_count": due.tries,
            "messaging.message.id": due.job_id,
            "winepress.event": str(due.event),
        }
        return tracer.begin("POST", Kind.CLIENT, due.traceparent, told)

    def _send(self, due: Due, traceparent: str) -> Answer:
        """Make the message and send it; raises StoreUnreachable and BrokerUnreachable."""
        try:
            record = self._client.archive.read_job(due.job_id)
            webhook = record.webhook
            if webhook is None:
                return Answer(None, "the job has no webhook", is_final=True)
            snapshot = take_snapshot(self._client, self._links, record, webhook)
            body = encode_message(snapshot, due.event, webhook.form)
        except (FailForGood, InvalidJob, NotFound, ObjectMissing) as error:
            return Answer(None, f"there is nothing to tell: {error.message}", is_final=True)
        try:
            return self._post(due, webhook, body, traceparent)
        except (FailForGood, Unreachable) as error:  # the host or its secret may be put right
            return Answer(None, error.message)
        except InvalidJob as error:
            tries = self._client.outbox.tries(due)
            refusals = sum(one.error == error.message for one in tries) + 1
            return Answer(None, error.message, is_final=refusals >= _MOST_REFUSALS)

    def _post(self, due: Due, webhook: Webhook, body: bytes, traceparent: str) -> Answer:
        destination = read_destination(webhook.url)
        addresses = self._guard.addresses(destination)
        headers = read_secrets(self._client.archive.store, due.owner).headers(due.message_id, body)
        if traceparent:
            headers |= {HEADER: traceparent}
        timeout_s = self._client.settings.webhook_timeout_s
        return post(destination, addresses, body, headers, timeout_s, self._verify)

    def _outcome(self, due: Due, answer: Answer) -> TryOutcome:
        if not answer.error:
            return TryOutcome.DELIVERED
        if answer.status == GONE:
            return TryOutcome.UNWANTED
        is_last = due.tries + 1 >= self._client.settings.webhook_tries
        if due.event is WebhookEvent.COMPLETED and not is_last and not answer.is_final:
            return TryOutcome.AGAIN
        return TryOutcome.FAILED


def _tell(span: Span, answer: Answer) -> None:
    if answer.status is not None:
        span.put({"http.response.status_code": answer.status})
    if answer.error:
        span.fail("no answer" if answer.status is None else str(answer.status))
