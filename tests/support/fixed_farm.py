"""A farm of fixed data, for tests of what is drawn."""

from __future__ import annotations

from dataclasses import replace

from winepress_shared.jobs.job import Priority
from winepress_shared.ledger.records import JobRow, Worker
from winepress_shared.ledger.snapshot import FarmSnapshot, LaneState, SliceInHand
from winepress_shared.state import JobState

NOW = 1_764_200_000.0  #: in November 2025
JOB = JobRow(
    id="jffd1add11a9afa2bfd75",
    state=JobState.RUNNING,
    kind="text-to-image",
    lane="vignette.fp16",
    user="anna",
    priority=Priority.NORMAL,
    units=60,
    done=24,
    failed=0,
    created=NOW - 100,
    started=NOW - 48,
    finished=None,
    expires=None,
    paused=False,
    reason="",
)
JOBS = (
    JOB,
    replace(JOB, id="jf0228487e8971f4c77d6", state=JobState.QUEUED, done=0, paused=True),
    replace(
        JOB,
        id="j75e5d5fd0e73f62a859f",
        state=JobState.FAILED,
        kind="zoom-video",
        last_lane="film",
        lane="vignette-inpaint.int8-weights@CPU",
        units=5,
        done=3,
        failed=1,
        created=NOW - 7200,
        reason="it drew 漢字 [bold]and[/bold] \x1b[2J nothing else, which is no picture at all",
    ),
    replace(JOB, id="j40fbf944ca782b96fdfc", state=JobState.SUCCEEDED, done=60, user="👩‍🚀"),
)
_FACTS = {"device": "CPU", "lanes": ["film", "vignette.fp16"]}
_PACE = {
    "warm": ["vignette.fp16", "vignette-inpaint.fp16"],
    "seconds_per_picture": {JOB.lane: 1.5},
}
WORKERS = (
    Worker("host-cpu-1", NOW - 2, _FACTS, _PACE),
    Worker("host-gpu-1", NOW - 3, {**_FACTS, "device": "GPU.1"}, {}),
    Worker("other-cpu-1", NOW - 40, _FACTS, {}),
)
FARM = FarmSnapshot(
    at=NOW,
    lanes=(
        LaneState("sdxl-turbo.fp16", 3, 0, ""),
        LaneState("vignette.fp16", 36, 3, "the store did not answer"),
    ),
    pauses=("user:bob",),
    worker_count=3,
    workers=WORKERS,
    loading={"host-gpu-1": "vignette.fp16"},
    slices=(SliceInHand("host-cpu-1", JOB.id, JOB.lane, 24, 0.35, 4),),
    running=1,
    queued=1,
    jobs=JOBS,
)
