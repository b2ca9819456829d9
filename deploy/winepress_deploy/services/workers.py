"""The workers of a farm: processes of `winepress worker`, one device each."""

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


def workers(state: StateFolder, settings: Settings, options: FarmOptions) -> list[Program]:
    """As many workers for each device as ``options`` ask for."""
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
    command = ("worker", "--device", device, "--name", name, "--engine", options.engine)
    return Program(
        name=name,
        argv=(sys.executable, "-m", "winepress", *command, *flags),
        env=farm_environment(state.settings_of(Role.WORKER)),
        folder=state.path,
        log=state.log(name),
        is_ready=lambda pid: _has_announced(ledger, name, pid),
        grace_s=options.drain_s,
    )


def _budgets(settings: Settings, options: FarmOptions) -> tuple[str, ...]:
    """Found out once: a worker that is started again would find memory taken by its siblings."""
    machine = machine_budget(settings.home)
    worker, host = share_out(options.memory_budget, options.host_budget, machine)
    host = host or max(worker, machine)
    return ("--memory-budget", str(worker), "--host-budget", str(host))


def _threads(device: str, count: int) -> tuple[str, ...]:
    """Workers that share the processor share out its cores, rather than each taking them all."""
    if DeviceName(device.upper()).real != "CPU" or count == 1:
        return ()
    return ("--threads", str(max(1, len(os.sched_getaffinity(0)) // count)))


def _has_announced(ledger: Ledger, name: str, pid: int) -> bool:
    """Whether this very process is in the ledger, and not one of that name that ran before."""
    return any(
        worker.name == name and worker.facts.get("pid") == pid for worker in ledger.workers()
    )
