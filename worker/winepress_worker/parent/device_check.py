"""Checks that a device draws correctly, in a process of its own, before its worker joins."""

from __future__ import annotations

import json
import subprocess
import sys

from winepress_shared.errors import WrongUsage
from winepress_worker.options import WorkerOptions

_TIMEOUT_S = 900  #: the bundled model may have to be prepared, and compiling may be slow


def check_device_draws(options: WorkerOptions, *, is_known_enough: bool = False) -> str:
    """Draw a known picture; returns what was found, raises WrongUsage when the picture is wrong.

    With ``is_known_enough`` an earlier pass of the same device, driver and settings is enough.
    """
    command = [sys.executable, "-m", "winepress_worker.renderer.self_test"]
    request = json.dumps({"options": options.encode(), "again": not is_known_enough})
    try:
        run = subprocess.run(  # noqa: S603 - this interpreter, our own module
            command,
            input=request,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
        )
        answer = json.loads(run.stdout.splitlines()[-1])
        verdict, found = bool(answer["is_fit"]), str(answer["found"])
    except subprocess.TimeoutExpired:
        verdict, found = False, f"it drew nothing within {_TIMEOUT_S} s"
    except (ValueError, LookupError, TypeError):
        verdict, found = False, f"its process ended with status {run.returncode}"
    if not verdict:
        raise WrongUsage(
            f"this device fails the self-test: {found}",
            field="--device",
            value=options.device,
            hint="Try `winepress worker --self-test` with --precision-hint f32, or a newer driver",
        )
    return found
