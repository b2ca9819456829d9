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
from contextlib import suppress
from functools import cached_property
from typing import Annotated, Any, Literal

from celery.worker.control import Panel
from kombu.transport import redis, virtual
from pydantic import BaseModel, ConfigDict, StringConstraints
from redis.exceptions import OutOfMemoryError

from winepress_shared.broker import BY_SENTINELS, task_of
from winepress_shared.sentinel_transport import SentinelChannel, SentinelTransport

log = logging.getLogger(__name__)

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
#: Adds a message to a queue. KEYS[1]: its list. ARGV: the message, its time to live (ms, 0: none).
_PUT = """#!lua flags=allow-oom
redis.call('LPUSH', KEYS[1], ARGV[1])
if ARGV[2] ~= '0' then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
"""
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
    """Keeps no record of messages in hand: a lost ticket is sent again, for the ledger knows.

    So a broker whose memory is full hands out tickets as long as it has any, and nothing that
    somebody wrote into that record is ever put into a queue.
    """

    def append(self, message: Any, delivery_tag: Any) -> None:
        """Count a message that is being worked on."""
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: Any) -> None:
        """A message is no longer worked on."""
        virtual.QoS.ack(self, delivery_tag)

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        """The same; whoever reconciles sends another ticket."""
        virtual.QoS.ack(self, delivery_tag)

    def restore_unacked(self, client: Any = None) -> None:
        """Forget the messages in hand."""
        self._delivered.clear()

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Nothing is restored."""


class _GatedChannel(redis.Channel):  # type: ignore[misc]
    QoS = _GatedQoS

    def _put(self, queue: str, message: Any, **options: Any) -> None:
        """Send a ticket, also to a server whose memory is full: work must go on, to free it."""
        arguments = [json.dumps(message), self._expires.get(queue, 0)]
        with self.conn_or_acquire() as client:
            self._put_script(keys=[queue], args=arguments, client=client)

    @cached_property
    def _put_script(self) -> Any:
        return self._create_client().register_script(_PUT)

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        try:
            super()._queue_bind(exchange, routing_key, pattern, queue)
        except OutOfMemoryError:  # what is published here names its queue
            log.warning("the broker's memory is full: queue %s is used without a binding", queue)

    def _refresh_bindings(self, queues: Any) -> None:
        with suppress(OutOfMemoryError):
            super()._refresh_bindings(queues)

    def sweep_bindings(self, *arguments: Any, **options: Any) -> None:
        """Remove bindings of queues that are gone, where the server has the memory for it."""
        with suppress(OutOfMemoryError):
            super().sweep_bindings(*arguments, **options)

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


class _GatedSentinelChannel(_GatedChannel, SentinelChannel):
    """The same, to the primary that Sentinels name."""


class GatedSentinelTransport(GatedTransport, SentinelTransport):
    """The same, to the primary that Sentinels name."""

    Channel = _GatedSentinelChannel


def put_gate_before(app: Any) -> None:
    """Have a Celery application take nothing from the broker but through here."""
    is_found = app.conf.broker_transport == BY_SENTINELS
    kind = GatedSentinelTransport if is_found else GatedTransport
    app.conf.update(broker_transport=f"{__name__}:{kind.__name__}")


def _say_dropped(what: str, shown: object, error: Exception) -> None:
    try:
        text = repr(shown)[:_SHOWN]
    except _UNREADABLE:
        text = type(shown).__name__
    problem = str(error).splitlines()[-1:] or [""]
    reason = f"{type(error).__name__}: {problem[0][:_SHOWN]}"
    log.warning("%s was dropped: %s (%s)", what, text, reason)
