"""Wildcards in prompts."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from winepress.bulk.wildcards import Wildcards
from winepress_shared.errors import InvalidJob


@pytest.fixture
def wildcards(tmp_path: Path) -> Wildcards:
    """With a list of colours, one of things that uses it, and one that uses itself."""
    (tmp_path / "colour.txt").write_text("# colours\nred\nblue\n\n")
    (tmp_path / "animals").mkdir()
    (tmp_path / "animals" / "pet.txt").write_text("__colour__ cat\ndog\n")
    (tmp_path / "loop.txt").write_text("__loop__\n")
    (tmp_path / "empty.txt").write_text("# nothing\n")
    return Wildcards(tmp_path)


@pytest.mark.parametrize(
    ("prompt", "readings"),
    [
        ("plain", ["plain"]),
        ("a {red|blue} cat", ["a red cat", "a blue cat"]),
        ("{a|b}{1|2}", ["a1", "a2", "b1", "b2"]),
        ("{a|{b|c} d}", ["a", "b d", "c d"]),
        ("{2$$a|b|c}", ["a, b", "a, c", "b, c"]),
        ("{1-2$$ and $$a|b}", ["a", "b", "a and b"]),
        ("{a|} cat", ["a cat", " cat"]),
        ("__colour__ hat", ["red hat", "blue hat"]),
        ("__animals/pet__", ["red cat", "blue cat", "dog"]),
        (r"a \{b|c\}", ["a {b|c}"]),
        ("snake__case", ["snake__case"]),
    ],
)
def test_every_combination_comes_in_order(
    wildcards: Wildcards, prompt: str, readings: list[str]
) -> None:
    """The first alternatives first, the last wildcard fastest."""
    assert list(wildcards.every(prompt)) == readings


@pytest.mark.parametrize("prompt", ["{a|b} {2$$x|y|z} __animals/pet__", "plain"])
def test_a_pick_is_one_of_the_combinations(wildcards: Wildcards, prompt: str) -> None:
    """Up to the order of several picked at once; the same chance picks the same."""
    every = {tuple(sorted(text.replace(",", "").split())) for text in wildcards.every(prompt)}
    for seed in range(50):
        text = wildcards.pick(prompt, random.Random(seed))
        assert text == wildcards.pick(prompt, random.Random(seed))
        assert tuple(sorted(text.replace(",", "").split())) in every


def test_every_alternative_is_picked_some_time(wildcards: Wildcards) -> None:
    """Nothing a list offers is out of reach."""
    picked = {wildcards.pick("__animals/pet__", random.Random(seed)) for seed in range(100)}
    assert picked == {"red cat", "blue cat", "dog"}


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("a {red|blue", "not closed"),
        ("{3$$a|b}", "more than it offers"),
        ("__nothing__", "no such list"),
        ("__empty__", "empty"),
        ("__loop__", "too deep"),
        ("{a|b}" * 300, "too many wildcards"),
    ],
)
def test_wildcards_that_make_no_sense_are_refused(
    wildcards: Wildcards, prompt: str, problem: str
) -> None:
    """Either way of reading them says the same."""
    with pytest.raises(InvalidJob, match=problem):
        list(wildcards.every(prompt))
    with pytest.raises(InvalidJob, match=problem):
        wildcards.pick(prompt, random.Random(1))


def test_a_name_cannot_leave_the_folder(tmp_path: Path) -> None:
    """Dots are not part of a name."""
    (tmp_path / "secret.txt").write_text("key")
    inner = Wildcards(tmp_path / "wildcards")
    assert list(inner.every("__../secret__")) == ["__../secret__"]
