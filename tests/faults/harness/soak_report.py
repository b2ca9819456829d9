"""A soak in words, as `RELIABILITY.md` quotes it."""

from __future__ import annotations

from faults.harness.soak_run import MOST_GROWTH, SoakReport


def soak_text(report: SoakReport) -> str:
    """Lines for people: what was done to the farm, what became of the jobs, what grew."""
    account = report.account
    faults = ", ".join(f"{count} × {name}" for name, count in report.faults.most_common())
    ended = ", ".join(f"{count} {state}" for state, count in report.ended.most_common())
    lines = [
        f"{report.minutes:g} min, {report.faults.total()} faults: {faults}",
        f"{report.ended.total()} jobs ended ({ended}); of {account.pictures} pictures "
        f"{len(account.lost)} lost, {len(account.doubled)} doubled, "
        f"{len(account.wrong)} with wrong bytes; {account.begun_again} begun again",
    ]
    for process in report.samples:
        growth = ", ".join(
            f"{report.growth(process, name):+.1f} {name} ({report.slope(process, name):+.1f}/h)"
            for name in MOST_GROWTH
        )
        lines.append(f"the {process} grew by {growth}")
    lines += [f"  {broken}" for broken in (*account.broken(), *report.grown())]
    return "\n".join(lines)
