"""The Helm chart renders to what clusters accept, for all kinds of values, and refuses others."""

from __future__ import annotations

import re
import shlex
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft7Validator
from support.deployed_files import (
    CHART,
    Manifest,
    custom_schemas,
    one,
    pods,
    rendered,
    templates,
)
from support.markdown_pages import ROOT, Page

from winepress.cli import parse
from winepress_shared.settings import Settings

_OLDEST, _CURRENT = (
    "1.27",
    "1.36",
)  #: versions of Kubernetes; the chart allows none before the first
_SCALED = {"autoscaling": {"enabled": True}}
_ON = {"enabled": True}
_OFF = {"enabled": False}
_PEER = {"ipBlock": {"cidr": "10.0.0.0/8"}}
_ALL: dict[str, Any] = {
    "workers": dict.fromkeys(("cpu", "gpu", "npu"), _ON | _SCALED),
    "flower": _ON,
    "cleaning": _ON,
    "metrics": _ON | {"serviceMonitor": _ON | {"labels": {"release": "prometheus"}}},
    "gateway": {
        "ingress": _ON | {"className": "nginx", "tlsSecret": "pictures", "annotations": {"a": "b"}}
    },
    "authorities": "authorities",
    "environment": {"WINEPRESS_FARM": "night", "WINEPRESS_PULLED_GIB": 50},
    "imagePullSecrets": [{"name": "registry"}],
    "networkPolicy": {"servers": {"ports": [6380], "peers": [_PEER]}, "callers": [_PEER]},
}
_MATRIX: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": _ALL,
    "no worker": {"workers": {"cpu": _OFF}},
    "no gateway": {"gateway": _OFF, "webhooks": _OFF},
    "a gateway elsewhere": {
        "gateway": _OFF,
        "workers": {"cpu": {"autoscaling": _ON | {"url": "https://pictures.example/"}}},
    },
    "newer GPUs": {
        "workers": {"gpu": _ON | {"deviceResource": "gpu.intel.com/xe", "deviceGroups": [109]}}
    },
    "a set of its own": {
        "workers": {
            "sdxl": {
                "device": "GPU.1",
                "image": "worker-gpu",
                "deviceResource": "gpu.intel.com/xe",
                "lanes": "sdxl-*,film",
                "flags": ["--pin", "sdxl-base.fp16"],
                "cache": {"persistentVolumeClaim": {"claimName": "models"}},
                "tolerations": [{"key": "gpu", "operator": "Exists"}],
                "nodeSelector": {"intel.feature.node.kubernetes.io/gpu": "true"},
                "affinity": {"nodeAffinity": {}},
                "resources": {"limits": {"memory": "24Gi"}},
            }
        }
    },
    "an AUTO device": {
        "workers": {"cpu": {"device": "AUTO:NPU,CPU", "image": "worker-npu"} | _SCALED}
    },
    "cleaning at a time of its own": {
        "cleaning": _ON | {"schedule": "@daily"},
        "secrets": {"operator": "farm.operator"},
    },
    "nobody is kept out": {"networkPolicy": _OFF},
    "none": {
        "workers": {"cpu": {"replicas": 0, "maxUnavailable": "50%"}},
        "gateway": {"replicas": 0},
    },
}
#: What is wrong with values → a part of what Helm says.
_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a misspelt value": ({"gatway": {}}, "gatway"),
    "a GPU without its resource": (
        {"workers": {"arc": {"device": "GPU", "image": "worker-gpu"}}},
        "deviceResource",
    ),
    "a GPU with the image of CPUs": ({"workers": {"gpu": {"image": "worker-cpu"}}}, "image"),
    "an NPU with the resource of GPUs": (
        {"workers": {"npu": {"deviceResource": "gpu.intel.com/xe"}}},
        "deviceResource",
    ),
    "a resource that nobody offers": (
        {"workers": {"gpu": {"deviceResource": "gpu.intel.com/xd"}}},
        "deviceResource",
    ),
    "a device that is none": ({"workers": {"cpu": {"device": "TPU"}}}, "device"),
    "a negative number": ({"workers": {"cpu": {"replicas": -1}}}, "replicas"),
    "text for a number": ({"gateway": {"replicas": "two"}}, "replicas"),
    "a secret in the environment": (
        {"environment": {"WINEPRESS_BROKER_URL": "redis://:p@b/0"}},
        "WINEPRESS_BROKER_URL",
    ),
    "a time that is none": ({"cleaning": {"schedule": "every day"}}, "schedule"),
    "two kinds of cache": (
        {"workers": {"cpu": {"cache": {"emptyDir": {}, "hostPath": {}}}}},
        "cache",
    ),
    "a name too long for pods": (
        {"workers": {"a" * 16: {"device": "CPU", "image": "worker-cpu"}}},
        "a" * 16,
    ),
    "nobody to ask for work": ({"gateway": _OFF, "workers": {"cpu": _SCALED}}, "autoscaling.url"),
}
everything = pytest.mark.parametrize("values", _MATRIX.values(), ids=_MATRIX)


