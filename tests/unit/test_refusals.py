"""What is said of a model that workers have and do not serve."""

from __future__ import annotations

from typing import Any

from winepress.explanation import why_impossible
from winepress.refusals import refused_models
from winepress_shared.ledger.records import Worker

GIB = 2**30
LANE, SMALLER = "sdxl-turbo.fp16", "sdxl-turbo.int8-weights"


def worker(name: str, *lanes: str, device: str = "CPU", **said: Any) -> Worker:
    unfit = said.pop("unfit", {})
    facts = {"device": device, "lanes": list(lanes), **said}
    return Worker(name, 0.0, facts, {"unfit": unfit})


def small(name: str, budget_gib: float, *lanes: str, **said: Any) -> Worker:
    return worker(
        name, *lanes, too_large={LANE: int(11.2 * GIB)}, memory_budget=budget_gib * GIB, **said
    )


def test_memory_that_is_too_small_is_told_with_what_would_do() -> None:
    """What it needs, the most there is, the flag that starts a worker, and a smaller precision."""
    reason = why_impossible(LANE, [small("a", 4), small("b", 8)])
    assert reason is not None
    for told in ("needs 11.2 GiB", "is 8.0 GiB", "--memory-budget 12GiB", "int8-weights"):
        assert told in reason
    assert why_impossible(LANE, [small("a", 4), worker("b", LANE)]) is None


def test_a_smaller_precision_that_is_served_is_named_as_that() -> None:
    """Nothing need be prepared for it."""
    assert "a worker serves int8-weights now" in str(why_impossible(LANE, [small("a", 4, SMALLER)]))


def test_a_smaller_precision_that_is_too_large_as_well_is_no_remedy() -> None:
    """Preparing it would take an hour, and nobody could hold it."""
    too_large = {LANE: 12 * GIB, SMALLER: 9 * GIB}
    reason = why_impossible(LANE, [worker("a", too_large=too_large, memory_budget=8 * GIB)])
    assert "--memory-budget 12GiB" in str(reason)
    assert "int8" not in str(reason)


def test_a_worker_that_cannot_serve_a_lane_now_says_why() -> None:
    """Its lane is still among its lanes until its parent has heard of it."""
    one = worker("one", LANE, unfit={LANE: "the disk is full"})
    assert not one.serves(LANE)
    assert "one: the disk is full" in str(why_impossible(LANE, [one]))
    assert why_impossible(LANE, [one, worker("two", LANE)]) is None


def test_a_lane_of_one_kind_of_device_is_about_its_workers_alone() -> None:
    """What a CPU cannot hold says nothing about a GPU that nobody has."""
    assert "--device GPU" in str(why_impossible(f"{LANE}@GPU", [small("a", 4)]))
    gpu = small("b", 8, device="GPU.1")
    assert "is 8.0 GiB" in str(why_impossible(f"{LANE}@GPU", [small("a", 16), gpu]))


def test_both_kinds_of_refusal_are_listed_for_a_worker() -> None:
    """As `winepress workers` shows them."""
    refused = refused_models(small("a", 4, unfit={SMALLER: "the model is damaged"}))
    assert refused == {
        LANE: "needs 11.2 GiB of memory, has 4.0 GiB",
        SMALLER: "the model is damaged",
    }


def test_less_than_a_gibibyte_is_told_in_mebibytes() -> None:
    """So that what is needed and what there is do not look the same."""
    assert refused_models(small("a", 0.1))[LANE] == "needs 11.2 GiB of memory, has 102 MiB"


def test_a_film_that_nobody_cuts_needs_a_worker_on_a_cpu() -> None:
    """No model is asked for: what is prepared helps nobody."""
    reason = str(why_impossible("film", [worker("a", LANE, device="NPU")]))
    assert reason.endswith(
        "`winepress worker --device CPU` starts one on a machine with this device"
    )
