"""Compares what was submitted with ledger, witness, store and bytes."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from faults.harness.farm import Sent, StruckFarm, await_true
from faults.harness.original import Originals

from winepress_shared.jobs.job import Job
from winepress_shared.ledger.ledger import MAX_ATTEMPTS
from winepress_shared.state import JobState

_READERS = 8
_ANSWER_S = 2.0  #: I7
_MOST_NAMED = 5
#: Longest until nothing is left over: Celery may take most of a minute to notice a dead link.
_RESIDUE_S = 75.0
#: Patterns of keys that no idle farm has; tickets that are left over are taken within a moment.
_PASSING = (
    *("leases", "lease:*", "held:*", "job_leases:*", "retry:*", "attempts:*", "failers:*"),
    *("due", "pending", "queue:[^_u]*"),
)


@dataclass
class Account:
    """What became of the jobs of a farm; every list is empty where all promises were kept."""

    jobs: int = 0
    pictures: int = 0
    lost: list[str] = field(default_factory=list)  #: I1: not in the one end that was expected
    doubled: list[str] = field(default_factory=list)  #: I2, I3: counted or stored more than once
    wrong: list[str] = field(default_factory=list)  #: I2: other bytes than undisturbed
    beyond: list[str] = field(default_factory=list)  #: I4: more attempts than allowed
    residue: list[str] = field(default_factory=list)  #: I5
    slow: list[str] = field(default_factory=list)  #: I7
    executions: int = 0  #: pictures begun, by the witness
    drawn: int = 0  #: pictures drawn to their end, by the witness
    lost_slices: int = 0  #: their worker died or was silent for as long as a lease lasts

    @property
    def begun_again(self) -> int:
        """Executions beyond one for each picture."""
        return self.executions - self.pictures

    @property
    def drawn_again(self) -> int:
        """Pictures that were drawn to their end more often than once."""
        return self.drawn - self.pictures

    def assert_begun_once(self) -> None:
        """Fail where a picture was begun again and no slice was lost.

        For cases in which no worker dies: one that gets no processor for half a minute may lose it.
        """
        assert self.begun_again == 0 or self.lost_slices, f"{self.begun_again} begun again"

    def broken(self) -> list[str]:
        """One sentence for each promise that was not kept."""
        kinds = ("lost", "doubled", "wrong", "beyond", "residue", "slow")
        found = {kind: getattr(self, kind) for kind in kinds}
        return [
            f"{len(names)} {kind}: {names[:_MOST_NAMED]}" for kind, names in found.items() if names
        ]

    @property
    def is_kept(self) -> bool:
        """Whether all promises were kept."""
        return not self.broken()

    def assert_kept(self) -> None:
        """Fail with everything that is not as promised."""
        assert self.is_kept, "; ".join(self.broken())


def verify(
    farm: StruckFarm,
    *,
    succeeded: Iterable[Sent] | None = None,
    originals: Callable[[Job], list[str]] | None = None,
) -> Account:
    """Check the invariants I1 to I5 and I7 once every job has ended.

    ``succeeded`` are the jobs that must have; None is all of them. ``originals`` has the SHA-256 of
    each output of a job as it is undisturbed; None draws them with the fake engine.
    """
    sent = list(farm.sent if succeeded is None else succeeded)
    account = Account(jobs=len(sent))
    originals = originals or Originals().of
    with ThreadPoolExecutor(_READERS) as pool:
        list(pool.map(lambda one: _check_job(farm, one, originals, account), sent))
    if farm.engine is not None:
        _check_witness(farm, sent, account)
    account.lost_slices = int(farm.broker.hget(farm.key("work_counts"), "slices_lost") or 0)
    _check_residue(farm, account)
    return account


def _check_job(
    farm: StruckFarm, sent: Sent, originals: Callable[[Job], list[str]], account: Account
) -> None:
    handle = sent.handle
    asked_at = time.monotonic()
    row = handle.status()
    took_s = time.monotonic() - asked_at
    if took_s > _ANSWER_S:
        account.slow.append(f"{handle.id} {took_s:.1f} s")
    if row.state is not JobState.SUCCEEDED:
        account.lost.append(f"{handle.id} {row.state} {row.reason}")
        return
    expected = originals(sent.job)
    account.pictures += len(expected)
    outputs = handle.result.outputs
    if [one.unit for one in outputs] != list(range(len(expected))) or row.done != len(expected):
        account.lost.append(f"{handle.id} has {[one.unit for one in outputs]}")
    _check_objects(farm, sent, {one.key for one in outputs}, account)
    counted = Counter(e.fields["unit"] for e in handle.events(0) if e.name == "unit-done")
    account.doubled += [f"{handle.id}/{unit} counted" for unit, n in counted.items() if n > 1]
    for output, digest in zip(outputs, expected, strict=False):
        data = farm.client.archive.store.get(output.key)
        if not hashlib.sha256(data).hexdigest() == output.sha256 == digest:
            account.wrong.append(output.key)
        if output.attempts > MAX_ATTEMPTS:
            account.beyond.append(f"{output.key} {output.attempts}")


def _check_objects(farm: StruckFarm, sent: Sent, keys: set[str], account: Account) -> None:
    """Exactly the outputs, the job and its result are in the store, and nothing else of it."""
    folder = f"jobs/{sent.handle.id}/"
    stored = {one.key for one in farm.client.archive.store.list(folder)}
    own = {f"{folder}job.json", f"{folder}result.json"}
    account.doubled += sorted(stored - keys - own)
    account.lost += sorted((keys | own) - stored)


def _check_witness(farm: StruckFarm, sent: Sequence[Sent], account: Account) -> None:
    """Every picture was drawn by somebody; how often is only counted."""
    begun, drawn = farm.witness.begun(), farm.witness.drawn()
    for one in sent:
        assert one.job.seed is not None
        for unit in range(one.job.unit_count):
            picture = (one.job.prompt, one.job.seed + unit)
            account.executions += begun[picture]
            account.drawn += drawn[picture]
            if not drawn[picture]:
                account.wrong.append(f"{one.handle.id}/{unit} was never drawn")


def _check_residue(farm: StruckFarm, account: Account) -> None:
    """Whatever a farm needs only while it works is gone soon after."""

    def left() -> list[str]:
        found = [
            name.decode()
            for pattern in _PASSING
            for name in farm.broker.scan_iter(farm.key(pattern), count=1000)
            if farm.broker.ttl(name) < 0  # what a dead worker held is kept for a day, and no longer
        ]
        return [*found, *(["open units"] if farm.open_units() else [])]

    try:
        await_true(lambda: not left(), _RESIDUE_S)
    except AssertionError:
        account.residue += left()
