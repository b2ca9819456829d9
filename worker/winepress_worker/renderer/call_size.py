"""How many pictures of one kind go into a call, and what has been found out about that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from PIL import Image

from winepress_shared.jobs.job import Job
from winepress_shared.jobs.shared_call import are_alike

_GAIN = 0.95  #: a larger number must bring the time of a picture down to this share, or less
_LOOKS = 2  #: measured calls before a number is judged; machines are noisy, so the best one counts


@dataclass(frozen=True)
class Call:
    """The pictures of one call of a pipeline."""

    jobs: tuple[Job, ...]  #: alike but for their seeds and texts
    sample: Job | None = None  #: drawn beside them, to see whether it comes out as it did before
    filled: int = 0  #: how often the last of ``jobs`` is drawn again, and thrown away

    @property
    def drawn(self) -> tuple[Job, ...]:
        """Everything that is drawn: ``jobs``, the sample, what fills the call up."""
        sample = (self.sample,) if self.sample else ()
        return (*self.jobs, *sample, *[self.jobs[-1]] * self.filled)

    @property
    def number(self) -> int:
        """Pictures in the call."""
        return len(self.jobs) + (self.sample is not None) + self.filled


@dataclass(frozen=True)
class Sample:
    """A picture that was drawn, to be drawn again in a call of another number."""

    job: Job
    pixels: bytes

    @classmethod
    def of(cls, job: Job, picture: Image.Image) -> Sample:
        """``picture`` is that of ``job``."""
        return cls(job, picture.tobytes())


class CallSize(Protocol):
    """What is known of one kind of picture."""

    best: int  #: the number in use

    def limit(self, most_that_fit: int) -> int:
        """Most pictures that are looked for; ``most_that_fit`` fit into memory."""

    def plan(self, chosen: Sequence[Job]) -> Call:
        """A call that begins with the first of ``chosen``, which are alike."""

    def alone(self, job: Job) -> Call:
        """A call in which no picture but that of ``job`` is of use."""

    def prove(self, call: Call, drawn: Image.Image) -> bool:
        """Whether the sample of ``call`` came out as it did before."""

    def learn(self, call: Call, seconds: float, pictures: Sequence[Image.Image]) -> None:
        """Note what a call took whose number is proven, and ``pictures`` it drew."""

    def learn_alone(self, job: Job, picture: Image.Image, seconds: float) -> None:
        """Note what one picture took by itself."""

    def fail(self, call: Call) -> None:
        """Note that a call of several pictures failed."""


class State(StrEnum):
    """How far a number is learned."""

    MEASURING = "measuring"  #: the number in use is timed, and a sample is kept
    TRYING = "trying"  #: twice that number is proven once, then timed
    SETTLED = "settled"  #: no larger number is worth a trial


class LearnedSize:
    """Of pictures whose job leaves the number open: doubled as long as they get cheaper by it."""

    def __init__(self, most: int) -> None:
        """``most`` pictures are drawn in one call."""
        self.best = 1
        self._ceiling = most  # no number above this is worth a trial
        self._proven = {1}
        self._sample: Sample | None = None  # drawn alone
        self._seconds: dict[int, list[float]] = {}  # number → of each picture
        self._failures = 0

    @property
    def state(self) -> State:
        """What the next call is for, beside its pictures."""
        if 2 * self.best > self._ceiling:
            return State.SETTLED
        return State.TRYING if self._is_timed(self.best) else State.MEASURING

    def limit(self, most_that_fit: int) -> int:
        """The number in use, or the next one to try."""
        wanted = 2 * self.best if self.state is State.TRYING else self.best
        return max(1, min(wanted, most_that_fit))

    def plan(self, chosen: Sequence[Job]) -> Call:
        """A power of two, for each number is a shape to be prepared and proven."""
        number = 1 << len(chosen).bit_length() - 1
        if number in self._proven:
            return Call(tuple(chosen[:number]))
        if self._sample is None or not are_alike(chosen[0], self._sample.job):
            return Call(tuple(chosen[:1]))  # which becomes the sample
        return Call(tuple(chosen[: number - 1]), self._sample.job)

    def alone(self, job: Job) -> Call:
        """One picture and nothing else."""
        return Call((job,))

    def prove(self, call: Call, drawn: Image.Image) -> bool:
        """Whether the sample came out as it did alone; if not, no larger number is tried."""
        if self._sample is not None and self._sample.pixels == drawn.tobytes():
            self._proven.add(call.number)
            return True
        self._ceiling = max(1, call.number // 2)
        return False

    def learn(self, call: Call, seconds: float, pictures: Sequence[Image.Image]) -> None:
        """Time a number that is tried, and judge it when it was timed often enough."""
        number = call.number
        # The call that proved a number prepared its shape too.
        if call.sample or number <= self.best or self._is_timed(number):
            return
        self._seconds.setdefault(number, []).append(seconds / number)
        if not self._is_timed(number):
            return
        if self._cheapest_s(number) <= _GAIN * self._cheapest_s(self.best):
            self.best = number
        else:
            self._ceiling = self.best

    def learn_alone(self, job: Job, picture: Image.Image, seconds: float) -> None:
        """Time single pictures, and keep the last one as the sample."""
        if self.state is State.SETTLED:
            return
        # The first call of a shape prepares more than it draws.
        if self._sample is not None and not self._is_timed(1):
            self._seconds.setdefault(1, []).append(seconds)
        self._sample = Sample.of(job, picture)

    def fail(self, call: Call) -> None:
        """Once may be a picture's fault, twice is too many together."""
        self._failures += 1
        if self._failures > 1:
            self._ceiling = min(self._ceiling, call.number // 2)
            self.best = min(self.best, self._ceiling)

    def _is_timed(self, number: int) -> bool:
        return len(self._seconds.get(number, ())) >= _LOOKS

    def _cheapest_s(self, number: int) -> float:
        return min(self._seconds[number])


class NamedSize:
    """Of pictures whose job names the number, because their bytes depend on it.

    A call of fewer pictures is filled up, unless a smaller one is proven to change nothing.
    """

    def __init__(self, number: int) -> None:
        self.best = number
        self._proven = {number}
        self._tried: set[int] = set()  # numbers below it that had their proof
        self._sample: Sample | None = None  # drawn in a call of that number

    def limit(self, most_that_fit: int) -> int:
        """The number, whatever fits: such pictures are small."""
        return self.best

    def plan(self, chosen: Sequence[Job]) -> Call:
        """A call filled up to the least proven number; an untried one stands its proof first."""
        count = len(chosen)
        number = min(n for n in self._proven if n >= count)
        trial = 1 << count.bit_length()  # the next number with room for one more
        sample = self._sample and self._sample.job
        may_try = trial < number and trial not in self._tried
        if may_try and sample and are_alike(chosen[0], sample):
            return Call(tuple(chosen), sample, trial - count - 1)
        return Call(tuple(chosen), filled=number - count)

    def alone(self, job: Job) -> Call:
        """One picture, filled up to the least proven number."""
        return Call((job,), filled=min(self._proven) - 1)

    def prove(self, call: Call, drawn: Image.Image) -> bool:
        """Whether the sample came out as in a full call; a number is tried once."""
        self._tried.add(call.number)
        is_same = self._sample is not None and self._sample.pixels == drawn.tobytes()
        if is_same:
            self._proven.add(call.number)
        return is_same

    def learn(self, call: Call, seconds: float, pictures: Sequence[Image.Image]) -> None:
        """Keep the last picture of a full call as the sample."""
        if call.number == self.best and pictures:
            last = len(call.jobs) - 1
            self._sample = Sample.of(call.jobs[last], pictures[last])

    def learn_alone(self, job: Job, picture: Image.Image, seconds: float) -> None:
        """Nothing is to be learned: the number does not change."""

    def fail(self, call: Call) -> None:
        """Nothing is to be learned: smaller calls would draw other pictures."""