def _shown(secret: str) -> bool:
    return re.search(r"(password|secret|token|auth)", secret, re.IGNORECASE) is not None


def test_helm_has_nothing_to_say_against_it() -> None:
    """But that it has no icon."""
    report = helm_python.lint(CHART, strict=True, kube_version=f"v{_OLDEST}.0")
    assert report["errors"] == []
    assert [one["error"] for one in report["messages"]] == ["icon is recommended"]


def _check(manifest: Manifest, version: str) -> None:
    if manifest["kind"] in custom_schemas():
        Draft7Validator(custom_schemas()[manifest["kind"]]).validate(manifest)
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


@everything
def test_a_cluster_accepts_what_it_renders(values: dict[str, Any]) -> None:
    """By the schemas of Kubernetes, KEDA and Prometheus, without a field that they do not know."""
    for manifest in rendered(values):
        _check(manifest, _CURRENT)


def test_the_oldest_cluster_that_it_allows_accepts_it_too() -> None:
    """Nothing in it is newer."""
    for manifest in rendered(_ALL):
        _check(manifest, _OLDEST)


@pytest.mark.parametrize(("values", "named"), _REFUSED.values(), ids=_REFUSED)
def test_values_that_cannot_work_are_refused_by_name(values: dict[str, Any], named: str) -> None:
    """Before anything is changed in a cluster."""
    with pytest.raises(helm_python.HelmError, match=re.escape(named)):
        rendered(values)


@everything
def test_names_and_references_fit_together(values: dict[str, Any]) -> None:
    """Selectors find their pods, mounts their volumes, budgets and scalers their deployments."""
    manifests = rendered(values)
    labels = [each["metadata"]["labels"].items() for each in templates(manifests).values()]
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(names) == len(set(names))
    for each in manifests:
        spec = each["spec"]
        selector = spec.get("selector") or spec.get("podSelector")
        if selector:
            wanted = selector.get("matchLabels", selector)
            assert sum(wanted.items() <= have for have in labels) == 1, each["metadata"]["name"]
        if each["kind"] == "ScaledObject":
            assert ("Deployment", spec["scaleTargetRef"]["name"]) in names
            (trigger,) = spec["triggers"]
            assert ("TriggerAuthentication", trigger["authenticationRef"]["name"]) in names
    for pod in pods(manifests).values():
        (container,) = pod["containers"]
        mounted = [mount["name"] for mount in container["volumeMounts"]]
        assert sorted(mounted) == sorted(volume["name"] for volume in pod["volumes"])


@everything
def test_pods_have_no_rights_and_hold_no_secret(values: dict[str, Any]) -> None:
    """Secrets come by reference alone; the file system is read-only and nobody is root."""
    for pod in pods(rendered(values)).values():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            plain = [each["name"] for each in container["env"] if "value" in each]
            assert [name for name in plain if _shown(name)] == []


