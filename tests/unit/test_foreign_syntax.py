"""Prompt syntax of other programs, told from prose."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.growth import MOST, growth

from winepress_shared.jobs.foreign_syntax import foreign_syntax, warning_of_syntax
from winepress_shared.jobs.job import TextToImage
from winepress_shared.jobs.zoom import ZoomVideo
from winepress_shared.option_checks import syntax_in
from winepress_shared.result import fit_warnings

PROMPTS = Path(__file__).parents[2] / "worker" / "winepress_worker" / "models" / "prompts"


@pytest.mark.parametrize(
    ("prompt", "found"),
    [
        ("a (red:1.3) cat", ["(red:1.3)"]),
        ("(a very red cat : .7) at night", ["(a very red cat : .7)"]),
        ("((masterpiece)), a cat", ["((masterpiece))"]),
        ("(best quality, (red:1.2))", ["(red:1.2)"]),
        ("a (red)1.4 cat, (blue)++", ["(red)1.4", "(blue)++"]),
        ("[dull] cat", ["[dull]"]),
        ("a [cat:dog:0.5]", ["[cat:dog:0.5]"]),
        ("a [cat|dog]", ["[cat|dog]"]),
        ("a cat <lora:fur:0.8>, <hypernet:x:1>", ["<lora:fur:0.8>", "<hypernet:x:1>"]),
        ("<random:cat,dog> <wildcard:pets>", ["<random:cat,dog>", "<wildcard:pets>"]),
        ("a cat BREAK a dog", ["BREAK"]),
        ("a cat AND a dog AND a fox", ["AND"]),
        ("AND", ["AND"]),
        ("AND_1 xAND 2AND Andy AND é", ["AND"]),
        ("embedding:easynegative, blurry", ["embedding:easynegative"]),
        (r"saber \(fate\)", [r"\(", r"\)"]),
        ("a cat --ar 16:9 --v 6", ["--ar 16:9", "--v 6"]),
    ],
)
def test_syntax_is_found_with_its_words(prompt: str, found: list[str]) -> None:
    """In order, each once."""
    assert foreign_syntax(prompt) == found


@pytest.mark.parametrize(
    "prompt",
    [
        "a cat (sitting) on a mat",
        "a clock (10:30) on a wall (16:9)",
        "two cats (one black, one white) and a dog",
        "a scale (1:100) model, aspect ratio 16:9",
        "a sign that says ROCK AND ROLL",
        "a sign: COFFEE BREAK",
        "BREAKFAST AND BED",
        "a book about C++ and 3 < 4 > 2",
        "a house -- an old one -- by the sea",
        "black-and-white, semi-realistic, 35mm f/1.8",
        "a footnote [1] and a smile :-) or :(",
        "the programs say: hello; the band sings (live)",
    ],
)
def test_prose_is_no_syntax(prompt: str) -> None:
    """A warning that is often wrong is not read when it is right."""
    assert foreign_syntax(prompt) == []


@pytest.mark.parametrize("name", ["general.txt", "vignette.txt"])
def test_our_own_prompts_hold_no_syntax(name: str) -> None:
    """Some hundred prompts as people write them."""
    assert foreign_syntax((PROMPTS / name).read_text()) == []


@given(st.text(alphabet="([{<:>}])a1.+-\\ ANDBREK|,", max_size=2000))
def test_any_prompt_is_looked_through(prompt: str) -> None:
    """Whatever brackets it holds."""
    assert all(each in prompt for each in foreign_syntax(prompt, braces=True))


@pytest.mark.parametrize("unit", ["(", "(a", "((a", "(a:", "[a", "<a:", "(a:1.", "--a ", "\\("])
def test_a_text_of_open_brackets_is_looked_through(unit: str) -> None:
    """It is not gone through again for each of its characters: 200 kB would take hours."""
    assert isinstance(foreign_syntax(unit * 50_000), list)


@pytest.mark.parametrize(
    "unit", ["AND ", "a AND ", "AND 1 ", "BREAK,", "(a:1) ", "__a ", "--a 1 ", "[[1"]
)
def test_a_text_eight_times_as_long_takes_about_eight_times_as_long(unit: str) -> None:
    """A file has a hundred thousand prompts: what is quadratic holds a gateway for an hour."""
    assert growth(lambda text: foreign_syntax(text, braces=True), unit, 5_000) < MOST


def test_every_text_of_a_zoom_is_looked_at() -> None:
    """Prefix and suffix, and each prompt of the table."""
    zoom = ZoomVideo.model_validate(
        {
            "prompts": {"0": "a (fox:1.2)", "1": "{a|b}"},
            "prompt_prefix": "[dim]",
            "prompt_suffix": "<lora:x:1>",
            "negative_prompt": "((bad))",
        }
    )
    assert syntax_in(zoom) == ["((bad))", "[dim]", "<lora:x:1>", "(fox:1.2)"]
    assert "{a|b}" in syntax_in(zoom, braces=True)


def test_wildcards_outside_a_bulk_are_syntax_too() -> None:
    """`batch` draws them, `submit` does not."""
    job = TextToImage(prompt="a {red|blue} cat, __colour__, ${x}")
    assert syntax_in(job) == []
    assert syntax_in(job, braces=True) == ["{red|blue}", "__colour__", "${x}"]


def test_a_warning_shows_a_few_words_and_counts_the_rest() -> None:
    """Short enough to lie beside each picture."""
    found = [f"(word{number}:1.3)" for number in range(8)] + ["[" + "x" * 100 + "]"]
    warning = warning_of_syntax(found)
    assert "(word0:1.3), (word1:1.3)" in warning
    assert "and 4 more" in warning
    assert len(warning_of_syntax(found[::-1])) < 300


@given(st.lists(st.text(max_size=400), max_size=12))
def test_warnings_fit_beside_an_object_of_the_store(warnings: list[str]) -> None:
    """S3 keeps 2 KiB there; the first ones are whole where they fit, and none comes twice."""
    fitting = fit_warnings(warnings)
    assert sum(len(ascii(each)) for each in fitting) < 1500
    assert len(set(fitting)) == len(fitting) or "…" in "".join(fitting)
    assert fit_warnings(["short", "short"]) == ("short",)
