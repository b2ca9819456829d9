"""The outbox: what webhooks are to be told, and how each delivery went.

A script that adds an event to a job with a webhook puts the delivery into the outbox in the same
step, see ``lua/prelude/2-events.lua``. A delivery that is taken and not ended comes again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, cast

from winepress_shared.documents import DeliveryDocument, TryDocument, read_document
from winepress_shared.errors import FailForGood, NotFound
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings
from winepress_shared.trace_context import TraceContext
from winepress_shared.webhook import QUEUE, WebhookEvent

GONE_MS = 10_000  #: a deliverer that was silent for this long counts no more
_PAGE = 500  #: deliveries per request
_MOST_LOOKED_AT = 20_000  #: deliveries that are searched
#: Ids of messages whose deliveries are without the time: at most one of each waits.
_OF_PROGRESS = re.compile(r"(.+_(?:start|output|logs))_([0-9]{1,15})")


class TryOutcome(StrEnum):
    """How a try to deliver ended."""

    DELIVERED = "delivered"
    AGAIN = "again"  #: it failed, and is repeated later
    FAILED = "failed"  #: and is not repeated
    UNWANTED = "unwanted"  #: and the receiver wants to hear no more of the job


@dataclass(frozen=True)
class Due:
    """A delivery to make now."""

    delivery: str
    job_id: str
    user: str  #: of the job
    event: WebhookEvent
    created_ms: int
    tries: int  #: made before
    traceparent: str = ""  #: of the span that submitted the job

    @property
    def message_id(self) -> str:
        """The same for every try, so that a receiver knows a repeated message."""
        return f"{self.job_id}_{self.event}_{self.created_ms}"

    @property
    def owner(self) -> str:
        """Whose secret signs it: the user, without a user of their own service after an "@"."""
        return self.user.partition("@")[0]


@dataclass(frozen=True)
class Try:
    """One try to deliver."""

    at: float  #: Unix seconds
    status: int | None  #: of HTTP; None: there was no answer
    ms: int  #: it took
    error: str = ""  #: why it failed


@dataclass(frozen=True)
class Delivery:
    """A message to a webhook, and its tries."""

    id: str  #: of the message, the ``webhook-id`` of every try
    job: str
    user: str
    event: str
    created: float  #: Unix seconds
    state: str  #: waiting, delivered, failed, or superseded by one that tells more
    tries: tuple[Try, ...] = ()  #: oldest first


class Outbox:
    """One farm's outbox; methods raise BrokerUnreachable."""

    def __init__(self, settings: Settings, server: ScriptServer | None = None) -> None:
        """``server`` is one that others use too; without it this opens its own."""
        self._prefix = f"{settings.farm}:"
        self._server = server or ScriptServer(settings, self._prefix)
        self._queue = f"{settings.farm}:queue:{QUEUE}"  #: see `broker.make_celery`

    def close(self) -> None:
        """Close the connections; they are reopened when needed."""
        self._server.close()

    # -- deliverers --------------------------------------------------------------------------

    def look(self, process: str) -> tuple[int, int]:
        """The number of deliveries that are due, and of queued tickets; ``process`` lives."""
        due, queued = self._server.run("due_deliveries", process, GONE_MS, self._queue)
        return due, queued

    def take(self, again_ms: int, passed: Collection[str] = ()) -> Due | None:
        """The delivery that has been due for longest, not of the owners ``passed``; None: no more.

        The end of a job comes again after ``again_ms`` unless `end_try` says otherwise.
        """
        found = self._server.run("take_delivery", again_ms, *passed)
        if found is None:
            return None
        delivery, job_id, user, event, created, tries, *traceparent = found
        traced = TraceContext.parse(traceparent[0] or "") if traceparent else None
        context = "" if traced is None else str(traced)
        return Due(delivery, job_id, user, WebhookEvent(event), created, tries, context)

    def end_try(self, due: Due, outcome: TryOutcome, made: Try, again_in_s: float = 0.0) -> None:
        """Record how a try ended; AGAIN repeats it after ``again_in_s``."""
        again_ms = int(again_in_s * 1000)
        self._server.run("end_try", due.delivery, outcome, again_ms, json.dumps(asdict(made)))

    def tries(self, due: Due) -> list[Try]:
        """The tries of a delivery since it was put into the outbox, oldest first."""
        if not due.tries:
            return []
        with self._server.reaching():
            lines = self._server.client.lrange(
                f"{self._prefix}tries:{due.delivery}", -due.tries, -1
            )
        return _read_tries(cast("list[str]", lines))

    def deliverers(self) -> list[str]:
        """The processes that deliver now."""
        with self._server.reaching():
            now, _ = self._server.client.time()
            key, since = f"{self._prefix}deliverers", now * 1000 - GONE_MS
            return cast("list[str]", self._server.client.zrangebyscore(key, since, "+inf"))

    # -- operators and owners ----------------------------------------------------------------

    def deliveries(
        self,
        limit: int,
        *,
        job_id: str | None = None,
        owner: str | None = None,
        failed: bool = False,
    ) -> list[Delivery]:
        """The newest deliveries, newest first: of a job, of an owner, or those that failed."""
        found: list[Delivery] = []
        for first in range(0, _MOST_LOOKED_AT, _PAGE):
            with self._server.reaching():
                listed = self._server.client.zrevrange(
                    f"{self._prefix}deliveries", first, first + _PAGE - 1
                )
            ids = cast("list[str]", listed)
            for one in self._read(ids):
                is_wanted = job_id in (None, one.job) and (not failed or one.state == "failed")
                if is_wanted and owner in (None, one.user.partition("@")[0]):
                    found.append(one)
            if len(found) >= limit or len(ids) < _PAGE:
                break
        return self._with_tries(found[:limit])

    def replay(self, message_id: str) -> None:
        """Deliver again, at once, under the same message id; raises NotFound."""
        delivery, created = _split(message_id)
        if not self._server.run("replay", delivery, created):
            raise NotFound(
                "no such delivery, or it is forgotten",
                value=message_id,
                hint="`winepress webhooks list` shows them",
            )

    def _read(self, ids: Sequence[str]) -> list[Delivery]:
        rows = self._server.hashes([f"{self._prefix}delivery:{one}" for one in ids])
        found = []
        for delivery, row in zip(ids, rows, strict=True):
            known = _read(DeliveryDocument, json.dumps(row))
            if known is not None:
                own = known.model_dump() | {"created": known.created / 1000}
                is_of_progress = known.event != WebhookEvent.COMPLETED
                message_id = f"{delivery}_{known.created}" if is_of_progress else delivery
                found.append(Delivery(message_id, **own))
        return found

    def _with_tries(self, found: Sequence[Delivery]) -> list[Delivery]:
        with self._server.reaching():
            pipe = self._server.client.pipeline(transaction=False)
            for one in found:
                pipe.lrange(f"{self._prefix}tries:{_split(one.id)[0]}", 0, -1)
            texts = cast("list[list[str]]", pipe.execute())
        return [
            Delivery(**(vars(one) | {"tries": tuple(_read_tries(lines))}))
            for one, lines in zip(found, texts, strict=True)
        ]


def _split(message_id: str) -> tuple[str, str]:
    """The delivery of a message, and when it was made where the delivery does not say it."""
    found = _OF_PROGRESS.fullmatch(message_id)
    return (found[1], found[2]) if found else (message_id, "")


def _read_tries(lines: Sequence[str]) -> list[Try]:
    known = (_read(TryDocument, text) for text in lines)
    return [Try(**one.model_dump()) for one in known if one is not None]


def _read(form: type[Any], text: str) -> Any:
    """What the broker holds; None if it is damaged: others may write there."""
    try:
        return read_document(form, text, "delivery")
    except FailForGood:
        return None
