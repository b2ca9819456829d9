"""Checks that OpenVINO sees a device, without importing OpenVINO in this process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection

from winepress_shared.errors import WrongUsage

_LIST = "from winepress_worker.engines.devices import list_devices\n" + (
    "print(*(device.name for device in list_devices()))"
)
_TIMEOUT_S = 120  #: drivers of accelerators may be slow the first time


def check_device_presence(wanted: Collection[str]) -> None:
    """Refuse devices this machine does not have; raises WrongUsage.

    A process of its own asks OpenVINO, because a worker's parent must stay small. Without this a
    worker would join the farm and fail every picture.
    """
    if not wanted:
        return
    try:
        answer = subprocess.run(  # noqa: S603 - this interpreter, our own line of code
            [sys.executable, "-c", _LIST],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise WrongUsage(
            f"OpenVINO did not list its devices within {_TIMEOUT_S} s",
            hint="A driver may hang; `dmesg` may say which one",
        ) from None
    if answer.returncode:
        raise WrongUsage(
            "OpenVINO does not start on this machine",
            hint='Is it installed? pip install "winepress[worker]"',
        )
    present = answer.stdout.split()
    for name in wanted:
        if not any(name in (found, found.partition(".")[0]) for found in present):
            raise WrongUsage(
                "OpenVINO finds no such device on this machine",
                field="--device",
                value=name,
                allowed=", ".join([*present, "AUTO"]),
                hint="`winepress devices` lists them",
            )
