"""The rights of each role in the broker, as Valkey's file of users.

Valkey checks each command of a script with the rights of its caller, and a producer's scripts
change the rows that describe running jobs. So a producer cannot change workers, pauses and remote
control, but can change other producers' jobs; SECURITY.md explains the consequences.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, quote, urlencode

from pydantic import SecretStr

from winepress_deploy.credentials import Credentials
from winepress_deploy.roles import Role
from winepress_shared.broker_url import split_broker_url

#: The operator's user: Valkey's default, which a URL without a user name means.
_DEFAULT = "default"
#: Tracking and the list of channels would name what every role and every other farm writes.
_COMMANDS = (
    "-@all +@read +@write +@connection +@transaction +@pubsub -@scripting -@dangerous -@admin "
    "-scan -randomkey -client|tracking -pubsub +time +eval +evalsha +script|load +script|exists"
)
_JOBS = (
    "job:*",
    "jobs",
    "jobs:*",
    "idem:*",
    "expiries",
    "old",
    "due",
    "dead",
    "open",
    "open_by_user",
)
_SUBMISSIONS = ("pending", "withdrawn", "synced", "written")
_UNITS = ("retry:*", "attempts:*", "failers:*", "done:*", "units:*", "unread:*")
_LANES = (
    *("lanes", "lane_served", "priority_served:*", "waiting_lanes:*", "ready:*", "waits:*"),
    *("aside:*", "turn"),
)
_LEASES = ("slices", "leases", "lease:*", "job_leases:*", "held:*")
_EVENTS = ("events:*", "watched:*", "wake:*", "job_counts")
_HOOKS = ("outbox", "deliveries", "delivery:*", "tries:*")
#: Keys of the ledger that a producer's scripts write; the names are those of the key table. What is
#: not here only workers and the operator write.
PRODUCER_WRITES = (*_JOBS, *_SUBMISSIONS, *_UNITS, *_LANES, *_LEASES, *_EVENTS, *_HOOKS)
#: Keys that the gateway writes beside those: what was done with each of its own keys, requests that
#: a client may repeat, and who delivers webhooks.
GATEWAY_WRITES = (
    *("key_rate:*", "key_jobs:*", "key_units:*", "key_counted:*", "key_steps:*"),
    *("repeat:*", "deliverers", "delivery_counts"),
)
#: The queue of what delivers webhooks.
_DELIVERY = ("queue:webhooks",)
#: Queues of lanes, whose names have a dot, and films.
_QUEUES = ("queue:*.*", "queue:film")
#: Remote control and events. Subscribing to a pattern requires the right to that exact pattern.
_ORDERS, _FLOWER_EVENTS = "queue:/0.celery.pidbox", "queue:/0.celeryev/*"

#: Who may read the broker's INFO, for metrics: it tells of memory and files, and of no keys.
_ASK_THE_SERVER = (Role.OPERATOR, Role.GATEWAY)
#: Options of a URL that would override the user set in it.
_LOGIN_OPTIONS = ("username", "password")


def url_of(role: Role, url: SecretStr, credentials: Credentials) -> SecretStr:
    """``url`` with its user and password replaced by those of one role."""
    parts = split_broker_url(url.get_secret_value())
    password = credentials.of(role).broker_password.get_secret_value()
    user = "" if role is Role.OPERATOR else role.value  # the default user needs no name
    host = parts.netloc.rpartition("@")[2]
    options = [pair for pair in parse_qsl(parts.query) if pair[0] not in _LOGIN_OPTIONS]
    login = f"{user}:{quote(password, safe='')}@{host}"
    return SecretStr(parts._replace(netloc=login, query=urlencode(options)).geturl())


def users(farm: str, credentials: Credentials) -> str:
    """Valkey's file of users, one line per role, with passwords as SHA-256."""
    return "".join(
        f"user {_DEFAULT if role is Role.OPERATOR else role} on {_hashed(credentials, role)} "
        f"resetkeys resetchannels {' '.join(_keys(role, farm))} {_COMMANDS}"
        f"{' +info' if role in _ASK_THE_SERVER else ''}"
        f"{' +acl|load' if role is Role.OPERATOR else ''}\n"
        for role in Role
    )


def _hashed(credentials: Credentials, role: Role) -> str:
    passwords = (key.broker_password.get_secret_value() for key in credentials.accepted(role))
    return " ".join(f"#{hashlib.sha256(one.encode()).hexdigest()}" for one in passwords)


def _keys(role: Role, farm: str) -> list[str]:
    """Patterns of keys (``~``, read only ``%R~``) and channels (``&``)."""
    events = f"&{farm}:{_FLOWER_EVENTS}"
    fanout = [f"&{farm}:{_ORDERS}", events]
    if role is Role.FLOWER:
        return [f"~{farm}:queue:*", *fanout]
    if role in (Role.PRODUCER, Role.GATEWAY):
        # A script gets the bare prefix as its key and builds the other keys itself.
        is_gateway = role is Role.GATEWAY
        own = (*GATEWAY_WRITES, *_DELIVERY) if is_gateway else ()
        writes = ("", *PRODUCER_WRITES, *own, *_QUEUES)
        return [
            f"%R~{farm}:*",
            *(f"~{farm}:{key}" for key in writes),
            f"&{farm}:directives:*",  # tells lease holders that a job is canceled
            *([events] if is_gateway else ()),
        ]
    return [f"~{farm}:*", f"&{farm}:directives:*", *fanout]
