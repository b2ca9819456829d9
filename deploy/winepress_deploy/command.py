"""``winepress demo``, ``up``, ``down``, ``flower`` and ``roles``: a farm on this machine."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.roles import Role
from winepress_deploy.state_folder import StateFolder, configured_state, default_state
from winepress_shared.errors import WrongUsage
from winepress_shared.json_log import begin_json_log, json_handler
from winepress_shared.service_log import add_log_flag
from winepress_shared.terminal import write_line

log = logging.getLogger(__name__)

_MOST_WORKERS = 64  #: per device
_DOWN_S = 180.0  #: longer than a worker's grace period for its current picture


def register(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-commands."""
    demo = subparsers.add_parser(
        "demo", help="see a farm work for a few minutes, and lose a worker"
    )
    demo.add_argument("--out", type=Path, default=Path("winepress-demo"), metavar="DIR")
    demo.add_argument("--stay", action="store_true", help="leave the farm up until Ctrl-C")
    demo.set_defaults(run=_demo)
    up = subparsers.add_parser("up", help="run a whole farm on this machine")
    _add_state(up, "that of WINEPRESS_CONFIG, or ")
    up.add_argument("--device", action="append", help="CPU, GPU.1, NPU, AUTO …; may be repeated")
    up.add_argument("--workers", type=int, default=1, metavar="N", help="number per device")
    up.add_argument(
        "--engine", default="openvino", help="openvino, fake for rehearsals, or one of your own"
    )
    up.add_argument("--memory-budget", metavar="SIZE", help="memory for models of each worker")
    up.add_argument(
        "--host-budget",
        metavar="SIZE",
        help="memory for the models of all workers; default: this machine's free memory",
    )
    up.add_argument(
        "--low-memory",
        action="store_true",
        help="draw models that need more than that one stage at a time: slower, the same bytes",
    )
    up.add_argument("--no-flower", action="store_true", help="do not run Flower, the web page")
    up.add_argument("--no-gateway", action="store_true", help="do not serve the farm over HTTP")
    up.add_argument("--detach", action="store_true", help="run in the background")
    add_log_flag(up)
    up.set_defaults(run=_up)
    down = subparsers.add_parser("down", help="stop a farm on this machine")
    _add_state(down, "that of WINEPRESS_CONFIG, or ")
    down.set_defaults(run=_down)
    page = subparsers.add_parser("flower", help="run Flower alone, for the configured farm")
    _add_state(page)
    page.add_argument("--address", default="127.0.0.1", help="where to listen (default: local)")
    page.add_argument("--port", type=int, default=5555)
    add_log_flag(page)
    page.set_defaults(run=_flower)
    _register_roles(subparsers)


def _register_roles(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = "write a key for each role, for servers that you run yourself"
    roles = subparsers.add_parser(
        "roles",
        help=text,
        description="Write a settings file with its own key for each role, and the users and "
        "policies for the broker and the store. Secrets are generated at the first run and kept "
        "in credentials.json in the folder; a secret removed there is generated again.",
    )
    roles.add_argument("--out", type=Path, required=True, metavar="DIR", help="a new folder")
    roles.add_argument(
        "--compose",
        action="store_true",
        help="for the servers of compose.yaml; default: for those that your settings name",
    )
    change = roles.add_mutually_exclusive_group()
    change.add_argument(
        "--rotate",
        choices=[*(role.value for role in Role), "all"],
        metavar="ROLE",
        help="operator, producer, gateway, worker, flower or all: a new key for it; the servers "
        "accept the former one too",
    )
    change.add_argument(
        "--retire", action="store_true", help="have the servers accept no former key any more"
    )
    roles.set_defaults(run=_roles)


def _demo(arguments: argparse.Namespace) -> int:
    from winepress_deploy.demo import Demo

    return Demo(arguments.out, stays=arguments.stay).run()


def _add_state(parser: argparse.ArgumentParser, first: str = "") -> None:
    parser.add_argument(
        "--state",
        type=Path,
        metavar="DIR",
        help=f"folder of the farm; default: {first}winepress in $XDG_STATE_HOME or ~/.local/state",
    )


def _up(arguments: argparse.Namespace) -> int:
    from winepress_deploy.run_farm import run_detached, run_here
    from winepress_deploy.settings_file import user_settings
    from winepress_worker.commands.worker import parse_size
    from winepress_worker.engine_name import EngineName
    from winepress_worker.options import check_device

    if not 0 <= arguments.workers <= _MOST_WORKERS:
        raise WrongUsage(
            "out of range",
            field="--workers",
            value=arguments.workers,
            allowed=f"0 to {_MOST_WORKERS}",
        )
    EngineName.parse(arguments.engine)
    options = FarmOptions(
        state=arguments.state or configured_state(os.environ),
        devices=tuple(dict.fromkeys(map(check_device, arguments.device or ("CPU",)))),
        workers=arguments.workers,
        flower=not arguments.no_flower,
        gateway=not arguments.no_gateway,
        engine=arguments.engine,
        memory_budget=parse_size(arguments.memory_budget, "--memory-budget"),
        host_budget=parse_size(arguments.host_budget, "--host-budget"),
        worker_flags=("--low-memory",) if arguments.low_memory else (),
    )
    state = StateFolder(options.state or default_state())
    with suppress(WrongUsage):  # the farm itself tells of settings that are not valid
        if user_settings(state.settings, os.environ).log_format == "json":
            begin_json_log()
    return (run_detached if arguments.detach else run_here)(options, _say)


def _down(arguments: argparse.Namespace) -> int:
    from winepress_deploy.running_farm import stop_running

    state = StateFolder(arguments.state or configured_state(os.environ) or default_state())
    stopped = stop_running(state, _DOWN_S)
    if stopped is None:
        _say(f"no farm runs in {state.path}")
    elif stopped:
        _say(f"the farm in {state.path} has stopped")
    else:
        _say(f"the farm in {state.path} is still stopping after {_DOWN_S:.0f} s")
    return 1 if stopped is False else 0


def _flower(arguments: argparse.Namespace) -> int:
    from winepress_deploy.services.flower_command import run_flower

    return run_flower(
        StateFolder(arguments.state or default_state()), arguments.address, arguments.port, _say
    )


def _roles(arguments: argparse.Namespace) -> int:
    from winepress_deploy.role_folder import RoleFolder
    from winepress_shared.settings import Settings

    folder = RoleFolder(arguments.out)
    settings = None if arguments.compose else Settings.load()
    if arguments.rotate or arguments.retire:
        folder.check_exists()
    credentials = folder.create()
    had_former = bool(credentials.former)
    for role in Role:
        if arguments.rotate in (role.value, "all"):
            credentials = credentials.rotated(role)
    if arguments.retire:
        credentials = credentials.retired()
    if arguments.rotate or arguments.retire:
        credentials.save(folder.secrets)
    if settings is None:
        folder.write_for_compose(credentials)
    else:
        folder.write(settings, credentials)
    _say(f"the keys of all roles are in {folder.path}")
    if credentials.former:
        _say("the servers' files there accept the former ones too, until `--retire`")
    elif arguments.retire:
        _say(
            "the servers' files there accept no former key any more: bring them to the servers"
            if had_former
            else "there was no former key to retire"
        )
    return 0


def _say(line: str) -> None:
    if json_handler():
        log.info("%s", line)
    else:
        write_line(sys.stdout, line)
