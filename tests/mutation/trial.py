"""The part of a test session that tries mutants: one process and one server for all."""

from __future__ import annotations

import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import redis

from mutation.changed_code import put_in
from mutation.mutant import Mutant
from mutation.reach import Place, Reach
from mutation.sources import SOURCES, Source

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
        self._took: dict[pytest.Item, float] = {}
        self._reached: dict[Place, list[pytest.Item]] = defaultdict(list)
        self._killers: list[pytest.Item] = []  #: the last one first
        self.reached: set[Place] = set()

    @pytest.fixture(scope="session", autouse=True)
    def _one_server(self, valkey_server: ValkeyServer) -> None:
        self._server = valkey_server

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember the first test that fails."""
        if report.failed and not self._failed:
            self._failed = report.nodeid

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """In place of the usual loop."""
        self._measure(session.items)
        for mutant in self._mutants:
            self._tell(self._try(mutant, session))
        return True

    def _run(self, item: pytest.Item, following: pytest.Item) -> None:
        """Run a test; ``following`` decides which fixtures are kept."""
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)

    # -- the tests as they are ---------------------------------------------------------------

    def _measure(self, items: list[pytest.Item]) -> None:
        first = items[0]
        self._run(first, first)  # starts the server
        assert self._server is not None
        reach = Reach(SOURCES.values(), self._server.folder / "log")
        with reach.scripts_tell():
            for item, following in zip(items, [*items[1:], first], strict=True):
                began = time.monotonic()
                places = reach.of(lambda one=item, then=following: self._run(one, then))  # type: ignore[misc]
                self._took[item] = time.monotonic() - began
                for place in places:
                    self._reached[place].append(item)
                if self._failed:
                    pytest.exit(f"{self._failed} fails without any change", 2)
        self.reached = set(self._reached)

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
            for item, following in zip(items, [*items[1:], items[-1]], strict=True):
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
        with redis.Redis.from_url(self._server.url, socket_timeout=_FREE_S) as client:
            with suppress(redis.RedisError):
                client.flushall()
                client.script_flush()
                return
        self._server.restart()
        with redis.Redis.from_url(self._server.url) as client:
            client.flushall()

