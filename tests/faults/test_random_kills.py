"""SIGKILLs at random phases; `make kills` does it with thousands."""

from __future__ import annotations

from pathlib import Path

from faults.harness.kill_run import KillRun, Terms
from faults.harness.schedule import strikes

_KILLS = 20


def test_kills_at_random_phases_lose_double_and_change_nothing(tmp_path: Path) -> None:
    """Renderers, parents, whole workers, broker and store, while jobs are submitted."""
    report = KillRun(Terms(_KILLS, seed=3, workers=3, is_forked=True)).run(tmp_path)
    report.account.assert_kept()
    assert report.killed.total() == _KILLS


def test_a_seed_names_its_strikes() -> None:
    """Anyone can repeat a run."""
    again = [list(strikes(7, 50, 6, 0.25)) for _ in range(2)]
    assert again[0] == again[1]
    assert again[0] != list(strikes(8, 50, 6, 0.25))
