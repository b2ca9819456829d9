"""Wildcards in prompts."""

from __future__ import annotations

import os
import random
from contextlib import suppress
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.growth import MOST, growth

from winepress.bulk.prompt_syntax import parse
from winepress.bulk.wildcards import Wildcards
from winepress_shared.errors import InvalidJob


@pytest.fixture
def wildcards(tmp_path: Path) -> Wildcards:
    """With a list of colours, one of things that uses it, and one that uses itself."""
    (tmp_path / "colour.txt").write_text("# colours\nred\nblue\n\n")
    (tmp_path / "animals").mkdir()
    (tmp_path / "animals" / "pet.txt").write_text("__colour__ cat\ndog\n")
    (tmp_path / "loop.txt").write_text("__loop__\n")
    (tmp_path / "laughs.txt").write_text("__ha__" * 100)
    (tmp_path / "ha.txt").write_text("{__air__|__air__}" * 33)
    (tmp_path / "air.txt").write_text("{|}" * 99)
    (tmp_path / "nul.txt").write_bytes(b"\xff\xfe")
    (tmp_path / "heavy.txt").write_text("1::lead\n3::gold\n0::air\n")
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
        ("{3::red|1::blue} hat", ["red hat", "blue hat"]),
        ("{0.5::red|.5::blue|2.::{1::a|b}}", ["red", "blue", "a", "b"]),
        ("{0::never|always}", ["always"]),
        ("{2$$5::a|b|1::c}", ["a, b", "a, c", "b, c"]),
        ("{2-$$a|b|c}", ["a, b", "a, c", "b, c", "a, b, c"]),
        ("{-2$$a|b}", ["a", "b", "a, b"]),
        ("{2$$__colour__}", ["red, blue"]),
        ("{2$$X|X}", ["X, X"]),
        ("__heavy__", ["lead", "gold"]),
        (r"{a\|b|{c\:\:d}} \$\{x\} 50\%{x}", ["a|b ${x} 50%x", "c::d ${x} 50%x"]),
        ("{std::vector|a}", ["std::vector", "a"]),
        ("a\n# a comment\n  {b\n# |c\n|d}", ["a b", "a d"]),
        ("\n {\n\n a  b \n \n| c \n} \n\n d \n", ["a  b d", " c d"]),
        ("a plain\n# prompt", ["a plain\n# prompt"]),
        ("costs $5 and 50%, a|b, x}", ["costs $5 and 50%, a|b, x}"]),
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
        ("{3$$a|b}", "more options requested than available"),
        ("__nothing__", "no such list"),
        ("__empty__", "empty"),
        ("__loop__", "nested too deeply"),
        ("{a|b}" * 300, "too many wildcards"),
        ("{0::a|0::b}", "a weight above 0"),
        ("{-1::a|b}", "not a weight, at character 2 of the prompt"),
        ("{1e9::a|b}", "not a weight"),
        ("{" + "9" * 5000 + "::a|b}", "not a weight"),
        ("a {x$$a|b}", "not a number of options, at character 5"),
        ("{" + "9" * 5000 + "$$a|b}", "not a number of options"),
        ("{3-2$$a|b|c}", "more options requested than available"),
        ("{" * 9 + "a|b" + "}" * 9, "nested too deeply, at character 9"),
        ("in ${season=!{summer|autumn}}", "variable of dynamic prompts is not supported, at char"),
        ("in ${season}", "variable of dynamic prompts"),
        ("%{a cat$$in the rain}", "wrapping of dynamic prompts"),
        ("{@a|b}", "sampler of dynamic prompts"),
        ("{~a|b}", "sampler of dynamic prompts"),
        ("{!a|b}", "sampler of dynamic prompts"),
        ("__@colour__", "sampler of dynamic prompts"),
        ("__col*__", "pattern for several lists"),
        ("__colour(x=y)__", "list with arguments"),
        ("{% if x %}", "Jinja template"),
        ("{{ name }}", "a doubled brace"),
        ("{a|${x}}", "variable of dynamic prompts"),
        ("__laughs__", "too many"),
        ("__nul__", "cannot read a list: not UTF-8"),
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


def test_a_weight_is_how_often_an_option_is_picked(wildcards: Wildcards) -> None:
    """Relative to the others, in a choice as in a list; what weighs nothing is never picked."""
    for prompt in ("{3::gold|1::lead|0::air}", "__heavy__", "{__heavy__}"):
        picked = [wildcards.pick(prompt, random.Random(seed)) for seed in range(2000)]
        assert set(picked) == {"gold", "lead"}
        assert 0.70 < picked.count("gold") / 2000 < 0.80


def test_several_of_weighted_options_are_different_ones(wildcards: Wildcards) -> None:
    """However much heavier one of them is."""
    picked = {wildcards.pick("{2$$9::a|b|1::c}", random.Random(seed)) for seed in range(500)}
    assert picked == {"a, b", "b, a", "a, c", "c, a", "b, c", "c, b"}


def test_a_prompt_that_stands_for_billions_begins_to_answer_at_once(wildcards: Wildcards) -> None:
    """Whatever it is made of: nothing is unrolled before it is asked for."""
    many = "{a|b}" * 40
    for prompt in (many, f"{{2$${many}|{many}}}", f"{{1-3$${many}|{many}|__colour__}}"):
        assert len(list(islice(wildcards.every(prompt), 100))) == 100


@pytest.mark.parametrize("unit", ["_", "__a", "{1", "9", "{9$$", "${", "\\", "{a|", "__*", "__a("])
def test_a_list_may_hold_the_longest_of_lines(tmp_path: Path, unit: str) -> None:
    """None is gone through again for each of its characters; a longer one is refused."""
    wildcards = Wildcards(tmp_path)
    (tmp_path / "long.txt").write_text("x" + unit * (65_535 // len(unit)))
    with suppress(InvalidJob):
        wildcards.pick("__long__", random.Random(1))
    (tmp_path / "longer.txt").write_text("x" * 65_537)
    with pytest.raises(InvalidJob, match="too long"):
        wildcards.pick("__longer__", random.Random(1))


@pytest.mark.parametrize("unit", ["\n", " \n", "x \n", " ", "$", "\\", "_*"])
@pytest.mark.parametrize("before", ["{a|b}", "{\n"])
def test_a_prompt_eight_times_as_long_takes_about_eight_times_as_long(
    before: str, unit: str
) -> None:
    """A page of empty lines took minutes."""
    assert growth(parse, unit, 2_000, before) < MOST


@given(st.text(alphabet="ab{}|$:_%@!~\\-0129. \n#*()", max_size=60))
def test_any_text_is_expanded_or_refused(text: str) -> None:
    """No text raises anything but InvalidJob, and a pick is never slower than that."""
    wildcards = Wildcards(Path(os.devnull))
    for expand in (
        lambda: list(islice(wildcards.every(text), 50)),
        lambda: wildcards.pick(text, random.Random(1)),
    ):
        with suppress(InvalidJob):
            expand()
