"""How many pictures go into one call of a pipeline: as many as proved to pay and to change nothing.

Each kind of picture (model, size, steps, scheduler, autoencoder, guidance or none) is learned for
itself. The number is doubled as long as a picture gets cheaper by it. Before a number is used, one
picture that was drawn alone is drawn again among that many, and must come out with the same bytes:
kernels may add in another order for another shape, and a picture must not depend on its company.

The pictures of a call may belong to several jobs. A job of many small pictures names the number
itself (`pictures_per_call`): then a call of so many is what all are compared with, and one of fewer
pictures is filled up with the last of them, unless a smaller call is proven to change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shared_call import are_alike
from winepress_shared.lane import model_key
from winepress_worker.options import DEFAULT_MAX_BATCH_SIZE
from winepress_worker.renderer.call_size import Call, CallSize, LearnedSize, NamedSize

_KINDS_KEPT = 256
_PLENTY = 2**10  #: more pictures than any call has
#: What drawing one picture more takes while it lasts, in bytes a pixel: the catalogue's rule of
#: 1 GiB at 512x512, the larger share of it for what the layers hand on.
_BYTES_A_PIXEL = 4096


class Batching:
    """Decides for one rendering process; not thread-safe."""

    def __init__(self, most: int = DEFAULT_MAX_BATCH_SIZE, *, keeps_numbers: bool = True) -> None:
        """``most`` pictures are drawn in one call; 1 is one after the other.

        Only jobs that name a number themselves go beyond it, for it decides their bytes. Without
        ``keeps_numbers`` no job does: other devices than a CPU have bytes of their own.
        """
        self._most = most
        self._keeps_numbers = keeps_numbers
        self._sizes: dict[tuple[object, ...], CallSize] = {}

    def plan(self, jobs: Iterable[Job], free_bytes: int) -> Call:
        """The next call: as many of the first of ``jobs`` as are alike and fit; one at least."""
        following = iter(jobs)
        first = next(following)
        size, chosen = self._of(first), [first]
        for job in itertools.islice(following, self._limit(first, size, free_bytes) - 1):
            if not are_alike(first, job):
                break
            chosen.append(job)
        return size.plan(chosen)

    def most_in(self, lane: str) -> int:
        """Most pictures that the next call in ``lane`` may have, by the kinds met there so far."""
        met = (size for kind, size in self._sizes.items() if _lane_of(kind) == model_key(lane))
        return max((size.limit(_PLENTY) for size in met), default=1)

    def alone(self, job: Job) -> Call:
        """A call in which no picture but that of ``job`` is of use."""
        return self._of(job).alone(job)

    def prove(self, call: Call, drawn: Image.Image) -> bool:
        """Whether the sample of ``call`` came out as it did before."""
        return self._of(call.jobs[0]).prove(call, drawn)

    def learn_alone(self, job: Job, picture: Image.Image, seconds: float) -> None:
        """Note what one picture took by itself; it may have to be compared with later."""
        self._of(job).learn_alone(job, picture, seconds)

    def fail(self, call: Call) -> None:
        """Note that a call of several pictures failed."""
        self._of(call.jobs[0]).fail(call)

    def learn(self, call: Call, seconds: float, pictures: Sequence[Image.Image] = ()) -> None:
        """Note what a call took whose number is proven, and ``pictures`` it drew."""
        self._of(call.jobs[0]).learn(call, seconds, pictures)

    def facts(self) -> dict[str, int]:
        """Model and precision → most pictures that pay in one call, of the kinds met so far."""
        found: dict[str, int] = {}
        for kind, size in self._sizes.items():
            lane = _lane_of(kind)
            found[lane] = max(found.get(lane, 1), size.best)
        return found

    def _limit(self, job: Job, size: CallSize, free_bytes: int) -> int:
        """Most pictures of the next call."""
        if not job.is_picture or job.preview_every or job.refinement:
            return 1  # shown while it is drawn, or drawn by two models whose company is not learned
        pixels = (job.width or 1) * (job.height or 1)
        return size.limit(1 + max(0, free_bytes) // (pixels * _BYTES_A_PIXEL))

    def _of(self, job: Job) -> CallSize:
        named = (job.pictures_per_call or 1) if self._keeps_numbers else 1
        kind = (
            job.model,
            job.precision.value,
            job.kind,
            job.width,
            job.height,
            job.num_inference_steps,
            job.scheduler,
            job.vae,
            job.is_guided,
            (*job.guided_span, job.guidance_min_sigma),
            job.cache_interval,
            job.source_strength,
            named,
        )
        if kind not in self._sizes:
            if len(self._sizes) >= _KINDS_KEPT:
                self._sizes.pop(next(iter(self._sizes)))
            self._sizes[kind] = NamedSize(named) if named > 1 else LearnedSize(self._most)
        return self._sizes[kind]


def _lane_of(kind: tuple[object, ...]) -> str:
    model, precision, *_ = kind
    return f"{model}.{precision}"
