"""A client that is made of the OpenAPI document, on a real farm."""

from __future__ import annotations

from pathlib import Path

from support.foreign_clients import driven, needs
from support.running_gateway import RunningGateway


@needs("generator")
def test_a_generated_client_submits_waits_and_is_refused(
    gateway: RunningGateway, tmp_path: Path
) -> None:
    """By functions with the names and types of the document."""
    assert driven("generator", "drive_generated.py", gateway.url, str(tmp_path)) == {
        "is_once": True,
        "state": "succeeded",
        "seeds": [7, 8],
        "begins": "PNG",
        "field": "prompt",
    }
