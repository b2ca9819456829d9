"""KEDA is told to ask the gateway for what it answers."""

from __future__ import annotations

from inspect import signature
from typing import Any
from urllib.parse import parse_qs, urlsplit

from support.deployed_files import Manifest, one, rendered

from winepress.gateway.native.ready_work import ReadyWork, ready_work

_SCALED: dict[str, Any] = {"enabled": True, "autoscaling": {"enabled": True}}


def _trigger(manifests: list[Manifest], name: str) -> dict[str, str]:
    (trigger,) = one(manifests, "ScaledObject", name)["spec"]["triggers"]
    metadata: dict[str, str] = trigger["metadata"]
    return metadata


def test_the_scaler_asks_the_gateway_what_it_answers() -> None:
    """By address, path, parameters and field."""
    workers = {"gpu": _SCALED | {"lanes": "sdxl-*,film", "device": "GPU.1"}}
    manifests = rendered({"workers": workers})
    metadata = _trigger(manifests, "worker-gpu")
    url = urlsplit(metadata["url"])
    service = one(manifests, "Service", "gateway")
    assert url.hostname == f"{service['metadata']['name']}.farm.svc"
    assert url.port == service["spec"]["ports"][0]["port"]
    assert url.path == "/v1/ready-work"
    asked = parse_qs(url.query)
    assert asked == {"lanes": ["sdxl-*,film"], "device": ["GPU"]}
    assert set(asked) <= set(signature(ready_work).parameters)
    assert metadata["valueLocation"] in ReadyWork.model_fields


def test_a_device_of_any_class_is_scaled_by_all_work() -> None:
    """Nobody can say which device AUTO will take."""
    workers = {"cpu": {"device": "AUTO:NPU,CPU", "image": "worker-npu"} | _SCALED}
    assert "device=" not in _trigger(rendered({"workers": workers}), "worker-cpu")["url"]
