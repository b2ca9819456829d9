"""Of an outage a service says each thing once, then how long it lasts, then that it is over."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from winepress_shared.errors import BrokerUnreachable, ObjectMissing, StoreUnreachable
from winepress_shared.outage_log import Contact, OutageFilter

_AWAY = BrokerUnreachable("the broker does not answer")
_GONE = StoreUnreachable("the store does not answer")


class Service:
    """A process that logs, at a time of the test's own."""

    def __init__(self) -> None:
        self.now = 0.0
        self.lines: list[str] = []
        self.contact = Contact("broker")
        self._logger = logging.Logger("service")
        handler = logging.Handler()
        handler.emit = lambda record: self.lines.append(  # type: ignore[method-assign]
            record.getMessage()
        )
        handler.addFilter(OutageFilter(lambda: self.now))
        self._logger.addHandler(handler)
        self.handler = handler

    def says(self, form: str, *values: object, at: float | None = None) -> list[str]:
        """What one more line adds to its log."""
        self.now = self.now if at is None else at
        self.lines.clear()
        self._logger.warning(form, *values)
        return list(self.lines)

    def asking(self) -> Contact:
        """Ask the broker, which answers unless the block raises."""
        return self.contact


@pytest.fixture
def service() -> Iterator[Service]:
    """It hears what `Contact` says too."""
    one = Service()
    log = logging.getLogger("winepress_shared.outage_log")
    level = log.level
    log.addHandler(one.handler)
    log.setLevel(logging.INFO)
    yield one
    log.removeHandler(one.handler)
    log.setLevel(level)


def test_the_same_line_is_said_once_and_then_at_growing_intervals(service: Service) -> None:
    """With how long it has lasted and how much was left out, whatever the number of tries."""
    assert service.says("%s", _AWAY) == ["the broker does not answer"]
    told: list[tuple[int, str]] = []
    for second in range(5, 1805, 5):
        told += [(second, line) for line in service.says("%s", _AWAY, at=second)]
    assert [second for second, _ in told] == [60, 180, 420, 900]
    assert told[0][1] == (
        "the broker does not answer (for 1 min 0 s now; 11 lines like this left out)"
    )


def test_another_part_says_its_own_line_once_too(service: Service) -> None:
    """It says what waits there; and the store is another matter."""
    service.says("%s", _AWAY)
    assert service.says("submissions wait: %s", _AWAY) != []
    assert service.says("submissions wait: %s", _AWAY) == []
    assert service.says("%s", _GONE) == ["the store does not answer"]
    celery = logging.LogRecord(
        "celery.worker.consumer.consumer", 40, "", 0, "consumer: Cannot connect to %s", ("x",), None
    )
    told = [service.handler.filter(celery) for _ in range(3)]
    assert list(map(bool, told)) == [True, False, False]


def test_what_is_no_outage_is_always_said(service: Service) -> None:
    """A missing object is an answer of the store."""
    for values in (("%s", ObjectMissing("no such object")), ("%s is full", "a disk"), ("100 %",)):
        assert service.says(*values) == service.says(*values) != []


def test_its_end_is_said_with_how_long_it_took(service: Service) -> None:
    """Once, by whoever is answered first; the next outage begins anew."""
    for at in (0, 5, 10):
        with pytest.raises(BrokerUnreachable), service.asking():
            raise _AWAY
        service.says("%s", _AWAY, at=at)
    service.now = 3700
    service.lines.clear()
    for _ in range(2):
        with service.asking():
            pass
    assert service.lines == [
        "the broker answers again (it was away for 1 h 1 min; 2 lines like this left out)"
    ]
    assert service.says("%s", _AWAY) != []


def test_an_end_that_disturbed_nobody_is_not_said(service: Service) -> None:
    """A call that was repeated at once; and an error raised inside the block counts as well."""
    with pytest.raises(BrokerUnreachable), service.asking():
        raise _AWAY
    with pytest.raises(ZeroDivisionError), service.asking():
        raise ZeroDivisionError
    with service.asking():
        pass
    assert service.lines == []
