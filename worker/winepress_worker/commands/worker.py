"""``winepress worker``: serve the farm with one device."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import WrongUsage
from winepress_shared.json_log import begin_json_log
from winepress_shared.lane import Lane, Precision
from winepress_shared.service_log import add_log_flag
from winepress_shared.settings import Settings
from winepress_shared.terminal import write_line
from winepress_shared.tracers import check_tracing
from winepress_worker.cores import check_cores
from winepress_worker.engine_name import EngineName
from winepress_worker.logs import configure_logs
from winepress_worker.machine_memory import machine_budget, share_out
from winepress_worker.options import (
    DEFAULT_DRAIN_S,
    DEFAULT_IDLE_S,
    DEFAULT_MAX_BATCH_SIZE,
    WorkerOptions,
    check_device,
    default_name,
)
from winepress_worker.parent.device_check import check_device_draws
from winepress_worker.parent.device_presence import check_device_presence

#: Suffix of a size → bytes.
_UNITS = {"": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "MB": 10**6, "GB": 10**9}
#: A worker's name becomes part of Celery's node name, logs and terminal output.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]{0,63}\Z")
_MOST_THREADS = 1024
_LARGEST_BATCH = 64
_MOST_IDLE_S = 31_536_000


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("worker", help="serve the farm with one device of this machine")
    add = parser.add_argument
    add("--device", default="CPU", help="CPU, GPU, GPU.1, NPU, AUTO, AUTO:NPU,CPU")
    add("--name", help="unique in the farm; default: host and device")
    add("--lanes", default="*", help="comma-separated patterns, for example 'vignette.*'")
    add(
        "--engine",
        default="openvino",
        help="openvino, fake for rehearsals, or one of your own: NAME=MODULE:FACTORY",
    )
    add(
        "--drain-grace",
        type=float,
        default=DEFAULT_DRAIN_S,
        metavar="SECONDS",
        help="when it is stopped, a picture may take so long to end; then it is left to others, "
        f"and no attempt counts; default {DEFAULT_DRAIN_S:.0f}",
    )
    add("--self-test", action="store_true", help="draw a known picture on the device, then exit")
    add("--alive-file", default="", metavar="FILE", help="touched at every heartbeat, for probes")
    _add_device_flags(parser.add_argument_group("how the device computes"))
    _add_memory_flags(parser.add_argument_group("what is kept in memory"))
    add_log_flag(parser)
    parser.set_defaults(run=run)


def _add_device_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--threads", type=int, default=0, help="inference threads; 0: OpenVINO's choice")
    add("--cores", default="", metavar="LIST", help="use only these processor cores, like 0-3,8")
    add(
        "--stage-device",
        action="append",
        default=[],
        metavar="STAGE=DEVICE",
        help="compute text, denoise or vae on another device; may be repeated",
    )
    add(
        "--precision-hint",
        action="append",
        default=[],
        metavar="[STAGE=]TYPE",
        help="compute in f32, f16 or bf16; may be repeated",
    )
    add(
        "--max-batch-size",
        type=int,
        default=DEFAULT_MAX_BATCH_SIZE,
        metavar="N",
        help="most pictures in one call, where the job leaves it open; "
        f"default {DEFAULT_MAX_BATCH_SIZE}",
    )


def _add_memory_flags(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add(
        "--memory-budget",
        metavar="SIZE",
        help="for models of this worker, for example 8GiB; default: this machine's free memory",
    )
    add("--host-budget", metavar="SIZE", help="for models of all this machine's workers together")
    add(
        "--low-memory",
        action="store_true",
        help="draw models that need more than that one stage at a time: slower, the same bytes",
    )
    add("--pin", action="append", default=[], metavar="MODEL", help="load at the start and keep")
    add(
        "--idle-unload",
        type=float,
        default=DEFAULT_IDLE_S,
        metavar="SECONDS",
        help=f"unload models not used for so long; 0: never; default {DEFAULT_IDLE_S:.0f}",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run a worker until it is stopped, or test its device once."""
    from winepress_worker.parent.process import run_worker

    settings = Settings.load()
    if settings.log_format == "json":  # what is wrong with the flags is told in it too
        begin_json_log()
    options = read_options(arguments, Catalogue.load(settings.catalogue), settings.home)
    is_real = options.engine == "openvino"
    if is_real:
        check_device_presence({part for p in options.placement.places for part in p.device.parts})
    if arguments.self_test:
        write_line(sys.stdout, f"{options.device}: {check_device_draws(options)}")
        return 0
    if is_real and not options.is_plain:
        check_device_draws(options, is_known_enough=True)
    configure_logs(settings, options.name)
    check_tracing(settings)
    return run_worker(options, settings)


