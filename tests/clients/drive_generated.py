"""Makes a client of the gateway's OpenAPI document and draws with it; runs beside the generator.

Its arguments: the gateway, and a folder for the client. Prints one JSON object.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

_PACKAGE = "winepress_client"


def _generated(gateway: str, folder: str) -> None:
    """Write the client into ``folder``, and make it importable."""
    program = str(Path(sys.executable).with_name("openapi-python-client"))
    options = ("--url", f"{gateway}/openapi.json", "--meta", "none", "--output-path")
    subprocess.run([program, "generate", *options, f"{folder}/{_PACKAGE}"], check=True, stdout=2)
    sys.path.insert(0, folder)


def _part(name: str) -> Any:
    return importlib.import_module(f"{_PACKAGE}{name}")


def main(gateway: str, folder: str) -> None:
    """Submit, wait, look at the results, and be refused."""
    _generated(gateway, folder)
    models, jobs, client = _part(".models"), ".api.jobs", _part("").Client(base_url=gateway)
    wish = models.TextToImage(prompt="a red apple", seed=7, n=2)
    submit, look = _part(f"{jobs}.post_v1_jobs"), _part(f"{jobs}.get_v1_jobs_job_id")
    queued = submit.sync(client=client, body=wish, idempotency_key="once")
    again = submit.sync(client=client, body=wish, idempotency_key="once")
    ended = look.sync(queued.id, client=client, prefer="wait=60")
    found = _part(".api.results.get_v1_jobs_job_id_results").sync(queued.id, client=client)
    picture = client.get_httpx_client().get(found.outputs[0].url).content
    refused = submit.sync(client=client, body=models.TextToImage(prompt="", seed=7))
    print(
        json.dumps(
            {
                "is_once": queued.id == again.id,
                "state": ended.state.value,
                "seeds": [one.seed for one in found.outputs],
                "begins": picture[1:4].decode(),
                "field": refused.field,
            }
        )
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
