"""Lets what takes tickets from the broker take only tickets of its lanes, and questions.

Anyone who may write to the broker can put any message there. So no message reaches Celery as it
came: an expected one is written anew, without anything that could steer a worker, and any other is
dropped and logged.
"""

from __future__ import annotations

import base64
import json
import logging
import uuid
from typing import Annotated, Any, Literal

from celery.worker.control import Panel
from kombu.transport import redis
from pydantic import BaseModel, ConfigDict, StringConstraints

from winepress_shared.broker import task_of

log = logging.getLogger(__name__)

#: For Celery's setting ``broker_transport``.
TRANSPORT = f"{__name__}:GatedTransport"
#: What Flower and ``celery inspect`` may ask a worker. ``enable_events``, which Flower sends every
#: few seconds, changes nothing: a worker sends events anyway.
QUESTIONS = frozenset(
    {
        *("active", "active_queues", "clock", "conf", "ping", "query_task", "registered", "report"),
        *("reserved", "revoked", "scheduled", "stats", "enable_events"),
    }
)
_CONTROL = ".pidbox"  #: how the name of the queue of questions ends
_MOST_CHARACTERS = 2**16  #: of a message's body
_SHOWN = 200  #: characters of a message in the log
#: What parsing and reading raise for malformed messages.
_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, RecursionError)

Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,64}$")]
Text = Annotated[str, StringConstraints(max_length=500)]


class _Properties(BaseModel):
    model_config = ConfigDict(strict=True)
    body_encoding: Literal["base64", "utf-8"] | None = None


class _Headers(BaseModel):
    model_config = ConfigDict(strict=True)
    task: Text | None = None  #: None in a question
    id: Id = "none"


class _Message(BaseModel):
    """A message as kombu lays it into Redis, as far as it is used."""

    model_config = ConfigDict(strict=True)
    body: Annotated[str, StringConstraints(max_length=_MOST_CHARACTERS)]
    properties: _Properties
    headers: _Headers

    def content(self) -> Any:
        """The body's JSON; raises ValueError or RecursionError."""
        text: str | bytes = self.body
        if self.properties.body_encoding == "base64":
            text = base64.b64decode(text, validate=True)
        return json.loads(text)


class _ReplyTo(BaseModel):
    model_config = ConfigDict(strict=True)
    exchange: Annotated[str, StringConstraints(pattern=r"^reply\.[a-z]{1,40}\.pidbox$")]
    routing_key: Text


class _Question(BaseModel):
    model_config = ConfigDict(strict=True)
    method: Text
    arguments: dict[str, Any] | None = None
    destination: list[Text] | None = None
    ticket: Text | None = None
    reply_to: _ReplyTo | None = None
    pattern: None = None  #: the question names workers, or is for all
    matcher: None = None


def as_expected(raw: object, queue: str) -> dict[str, Any]:
    """The message for Celery in place of ``raw``; raises `_UNREADABLE` for anything unexpected."""
    message = _Message.model_validate(raw)
    if queue.endswith(_CONTROL):
        question = _Question.model_validate(message.content())
        if question.method not in QUESTIONS:
            raise ValueError(f"a worker does not obey {question.method!r}")
        return _message(question.model_dump(exclude_none=True), {"clock": 0}, queue)
    if message.headers.task != task_of(queue):
        raise ValueError("not a ticket")
    _, arguments, _ = message.content()
    if arguments != {"lane": queue}:
        raise ValueError("a ticket of another lane")
    return _ticket(message.headers.id, queue)


def _ticket(task_id: str, lane: str) -> dict[str, Any]:
    """A ticket with nothing of the sender's but its id: no time limit, start time or callback."""
    headers: dict[str, Any] = {
        "lang": "py",
        "task": task_of(lane),
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "shadow": None,
        "eta": None,
        "expires": None,
        "retries": 0,
        "timelimit": [None, None],
        "argsrepr": "()",
        "kwargsrepr": f"lane={lane}",
        "origin": "",
        "ignore_result": True,
        "stamped_headers": None,
        "stamps": {},
    }
    body = [[], {"lane": lane}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return _message(body, headers, lane)


def _message(content: object, headers: dict[str, Any], queue: str) -> dict[str, Any]:
    return {
        "body": json.dumps(content),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": headers,
        "properties": {
            "delivery_tag": str(uuid.uuid4()),
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": queue},
            "priority": 0,
        },
    }


def forget_orders() -> None:
    """Remove all of Celery's remote-control commands but `QUESTIONS` from this process."""
    for name in set(Panel.data) - QUESTIONS:
        del Panel.data[name]


class _GatedQoS(redis.QoS):  # type: ignore[misc]  # kombu is untyped
    def restore_by_tag(self, tag: Any, client: Any = None, leftmost: bool = False) -> None:
        """Put a ticket back that a lost process had taken; anything else is dropped."""
        try:
            super().restore_by_tag(tag, client, leftmost)
        except _UNREADABLE as error:
            _say_dropped("a message that was not worked on", tag, error)
            with self.channel.conn_or_acquire(client) as connection:
                self._remove_from_indices(tag, connection.pipeline()).execute()


class _GatedChannel(redis.Channel):  # type: ignore[misc]
    QoS = _GatedQoS

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)
        except _UNREADABLE as error:
            if self.client.connection is None:
                raise  # nothing was read: kombu connects anew
            _say_dropped("an entry of a queue", "not JSON", error)
            return True

    def _receive_one(self, c: Any) -> Any:
        try:
            return super()._receive_one(c)
        except _UNREADABLE as error:
            if c.connection is None:
                raise
            _say_dropped("a broadcast", "not JSON", error)
            return False


class GatedTransport(redis.Transport):  # type: ignore[misc]
    """kombu's Redis, behind the gate."""

    Channel = _GatedChannel

    def _deliver(self, message: Any, queue: str) -> None:
        try:
            expected = as_expected(message, queue)
        except _UNREADABLE as error:
            _say_dropped(f"a message in {queue[:_SHOWN]!r}", message, error)
            return
        super()._deliver(expected, queue)


def _say_dropped(what: str, shown: object, error: Exception) -> None:
    try:
        text = repr(shown)[:_SHOWN]
    except _UNREADABLE:
        text = type(shown).__name__
    problem = str(error).splitlines()[-1:] or [""]
    reason = f"{type(error).__name__}: {problem[0][:_SHOWN]}"
    log.warning("%s was dropped: %s (%s)", what, text, reason)
