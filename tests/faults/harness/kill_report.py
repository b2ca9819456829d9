"""A run of kills in words, as `RELIABILITY.md` quotes them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from faults.harness.kill_run import KillReport


def as_text(report: KillReport) -> str:
    """Lines for people: what was done, what became of it, and how soon work went on."""
    account, terms = report.account, report.terms
    killed = ", ".join(f"{victim} {count}" for victim, count in report.killed.most_common())
    lines = [
        f"seed {terms.seed}: {len(report.hits)} SIGKILLs ({killed}) "
        f"in {report.seconds / 60:.0f} min, {terms.workers} workers",
        f"{account.jobs} jobs of {account.pictures} pictures: {len(account.lost)} lost, "
        f"{len(account.doubled)} doubled, {len(account.wrong)} with wrong bytes, "
        f"{len(account.residue)} keys left over",
        f"{report.in_hand} kills in the middle of a picture; {account.begun_again} pictures begun "
        f"again, {account.drawn_again} of them drawn to their end more often than once; "
        f"{report.given_up} jobs given up at the third kill of one picture, and drawn when retried",
    ]
    lines += [
        f"after a kill of the {victim} work went on {spread(found)}"
        for victim, found in sorted(report.recoveries.items())
    ]
    lines += [f"  {broken}" for broken in account.broken()]
    return "\n".join(lines)


def spread(seconds: Sequence[float]) -> str:
    """In how much time half, nine of ten and all came to an end."""
    ranked = sorted(seconds)
    tenth, last = ranked[len(ranked) * 9 // 10], ranked[-1]
    return (
        f"within {statistics.median(ranked):.1f} s (median), {tenth:.1f} s (nine of ten), "
        f"{last:.1f} s (all {len(ranked)})"
    )
