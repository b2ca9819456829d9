"""The OpenAPI document and the gateway agree, whatever is sent."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.running_gateway import RunningGateway

from winepress.gateway.access import Scope
from winepress.gateway.key_store import KeyStore
from winepress_shared.settings import Settings
from winepress_shared.stores import open_store

#: The document cannot say all that makes a job valid, nor that other programs' names are read.
#: And an empty key beside a valid one is none; test_gateway_keys.py tries wrong ones.
_LEFT_OUT = "positive_data_acceptance,negative_data_rejection,ignored_auth"
_BUDGET_S = 45


@pytest.mark.slow
def test_schemathesis_finds_no_answer_that_the_document_does_not_tell(
    farm_settings: Settings, tmp_path: Path
) -> None:
    """Statuses, media types, bodies, methods and keys; and no request makes the gateway fail."""
    _, token = KeyStore(open_store(farm_settings)).create("ann", scopes=frozenset(Scope))
    settings = farm_settings.model_copy(update={"require_keys": True})
    with RunningGateway(settings) as gateway:
        run = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"{gateway.url}/openapi.json",
                *("--header", f"X-API-Key: {token}", "--header", "Prefer: wait=0"),
                *("--phases", "coverage,fuzzing", "--max-examples", "5", "--seed", "7"),
                *("--exclude-checks", _LEFT_OUT, "--continue-on-failure"),
                # Workers are threads, and CPython counts the depth of all that call ast.parse
                # together: a SystemError, https://github.com/python/cpython/issues/106905.
                *("--max-time", str(_BUDGET_S), "--workers", "1"),
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
    assert run.returncode == 0, run.stdout[-8000:] + run.stderr[-2000:]
