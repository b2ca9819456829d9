"""What receivers verify: signatures by Standard Webhooks, and the secrets behind them."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from openai import OpenAI
from standardwebhooks import Webhook as Receiver
from standardwebhooks import WebhookVerificationError

from winepress.gateway.webhooks.backoff import pause_s
from winepress.gateway.webhooks.signing import ROTATION_S, read_secrets, rotate_secret
from winepress_shared.errors import FailForGood
from winepress_shared.stores.folder import FolderStore

BODY = json.dumps({"id": "m1", "type": "job.completed", "data": {"prompt": "ein Fuchs"}}).encode()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)


def test_the_reference_library_verifies_what_is_signed(store: FolderStore) -> None:
    """And refuses another body, another id, and another secret."""
    found = read_secrets(store, "ada")
    headers = found.headers("m1", BODY)
    assert Receiver(found.current).verify(BODY, headers)["type"] == "job.completed"
    wrong = (
        (found.current, BODY + b" ", headers),
        (found.current, BODY, {**headers, "webhook-id": "m2"}),
        (read_secrets(store, "bob").current, BODY, headers),
    )
    for secret, body, given in wrong:
        with pytest.raises(WebhookVerificationError):
            Receiver(secret).verify(body, given)


def test_openai_s_own_client_unwraps_what_is_signed(store: FolderStore) -> None:
    """Whoever uses it already has a verifier."""
    found = read_secrets(store, "ada")
    client = OpenAI(api_key="none", base_url="http://127.0.0.1:1")
    event = client.webhooks.unwrap(BODY.decode(), found.headers("m1", BODY), secret=found.current)
    assert str(event.type) == "job.completed"
    client.close()


def test_a_secret_is_made_once_and_is_one_user_s_alone(store: FolderStore) -> None:
    """Two gateways that ask at the same time get the same."""
    ada = read_secrets(store, "ada")
    assert read_secrets(store, "ada") == ada
    assert read_secrets(store, "bob") != ada
    assert len(base64.b64decode(ada.current.removeprefix("whsec_"))) == 32
    assert "whsec_" not in repr(ada)


def test_after_a_rotation_both_secrets_sign_for_a_day(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So receivers change over one by one; then the former one is worth nothing."""
    former = read_secrets(store, "ada")
    new = rotate_secret(store, "ada")
    assert new.secrets == (new.current, former.current)
    headers = read_secrets(store, "ada").headers("m1", BODY)
    for secret in new.secrets:
        Receiver(secret).verify(BODY, headers)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + ROTATION_S + 1)
    assert read_secrets(store, "ada").secrets == (new.current,)


def test_only_so_many_secrets_sign(store: FolderStore) -> None:
    """Whoever rotates in a loop does not make headers that receivers refuse."""
    for _ in range(12):
        last = rotate_secret(store, "ada")
    assert len(last.secrets) == 9


@pytest.mark.parametrize("data", [b"", b"{}", b'{"secret": "whsec_x"}', b"[" * 4000, b"\xff"])
def test_a_damaged_secret_signs_nothing(store: FolderStore, data: bytes) -> None:
    """An empty key would be one that everybody knows."""
    store.put("gateway/webhooks/secrets/ada.json", data)
    with pytest.raises(FailForGood, match="webhook secrets"):
        read_secrets(store, "ada")


def test_pauses_double_and_a_dozen_tries_last_for_hours() -> None:
    """A receiver may be down for the length of a deployment."""
    pauses = [pause_s(tries, 6.0, draw=lambda: 0.5) for tries in range(1, 12)]
    assert pauses == [6.0 * 2**tries for tries in range(11)]
    assert 3 * 3600 < sum(pauses) < 4 * 3600


@pytest.mark.parametrize("tries", [1, 5, 30, 10_000])
def test_pauses_differ_by_a_fifth_and_have_a_longest(tries: int) -> None:
    """A thousand deliveries that failed together do not come back together, nor next year."""
    least, most = pause_s(tries, 6.0, draw=lambda: 0.0), pause_s(tries, 6.0, draw=lambda: 1.0)
    assert 0 < least < most <= 6 * 3600


def test_a_receiver_may_ask_for_a_longer_pause_within_bounds() -> None:
    """Not for a shorter one, and not for a year."""
    assert pause_s(1, 6.0, 600.0) == 600.0
    assert pause_s(4, 6.0, 0.0, draw=lambda: 0.5) == 48.0
    assert pause_s(1, 6.0, 1e9) == 6 * 3600
