"""The files for machines and clusters in ``deploy/``, as their readers read them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "chart"
_SCHEMAS = Path(__file__).parent / "resource_schemas.json"

Manifest = dict[str, Any]


def rendered(
    values: dict[str, Any], name: str = "night", namespace: str = "farm"
) -> list[Manifest]:
    """What Helm would send to a cluster; raises HelmError for values that the chart refuses."""
    files = helm_python.Chart.load(CHART).render(values, name=name, namespace=namespace)
    texts = [text for path, text in sorted(files.items()) if path.endswith(".yaml")]
    return [one for text in texts for one in yaml.safe_load_all(text) if one]


def one(manifests: list[Manifest], kind: str, end: str) -> Manifest:
    """The only manifest of this kind whose name ends so."""
    (found,) = (
        each
        for each in manifests
        if each["kind"] == kind and each["metadata"]["name"].endswith(end)
    )
    return found


def templates(manifests: list[Manifest]) -> dict[str, Manifest]:
    """What the pods of each deployment and of each job are made from, by its name."""
    found = {}
    for each in manifests:
        if each["kind"] == "Deployment":
            found[each["metadata"]["name"]] = each["spec"]["template"]
        if each["kind"] == "CronJob":
            found[each["metadata"]["name"]] = each["spec"]["jobTemplate"]["spec"]["template"]
    return found


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The specification of the pods of each deployment and of each job, by its name."""
    return {name: template["spec"] for name, template in templates(manifests).items()}


@cache
def custom_schemas() -> dict[str, Any]:
    """Schemas, by kind, of what the chart makes for KEDA and for Prometheus's operator."""
    read: dict[str, Any] = json.loads(_SCHEMAS.read_text("utf-8"))
    return read


def unit(path: Path) -> dict[str, list[str]]:
    """The options of a systemd unit: each with its values, in order."""
    options: dict[str, list[str]] = {}
    for line in path.read_text("utf-8").splitlines():
        name, is_option, value = line.partition("=")
        if is_option and not line.startswith("#"):
            options.setdefault(name, []).append(value)
    return options