def read_options(
    arguments: argparse.Namespace, catalogue: Catalogue, home: Path | None = None
) -> WorkerOptions:
    """The options given by the flags; raises WrongUsage or UnknownModel.

    Workers of one ``home`` share the memory of their machine.
    """
    device = check_device(arguments.device)
    EngineName.parse(arguments.engine)
    _check_range("--threads", arguments.threads, 0, _MOST_THREADS)
    _check_range("--max-batch-size", arguments.max_batch_size, 1, _LARGEST_BATCH)
    _check_range("--idle-unload", arguments.idle_unload, 0, _MOST_IDLE_S)
    _check_range("--drain-grace", arguments.drain_grace, 0, _MOST_IDLE_S)
    name = arguments.name or default_name(device)
    if not _NAME.match(name):
        raise WrongUsage(
            "not a valid worker name",
            field="--name",
            value=name,
            allowed="1 to 64 letters, digits and ._,-",
        )
    worker_budget, host_budget = share_out(
        parse_size(arguments.memory_budget, "--memory-budget"),
        parse_size(arguments.host_budget, "--host-budget"),
        machine_budget(home),
    )
    options = WorkerOptions(
        name=name,
        device=device,
        lanes=tuple(filter(None, arguments.lanes.split(","))),
        engine=arguments.engine,
        memory_budget=worker_budget,
        host_budget=host_budget,
        idle_unload_s=arguments.idle_unload,
        pins=tuple(_check_pin(text, catalogue) for text in arguments.pin),
        threads=arguments.threads,
        cores=arguments.cores and check_cores(arguments.cores),
        stage_devices=tuple(arguments.stage_device),
        precision_hints=tuple(arguments.precision_hint),
        max_batch_size=arguments.max_batch_size,
        drain_s=arguments.drain_grace,
        low_memory=arguments.low_memory,
        alive_file=arguments.alive_file and _check_file(arguments.alive_file),
    )
    _ = options.placement  # raises if it is invalid
    return options


def _check_file(text: str) -> str:
    path = Path(text).absolute()
    if path.is_dir() or not os.access(path.parent, os.W_OK | os.X_OK):
        raise WrongUsage(
            "cannot be written",
            field="--alive-file",
            value=text,
            allowed="a file in a folder that is there and that this user may write to",
        )
    return str(path)


def _check_range(field: str, value: float, least: int, most: int) -> None:
    if not least <= value <= most:
        raise WrongUsage("out of range", field=field, value=value, allowed=f"{least} to {most}")


def _check_pin(text: str, catalogue: Catalogue) -> str:
    """Add the default precision: ``vignette`` means ``vignette.fp16``, as in jobs."""
    lane = Lane.parse(text if "." in text else f"{text}.{Precision.FP16.value}")
    catalogue.get(lane.model)
    return str(lane)


def parse_size(text: str | None, field: str = "--memory-budget") -> int | None:
    """Bytes of ``8GiB``, ``512MiB`` or a plain number; None of None. Raises WrongUsage."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([A-Za-z]*)", text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise WrongUsage("not a valid size", field=field, value=text, allowed="like 8GiB or 512MiB")
    return int(float(match[1]) * unit)
