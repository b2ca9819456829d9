"""Who may import whom: between our own layers, and from the outside world."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    file.relative_to(ROOT)
    for folder in ("shared", "worker", "producer", "deploy", "training")
    for file in (ROOT / folder).rglob("*.py")
)
_ENGINES = "worker/winepress_worker/engines"
#: What runs only where the device is.
_DRAWING = (
    "arguments",
    "denoiser",
    "library_notices",
    "openvino",
    "scheduling",
    "step_cache",
    "steps",
    "tokenizing",
)
_CONVERSION = "worker/winepress_worker/conversion/*.py"
_ZOOM = "worker/winepress_worker/zoom"
_TRAINING = "training/*.py"  # made the bundled models; no part of the product

#: Third party → the only files that may import it, however late.
HOMES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("celery", "kombu", "billiard"),
        (
            "shared/winepress_shared/broker.py",
            "worker/winepress_worker/tasks.py",
            "worker/winepress_worker/parent/process.py",
            "shared/winepress_shared/gate.py",
            "shared/winepress_shared/sentinel_transport.py",
            "producer/winepress/gateway/webhooks/process.py",
            "deploy/winepress_deploy/services/flower_app.py",
        ),
    ),
    **dict.fromkeys(
        ("boto3", "botocore", "types_boto3_s3"), ("shared/winepress_shared/stores/s3*.py",)
    ),
    "redis": (
        "shared/winepress_shared/gate.py",
        "shared/winepress_shared/ledger/channel.py",
        "shared/winepress_shared/ledger/connections.py",
        "shared/winepress_shared/ledger/ledger.py",
        "shared/winepress_shared/ledger/script_server.py",
        "shared/winepress_shared/sentinel_transport.py",
        "shared/winepress_shared/sentinels.py",
    ),
    # The list of devices is shown without the ten seconds that optimum takes to import.
    "openvino": (
        *(f"{_ENGINES}/{name}.py" for name in ("openvino", "devices", "unpacked_weights")),
        _CONVERSION,
    ),
    **dict.fromkeys(
        ("optimum", "nncf"),
        (*(f"{_ENGINES}/{name}.py" for name in ("assembly", "autoencoders")), _CONVERSION),
    ),
    **dict.fromkeys(
        ("torch", "diffusers", "transformers", "safetensors"),
        (*(f"{_ENGINES}/{name}.py" for name in _DRAWING), _CONVERSION, _TRAINING),
    ),
    "numpy": (
        "worker/winepress_worker/models/likeness.py",
        *(f"{_ENGINES}/{name}.py" for name in ("openvino", "previews", "tiled_decoder")),
        *(f"{_ENGINES}/{name}.py" for name in ("kept_texts", "unpacked_weights")),
        *(_CONVERSION, _TRAINING),
        *(f"{_ZOOM}/{name}.py" for name in ("colour_field", "outpaint", "planes")),
    ),
    "av": (f"{_ZOOM}/encoder.py", "shared/winepress_shared/jobs/sound_decoder.py"),
    "huggingface_hub": ("worker/winepress_worker/models/hub.py",),
    "httpx": (
        "worker/winepress_worker/models/hub.py",
        "producer/winepress/gateway/webhooks/post.py",
    ),
    "rich": tuple(f"shared/winepress_shared/screen/{name}.py" for name in ("drawing", "surface")),
    **dict.fromkeys(("mcp", "mcp_types"), ("producer/winepress/gateway/mcp/*.py",)),
    "yaml": ("producer/winepress/job_files/job_file.py",),
    "cryptography": ("deploy/winepress_deploy/services/certificates.py",),
    "prometheus_client": ("producer/winepress/metrics/exposition.py",),
    "opentelemetry": ("shared/winepress_shared/open_telemetry.py",),
    "psutil": ("worker/winepress_worker/renderer/description.py",),
}


def imported_packages(source: str) -> Iterator[str]:
    """The top-level package of every absolute import, inside functions too."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def test_layers_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deploy → worker | producer → shared, and never another way (`make check` says where not)."""
    config = ROOT / "pyproject.toml"
    # It would set up logging for the whole process, and switch every logger off that exists.
    monkeypatch.setattr("logging.config.dictConfig", lambda config: None)
    assert lint_imports(config_filename=str(config), no_cache=True) == EXIT_STATUS_SUCCESS


def test_contract_of_the_layers_is_the_agreed_one() -> None:
    """The contract itself cannot be loosened in passing: no exceptions, every package in it."""
    config = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    layers, *forbidden = config["contracts"]
    assert layers["layers"] == [
        "winepress_deploy",
        "winepress_worker | winepress",
        "winepress_shared",
    ]
    assert [set(contract) for contract in forbidden] == [
        {"name", "type", "source_modules", "forbidden_modules"}
    ] * len(forbidden)
    assert {
        contract["source_modules"][0]: contract["forbidden_modules"] for contract in forbidden
    } == {
        "winepress_shared.jobs": ["winepress_shared.ledger", "winepress_shared.stores"],
        "winepress_worker.models": [
            f"winepress_worker.{room}" for room in ("conversion", "engines", "pipelines")
        ],
        "winepress_worker.parent": [
            f"winepress_worker.{room}"
            for room in ("conversion", "engines", "pipelines", "renderer")
        ],
    }
    packages = {
        file.parts[1] for file in SOURCES if (ROOT / Path(*file.parts[:2], "__init__.py")).exists()
    }
    assert packages == set(config["root_packages"])


@cache
def packages_of(file: Path) -> frozenset[str]:
    """What one of the sources imports."""
    return frozenset(imported_packages((ROOT / file).read_text("utf-8")))


@pytest.mark.parametrize("guest", HOMES)
def test_third_party_is_imported_in_its_home_only(guest: str) -> None:
    """To replace a library is to rewrite its home, and nothing else."""
    importers = [file for file in SOURCES if guest in packages_of(file)]
    strays = [str(file) for file in importers if not any(file.match(home) for home in HOMES[guest])]
    assert not strays
    gone = [home for home in HOMES[guest] if not any(file.match(home) for file in SOURCES)]
    assert not gone, "a home that has moved"


def test_late_and_renamed_imports_are_seen() -> None:
    """The ruler of the test above sees every way to import but a call of importlib."""
    source = "def f():\n    import torch.nn as nn\n    from boto3.session import Session as S\n"
    assert list(imported_packages(source)) == ["torch", "boto3"]
    assert list(imported_packages("from . import torch\nfrom .redis import x")) == []


def test_importlib_is_no_way_around() -> None:
    """No source names a guarded library to importlib."""
    named = [
        (str(file), ast.unparse(node.args[0]).strip("'\""))
        for file in SOURCES
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module")
    ]
    assert [(file, name) for file, name in named if name.partition(".")[0] in HOMES] == []
