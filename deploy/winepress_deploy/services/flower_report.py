"""Summarises what Flower's API reports about a farm."""

from __future__ import annotations

import json
import urllib.request
from base64 import b64encode
from typing import Any

from winepress_deploy.farm import Farm
from winepress_deploy.services import flower
from winepress_shared.polling import poll

_TIMEOUT_S = 10.0
_LOOK_S = 0.5
_PATIENCE_S = 15.0  #: longest wait for events to reach Flower


def flower_report(farm: Farm) -> list[str]:
    """A few lines: the number of workers and of their tickets, and an example."""
    tasks: dict[str, Any] = {}

    def has_seen_pictures() -> bool:
        found = ask_flower(farm, "/api/tasks?state=SUCCESS&limit=500")
        tasks.update((name, one) for name, one in found.items() if " picture" in str(one["result"]))
        return bool(tasks)

    poll(has_seen_pictures, every_s=_LOOK_S, timeout_s=_PATIENCE_S)
    workers = ask_flower(farm, "/api/workers?refresh=1")
    lines = [f"{len(workers)} workers and {len(tasks)} tickets that led to pictures, for example:"]
    newest = max(tasks.values(), key=lambda task: task["received"] or 0, default=None)
    if newest:
        lines.append(f"{newest['name']}({newest['kwargs']}) on {newest['worker']}")
        lines.append(f"→ {newest['result']}")
    return lines


def ask_flower(farm: Farm, path: str) -> dict[str, Any]:
    """One answer of Flower's API; ``path`` starts with a slash."""
    password = farm.state.flower_password.read_text("utf-8").strip()
    token = b64encode(f"{flower.USER}:{password}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the farm's own loopback address
        farm.urls[flower.NAME] + path, headers={"Authorization": f"Basic {token}"}
    )
    with flower.PAGES.open(request, timeout=_TIMEOUT_S) as reply:
        answer: dict[str, Any] = json.load(reply)
    return answer
