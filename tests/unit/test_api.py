"""What `import winepress` gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

import winepress

PROMISED = {
    "AsyncClient",
    "AsyncJobHandle",
    "BrokerUnreachable",
    "Client",
    "Conflict",
    "FarmUnreachable",
    "ImageToImage",
    "Inpaint",
    "InvalidJob",
    "JobCanceled",
    "JobExpired",
    "JobFailed",
    "JobHandle",
    "JobState",
    "NotFound",
    "ObjectMissing",
    "Precision",
    "Priority",
    "QueueFull",
    "Refused",
    "StoreRefused",
    "StoreUnreachable",
    "TextToImage",
    "UnknownModel",
    "Webhook",
    "WebhookEvent",
    "WinepressError",
    "WrongUsage",
    "ZoomVideo",
    "__version__",
}

MOST_MODULES = 350  #: most of them are pydantic's and the interpreter's own


def in_fresh_python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_supported_names_are_exactly_these() -> None:
    """A name that is added or lost is a change of the contract, not an accident."""
    assert set(winepress.__all__) == PROMISED
    assert all(hasattr(winepress, name) for name in PROMISED)


def test_the_supported_names_are_shown_before_they_are_loaded() -> None:
    """Shells complete what `dir` lists."""
    assert set(in_fresh_python("import winepress; print(*dir(winepress))").split()) == PROMISED


def test_importing_the_client_brings_no_client_of_a_server() -> None:
    """The S3 client, Celery and Redis are loaded when first used."""
    loaded = in_fresh_python(
        "import sys; from winepress import Client; Client.from_env(); print(*sys.modules)"
    ).split()
    heavy = {"boto3", "botocore", "celery", "kombu", "redis", "torch", "openvino", "numpy"}
    assert heavy.isdisjoint(loaded)


def test_importing_the_client_is_light() -> None:
    """Modules are counted, not seconds: those depend on the machine, and come from these."""
    count = in_fresh_python("import sys; from winepress import Client; print(len(sys.modules))")
    assert int(count) <= MOST_MODULES
