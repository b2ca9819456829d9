"""What each role may do in the broker, as Valkey's list of users.

A script is checked command by command as whoever runs it, and a producer's scripts change the very
rows that describe what is drawn. So a producer cannot touch workers, pauses and remote control, and
can touch other producers' jobs; SECURITY.md says what follows.
"""

from __future__ import annotations

import hashlib
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from pydantic import SecretStr

from winepress_deploy.credentials import Credentials
from winepress_deploy.roles import Role

#: Whose key is the one that farms had before there were roles: the user of a URL without a name.
_DEFAULT = "default"
#: Tracking and the list of channels would name what every role and every other farm writes.
_COMMANDS = (
    "-@all +@read +@write +@connection +@transaction +@pubsub -@scripting -@dangerous -@admin "
    "-scan -randomkey -client|tracking -pubsub +time +eval +evalsha +script|load +script|exists"
)
#: Keys of the ledger that a producer's scripts write; the names are those of the key table.
PRODUCER_WRITES = (
    *(
        "job:*",
        "jobs",
        "jobs:*",
        "ready:*",
        "band_served:*",
        "lane_served",
        "waits:*",
        "aside:*",
        "lanes",
    ),
    *("slices", "open", "open_by_user", "retry:*", "attempts:*", "failers:*", "done:*", "units:*"),
    *(
        "job_leases:*",
        "lease:*",
        "leases",
        "held:*",
        "due",
        "expiries",
        "old",
        "idem:*",
        "events:*",
    ),
    *("turn", "wake:*"),
)
#: Those that only workers and the operator write.
PRODUCER_READS = (
    *(
        "last_request:*",
        "processes:*",
        "lane_workers:*",
        "shunned_lane:*",
        "pace",
        "workers",
        "worker:*",
        "renderer:*",
    ),
    *(
        "warm_workers:*",
        "warm_models:*",
        "loading_workers:*",
        "loading_model:*",
        "view",
        "parked:*",
        "paused",
        "preview:*",
    ),
    *("limits", "fence", "swept"),
)
#: Queues of lanes, which hold a dot, and films; not what kombu notes of messages in hand.
_QUEUES = ("queue:*.*", "queue:film")
#: Remote control and events. Who subscribes to a pattern needs that very pattern.
_FANOUT = ("queue:/0.celery.pidbox", "queue:/0.celeryev/*")


#: Options of a URL that would contradict the user who is put into it.
_LOGIN_OPTIONS = ("username", "password")


def url_of(role: Role, url: SecretStr, credentials: Credentials) -> SecretStr:
    """The address ``url`` with the user and the password of one role, instead of those it had."""
    parts = urlsplit(url.get_secret_value())
    password = credentials.of(role).broker_password.get_secret_value()
    user = "" if role is Role.OPERATOR else role.value  # the default user needs no name
    host = parts.netloc.rpartition("@")[2]
    options = [pair for pair in parse_qsl(parts.query) if pair[0] not in _LOGIN_OPTIONS]
    login = f"{user}:{quote(password, safe='')}@{host}"
    return SecretStr(parts._replace(netloc=login, query=urlencode(options)).geturl())


def users(farm: str, credentials: Credentials) -> str:
    """Valkey's file of users, one line for each role, with passwords as their SHA-256."""
    return "".join(
        f"user {_DEFAULT if role is Role.OPERATOR else role} on {_hashed(credentials, role)} "
        f"resetkeys resetchannels {' '.join(_keys(role, farm))} {_COMMANDS}"
        f"{' +info' if role is Role.OPERATOR else ''}\n"
        for role in Role
    )


def _hashed(credentials: Credentials, role: Role) -> str:
    password = credentials.of(role).broker_password.get_secret_value()
    return f"#{hashlib.sha256(password.encode()).hexdigest()}"


def _keys(role: Role, farm: str) -> list[str]:
    """Patterns of keys (``~``, read only ``%R~``) and channels (``&``)."""
    fanout = [f"&{farm}:{channel}" for channel in _FANOUT]
    if role is Role.FLOWER:
        return [f"~{farm}:queue:*", *fanout]
    if role in (Role.PRODUCER, Role.GATEWAY):
        # A script is given the bare prefix as its key, and names the others itself.
        writes = ("", *PRODUCER_WRITES, *_QUEUES)
        return [
            f"%R~{farm}:*",
            *(f"~{farm}:{key}" for key in writes),
            f"&{farm}:orders:*",  # where a holder hears that a job is canceled
        ]
    return [f"~{farm}:*", f"&{farm}:orders:*", *fanout]
