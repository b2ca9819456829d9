"""The workers of a farm: `winepress worker` processes with one device each."""

from __future__ import annotations

import os
import sys
from dataclasses import replace

from winepress_deploy.environment import farm_environment
from winepress_deploy.farm_options import FarmOptions
from winepress_deploy.process import Program
from winepress_deploy.roles import Role
from winepress_deploy.state_folder import StateFolder
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.settings import Settings
from winepress_worker.device_name import DeviceName
from winepress_worker.machine_memory import machine_budget, share_out
from winepress_worker.options import default_name

_LEAVE_S = 20.0  #: for a worker to give back the picture that it did not end in time


def workers(state: StateFolder, settings: Settings, options: FarmOptions) -> list[Program]:
    """The workers that ``options`` ask for, for every device."""
    ledger = Ledger(settings)
    options = replace(options, worker_flags=(*_budgets(settings, options), *options.worker_flags))
    return [
        _worker(state, ledger, options, device, f"{default_name(device)}-{number}")
        for device in options.devices
        for number in range(1, options.workers + 1)
    ]


def _worker(
    state: StateFolder, ledger: Ledger, options: FarmOptions, device: str, name: str
) -> Program:
    flags = (*_threads(device, options.workers), *options.worker_flags)
    named = ("worker", "--device", device, "--name", name, "--engine", options.engine)
    command = (*named, "--drain-grace", str(options.drain_s))
    return Program(
        name=name,
        argv=(sys.executable, "-m", "winepress", *command, *flags),
        env=farm_environment(state.settings_of(Role.WORKER)),
        folder=state.path,
        log=state.log(name),
        is_ready=lambda pid: _has_announced(ledger, name, pid),
        grace_s=options.drain_s + _LEAVE_S,
    )


def _budgets(settings: Settings, options: FarmOptions) -> tuple[str, ...]:
    """Flags of the memory budgets, computed once: a restarted worker would see less free memory."""
    machine = machine_budget(settings.home)
    worker, host = share_out(options.memory_budget, options.host_budget, machine)
    host = host or max(worker, machine)
    return ("--memory-budget", str(worker), "--host-budget", str(host))


def _threads(device: str, count: int) -> tuple[str, ...]:
    """The flag that divides the CPU's cores between ``count`` workers."""
    if DeviceName(device.upper()).real != "CPU" or count == 1:
        return ()
    return ("--threads", str(max(1, len(os.sched_getaffinity(0)) // count)))


def _has_announced(ledger: Ledger, name: str, pid: int) -> bool:
    """Whether this process is in the ledger, not an earlier one of the same name."""
    return any(
        worker.name == name and worker.facts.get("pid") == pid for worker in ledger.workers()
    )
