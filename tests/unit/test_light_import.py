"""What ``import winepress`` costs a program that only asks for pictures."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

#: Loaded when first needed, or never: each would slow every script and command down.
HEAVY = {
    "boto3",
    "botocore",
    "celery",
    "diffusers",
    "flower",
    "kombu",
    "nncf",
    "numpy",
    "openvino",
    "optimum",
    "redis",
    "rich",
    "torch",
    "transformers",
    "winepress_worker",
    "winepress_deploy",
}


def _loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after ``statement``."""
    script = f"{statement}\nimport json, sys\nprint(json.dumps(list(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    "statement",
    ["import winepress; winepress.Client", "from winepress import *", "import winepress.cli"],
)
def test_heavy_libraries_stay_out_of_the_producers_import(statement: str) -> None:
    """Broker, store and renderers are imported by those who use them, when they do."""
    loaded = _loaded_by(statement)
    assert "winepress_shared.jobs.job" in loaded
    assert not HEAVY & loaded


def test_pictures_codecs_are_loaded_when_a_picture_is() -> None:
    """Pillow's forty formats cost as much as the rest of the import."""
    loaded = _loaded_by("import winepress; winepress.Client")
    assert not {name for name in loaded if name.startswith("PIL.") and name.endswith("Plugin")}


def test_heavy_library_would_be_seen() -> None:
    """The ruler works: what a statement imports is in the list."""
    assert "botocore" in HEAVY & _loaded_by("import botocore")


@pytest.mark.parametrize("module", ["commands.models", "commands.worker"])
def test_what_draws_is_loaded_by_a_terminal_alone(module: str) -> None:
    """The commands that bring tables and boards know how to draw, and do not load it before."""
    assert "rich" not in _loaded_by(f"import winepress_worker.{module}, winepress_deploy.command")
    table = "from winepress_shared.screen.output import write_table; import sys, os"
    table += "; from winepress_shared.screen.table import Column, Table"
    write = "t = Table([Column('A')]); t.add('x'); write_table(sys.stderr, t)"
    assert "rich" not in _loaded_by(f"{table}; {write}")
    drawn = "os.environ['TERM'] = 'xterm'; sys.stderr.isatty = lambda: True"
    assert "rich" in _loaded_by(f"{table}; {drawn}; {write}")
