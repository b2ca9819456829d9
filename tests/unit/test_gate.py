"""What passes the gate between the broker and whoever takes tickets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from winepress_shared.broker import DELIVER, RENDER
from winepress_shared.gate import as_expected
from winepress_shared.webhook import QUEUE

LANE = "vignette.fp16"


def message(task: str, lane: str) -> dict[str, Any]:
    """A ticket with all that a sender might want to happen beside it."""
    extras = {"callbacks": [{"task": "x"}], "errbacks": None, "chain": [{"task": "y"}]}
    return {
        "body": json.dumps([[], {"lane": lane}, extras]),
        "headers": {"task": task, "id": "t1", "eta": "2099-01-01T00:00:00", "retries": 7},
        "properties": {"body_encoding": "utf-8"},
    }


@pytest.mark.parametrize(("task", "lane"), [(RENDER, LANE), (RENDER, "film"), (DELIVER, QUEUE)])
def test_a_ticket_is_written_anew(task: str, lane: str) -> None:
    """So neither its time nor what should follow it counts."""
    passed = as_expected(message(task, lane), lane)
    assert (passed["headers"]["task"], passed["headers"]["eta"]) == (task, None)
    arguments, named, options = json.loads(passed["body"])
    assert (arguments, named) == ([], {"lane": lane})
    assert set(options.values()) == {None}


@pytest.mark.parametrize(
    ("task", "lane", "queue"),
    [
        (RENDER, QUEUE, QUEUE),
        (DELIVER, LANE, LANE),
        (DELIVER, LANE, QUEUE),
        ("celery.backend_cleanup", QUEUE, QUEUE),
    ],
)
def test_a_task_of_another_queue_does_not_pass(task: str, lane: str, queue: str) -> None:
    """A worker delivers no webhooks, and what delivers them draws nothing."""
    with pytest.raises(ValueError, match="ticket"):
        as_expected(message(task, lane), queue)
