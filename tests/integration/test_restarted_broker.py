"""A broker that is started again at the worst moment is one that cannot be reached."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from winepress_shared.errors import BrokerUnreachable
from winepress_shared.ledger.script_server import ScriptServer
from winepress_shared.settings import Settings


def _call_alone(server: ScriptServer) -> None:
    server.run("limits")


def _call_together(server: ScriptServer) -> None:
    server.run_together(("limits",), ("limits",))


@pytest.mark.parametrize("call", [_call_alone, _call_together])
def test_a_script_that_is_gone_as_soon_as_it_is_loaded_is_an_outage(
    farm_settings: Settings, monkeypatch: pytest.MonkeyPatch, call: Callable[[ScriptServer], None]
) -> None:
    """Whoever called waits and calls again, as for a broker that is away; no attempt is lost."""
    server = ScriptServer(farm_settings, f"{farm_settings.farm}:")
    load = server.client.script_load

    def load_in_vain(text: str) -> Any:
        answer = load(text)
        server.client.script_flush()
        return answer

    server.client.script_flush()
    monkeypatch.setattr(server.client, "script_load", load_in_vain)
    with pytest.raises(BrokerUnreachable, match="started again"):
        call(server)
    server.close()
