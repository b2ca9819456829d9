"""Celery's transport to the primary that Sentinels name."""

from __future__ import annotations

from typing import Any

from kombu.transport import redis
from redis.sentinel import SentinelConnectionPool

from winepress_shared.broker_url import SentinelGroup
from winepress_shared.sentinels import Sentinels


class SentinelChannel(redis.SentinelChannel):  # type: ignore[misc]  # kombu is untyped
    """Has the Sentinels asked that are in the options.

    kombu reads them from several addresses. After a failure it goes on to the next of these, with
    the transport that its scheme names: past the gate.
    """

    from_transport_options = (*redis.SentinelChannel.from_transport_options, "sentinels")

    def _sentinel_managed_pool(self, asynchronous: bool = False) -> Any:
        group = SentinelGroup(self.master_name, self.sentinels)
        given = self._connparams(asynchronous)
        del given["host"], given["port"]
        sentinels = Sentinels(group, self.sentinel_kwargs)
        return SentinelConnectionPool(group.name, sentinels, **given)  # type: ignore[no-untyped-call]


class SentinelTransport(redis.SentinelTransport):  # type: ignore[misc]
    """kombu's own but for the channel."""

    Channel = SentinelChannel
