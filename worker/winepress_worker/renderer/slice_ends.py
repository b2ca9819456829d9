"""What ends a slice before its last unit, by what the ledger tells its holder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from winepress_shared.errors import CancelRequested, LeaseLost, Stopped, YieldRequested
from winepress_shared.ledger.records import Directive

#: Directive with which a slice ends → how it is raised, and why.
_STOPS: Mapping[Directive, tuple[type[Stopped], str]] = {
    Directive.CANCEL: (CancelRequested, "the job was canceled"),
    Directive.LOST: (LeaseLost, "the slice belongs to another worker now"),
    Directive.YIELD: (YieldRequested, "the job is paused"),
    Directive.GIVE_WAY: (YieldRequested, "a higher priority waits in the lane"),
}


def ends_of(units: Sequence[tuple[int, int]], told: Sequence[Directive]) -> dict[int, Stopped]:
    """Fence → what ends its slice, by what was told of units, each given as fence and unit."""
    pairs = zip(units, told, strict=True)
    ends = {fence: _STOPS[directive] for (fence, _), directive in pairs if directive in _STOPS}
    return {fence: error(reason) for fence, (error, reason) in ends.items()}
