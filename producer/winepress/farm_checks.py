"""What `winepress doctor` looks at beside broker, store, workers, lanes and jobs.

Each check returns what is well, and raises a WinepressError with the remedy for what is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from winepress.caller_checks import MOST_LISTED
from winepress.explanation import duration, shortened
from winepress.finding import Finding
from winepress_shared.errors import AccessRefused, FarmUnreachable, StoreUnreachable
from winepress_shared.ledger.records import SILENT_S
from winepress_shared.state import JobState
from winepress_shared.stores.conditional_writes import ROOM_PROBE, check_conditional_writes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from winepress.client import Client

_MOST_WORKERS = 10_000
_MOST_DEAD = 1000  #: jobs told of
_KEEPS_ALL = "noeviction"
_UPTAKE_S = 300.0  #: work that waits so long beside an idle worker is not taken up
_NEARLY_FULL = 0.9  #: of the broker's memory


def check_memory(client: Client) -> Finding:
    """Whether the broker has room, and refuses new jobs instead of losing old ones."""
    memory = client.farm.memory()
    if memory is None:
        return Finding("not looked at: only the operator's key may ask the broker")
    if not memory.most:
        return Finding(f"{_mib(memory.used)} used, without a limit")
    if memory.policy != _KEEPS_ALL:
        raise FarmUnreachable(
            "the broker drops jobs and tickets when its memory is full",
            field="maxmemory-policy",
            value=memory.policy,
            allowed=_KEEPS_ALL,
            hint="Set it in the broker's configuration",
        )
    share = memory.used / memory.most
    told = f"{_mib(memory.used)} of {_mib(memory.most)} used"
    if share >= _NEARLY_FULL:
        raise FarmUnreachable(
            f"the broker's memory is full to {share:.0%} ({told}): new jobs are refused when it is "
            "full, and what is queued is worked on",
            hint="Raise its `maxmemory`; or `winepress limits --keep-days 1` has ended jobs "
            "forgotten sooner",
        )
    return Finding(told)


def check_uptake(client: Client) -> Finding:
    """Whether work is taken up by workers that live and have nothing in hand."""
    farm, (views, _) = client.snapshots.take(_MOST_WORKERS, 0), client.lanes.look("")
    busy = {slice_.worker for slice_ in farm.slices} | set(farm.loading)
    idle = [worker for worker in farm.workers if worker.name not in busy]
    for view in sorted(views, key=lambda one: -one.idle_s):
        names = [worker.name for worker in idle if worker.serves(view.lane)]
        if view.idle_s > _UPTAKE_S and names:
            raise FarmUnreachable(
                f"nothing of lane {view.lane} was taken up for {duration(view.idle_s)}, though "
                f"idle workers serve it: {shortened(names)}",
                hint="their own logs say why; one that takes no tickets ends itself within minutes "
                "and is started again by what started it",
            )
    return Finding("what waits is taken up")


def check_versions(client: Client) -> Finding:
    """Whether jobs wait for workers of a later version than there are."""
    workers: dict[str, list[str]] = {}
    for worker in client.workers():
        workers.setdefault(str(worker.facts.get("version", "?")), []).append(worker.name)
    told = "; ".join(f"{one}: {shortened(names)}" for one, names in sorted(workers.items()))
    unread = [row.id for row in client.list(JobState.QUEUED, MOST_LISTED) if row.unread]
    if unread and len(workers) == 1:
        raise FarmUnreachable(
            f"these jobs are of a later version than every worker ({told}): {shortened(unread)}",
            hint="upgrade the workers; one after the other is enough",
        )
    return Finding(told or "no worker is alive")


def check_blocks(client: Client) -> Finding:
    """Whether a worker fails at what others draw."""
    farm = client.snapshots.take(_MOST_WORKERS, 0)
    told = [f"{name} {blocked_text(lanes, farm.at)}" for name, lanes in farm.blocked.items()]
    if told:
        raise FarmUnreachable(
            shortened(told, "; "),
            hint="look at its log and its device (`winepress worker --self-test` there); "
            f"`winepress workers --unblock {next(iter(farm.blocked))}` ends it at once",
        )
    return Finding("no worker fails at what others draw")


def blocked_text(lanes: Mapping[str, float], now: float) -> str:
    """In which lanes a worker is blocked, and for how much longer."""
    named = shortened([f"{lane} for {duration(until - now)}" for lane, until in lanes.items()])
    return f"failed at what others drew, and gets nothing more of {named}"


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"


def check_writes(client: Client) -> Finding:
    """Whether the store keeps the first of two writes to a free key."""
    try:
        check_conditional_writes(client.archive.store)
    except AccessRefused:
        return Finding("not looked at: only the operator's key may try that")
    return Finding("the first of two writes to a free key is kept")


def check_room(client: Client) -> Finding:
    """Whether the store still takes what is written to it."""
    try:
        client.archive.store.check(ROOM_PROBE)
    except AccessRefused:
        return Finding("not looked at: only the operator's key may try that")
    except StoreUnreachable as error:
        raise FarmUnreachable(
            f"the store answers, and takes nothing that is written to it: {error.problem}",
            hint="its disk may be full: make room there, for example by `winepress clean`; "
            "submissions are refused meanwhile, and finished pictures wait",
        ) from None
    return Finding("what is written is taken")


def check_dead(client: Client) -> Finding:
    """How many jobs have pictures that were given up."""
    rows = client.dead(_MOST_DEAD)
    if not rows:
        return Finding("no picture was given up")
    ids = [row.id for row in rows]
    return Finding(
        f"pictures of these jobs were given up: {shortened(ids)}; `winepress list --dead` says "
        "why, then `winepress retry JOB`, or `winepress drop JOB`",
        ids,
    )


def check_links(client: Client) -> Finding:
    """For how long nothing was heard of workers that did not say that they leave."""
    farm = client.snapshots.take(_MOST_WORKERS, 0)
    silent = [(one.name, farm.at - one.seen) for one in farm.known_workers]
    told = [f"{name} for {duration(silent_s)}" for name, silent_s in silent if silent_s > SILENT_S]
    if told:
        first = next(name for name, silent_s in silent if silent_s > SILENT_S)
        raise FarmUnreachable(
            f"nothing was heard of these workers: {shortened(told)}",
            hint="look at their machines and the links to the broker; one that will not come back "
            f"is forgotten by `winepress workers --forget {first}`",
        )
    return Finding(f"every worker was heard of within the last {SILENT_S:.0f} s")
