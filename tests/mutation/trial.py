"""The part of a test session that tries mutants: one process and one server for all."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import redis

from mutation.changed_code import put_in
from mutation.mutant import Mutant
from mutation.reach import Place, Reach
from mutation.sources import SOURCES

if TYPE_CHECKING:
    from support.servers import ValkeyServer  # it imports a plugin of pytest

_KILLED, _SURVIVED = 0, 17  #: exit codes of the process that tries a mutant
_FREE_S = 2.0  #: longest a server may need to answer after a mutant, or it is started again
_SLACK = 20  #: a mutant that takes so many times as long as the tests is stopped
_LEAST_S = 60.0


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant."""

    mutant: Mutant
    killer: str  #: the test that noticed it; empty: none did
    is_reached: bool = True  #: some test runs the changed place


class Trial:
    """A plugin of pytest that runs the tests once as they are, and then on each mutant."""

    def __init__(self, mutants: Sequence[Mutant], tell: Callable[[Verdict], None]) -> None:
        self._mutants = mutants
        self._tell = tell
        self._server: ValkeyServer | None = None
        self._failed = ""
        self._items: list[pytest.Item] = []
        self._took: dict[pytest.Item, float] = {}
        self._reached: dict[Place, list[pytest.Item]] = defaultdict(list)
        self._killers: list[pytest.Item] = []  #: the last one first
        self.reached: set[Place] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Remember the server of the session."""
        found = yield
        if fixturedef.argname == "valkey_server":
            self._server = found
        return found

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first test that fails, and how."""
        if report.failed and not self._failed:
            self._failed = f"{report.nodeid}\n{report.longreprtext}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of the usual loop."""
        self._items = session.items
        self._measure(session.items)
        for mutant in self._mutants:
            self._tell(self._try(mutant, session))
        return True

    def _run(self, item: pytest.Item, following: pytest.Item | None = None) -> None:
        """Run a test; ``following``, by default any other one, decides which fixtures are kept."""
        following = following or self._items[self._items[0] is item]
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    # -- the tests as they are ---------------------------------------------------------------

    def _measure(self, items: list[pytest.Item]) -> None:
        self._run(items[0])  # starts the server
        self._check_unchanged()
        assert self._server is not None
        reach = Reach(SOURCES.values(), self._server.folder / "log")
        with reach.scripts_tell():
            for item, following in zip(items, [*items[1:], None], strict=True):
                began = time.monotonic()
                places = reach.of(partial(self._run, item, following))
                self._took[item] = time.monotonic() - began
                for place in places:
                    self._reached[place].append(item)
                self._check_unchanged()
        self.reached = set(self._reached)

    def _check_unchanged(self) -> None:
        if self._failed:
            print(self._failed)
            pytest.exit("a test fails without any change", 2)

    # -- the tests on a mutant ---------------------------------------------------------------

    def _try(self, mutant: Mutant, session: pytest.Session) -> Verdict:
        items = self._order(self._reached.get((mutant.source, mutant.place), ()))
        if not items:
            return Verdict(mutant, "", is_reached=False)
        ours, theirs = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(ours)
            self._be_mutant(mutant, items, session, theirs)
        os.close(theirs)
        killer = self._await(pid, ours, items)
        self._free_server()
        return Verdict(mutant, killer)

    def _order(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Tests that noticed something lately first, then the fastest."""
        rank = {item: place for place, item in enumerate(self._killers)}
        return sorted(items, key=lambda one: (rank.get(one, len(rank)), self._took[one]))

    def _be_mutant(
        self, mutant: Mutant, items: list[pytest.Item], session: pytest.Session, results: int
    ) -> None:
        """Run the tests in a process of its own until one fails, and end."""
        code = _KILLED
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(nowhere, stream)
            source = SOURCES[mutant.source]
            put_in(source, mutant.applied(source.text))
            session._setupstate.teardown_exact(items[0])
            for item, following in zip(items, [*items[1:], None], strict=True):
                os.write(results, f"{item.nodeid}\n".encode())
                self._run(item, following)
                if self._failed:
                    break
            else:
                code = _SURVIVED
        finally:
            os._exit(code)

    def _await(self, pid: int, results: int, items: list[pytest.Item]) -> str:
        """The test that failed, or that did not come to its end; empty if all passed."""
        most_s = _LEAST_S + _SLACK * sum(self._took[item] for item in items)
        end = time.monotonic() + most_s
        while (done := os.waitpid(pid, os.WNOHANG))[0] == 0:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)
        with os.fdopen(results) as told:
            last = (told.read().splitlines() or ["(before the first test)"])[-1]
        if os.waitstatus_to_exitcode(done[1]) == _SURVIVED:
            return ""
        killer = next((item for item in items if item.nodeid == last), None)
        if killer is not None:
            self._killers = [killer, *(one for one in self._killers if one is not killer)]
        return last

    def _free_server(self) -> None:
        """Empty the server, which is ours; start it again if a script does not end."""
        assert self._server is not None
        try:
            self._flush(_FREE_S)
        except redis.RedisError:
            self._server.restart()
            self._flush(None)

    def _flush(self, within_s: float | None) -> None:
        assert self._server is not None
        with redis.Redis.from_url(self._server.url, socket_timeout=within_s) as client:
            client.flushall()
            client.script_flush()
