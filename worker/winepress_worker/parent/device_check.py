"""Whether a device draws what it is told to; a process of its own tries before a worker joins."""

from __future__ import annotations

import json
import subprocess
import sys

from winepress_shared.errors import WrongUsage
from winepress_worker.options import WorkerOptions

_TIMEOUT_S = 900  #: the bundled model may have to be prepared, and the device's compiler be slow


def check_fitness(options: WorkerOptions, *, is_known_enough: bool = False) -> str:
    """What a known picture came out like, in words; raises WrongUsage when it came out wrong.

    With ``is_known_enough`` an earlier pass of the same device, driver and settings counts too.
    """
    command = [sys.executable, "-m", "winepress_worker.renderer.self_test"]
    request = json.dumps({"options": options.encode(), "again": not is_known_enough})
    run = subprocess.run(  # noqa: S603 - this interpreter, our own module
        command, input=request, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    try:
        answer = json.loads(run.stdout.splitlines()[-1])
        verdict, found = bool(answer["is_fit"]), str(answer["found"])
    except (ValueError, LookupError, TypeError):
        verdict, found = False, f"its process ended with status {run.returncode}"
    if not verdict:
        raise WrongUsage(
            f"this device may not serve: {found}",
            field="--device",
            value=options.device,
            hint="Try `winepress worker --self-test` with --precision-hint f32, or a newer driver",
        )
    return found
