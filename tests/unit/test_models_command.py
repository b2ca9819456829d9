"""``winepress models`` tells what this machine can render, without importing what renders."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.throwaway_models import catalogue_of, place

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import UnknownModel, WrongUsage
from winepress_shared.lane import Precision
from winepress_worker.commands.models import register
from winepress_worker.commands.models_table import table


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINEPRESS_HOME", str(tmp_path))
    monkeypatch.setenv("WINEPRESS_STORE_FOLDER", str(tmp_path / "store"))
    monkeypatch.setenv("WINEPRESS_BROKER_URL", "redis://127.0.0.1:1/0")  # nobody listens there


def run(*words: str) -> int:
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(words)
    return int(arguments.run(arguments))


def test_every_model_is_listed_in_every_precision(capsys: pytest.CaptureFixture[str]) -> None:
    """Bundled models are there on demand, before anything was prepared."""
    assert run("models", "list", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    states = {(row["model"], row["precision"]): row["state"] for row in rows}
    assert states["vignette", "fp16"] == "on demand"
    assert states["vignette-inpaint", "int8-weights"] == "on demand"
    assert all(row["memory_mib"] > 0 and row["size_bytes"] == 0 for row in rows)


def test_the_list_for_people_has_one_line_per_model(capsys: pytest.CaptureFixture[str]) -> None:
    """A head line that names the precisions, then models by names that can be typed back."""
    assert run("models", "list") == 0
    head, *lines = capsys.readouterr().out.splitlines()
    precisions = [one.value.upper() for one in Precision]
    assert head.split() == ["MODEL", *precisions, "MEMORY", "WARM", "ON", "LICENCE"]
    assert [line.split()[0] for line in lines] == list(Catalogue.load().names)
    assert any(line.startswith("vignette  ") and "on demand" in line for line in lines)
    assert not any("\\" in line for line in (head, *lines))  # nothing had to be escaped


def test_a_cell_says_what_there_is_of_a_model() -> None:
    """Its size here, whether the store has it, and who holds it warm."""
    common = {"model": "m", "memory_mib": 900, "licence": "MIT", "published": True}
    rows = [
        {**common, "precision": "fp16", "state": "prepared", "size_bytes": 2**21, "warm_on": ["a"]},
        {**common, "precision": "int8", "state": "not here", "size_bytes": 0, "warm_on": ["a"]},
        {**common, "precision": "int8-weights", "state": "not here", "size_bytes": 0}
        | {"published": None, "warm_on": []},
    ]
    _, line = table(rows).plain()
    assert re.split(r"  +", line) == [
        *("m", "2.0 MiB, store", "store", "-", "900 MiB", "a (fp16+int8)", "MIT")
    ]


def test_memory_is_told_for_each_precision() -> None:
    """Fewer bits need less, and the table says from how much to how much."""
    rows = [
        {"model": "m", "memory_mib": need, "licence": "MIT", "published": False, "warm_on": []}
        | {"precision": precision, "state": "prepared", "size_bytes": 2**20}
        for precision, need in (("fp16", 900), ("int8-weights", 500))
    ]
    _, line = table(rows).plain()
    assert "500-900 MiB" in line


def test_what_a_model_takes_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """The options a job may name, before one is refused."""
    assert run("models", "show", "sdxl-base") == 0
    shown = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert shown["vae"] == "full, tiny"
    assert shown["refiners"] == "sdxl-refiner"
    assert run("models", "show", "lcm-ssd-1b", "--json") == 0
    assert json.loads(capsys.readouterr().out)["embedded_guidance"] is True
    with pytest.raises(UnknownModel, match="vignette"):
        run("models", "show", "vignete")


def test_names_that_do_not_exist_are_refused() -> None:
    """The message says which ones do."""
    with pytest.raises(UnknownModel, match="vignette"):
        run("models", "prepare", "vignete")
    with pytest.raises(WrongUsage, match="fp16"):
        run("models", "prepare", "vignette", "--precision", "fp15")
    with pytest.raises(WrongUsage, match="int8-weights"):
        run("models", "rm", "vignette", "--precision", "int7")


def test_removing_what_was_never_prepared_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """It is no error: afterwards the model is not there, as wished."""
    assert run("models", "rm", "vignette") == 0
    assert capsys.readouterr().out.count("was not prepared") == 4


def test_a_model_is_pushed_here_and_pulled_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By MODEL.PRECISION; the list tells what is published, and that nobody knows what is warm."""
    catalogue_of(tmp_path, "guest")
    monkeypatch.setenv("WINEPRESS_CATALOGUE", str(tmp_path / "guests.toml"))
    place(tmp_path, "guest")
    assert run("models", "push", "guest.fp16") == 0
    assert "guest.fp16 is published: 1.0 of 1.0 MiB sent" in capsys.readouterr().out
    assert run("models", "push", "guest") == 0
    assert "0.0 of 1.0 MiB sent" in capsys.readouterr().out
    monkeypatch.setenv("WINEPRESS_HOME", str(tmp_path / "there"))
    assert run("models", "list", "--json") == 0
    shown = capsys.readouterr()
    row = next(row for row in map(json.loads, shown.out.splitlines()) if row["model"] == "guest")
    assert (row["published"], row["warm_on"], row["state"]) == (True, None, "not here")
    assert "cannot list warm models" in shown.err
    assert run("models", "pull", "guest.fp16") == 0
    assert "guest.fp16 is ready" in capsys.readouterr().out


def test_what_is_not_there_cannot_be_pushed_or_pulled() -> None:
    """The message names the command that comes first."""
    with pytest.raises(
        WrongUsage, match=r"prepared on this machine.*models prepare vignette\.int8-weights"
    ):
        run("models", "push", "vignette.int8-weights")
    with pytest.raises(WrongUsage, match=r"not published.*models push vignette\.fp16"):
        run("models", "pull", "vignette.fp16")
    with pytest.raises(WrongUsage, match=r"not published.*models push vignette`"):
        run("models", "pull", "vignette")


def test_devices_are_listed_with_their_properties(capsys: pytest.CaptureFixture[str]) -> None:
    """A CPU is always among them."""
    assert run("devices", "--json") == 0
    devices = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    cpu = next(device for device in devices if device["name"] == "CPU")
    assert cpu["full_name"]
    assert "INFERENCE_NUM_THREADS" in cpu["properties"]


@pytest.mark.parametrize(
    "module",
    [
        "engines",
        "engines.base",
        "engines.fake",
        "pipelines.warm_pool",
        "models.local_models",
        "commands.models",
    ],
)
def test_only_the_rendering_engine_imports_what_renders(module: str) -> None:
    """Everything around it stays small and quick to start."""
    script = (
        f"import sys, winepress_worker.{module}\n"
        "heavy = {'torch', 'openvino', 'optimum', 'diffusers', 'nncf', 'numpy'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode == 0, ended.stderr
