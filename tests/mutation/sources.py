"""What is changed, and the tests that are to notice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mutation import lua_mutator, python_mutator
from mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]
_LUA = "shared/winepress_shared/ledger/lua"
_LEDGER = "shared/winepress_shared/ledger"

#: Path → its files, the most important first. What all scripts share is counted with the leases.
PATHS = {
    "commit": [
        *(f"{_LUA}/{name}.lua" for name in ("commit", "fail", "finish", "prelude/2-ranges")),
    ],
    "lease": [
        *(f"{_LUA}/{name}.lua" for name in ("prelude/4-leases", "claim", "start", "beat")),
        *(f"{_LUA}/{name}.lua" for name in ("sweep", "release", "disown", "leave")),
        *(f"{_LUA}/prelude/{name}.lua" for name in ("3-places", "2-turns")),
    ],
    "recover": [
        *(f"{_LUA}/{name}.lua" for name in ("draw_again", "forget", "keep", "overdue")),
        *(f"{_LUA}/{name}.lua" for name in ("accept", "withdraw", "drop", "submit")),
    ],
    "callers": [
        *(f"{_LEDGER}/{name}.py" for name in ("counted", "pending", "written", "confirmation")),
        "producer/winepress/recovery.py",
        "producer/winepress/stored_units.py",
        f"{_LEDGER}/ledger.py",
    ],
}
#: Without `test_ledger_model`, which goes another way each time.
_TESTS = (
    "contract/test_ledger.py",
    "contract/test_ledger_together.py",
    "integration/test_ledger_arguments.py",
    "integration/test_ledger_begin.py",
    "integration/test_ledger_control.py",
    "integration/test_ledger_errors.py",
    "integration/test_ledger_fairness.py",
    "integration/test_ledger_film.py",
    "integration/test_ledger_forgets.py",
    "integration/test_ledger_gives_way.py",
    "integration/test_ledger_hours.py",
    "integration/test_ledger_leases.py",
    "integration/test_ledger_limits.py",
    "integration/test_ledger_reorder.py",
    "integration/test_ledger_shared_claims.py",
    "integration/test_ledger_slices.py",
    "integration/test_ledger_submit.py",
    "integration/test_ledger_sweeps.py",
    "integration/test_blocked_workers.py",
    "integration/test_broker_disk.py",
    "integration/test_claim_answers.py",
    "integration/test_dead_list.py",
    "integration/test_drawn_again.py",
    "integration/test_elsewhere.py",
    "integration/test_fair_shares.py",
    "integration/test_hostile_records.py",
    "integration/test_lane_index.py",
    "integration/test_late_messages.py",
    "integration/test_late_reports.py",
    "integration/test_later_versions.py",
    "integration/test_lost_objects.py",
    "integration/test_lost_workers.py",
    "integration/test_measures.py",
    "integration/test_pending_jobs.py",
    "integration/test_pins.py",
    "integration/test_recovery.py",
    "integration/test_stopped_slices.py",
    "integration/test_unique_names.py",
    "integration/test_watched_steps.py",
    "unit/test_ledger_records.py",
)
TESTS = tuple(f"tests/{name}" for name in _TESTS)


@dataclass(frozen=True)
class Source:
    """A file that is changed."""

    path: str  #: from the root of the tree

    @property
    def name(self) -> str:
        """Its last part, which tells it from all others."""
        return self.path.rpartition("/")[2]

    @property
    def file(self) -> Path:
        """Where it is."""
        return ROOT / self.path

    @cached_property
    def text(self) -> str:
        """What is in it."""
        return self.file.read_text("utf-8")

    @property
    def is_lua(self) -> bool:
        """Whether it is a script of the ledger, or a part of all of them."""
        return self.path.endswith(".lua")

    @property
    def module(self) -> str:
        """The name of the module in it."""
        return ".".join(self.path.removesuffix(".py").split("/")[1:])

    def mutants(self) -> list[Mutant]:
        """All of them, in the order of the text."""
        language = lua_mutator if self.is_lua else python_mutator
        return list(language.mutants_of(self.name, self.text))


SOURCES = {source.name: source for paths in PATHS.values() for source in map(Source, paths)}
