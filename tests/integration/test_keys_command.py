"""``winepress keys``: keys of the gateway from the command line."""

from __future__ import annotations

import json
import time

import pytest
from support.command_line import Run

from winepress.commands.keys import expiry
from winepress.gateway.api_key import Token
from winepress_shared.errors import WrongUsage


def test_a_key_is_shown_once_and_alone(run: Run) -> None:
    """So that a shell can keep it; the list has everything but the secret."""
    words = ("--rate", "60", "--queue", "9", "--megapixel-steps", "1e4", "--models", "vignette")
    made = run("keys", "create", "--user", "shop", *words, "--expires", "30d", "--note", "new one")
    token = Token.parse(made.stdout.strip())
    assert made.returncode == 0
    assert token is not None
    listed = run("keys", "list")
    for text in (token.id, "shop", "60/min", "9-units", "10000-megapixel-steps/day", "new one"):
        assert text in listed.stdout
    told = run("keys", "list", "--json").stdout
    assert token.secret not in listed.stdout + told + made.stderr
    assert token.digest not in listed.stdout + told
    assert json.loads(told)["scopes"] == ["read-own", "submit"]


def test_a_key_is_revoked_by_its_id_or_as_a_whole(run: Run) -> None:
    """What was pasted by mistake is not repeated."""
    first, second = (
        json.loads(run("keys", "create", "--user", "ann", "--json").stdout) for _ in range(2)
    )
    assert run("keys", "revoke", first["id"], second["key"]).returncode == 0
    states = [
        json.loads(line)["state"] for line in run("keys", "list", "--json").stdout.split("\n")[:2]
    ]
    assert states == ["revoked", "revoked"]
    assert run("keys", "revoke", first["id"]).returncode == 0  # again
    wrong = run("keys", "revoke", second["key"][:-1])
    assert wrong.returncode == 2
    assert second["key"][20:40] not in wrong.stderr
    assert run("keys", "revoke", "0" * 12).returncode == 4


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--user", "a@b"), "letters, digits"),
        (("--user", ""), "letters, digits"),
        (("--user", "ann", "--scopes", "root"), "read-own"),
        (("--user", "ann", "--scopes", ","), "scopes"),
        (("--user", "ann", "--models", "nothing"), "vignette"),
        (("--user", "ann", "--models", ""), "models"),
        (("--user", "ann", "--rate", "0"), "rate: too small (got 0); allowed: at least 1"),
        (("--user", "ann", "--queue", "-1"), "queue"),
        (("--user", "ann", "--megapixel-steps", "nan"), "megapixel_steps"),
        (("--user", "ann", "--expires", "soon"), "30d"),
        (("--user", "ann", "--expires", "2001-01-01"), "future"),
        (("--user", "ann", "--expires", "999999w"), "30d"),
        (("--user", "ann", "--note", "a\nb"), "note"),
        ((), "--user"),
    ],
)
def test_a_wrong_word_is_told_and_no_key_is_made(
    run: Run, words: tuple[str, ...], told: str
) -> None:
    """With what is allowed."""
    made = run("keys", "create", *words)
    assert (made.returncode, made.stdout) == (2, "")
    assert told in made.stderr
    assert "Traceback" not in made.stderr
    assert "no keys" in run("keys", "list").stderr


def test_a_span_begins_now() -> None:
    """Hours, days, weeks, or a local date."""
    assert expiry("2h", 1000.0) == 1000 + 7200
    assert expiry("1w", 0.0) == 7 * 86_400
    assert expiry("2999-01-01") > time.time()
    with pytest.raises(WrongUsage):
        expiry("0d")
