"""What the documents of the roles say, to the broker and to the store."""

from __future__ import annotations

import json
import re
from importlib import resources

import pytest

from winepress_deploy.broker_roles import GATEWAY_WRITES, PRODUCER_WRITES
from winepress_deploy.roles import STORE_ROLES, Role
from winepress_deploy.store_roles import policy
from winepress_shared.ledger.script_server import script_texts
from winepress_shared.settings import Settings

_WORKERS = (
    *("workers", "worker", "renderer", "processes", "heard", "lane_workers"),
    "pace",
)
_MODELS = (
    "warm_workers",
    "warm_models",
    "loading_workers",
    "loading_model",
    "shunned_lane",
    "shared_view",
)
_LOSSES = ("lost", "life", "drew", "disproved", "blocked")
_FARM = (
    "limits",
    "fence",
    "swept",
    "parked",
    "paused",
    "preview",
    "work_counts",
    "counted",
    "counted_pictures",
)
#: Keys that only workers and the operator write.
PRODUCER_READS = {*_WORKERS, *_MODELS, *_LOSSES, *_FARM}


def _names(patterns: tuple[str, ...]) -> set[str]:
    return {pattern.removesuffix(":*") for pattern in patterns}


def test_every_key_of_the_ledger_is_decided() -> None:
    """Whoever adds a key says whether producers write it; the default would be that they cannot."""
    used = {name for text in script_texts().values() for name in re.findall(r"key\('(\w+)'", text)}
    writes, reads = _names(PRODUCER_WRITES), PRODUCER_READS
    own = _names(GATEWAY_WRITES)
    assert not (used - {"directives"}) - writes - reads - own
    assert not writes & reads
    assert not own & (writes | reads)


@pytest.mark.parametrize("role", STORE_ROLES)
def test_a_policy_names_one_farm_of_one_bucket(role: Role) -> None:
    """Nothing in it reaches further, and only the operator may do everything."""
    document = json.loads(policy(role, Settings(farm="night", s3_bucket="pictures")))
    assert document["Version"] == "2012-10-17"
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        assert not [action for action in statement["Action"] if "*" in action]
        for resource in statement["Resource"]:
            assert resource == "arn:aws:s3:::pictures" or resource.startswith(
                "arn:aws:s3:::pictures/night/"
            )
        prefixes = statement.get("Condition", {}).get("StringLike", {}).get("s3:prefix", ())
        assert all(prefix.startswith("night/") for prefix in prefixes)


@pytest.mark.parametrize("role", [Role.PRODUCER, Role.GATEWAY, Role.WORKER])
def test_a_policy_of_anybody_else_writes_no_models(role: Role) -> None:
    """Reading them is a worker's business alone."""
    document = json.loads(policy(role, Settings()))
    for statement in document["Statement"]:
        touched = [
            one for one in statement["Resource"] if re.search(r"/winepress/(models|\*)", one)
        ]
        assert not touched or (role, statement["Action"]) == (Role.WORKER, ["s3:GetObject"])


def test_every_role_with_a_key_has_a_policy() -> None:
    """And every policy has a role."""
    files = resources.files("winepress_deploy").joinpath("policies").iterdir()
    assert {file.name for file in files} == {f"{role}.json" for role in STORE_ROLES}
