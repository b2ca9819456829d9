"""Tickets that a library cannot send because its connection is gone."""

from __future__ import annotations

from typing import Any

import pytest

from winepress_shared.broker import make_celery, send_tickets
from winepress_shared.errors import BrokerUnreachable
from winepress_shared.settings import Settings

_LANE = "vignette.fp16"


def test_a_channel_without_its_connection_is_an_outage(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job is accepted: whoever submitted it is told of no attribute of a library."""
    app = make_celery(farm_settings)

    def send(*_: Any, **__: Any) -> None:
        # As kombu does when the broker goes between two of its tries.
        raise AttributeError("'NoneType' object has no attribute 'client'")

    with monkeypatch.context() as patch:
        patch.setattr(app, "send_task", send)
        with pytest.raises(BrokerUnreachable, match="cannot send a ticket"):
            send_tickets(app, _LANE)
    send_tickets(app, _LANE)
    app.close()
