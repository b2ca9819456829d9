"""What ``pip install winepress`` alone gives: a producer without any renderer."""

from __future__ import annotations

import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Gigabytes that a machine which only asks for pictures must not be made to carry.
ABSENT = ["torch", "openvino", "optimum", "diffusers", "transformers", "nncf", "numpy", "flower"]
OWN_ABSENT = ["winepress_worker", "winepress_deploy"]  #: parts of ours that come with an extra
MAX_INSTALLED_MIB = 200
MAX_WHEEL_BYTES = 2**20
_PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")
_TIMEOUT_S = 240


def _run(*command: str | Path, cwd: Path) -> str:
    """The output of a command, run where the checkout cannot be imported from."""
    done = subprocess.run(
        [*command], cwd=cwd, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bare environment with nothing but the built wheel and what it pulls in."""
    folder = tmp_path_factory.mktemp("light")
    wheels = folder / "wheels"
    _run(*_PIP, "wheel", "--no-build-isolation", "--no-deps", "-w", wheels, ROOT, cwd=folder)
    (wheel,) = wheels.iterdir()
    assert wheel.stat().st_size <= MAX_WHEEL_BYTES
    venv.create(folder / "venv", symlinks=True)
    python = folder / "venv" / "bin" / "python"
    pins = ROOT / "constraints.txt"
    _run(*_PIP, "--python", python, "install", "--constraint", pins, wheel, cwd=folder)
    return folder / "venv"


@pytest.mark.slow
def test_no_renderer_comes_with_the_producer(light: Path) -> None:
    """None of the renderers' libraries can be imported, nor our own that use them."""
    script = (
        "import importlib.util, sys\n"
        "print(*(name for name in sys.argv[1:] if importlib.util.find_spec(name)))"
    )
    assert (
        _run(light / "bin" / "python", "-c", script, *ABSENT, *OWN_ABSENT, cwd=light).split() == []
    )


@pytest.mark.slow
def test_client_works_without_a_renderer(light: Path) -> None:
    """A job can be described and checked; only submitting it needs a farm."""
    script = (
        "from winepress import Client, TextToImage\n"
        "print(Client.__name__, TextToImage(prompt='a red apple', steps=3).num_inference_steps)"
    )
    assert _run(light / "bin" / "python", "-c", script, cwd=light).split() == ["Client", "3"]


@pytest.mark.slow
def test_command_lists_its_words_without_a_renderer(light: Path) -> None:
    """The worker's commands are named too, and say which extra brings them."""
    text = _run(light / "bin" / "winepress", "--help", cwd=light)
    assert {"submit", "status", "worker", "up"} <= set(text.replace(",", " ").split())
    for words, extra in ((["worker", "--device", "CPU"], "worker"), (["gateway"], "gateway")):
        command = [str(light / "bin" / "winepress"), *words]
        done = subprocess.run(
            command, cwd=light, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
        )
        assert done.returncode == 2
        assert f"pip install 'winepress[{extra}" in done.stderr


@pytest.mark.slow
def test_the_parts_are_built_and_installed_from_a_checkout(light: Path, tmp_path: Path) -> None:
    """Beside the producer, without an index that knows them; then their commands are there."""
    target = tmp_path / "parts"
    parts = [ROOT / "worker", ROOT / "deploy"]
    options = ("--no-build-isolation", "--no-deps", "--target", target)
    _run(*_PIP, "install", *options, *parts, cwd=tmp_path)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import winepress_worker.commands.models, winepress_deploy\n"
        "from winepress.cli import main; main(['models', 'list'])"
    )
    text = _run(light / "bin" / "python", "-c", script, target, cwd=tmp_path)
    assert "vignette" in text


@pytest.mark.slow
def test_every_module_of_the_producer_can_be_imported(light: Path) -> None:
    """No corner of the client or the shared vocabulary needs an extra; some parts do."""
    script = (
        "import importlib, pkgutil, winepress, winepress_shared\n"
        "for package in (winepress, winepress_shared):\n"
        "    for module in pkgutil.walk_packages(package.__path__, package.__name__ + '.'):\n"
        "        if module.name.startswith(('winepress.gateway', 'winepress.metrics')) "
        "or module.name == 'winepress_shared.open_telemetry':\n"
        "            continue\n"
        "        if not module.name.endswith('__main__'):\n"
        "            importlib.import_module(module.name)\n"
        "            print(module.name)"
    )
    assert len(_run(light / "bin" / "python", "-W", "error", "-c", script, cwd=light).split()) > 20


@pytest.mark.slow
def test_installed_size_stays_small(light: Path) -> None:
    """Nothing large slips in with a dependency's next release."""
    size = sum(path.stat().st_size for path in light.rglob("*") if path.is_file())
    assert size <= MAX_INSTALLED_MIB * 2**20
