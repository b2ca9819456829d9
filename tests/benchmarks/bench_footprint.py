"""What a farm costs beside its pictures: memory of a parent, import time, starts."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from winepress import Client, TextToImage
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.settings import default_home

_ROUNDS = 7
_WAIT_S = 300.0
_LOAD = """
import gc, sys, time
from pathlib import Path
from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_worker.conversion.preparation import prepare
from winepress_worker.engines.openvino import OpenVinoEngine
from winepress_worker.models.local_models import LocalModels
models = LocalModels(Path(sys.argv[1]), Catalogue.load())
engine = OpenVinoEngine(models, "CPU", Path(sys.argv[2]), prepare=prepare)
key = engine.prepare("vignette", Precision.FP16)
gc.freeze()  # as a rendering process does
began = time.perf_counter()
engine.load(key)
print(time.perf_counter() - began)
"""


def _seconds(code: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - began


def import_time() -> float:
    """Seconds that `from winepress import Client` adds to a bare interpreter; median."""
    return statistics.median(
        _seconds("from winepress import Client") - _seconds("pass") for _ in range(_ROUNDS)
    )


def load_time(blobs: Path) -> float:
    """Seconds to compile and warm a pipeline up in a fresh process."""
    command = [sys.executable, "-c", _LOAD, str(default_home()), str(blobs)]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(run.stdout.split()[-1])


def parent_mib() -> float:
    """Memory of a worker's parent after it has served a job, in MiB."""
    with tempfile.TemporaryDirectory() as folder:
        options = FarmOptions(state=Path(folder), workers=1, flower=False)
        with Farm(options) as farm, Client(farm.settings) as client:
            client.submit(TextToImage(prompt="a cat", n=4)).wait(_WAIT_S)
            return psutil.Process(farm.workers[0].pid).memory_info().rss / 2**20


def main() -> None:
    """Print the figures."""
    print(f"import of the client: {import_time():.2f} s")
    print(f"parent of a worker: {parent_mib():.0f} MiB")
    with tempfile.TemporaryDirectory() as folder:
        starts = [load_time(Path(folder)) for _ in range(3)]
    print(
        f"load of vignette.fp16: {starts[0]:.2f} s without compiled blobs, {starts[1]:.2f} s with "
        f"them: second ÷ first {starts[1] / starts[0]:.2f}"
    )


if __name__ == "__main__":
    main()
