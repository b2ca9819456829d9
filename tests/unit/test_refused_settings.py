"""What is said of a setting that is refused."""

from __future__ import annotations

import pytest

from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

SECRET = "hunter2-correct-horse"


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("keep_objects_days", "-3", "too small (got '-3'); allowed: at least 0"),
        ("keep_days", "4000", "too large (got '4000'); allowed: at most 3,650"),
        ("keep_objects_days", "forever", "not a number (got 'forever')"),
        ("queue_limit", "1.5", "not a whole number (got '1.5')"),
        ("traces", "jaeger", "no such value (got 'jaeger'); allowed: 'off' or 'otlp'"),
    ],
)
def test_what_is_wrong_with_a_setting_is_said_with_the_value_and_what_is_allowed(
    key: str, value: str, said: str
) -> None:
    """In our words, not those of the library that checks it."""
    with pytest.raises(WrongUsage) as caught:
        Settings.load({f"WINEPRESS_{key.upper()}": value})
    assert str(caught.value) == f"{key}: invalid setting: {said}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("broker_url", f"http://me:{SECRET}@h"),
        ("s3_endpoint", f"me:{SECRET}@h"),
        ("s3_secret_access_key", [SECRET]),
        ("s3_region", [SECRET]),
    ],
)
def test_a_value_that_may_hold_a_secret_is_not_repeated(key: str, value: object) -> None:
    """A file has whatever its writer put where."""
    with pytest.raises(WrongUsage) as caught:
        Settings.checked({key: value})
    assert SECRET not in str(caught.value)
    assert caught.value.value is None
