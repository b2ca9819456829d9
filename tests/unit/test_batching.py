"""Pictures are drawn together when that pays or a job asks for it, and no company changes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image

from winepress_shared.catalogue import Catalogue
from winepress_shared.jobs.job import Job, parse_job
from winepress_worker.renderer.batching import Batching

PLENTY = 2**40
CATALOGUE = Catalogue.load()


def job(prompt: str = "a red apple", **values: object) -> Job:
    return CATALOGUE.resolve(parse_job({"prompt": prompt, "seed": 1, **values}))


def endless(**values: object) -> Iterator[Job]:
    return (job(f"apple number {number}", **values) for number in range(64))


def painted(level: int = 0) -> Image.Image:
    return Image.new("RGB", (8, 8), (level, 0, 0))


def learn(batching: Batching, seconds_of: Callable[[int], float], calls: int = 20) -> list[int]:
    """Draw ``calls`` calls that take ``seconds_of`` their number of pictures; the numbers."""
    numbers = []
    for _ in range(calls):
        call = batching.plan(endless(), PLENTY)
        numbers.append(call.number)
        if call.number == 1:
            batching.learn_alone(call.jobs[0], painted(), seconds_of(1))
        elif not call.sample or batching.prove(call, painted()):
            batching.learn(call, seconds_of(call.number))
    return numbers


def test_the_number_is_doubled_as_long_as_a_picture_gets_cheaper() -> None:
    """Singles first, then two, then four: each proven once, measured twice, then kept."""
    numbers = learn(Batching(most=4), lambda number: 1 + 0.2 * (number - 1))
    assert numbers == [1, 1, 1, 2, 2, 2, *[4] * 14]


@pytest.mark.parametrize(
    "values",
    [
        {"step_cache": "light"},
        {"step_cache_interval": 4},
        {"guidance_start": 0.2},
        {"guidance_stop": 0.5},
        {"guidance_min_sigma": 1.0},
    ],
)
def test_pictures_whose_steps_are_saved_are_of_a_kind_of_their_own(values: dict[str, Any]) -> None:
    """Other shapes are computed for them: they learn a number and mix with none."""
    batching = Batching(most=4)
    learn(batching, lambda number: 1 + 0.2 * (number - 1))
    assert batching.plan(endless(), PLENTY).number == 4
    assert batching.plan(endless(**values), PLENTY).number == 1
    mixed = iter([job(), job(**values), job(), job()])
    assert batching.plan(mixed, PLENTY).number == 1


def test_what_does_not_pay_is_not_kept() -> None:
    """Twice the pictures in twice the time gain nothing; three looks, then single calls again."""
    numbers = learn(Batching(most=4), float)
    assert numbers == [1, 1, 1, 2, 2, 2, *[1] * 14]


def test_a_gain_that_ends_at_two_leaves_it_at_two() -> None:
    """The largest number that paid is the one in use."""
    numbers = learn(Batching(most=8), lambda number: 1.2 if number == 2 else float(number))
    assert numbers[-5:] == [2] * 5
    assert max(numbers) == 4


def test_the_first_call_of_each_shape_is_not_measured() -> None:
    """It compiles; a slow first call of two must not speak against two."""
    seen: dict[int, int] = {}

    def slow_at_first(number: int) -> float:
        seen[number] = seen.get(number, 0) + 1
        return 100.0 if seen[number] == 1 else 1 + 0.2 * (number - 1)

    assert learn(Batching(most=2), slow_at_first)[-1] == 2


def test_a_picture_that_comes_out_otherwise_among_others_ends_it() -> None:
    """No gain is worth a picture that depends on its company."""
    batching = Batching(most=4)
    learn(batching, float, calls=3)
    call = batching.plan(endless(), PLENTY)
    assert (len(call.jobs), call.number) == (1, 2)
    assert not batching.prove(call, painted(level=1))
    assert batching.plan(endless(), PLENTY).number == 1


def test_a_proof_beside_a_real_picture_costs_one_picture_once() -> None:
    """The sample is a picture that was drawn alone before; the others are new."""
    batching = Batching(most=4)
    learn(batching, float, calls=3)
    call = batching.plan(endless(), PLENTY)
    assert call.sample is not None
    assert call.jobs == (job("apple number 0"),)
    assert batching.prove(call, painted())
    assert batching.plan(endless(), PLENTY).sample is None


def test_a_sample_of_other_settings_proves_nothing() -> None:
    """Beside pictures of another guidance it would be another picture; a new one is drawn first."""
    batching = Batching(most=4)
    learn(batching, float, calls=3)
    single = batching.plan(endless(guidance_scale=7.0), PLENTY)
    assert single.number == 1
    batching.learn_alone(single.jobs[0], painted(), 1.0)
    trial = batching.plan(endless(guidance_scale=7.0), PLENTY)
    assert (trial.number, trial.sample) == (2, single.jobs[0])


def test_calls_that_fail_again_become_smaller() -> None:
    """One failure may be one picture's fault; two halve the number, for good."""
    batching = experienced()
    call = batching.plan(endless(), PLENTY)
    batching.fail(call)
    assert batching.plan(endless(), PLENTY).number == 4
    batching.fail(call)
    assert batching.plan(endless(), PLENTY).number == 2


def experienced() -> Batching:
    batching = Batching(most=4)
    learn(batching, lambda number: 1 + 0.1 * (number - 1))
    return batching


