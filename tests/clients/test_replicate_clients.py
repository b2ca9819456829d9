"""Clients of Replicate for JavaScript, on a real farm."""

from __future__ import annotations

from support.foreign_clients import driven, needs_node
from support.running_gateway import RunningGateway

pytestmark = needs_node


def test_replicates_client_for_javascript_draws(gateway: RunningGateway) -> None:
    """By model, by version with an uploaded picture, and by asking again and again."""
    assert driven("node", "drive_replicate.mjs", gateway.url) == {
        "begins": "PNG",
        "last": "succeeded",
        "pictures": [1, 1, 1],
        "listed": 3,
    }


def test_the_provider_of_the_ai_sdk_draws(gateway: RunningGateway) -> None:
    """It waits for one answer, reads the pictures from their links, and starts from one of them."""
    types = driven("node", "drive_ai_sdk_replicate.mjs", gateway.url)
    assert types == ["image/jpeg", "image/jpeg", "image/png"]
