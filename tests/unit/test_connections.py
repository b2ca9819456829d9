"""What a client opens, and how often."""

from __future__ import annotations

from winepress import Client
from winepress_shared.settings import Settings


def test_the_parts_of_a_client_share_one_connection_to_the_broker() -> None:
    """Each part with a server of its own would have a pool and all scripts of its own."""
    client = Client(Settings())
    parts = (client.ledger, client.farm, client.lanes, client.previews, client.event_reader._bell)
    assert len({part._server for part in parts}) == 1


def test_a_closed_client_opens_anew_what_is_used_again() -> None:
    """All of it, so that nothing keeps the closed connection."""
    client = Client(Settings())
    first = client.ledger
    client.close()
    assert client.ledger is not first
    assert client.ledger._server is client.lanes._server
    assert client.ledger._server is not first._server
