"""The command ``winepress`` as tests run it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.servers import scrubbed_environment
from winepress_shared.settings import Settings

WINEPRESS = Path(sys.executable).parent / "winepress"

Run = Callable[..., subprocess.CompletedProcess[str]]


def environment(settings: Settings) -> dict[str, str]:
    variables = {
        "WINEPRESS_FARM": settings.farm,
        "WINEPRESS_BROKER_URL": settings.broker_url.get_secret_value(),
    }
    identity, secret = settings.s3_access_key_id, settings.s3_secret_access_key
    if settings.store_folder is not None:
        variables["WINEPRESS_STORE_FOLDER"] = str(settings.store_folder)
    elif identity and secret:
        variables |= {
            "WINEPRESS_S3_ENDPOINT": str(settings.s3_endpoint),
            "WINEPRESS_S3_BUCKET": settings.s3_bucket,
            "WINEPRESS_S3_ACCESS_KEY_ID": identity.get_secret_value(),
            "WINEPRESS_S3_SECRET_ACCESS_KEY": secret.get_secret_value(),
        }
    return scrubbed_environment() | variables


def lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Every line of stdout, each of which must be one JSON object."""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert all(isinstance(one, dict) for one in found)
    return found
