"""A broker behind TLS that asks its clients for certificates."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from faults.harness.farm import StruckFarm
from faults.harness.verifier import verify
from pydantic import SecretStr
from support.tls_server import Authority, TlsDoor


@pytest.fixture
def tls_farm(farm: StruckFarm, tmp_path: Path) -> Iterator[StruckFarm]:
    """Everybody shows a certificate and trusts one authority, which is nobody else's."""
    authority = Authority(tmp_path)
    client, server = authority.sign("client"), authority.sign("server")
    files = {
        "ssl_ca_certs": authority.certificate,
        "ssl_certfile": client.certificate,
        "ssl_keyfile": client.key,
    }
    port = farm.servers.broker.port
    with TlsDoor(server, port, clients=authority.certificate) as door:
        url = SecretStr(f"rediss://127.0.0.1:{door.port}/0?{urlencode(files)}")
        farm.use(farm.settings.model_copy(update={"broker_url": url}))
        yield farm


@pytest.mark.case(50)
@pytest.mark.lengthy
def test_a_broker_behind_tls_is_killed_like_any_other(tls_farm: StruckFarm) -> None:
    """By every way to it: ledger, tickets, orders and events."""
    farm, broker = tls_farm, tls_farm.servers.broker
    farm.start_workers(2)
    farm.submit(8)
    for _ in range(3):
        farm.await_drawn(farm.witness.drawn().total() + 2)
        broker.kill()
        broker.start()
        farm.submit(3)
    farm.await_ended()
    verify(farm).assert_kept()
