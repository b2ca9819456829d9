"""Which lanes a worker serves, and what its command line accepts."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import UnknownModel, WrongUsage
from winepress_shared.lane import Lane
from winepress_worker.commands.worker import parse_size, read_options, register, run
from winepress_worker.options import WorkerOptions, default_name


def test_options_survive_the_way_to_the_rendering_process() -> None:
    """What the parent encodes the child decodes to the same value."""
    options = WorkerOptions("w", "AUTO:NPU,CPU", ("vignette.*", "tiny-sd.int8"), threads=2)
    options = replace(options, pins=("vignette.fp16",), stage_devices=("vae=CPU",))
    assert WorkerOptions.decode(options.encode()) == options


@pytest.mark.parametrize(
    ("device", "lane", "serves"),
    [
        ("CPU", "vignette.fp16", True),
        ("CPU", "vignette.fp16@CPU", True),
        ("CPU", "vignette.fp16@NPU", False),
        ("GPU.1", "vignette.fp16@GPU", True),
        ("AUTO:NPU,CPU", "vignette.fp16", True),
        ("AUTO:NPU,CPU", "vignette.fp16@NPU", False),
        ("CPU", "film", True),
        ("AUTO", "film", True),
        ("GPU", "film", False),
        ("NPU=CPU", "vignette.fp16@NPU", True),
        ("NPU=CPU", "vignette.fp16@CPU", False),
    ],
)
def test_a_pinned_lane_is_served_by_its_device_class_alone(
    device: str, lane: str, serves: bool
) -> None:
    """AUTO may land anywhere, so it takes no pinned work."""
    assert WorkerOptions("w", device).serves(Lane.parse(lane)) is serves


def test_lane_patterns_narrow_what_a_worker_takes() -> None:
    """A worker started for one model leaves the others alone."""
    options = WorkerOptions("w", lanes=("vignette.*",))
    assert options.serves(Lane.parse("vignette.fp16"))
    assert not options.serves(Lane.parse("vignette-inpaint.fp16"))
    assert not options.serves(Lane.parse("film"))
    assert WorkerOptions("w", "GPU", lanes=("film",)).serves(Lane.parse("film"))


def test_the_default_name_tells_the_device() -> None:
    """Two workers of one machine on two devices have two names."""
    assert default_name("AUTO:NPU,CPU").endswith("-auto-npu,cpu")
    assert default_name("CPU") != default_name("NPU")
    assert default_name("NPU=CPU").endswith("-npu-cpu")


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 8 * 2**30), ("512 MiB", 512 * 2**20), ("1000", 1000), ("1.5gb", 15 * 10**8)],
)
def test_sizes_are_read_with_their_unit(text: str, size: int) -> None:
    """Binary and decimal units both mean what they say."""
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "8 apples", "0", "GiB", "1e9", "9" * 5000 + "GiB"])
def test_a_bad_size_is_refused_with_an_example(text: str) -> None:
    """The message shows a form that works."""
    with pytest.raises(WrongUsage, match="8GiB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--threads", "-5"], "--threads: out of range"),
        (["--name", "a b@c"], "--name: not a valid worker name"),
        (["--name", "a\n"], "--name: not a valid worker name"),
        (["--engine", "fkae"], "engine: unknown engine"),
        (["--engine", "fake:stpe_s=1"], "stpe_s: invalid setting of the fake engine"),
        (["--engine", "openvino:x=1"], "engine: takes no settings"),
        (["--engine", "mine=no_such_module:Engine"], "engine: the module .* is not found"),
        (["--engine", "openvino=json:loads"], "engine: is the name of an engine of Winepress"),
        (["--engine", "mine=json"], "engine: unknown engine"),
        (["--device", "CPU=GPU=NPU"], "--device: not a valid device"),
        (["--stage-device", "text=FPU"], "--stage-device: not a valid device"),
        (["--stage-device", "unet=CPU"], "--stage-device: unknown stage"),
        (["--precision-hint", "f64"], "--precision-hint: not a supported type"),
        (["--precision-hint", "unet=f32"], "--precision-hint: unknown stage"),
        (["--cores", "0-"], "--cores: not processor cores"),
        (["--cores", "9999"], "--cores: not processor cores"),
        (["--max-batch-size", "0"], "--max-batch-size: out of range"),
        (["--idle-unload", "nan"], "--idle-unload: out of range"),
        (["--host-budget", "much"], "--host-budget: not a valid size"),
        (["--memory-budget", "0GiB"], "--memory-budget: not a valid size"),
    ],
)
def test_a_wrong_flag_is_refused_before_the_worker_joins(flags: list[str], message: str) -> None:
    """A worker that joined with it would take work and fail at it."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    arguments = parser.parse_args(["worker", *flags])
    with pytest.raises(WrongUsage, match=f"^{message}"):
        run(arguments)


def test_a_pin_names_a_known_model_and_may_leave_its_precision_out() -> None:
    """A typo is found at the start, with the nearest name."""
    parser = argparse.ArgumentParser()
    register(parser.add_subparsers())
    catalogue = Catalogue.load()
    arguments = parser.parse_args(["worker", "--pin", "vignette", "--pin", "vignette.int8-weights"])
    options = read_options(arguments, catalogue)
    assert options.pins == ("vignette.fp16", "vignette.int8-weights")
    with pytest.raises(UnknownModel, match="Did you mean 'vignette'"):
        read_options(parser.parse_args(["worker", "--pin", "vinette"]), catalogue)


def test_a_renderer_keeps_to_the_cores_it_was_given() -> None:
    """What it may use afterwards is what was asked for."""
    core = str(min(os.sched_getaffinity(0)))
    code = (
        "import os; from winepress_worker.cores import keep_to_cores\n"
        f"keep_to_cores({core!r}); print(*os.sched_getaffinity(0))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == [core]