@pytest.mark.parametrize(
    "other",
    [
        {"width": 192},
        {"num_inference_steps": 7},
        {"guidance_scale": 3.0},
        {"scheduler": "euler"},
        {"negative_prompt": "blurred"},
        {"precision": "int8-weights"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_only_what_is_alike_shares_a_call(other: dict[str, object]) -> None:
    """Size, steps, guidance, scheduler and the like are the same for all of a call."""
    batching = experienced()
    mixed = [job("one"), job("two", seed=9), job("three", **other), job("four")]
    assert batching.plan(mixed, PLENTY).jobs == tuple(mixed[:2])


def test_memory_limits_the_number() -> None:
    """With room for no second picture each is drawn alone; 256 MiB are kept for each more."""
    batching = experienced()
    assert batching.plan(endless(), 0).number == 1
    assert batching.plan(endless(), 300 * 2**20).number == 2
    assert batching.plan(endless(), 800 * 2**20).number == 4


def test_the_end_of_a_slice_is_drawn_in_numbers_that_are_proven() -> None:
    """Three left over are two and one: every number is a shape of its own to be prepared."""
    batching = experienced()
    assert batching.plan([job("a"), job("b"), job("c")], PLENTY).number == 2


def test_every_kind_of_picture_is_learned_for_itself() -> None:
    """What pays at one size may not pay at another."""
    batching = experienced()
    assert batching.plan(endless(), PLENTY).number == 4
    assert batching.plan(endless(width=512, height=512), PLENTY).number == 1
    tiny = (one.model_copy(update={"vae": "tiny"}) for one in endless())
    assert batching.plan(tiny, PLENTY).number == 1, "what one autoencoder keeps another may not"
    assert batching.facts() == {"vignette.fp16": 4}


def test_a_worker_told_to_draw_one_by_one_does() -> None:
    """``--max-batch-size 1``: nothing is ever tried."""
    assert set(learn(Batching(most=1), lambda number: 1.0)) == {1}


def fours(count: int = 64, **values: object) -> list[Job]:
    """Pictures of a job that is drawn in calls of four."""
    many = job("apples", n=64, **values)
    return [many.for_unit(unit) for unit in range(count)]


def draw_fours(batching: Batching) -> None:
    call = batching.plan(fours(), PLENTY)
    batching.learn(call, 1.0, [painted(level) for level in range(call.number)])


def test_a_job_that_names_a_number_gets_it_from_the_first_call_on() -> None:
    """Its bytes depend on it, so neither pace nor memory nor ``--max-batch-size`` has a say."""
    for most in (1, 2, 4, 64):
        for free_bytes in (0, PLENTY):
            call = Batching(most).plan(fours(), free_bytes)
            assert (call.jobs, call.number, call.filled) == (tuple(fours(4)), 4, 0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_call_that_lacks_pictures_is_filled_up(count: int) -> None:
    """With the last of them, for nobody: then its shape is that of all others."""
    call = Batching().plan(fours(count), PLENTY)
    assert call.jobs == tuple(fours(count))
    assert call.drawn == (*fours(count), *[fours(count)[-1]] * (4 - count))
    assert Batching(1).alone(fours(1)[0]).drawn == tuple(fours(1)) * 4


def test_pictures_of_another_kind_do_not_fill_a_call_up() -> None:
    """Nor do such that are drawn singly."""
    mixed = [*fours(2), job("apples", seed=3), *fours(1)]
    assert Batching().plan(mixed, PLENTY).jobs == tuple(mixed[:2])


def test_a_smaller_call_is_used_once_it_is_proven() -> None:
    """The place that would be filled up is taken by a picture drawn among four before."""
    batching = Batching()
    draw_fours(batching)
    trial = batching.plan(fours(1), PLENTY)
    assert (trial.jobs, trial.sample, trial.number) == (tuple(fours(1)), fours(4)[3], 2)
    assert batching.prove(trial, painted(level=3))
    last = batching.plan(fours(1), PLENTY)
    assert (last.sample, last.number) == (None, 2)
    assert batching.plan(fours(2), PLENTY).drawn == tuple(fours(2))
    assert batching.plan(fours(3), PLENTY).number == 4
    assert batching.alone(fours(1)[0]).number == 2


def test_a_smaller_call_that_changes_pictures_is_tried_once() -> None:
    """From then on every call is filled up."""
    batching = Batching()
    draw_fours(batching)
    trial = batching.plan(fours(1), PLENTY)
    assert not batching.prove(trial, painted(level=9))
    assert batching.plan(fours(1), PLENTY).drawn == tuple(fours(1)) * 4
    assert batching.plan(fours(), PLENTY).drawn == tuple(fours(4))


def test_failing_calls_do_not_become_smaller_where_the_job_names_their_number() -> None:
    """The pictures would be others."""
    batching = Batching()
    for _ in range(3):
        call = batching.plan(fours(), PLENTY)
        batching.fail(call)
        assert call.number == 4


def test_another_device_than_a_processor_counts_as_it_likes() -> None:
    """Its bytes are its own, and some take no more than one picture."""
    batching = Batching(keeps_numbers=False)
    assert batching.plan(fours(), PLENTY).drawn == tuple(fours(1))
    assert batching.alone(fours(1)[0]).number == 1
