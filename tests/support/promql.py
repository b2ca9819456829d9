"""What queries of Prometheus name: of the board and of the alert rules."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[2]
BOARD = ROOT / "deploy" / "grafana" / "winepress.json"
ALERTS = ROOT / "deploy" / "prometheus" / "alerts.yaml"
WINDOW = "$__rate_interval"  #: which Grafana replaces


@dataclass(frozen=True)
class Named:
    """What one query names."""

    metrics: frozenset[str]
    labels: frozenset[str]  #: that it matches, groups or joins by


def named(query: str) -> Named:
    """Parse a query; fails if it is none."""
    metrics: set[str] = set()
    labels: set[str] = set()

    def look(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            metrics.add(str(node.name))
            labels.update(matcher.name for matcher in node.matchers.matchers)
        modifier = getattr(node, "modifier", None)
        for one in (modifier, getattr(modifier, "matching", None)):
            labels.update(getattr(one, "labels", None) or ())

    promql_parser.walk(promql_parser.parse(query.replace(WINDOW, "5m")), look)
    return Named(frozenset(metrics), frozenset(labels))


def board_queries() -> dict[str, list[str]]:
    """Title of a panel → its queries."""
    board = json.loads(BOARD.read_text("utf-8"))
    return {
        panel["title"]: [target["expr"] for target in panel["targets"]]
        for panel in board["panels"]
        if panel["type"] != "row"
    }


def alerts() -> dict[str, dict[str, Any]]:
    """Name of an alert → its rule."""
    (group,) = yaml.safe_load(ALERTS.read_text("utf-8"))["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def hurried(rules: str) -> str:
    """Rules that wait for nothing, and look back a few seconds instead of minutes."""
    at_once = re.sub(r"^( +)for: .*$", r"\1for: 0s", rules, flags=re.MULTILINE)
    return re.sub(r"\[\d+[mh]\]", "[8s]", at_once)
