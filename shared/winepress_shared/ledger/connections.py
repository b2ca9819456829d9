"""Opens connections to the broker."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import ConstantBackoff
from redis.retry import Retry

from winepress_shared.broker_url import BrokerUrl
from winepress_shared.errors import WrongUsage
from winepress_shared.sentinels import pool_of_primary
from winepress_shared.settings import Settings

MOST_CONNECTIONS = 32  #: per server and process, unless the URL sets it
#: Timeout of a command, also for a server that accepts and never answers; longer than
#: `event_log.BLOCK_MS`. Unlike a command whose connection broke, it is not sent again.
ANSWER_TIMEOUT_S = 8.0
_CONNECT_TIMEOUT_S = 5.0
_HEALTH_CHECK_S = 25
_RETRY_S = 0.1  #: before the one retry of a command whose connection broke


def new_client(settings: Settings, url: BrokerUrl) -> redis.Redis:
    """A client with its own connections, opened at its first command; raises WrongUsage."""
    options: dict[str, Any] = {
        "socket_connect_timeout": _CONNECT_TIMEOUT_S,
        "socket_timeout": ANSWER_TIMEOUT_S,
        "socket_keepalive": True,
        "health_check_interval": _HEALTH_CHECK_S,
        "max_connections": MOST_CONNECTIONS,
        **url.verification(settings.broker_ca),
        **url.options,
        "decode_responses": True,
        # Every script may run twice; longer retries are up to the caller.
        "retry": Retry(ConstantBackoff(_RETRY_S), 1, (redis.exceptions.ConnectionError,)),
    }
    wait_s = options["socket_timeout"]  # for a free connection
    if url.group is not None:
        return redis.Redis(
            connection_pool=pool_of_primary(settings, url, timeout=wait_s, **options)
        )
    try:
        pool = redis.BlockingConnectionPool.from_url(url.address, timeout=wait_s, **options)
    except ValueError:  # its text may contain part of a password
        raise WrongUsage("not a valid broker URL", field="broker_url") from None
    return redis.Redis(connection_pool=pool)
