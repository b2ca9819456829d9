"""How many pictures go into one call of a pipeline: as many as proved to pay and to change nothing.

Each kind of picture (model, size, steps, scheduler, autoencoder, guidance or none) is learned for
itself. The number is doubled as long as a picture gets cheaper by it. Before a number is used, one
picture that was drawn alone is drawn again among that many, and must come out with the same bytes:
kernels may add in another order for another shape, and a picture shall not depend on its company.

A job of many small pictures names the number itself (`pictures_per_call`): then a call of so many
is what all are compared with, and one of fewer pictures is filled up with the last of them, unless
a smaller call is proven to change nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from PIL import Image

from winepress_shared.jobs.job import ImageToImage, Inpaint, Job, TextToImage
from winepress_shared.jobs.shared_call import are_alike

MOST_TOGETHER = 4  #: pictures in one call, unless a worker is told otherwise
_GAIN = 0.95  #: a larger number must bring the time of a picture down to this share, or less
_LOOKS = 2  #: measured calls before a number is judged; machines are noisy, so the best one counts
_KINDS_KEPT = 256
#: What drawing one picture more takes while it lasts, in bytes a pixel: the catalogue's rule of
#: 1 GiB at 512x512, the larger share of it for what the layers hand on.
_BYTES_A_PIXEL = 4096
_TOGETHER = (TextToImage, ImageToImage, Inpaint)


@dataclass(frozen=True)
class Call:
    """The pictures of one call of a pipeline."""

    jobs: tuple[Job, ...]  #: alike but for their seeds and texts
    sample: Job | None = None  #: drawn beside them, to see whether it comes out as it did before
    filled: int = 0  #: how often the last of ``jobs`` is drawn again, for nobody

    @property
    def drawn(self) -> tuple[Job, ...]:
        """Everything that is drawn: ``jobs``, the sample, what fills the call up."""
        sample = (self.sample,) if self.sample else ()
        return (*self.jobs, *sample, *[self.jobs[-1]] * self.filled)

    @property
    def number(self) -> int:
        """Pictures in the call."""
        return len(self.jobs) + (self.sample is not None) + self.filled


@dataclass
class _Learned:
    """What is known of one kind of picture."""

    base: int = 1  #: number whose pictures all others are compared with
    seconds: dict[int, list[float]] = field(default_factory=dict)  #: number → of each picture
    best: int = 1
    ceiling: int = MOST_TOGETHER  #: no number above this is worth a trial
    proven: set[int] = field(default_factory=lambda: {1})
    failures: int = 0  #: of calls with several pictures
    sample: tuple[Job, bytes] | None = None  #: a picture of a call of `base`, and its pixels
    tried: set[int] = field(default_factory=set)  #: numbers below `base` that had their proof

    def cheapest(self, number: int) -> float:
        """Least seconds a picture took among ``number``."""
        return min(self.seconds[number])

    def is_known(self, number: int) -> bool:
        """Whether ``number`` was measured often enough."""
        return len(self.seconds.get(number, ())) >= _LOOKS


class Batching:
    """Decides for one rendering process; not thread-safe."""

    def __init__(self, most: int = MOST_TOGETHER, *, keeps_numbers: bool = True) -> None:
        """``most`` pictures are drawn in one call; 1 is one after the other.

        Only jobs that name a number themselves go beyond it, for it decides their bytes. Without
        ``keeps_numbers`` no job does: a device that is no processor has bytes of its own.
        """
        self._most = most
        self._keeps_numbers = keeps_numbers
        self._kinds: dict[tuple[object, ...], _Learned] = {}

    def plan(self, jobs: Iterable[Job], free_bytes: int) -> Call:
        """The next call: as many of the first of ``jobs`` as are alike and fit; one at least."""
        following = iter(jobs)
        chosen = [next(following)]
        base = self._of(chosen[0]).base
        limit = self._limit(chosen[0], free_bytes)
        for job in itertools.islice(following, limit - 1):
            if not are_alike(chosen[0], job):
                break
            chosen.append(job)
        if base > 1:
            return self._full(chosen)
        number = 1 << len(chosen).bit_length() - 1  # few shapes: each is prepared and proven
        learned = self._of(chosen[0])
        if number in learned.proven:
            return Call(tuple(chosen[:number]))
        if learned.sample is None or not are_alike(chosen[0], learned.sample[0]):
            return Call(tuple(chosen[:1]))  # which becomes the sample
        return Call(tuple(chosen[: number - 1]), learned.sample[0])

    def alone(self, job: Job) -> Call:
        """A call in which no picture but that of ``job`` is of use."""
        learned = self._of(job)
        return Call((job,), filled=min(learned.proven) - 1)

    def prove(self, call: Call, drawn: Image.Image) -> bool:
        """Whether the sample of ``call`` came out as it did before."""
        learned = self._of(call.jobs[0])
        learned.tried.add(call.number)
        if learned.sample is not None and learned.sample[1] == drawn.tobytes():
            learned.proven.add(call.number)
            return True
        learned.ceiling = max(learned.base, call.number // 2)
        return False

    def learn_alone(self, job: Job, picture: Image.Image, seconds: float) -> None:
        """Note what one picture took by itself; it may have to be compared with later."""
        learned = self._of(job)
        if (
            learned.base > 1
            or self._most < 2
            or 2 * learned.best > min(learned.ceiling, self._most)
        ):
            return  # nothing is left to be proven
        # The first call of a shape prepares more than it draws.
        if learned.sample is not None and not learned.is_known(1):
            learned.seconds.setdefault(1, []).append(seconds)
        learned.sample = (job, picture.tobytes())

    def fail(self, call: Call) -> None:
        """Note that a call failed: once may be a picture's fault, twice is too many together."""
        learned = self._of(call.jobs[0])
        learned.failures += 1
        if learned.failures > 1 and learned.base == 1:
            learned.ceiling = min(learned.ceiling, call.number // 2)
            learned.best = min(learned.best, learned.ceiling)

    def learn(self, call: Call, seconds: float, pictures: Sequence[Image.Image] = ()) -> None:
        """Note what a call took whose number is proven, and ``pictures`` it drew."""
        learned, number = self._of(call.jobs[0]), call.number
        if learned.base > 1:
            if number == learned.base and pictures:
                learned.sample = (call.jobs[-1], pictures[len(call.jobs) - 1].tobytes())
            return  # nothing is left to be measured
        # The call that proved a number prepared its shape too.
        if call.sample or number <= learned.best or learned.is_known(number):
            return
        learned.seconds.setdefault(number, []).append(seconds / number)
        if learned.is_known(number):
            if learned.cheapest(number) <= _GAIN * learned.cheapest(learned.best):
                learned.best = number
            else:
                learned.ceiling = learned.best

    def facts(self) -> dict[str, int]:
        """Model and precision → most pictures that pay in one call, of the kinds met so far."""
        found: dict[str, int] = {}
        for (model, precision, *_), learned in self._kinds.items():
            lane = f"{model}.{precision}"
            found[lane] = max(found.get(lane, 1), learned.best)
        return found

    def _limit(self, job: Job, free_bytes: int) -> int:
        """The number in use, or the next one to try."""
        if not isinstance(job, _TOGETHER) or job.preview_every or getattr(job, "refiner", None):
            return 1  # shown while it is drawn, or drawn by two models whose company is not learned
        learned = self._of(job)
        if learned.base > 1:
            return learned.base  # of small pictures, whatever is free: their bytes depend on it
        if self._most < 2:
            return 1
        wanted = learned.best
        if learned.is_known(learned.best):
            wanted = min(2 * learned.best, learned.ceiling, self._most)
        pixels = (job.width or 1) * (job.height or 1)
        return max(1, min(wanted, 1 + max(0, free_bytes) // (pixels * _BYTES_A_PIXEL)))

    def _full(self, chosen: list[Job]) -> Call:
        """A call of ``chosen`` filled up to the number their job names, or to a smaller proven one.

        Where a smaller call has room for the sample, it stands the proof first.
        """
        learned, count = self._of(chosen[0]), len(chosen)
        number = min(n for n in learned.proven if n >= count)
        trial = 1 << count.bit_length()  # the next number with room for one more
        sample = learned.sample and learned.sample[0]
        may_try = trial < number and trial not in learned.tried
        if may_try and sample and are_alike(chosen[0], sample):
            return Call(tuple(chosen), sample, trial - count - 1)
        return Call(tuple(chosen), filled=number - count)

    def _of(self, job: Job) -> _Learned:
        base = (job.pictures_per_call or 1) if self._keeps_numbers else 1
        guided = (job.guidance_scale or 0.0) > 1
        kind = (
            job.model,
            job.precision.value,
            job.kind,
            job.width,
            job.height,
            job.num_inference_steps,
            job.scheduler,
            job.vae,
            guided,
            getattr(job, "strength", 1.0),
            base,
        )
        if kind not in self._kinds:
            if len(self._kinds) >= _KINDS_KEPT:
                self._kinds.pop(next(iter(self._kinds)))
            most = max(base, self._most)
            self._kinds[kind] = _Learned(base, best=base, ceiling=most, proven={base})
        return self._kinds[kind]
