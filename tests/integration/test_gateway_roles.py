"""The gateway with the key of its role: it keeps users and counts, and other roles do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import redis
from support.guarded_farm import GuardedFarm, farm_of_up
from support.running_gateway import RunningGateway

from winepress import Client, TextToImage
from winepress.cleaning import DAY_S, Cleaning
from winepress.gateway.key_store import KeyStore
from winepress_deploy.roles import Role
from winepress_shared.errors import BrokerUnreachable, StoreRefused
from winepress_shared.ledger.key_quotas import KeyQuotas, Wish
from winepress_shared.stores.base import Store


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedFarm]:
    """The farm of `winepress up`."""
    with farm_of_up(tmp_path_factory.mktemp("roles")) as running:
        yield running


@pytest.mark.parametrize("role", [Role.GATEWAY, Role.OPERATOR])
def test_a_gateway_serves_limited_keys_with_its_role(farm: GuardedFarm, role: Role) -> None:
    """From the key's creation by either role to the picture, the limits and the revocation."""
    keys = KeyStore(farm.store(role))
    key, token = keys.create(
        f"ann-{role}", rate=500, queue=2, megapixel_steps=1e6, models=frozenset({"vignette"})
    )
    settings = farm.settings(Role.GATEWAY).model_copy(update={"require_keys": True})
    headers = {"Authorization": f"Bearer {token}"}
    with RunningGateway(settings) as gateway:
        patient = headers | {"Prefer": "wait=60"}
        job = {"prompt": "an apple", "n": 2}
        answer = gateway.http.post("/v1/jobs", json=job, headers=patient)
        assert (answer.status_code, answer.json()["state"]) == (200, "succeeded")
        later = {"prompt": "an apple", "n": 2, "start_in": 600}
        while (answer := gateway.http.post("/v1/jobs", json=later, headers=headers)).is_error:
            assert answer.status_code == 429  # the two that have ended are counted once a second
        assert gateway.http.post("/v1/jobs", json=job, headers=headers).status_code == 429
        path = f"/v1/jobs/{answer.json()['id']}/cancel"
        assert gateway.http.post(path, headers=headers).status_code == 200
    assert keys.revoke(key.id).state() == "revoked"
    assert [one.id for one in keys.all() if one.user == key.user] == [key.id]


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.GATEWAY])
def test_whoever_submits_may_pin_and_the_operator_alone_deletes(
    farm: GuardedFarm, role: Role
) -> None:
    """A key that is stolen deletes no pictures."""
    with Client(farm.settings(role)) as client, Client(farm.settings(Role.OPERATOR)) as operator:
        handle = client.submit(TextToImage(prompt="an apple")).wait(timeout=60)
        client.pin(handle.id)
        assert operator.counted.forget(handle.id)
        later = time.time() + 2 * DAY_S
        assert list(Cleaning(operator, 1, now=later).run()) == []
        client.unpin(handle.id)
        with pytest.raises(StoreRefused):
            list(Cleaning(client, 1, now=later).run())
        assert [one.id for one in Cleaning(operator, 1, now=later).run()] == [handle.id]


def test_a_large_file_is_kept_and_given_back_with_the_gateways_role(farm: GuardedFarm) -> None:
    """Beyond 16 MiB a file goes to the store in several parts."""
    content = b"0123456789abcdef" * (17 * 2**16)
    with RunningGateway(farm.settings(Role.GATEWAY)) as gateway:
        form = {"purpose": "batch"}
        sent = gateway.http.post("/v1/files", files={"file": ("a.jsonl", content)}, data=form)
        assert sent.status_code == 200, sent.text
        path = f"/v1/files/{sent.json()['id']}"
        assert gateway.http.get(f"{path}/content").content == content
        assert gateway.http.delete(path).status_code == 200


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.WORKER])
def test_nobody_else_reads_or_makes_keys(farm: GuardedFarm, role: Role) -> None:
    """Not even their hashes, and least of all the secret that signs links."""
    key, _ = KeyStore(farm.store(Role.OPERATOR)).create("bob")
    store = farm.store(role)
    attacks: tuple[Callable[[Store], object], ...] = (
        lambda store: store.get(f"gateway/keys/{key.id}.json"),
        lambda store: store.put(f"gateway/keys/{key.id}.json", b"{}"),
        lambda store: store.delete(f"gateway/keys/{key.id}.json"),
        lambda store: store.get("gateway/link-secret"),
        lambda store: list(store.list("gateway/keys/")),
        lambda store: KeyStore(store).create("eve"),
    )
    for attack in attacks:
        with pytest.raises(StoreRefused):
            attack(store)
    assert KeyStore(farm.store(Role.GATEWAY)).find(key.id) == key


def test_a_producer_does_not_touch_what_is_counted(farm: GuardedFarm) -> None:
    """Neither by our scripts nor by hand."""
    quotas = KeyQuotas(farm.settings(Role.PRODUCER))
    with pytest.raises(BrokerUnreachable, match="does not allow"):
        quotas.count_request("k", 5)
    with pytest.raises(BrokerUnreachable, match="does not allow"):
        quotas.reserve("k", [Wish("j", 1, 1.0)], 5, 5)
    quotas.close()
    with farm.broker(Role.PRODUCER) as broker:
        for command in ("DEL", "SET", "INCRBY"):
            for key in ("key_rate:k", "key_units:k", "key_steps:k:1", "key_jobs:k"):
                arguments = () if command == "DEL" else (1,)
                with pytest.raises(redis.exceptions.NoPermissionError):
                    broker.execute_command(command, f"winepress:{key}", *arguments)
