"""One entry of the catalogue at its published size: prepared here, then drawn by a farm.

``bench_catalogue.py FOLDER NAME [PRECISION ...]`` makes the entry's twin with random weights below
FOLDER, prepares every precision by the command line, draws two pictures with a farm of one worker,
prints a row of a table for each, and removes what it made. Give fp16 first: the others are made of
it. ``KEEP=1`` keeps twin and models for the next run, which then prepares nothing twice.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from support.twins.full import build_full, build_full_tiny_vae
from support.twins.mirror import build_lora

from winepress import Client
from winepress_deploy.farm import Farm
from winepress_deploy.farm_options import FarmOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job
from winepress_shared.lane import Precision
from winepress_shared.ledger.ledger import Ledger
from winepress_shared.model import Model
from winepress_shared.polling import poll
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.manifest import Manifest

_MOST_STEPS = 2
_WAIT_S = 7200.0
_GIB = 2**30
_BARE = """
import sys, time
from pathlib import Path
from winepress_shared.catalogue import Catalogue
from winepress_shared.lane import Precision
from winepress_worker.engines.base import PipelineKey, ignore_steps
from winepress_worker.engines.library_notices import quiet_libraries
from winepress_worker.engines.openvino import OpenVinoPipeline
from winepress_worker.engines.trial import trial_request
from winepress_worker.models.local_models import LocalModels
home, name, precision, steps = sys.argv[1:]
catalogue = Catalogue.load()
prepared = LocalModels(Path(home), catalogue).find(name, Precision(precision))
request = trial_request(catalogue, name, Precision(precision), int(steps))
quiet_libraries()
began = time.monotonic()
pipeline = OpenVinoPipeline(PipelineKey.of(prepared, "CPU"), prepared, request.job.kind)
pipeline.render(request, ignore_steps)
print(time.monotonic() - began)
"""  #: the same pipeline without a farm, from its files to its first picture
_HEAD = (
    "| model | prepared in, s | peak while preparing, GiB | on disk, GiB | blobs, GiB "
    "| held by its manifest, GiB | first picture of a bare pipeline, s | by the farm, s | ÷ bare "
    "| of that loading, s | second picture, s | peak of the renderer, GiB "
    "| its own after that, GiB | picture |"
)


@dataclass(frozen=True)
class Preparation:
    """What `winepress models prepare` took."""

    seconds: float
    peak_bytes: int  #: memory of the process


def build_mirror(model: Model, mirror: Path) -> None:
    """Write the repositories of ``model`` below ``mirror``, unless they are there."""
    main = _place(mirror, model.source)
    if not main.exists():
        build_full(model.name, main)
    if model.unet and not _place(mirror, model.unet).exists():
        _place(mirror, model.unet).parent.mkdir(parents=True)
        _place(mirror, model.unet).symlink_to(main / "unet")
    if model.lora and not _place(mirror, model.lora).exists():
        build_lora(main, _place(mirror, model.lora))
    if model.tiny_vae and not _place(mirror, model.tiny_vae).exists():
        build_full_tiny_vae(_place(mirror, model.tiny_vae))


def prepare(lane: str, mirror: Path) -> Preparation:
    """Prepare one precision as a user does, but for the presets, which take whole pictures."""
    command = [sys.executable, "-m", "winepress", "models", "prepare", lane, "--no-presets"]
    command += ["--from", str(mirror)]
    began = time.monotonic()
    pid = os.posix_spawn(sys.executable, command, os.environ)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{lane} could not be prepared: {os.waitstatus_to_exitcode(status)}")
    return Preparation(time.monotonic() - began, usage.ru_maxrss * 1024)


def bare(model: Model, precision: Precision, home: Path) -> float:
    """Seconds from the files to the first picture in a process of its own."""
    words = (str(home), model.name, precision.value, str(_steps(model)))
    run = subprocess.run([sys.executable, "-c", _BARE, *words], check=True, capture_output=True)
    return float(run.stdout.split()[-1])


def draw(job: Job, home: Path, flags: tuple[str, ...]) -> list[str]:
    """Draw a picture on a cold worker and another on a warm one; the cells they fill."""
    state = home / "farm"
    options = FarmOptions(state=state, flower=False, worker_flags=flags)
    seconds = []
    with Farm(options, print) as farm, Client(farm.settings) as client:
        # Cold is the model, not the worker, which imports its libraries first.
        ledger = Ledger(farm.settings)
        poll(
            lambda: any(worker.renderer for worker in ledger.workers()),
            every_s=0.1,
            timeout_s=_WAIT_S,
        )
        for _ in range(2):
            began = time.monotonic()
            client.submit(job).wait(_WAIT_S)
            seconds.append(time.monotonic() - began)
        (worker,) = ledger.workers()
        (load_s,) = dict(worker.renderer["load_s"]).values()
        parent = psutil.Process(farm.workers[0].pid)
        drawers = [each.pid for each in parent.children(recursive=True)]
        # A file that is mapped twice counts twice, and the kernel can take all of it back.
        peak, own = (max(_memory(pid, of) for pid in drawers) for of in ("VmHWM", "RssAnon"))
    shutil.rmtree(state)
    first, second = seconds
    return [f"{first:.1f}", f"{load_s:.1f}", f"{second:.1f}", _gib(peak), _gib(own)]


def measure(model: Model, precision: Precision, home: Path, preparation: Preparation) -> str:
    """One row of the table."""
    trial = trial_request(Catalogue.load(), model.name, precision, _steps(model))
    prepared = home / "models" / model.name / precision.value
    flags = tuple(os.environ.get("WORKER_FLAGS", "").split())
    bare_s = bare(model, precision, home)
    first, *others = draw(trial.job, home, flags)
    manifest = Manifest.read(prepared)
    held = manifest.memory_bytes if manifest else 0
    job = trial.job
    cells = [
        f"{model.name}.{precision.value}",
        f"{preparation.seconds:.0f}",
        _gib(preparation.peak_bytes),
        _gib(_size(prepared)),
        _gib(_size(home / "blobs")),
        _gib(held or 0),
        f"{bare_s:.1f}",
        first,
        f"{float(first) / bare_s:.2f}",
        *others,
        f"{job.width} px, {job.num_inference_steps} steps",
    ]
    return f"| {' | '.join(cells)} |"


def _steps(model: Model) -> int:
    return min(model.num_inference_steps, _MOST_STEPS)


def _place(mirror: Path, source: str) -> Path:
    return mirror / source.removeprefix("hub:")


def _memory(pid: int, of: str) -> int:
    """A line of proc(5)'s status, in bytes."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(of))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _gib(size: int) -> str:
    return f"{size / _GIB:.2f}"


def main(folder: Path, name: str, precisions: list[Precision]) -> None:
    """Print the rows of one entry."""
    folder = folder.resolve()  # the farm's processes run elsewhere
    os.environ["WINEPRESS_HOME"] = str(folder)
    model, mirror = Catalogue.load().get(name), folder / "mirror"
    print(f"{_HEAD}\n|{'---|' * _HEAD.count(' |')}", flush=True)
    try:
        build_mirror(model, mirror)
        for precision in precisions:
            preparation = prepare(f"{name}.{precision.value}", mirror)
            print(measure(model, precision, folder, preparation), flush=True)
            if not os.environ.get("KEEP"):
                shutil.rmtree(folder / "blobs", ignore_errors=True)
    finally:
        if not os.environ.get("KEEP"):
            for each in ("mirror", "models", "blobs"):
                shutil.rmtree(folder / each, ignore_errors=True)


if __name__ == "__main__":
    _, where, entry, *wanted = sys.argv
    main(Path(where), entry, [Precision(word) for word in wanted or ("fp16", "int8-weights")])
