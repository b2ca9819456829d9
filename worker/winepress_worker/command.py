"""``winepress worker``: serve the farm with one device."""

from __future__ import annotations

import argparse
import re

from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings
from winepress_worker.engines import check_engine
from winepress_worker.logs import configure_logs
from winepress_worker.options import (
    DEFAULT_MEMORY_BUDGET,
    WorkerOptions,
    check_device,
    default_name,
)
from winepress_worker.presence import check_presence

#: Suffix of a size → bytes.
_UNITS = {"": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "MB": 10**6, "GB": 10**9}
#: A name stands in Celery's name of the node before an @, in logs and on terminals.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,-]{0,63}\Z")
_THREADS = range(1025)


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser("worker", help="serve the farm with one device of this machine")
    parser.add_argument("--device", default="CPU", help="CPU, GPU, GPU.1, NPU, AUTO, AUTO:NPU,CPU")
    parser.add_argument("--name", help="unique in the farm; default: host and device")
    parser.add_argument(
        "--lanes", default="*", help="comma-separated patterns, for example 'vignette.*'"
    )
    parser.add_argument("--memory-budget", default=None, metavar="SIZE", help="for example 8GiB")
    parser.add_argument(
        "--threads", type=int, default=0, help="inference threads; 0: OpenVINO's choice"
    )
    parser.add_argument("--engine", default="openvino", help="openvino, or fake for rehearsals")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run a worker until it is told to stop."""
    from winepress_worker.parent import run_worker

    device = check_device(arguments.device)
    check_engine(arguments.engine)
    if arguments.threads not in _THREADS:
        raise WrongUsage(
            "out of range",
            field="--threads",
            value=arguments.threads,
            allowed=f"0 to {_THREADS[-1]}",
        )
    name = arguments.name or default_name(device)
    if not _NAME.match(name):
        raise WrongUsage(
            "not a name",
            field="--name",
            value=name,
            allowed="1 to 64 letters, digits and ._,-",
        )
    if arguments.engine == "openvino":
        check_presence(device)
    configure_logs()
    options = WorkerOptions(
        name=name,
        device=device,
        lanes=tuple(filter(None, arguments.lanes.split(","))),
        engine=arguments.engine,
        memory_budget=parse_size(arguments.memory_budget),
        threads=arguments.threads,
    )
    return run_worker(options, Settings.load())


def parse_size(text: str | None) -> int:
    """Bytes of ``8GiB``, ``512MiB`` or a plain number; raises WrongUsage."""
    if text is None:
        return DEFAULT_MEMORY_BUDGET
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", text.strip())
    unit = _UNITS.get(match[2].upper()) if match else None
    if match is None or unit is None or float(match[1]) <= 0:
        raise WrongUsage(
            "not a size", field="--memory-budget", value=text, allowed="like 8GiB or 512MiB"
        )
    return int(float(match[1]) * unit)