@everything
def test_every_part_is_started_by_a_command_that_there_is(values: dict[str, Any]) -> None:
    """With flags that it knows, and what it writes to is mounted."""
    for name, pod in pods(rendered(values)).items():
        (container,) = pod["containers"]
        words = [
            word.replace("$(POD_NAME)", f"{name}-5d9c7b8f6d-x2x4z") for word in container["args"]
        ]
        arguments = parse(words)
        mounts = [
            each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")
        ]
        written = [getattr(arguments, each, "") for each in ("alive_file", "state")]
        for path in filter(None, map(str, written)):
            assert any(path.startswith(f"{mount}/") for mount in mounts), path
        settings = {each["name"]: each.get("value") for each in container["env"]}
        known = {f"WINEPRESS_{field}".upper() for field in Settings.model_fields}
        own = {each for each in settings if each.startswith("WINEPRESS_")} - {"WINEPRESS_CONFIG"}
        assert own <= known


@pytest.mark.parametrize("release", ["n", "a-release-with-the-longest-name-that-helm-will-take-1"])
def test_a_workers_name_is_one_that_the_farm_takes(release: str) -> None:
    """It is that of its pod: with what Kubernetes appends, at most 64 characters."""
    workers = {"a" * 15: {"device": "CPU", "image": "worker-cpu"}}
    for name in pods(rendered({"workers": workers}, name=release)):
        assert len(f"{name}-5d9c7b8f6d-x2x4z") <= 64


def test_a_set_has_what_it_says_zero_included_and_the_defaults_otherwise() -> None:
    """Helm's own way to merge would leave out what is zero."""
    cpu = {
        "replicas": 0,
        "maxUnavailable": 0,
        "gracePeriodSeconds": 600,
        "cache": {"hostPath": {"path": "/var/cache/winepress"}},
    }
    scaling = _ON | {"fallbackReplicas": 0, "maxReplicas": 9}
    manifests = rendered({"workers": {"cpu": cpu, "gpu": _ON | {"autoscaling": scaling}}})
    deployment = one(manifests, "Deployment", "worker-cpu")
    assert deployment["spec"]["replicas"] == 0
    assert one(manifests, "PodDisruptionBudget", "worker-cpu")["spec"]["maxUnavailable"] == 0
    pod = pods(manifests)["night-winepress-worker-cpu"]
    assert pod["terminationGracePeriodSeconds"] == 600
    assert "--drain-grace 400" in " ".join(pod["containers"][0]["args"])
    (cache,) = (each for each in pod["volumes"] if each["name"] == "cache")
    assert cache == {"name": "cache"} | cpu["cache"]  # type: ignore[operator]
    spec = one(manifests, "ScaledObject", "worker-gpu")["spec"]
    assert (spec["fallback"]["replicas"], spec["maxReplicaCount"], spec["minReplicaCount"]) == (
        0,
        9,
        0,
    )


def test_each_worker_has_one_device_and_its_deployment_waits_for_it() -> None:
    """A new worker does not wait for a device that the old one still holds."""
    manifests = rendered(_ALL)
    for name, resource in (("gpu", "gpu.intel.com/i915"), ("npu", "npu.intel.com/accel")):
        (container,) = pods(manifests)[f"night-winepress-worker-{name}"]["containers"]
        assert container["resources"]["limits"][resource] == 1
        assert container["image"] == f"winepress-worker-{name}:0.1.0"
        spec = one(manifests, "Deployment", f"worker-{name}")["spec"]
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}
        assert "replicas" not in spec, "the scaler's number is left alone"


def test_a_worker_is_alive_while_it_touches_its_file() -> None:
    """The probes look at the very file that its command names."""
    (container,) = pods(rendered({}))["night-winepress-worker-cpu"]["containers"]
    file = container["args"][container["args"].index("--alive-file") + 1]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        *shell, script = container[probe]["exec"]["command"]
        assert shell == ["/bin/sh", "-c"]
        assert file in shlex.split(shlex.split(script.replace("$(", "").replace(")", ""))[2])


def test_the_values_that_the_guide_shows_are_taken() -> None:
    """All of them, with the sets that it adds."""
    (block,) = (b for b in Page(ROOT / "docs" / "kubernetes.md").blocks if b.language == "yaml")
    manifests = rendered(yaml.safe_load(block.text))
    ends = sorted(name.removeprefix("night-winepress-") for name in pods(manifests))
    assert ends == ["gateway", "webhooks", "worker-cpu", "worker-gpu", "worker-sdxl"]
    for manifest in manifests:
        _check(manifest, _CURRENT)
