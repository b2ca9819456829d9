"""Flags of other programs, and what is suggested in their place."""

from __future__ import annotations

import pytest

from winepress.cli import main


@pytest.mark.parametrize(
    ("word", "flag"),
    [
        ("--cfg-scale", "--guidance"),
        ("--num_inference_steps", "--steps"),
        ("--negative-prompt", "--negative"),
        ("--num-images", "-n"),
        ("--sampler", "--scheduler"),
        ("--denoising-strength", "--strength"),
        ("--width", "--size"),
        ("--output-format=png", "--format"),
    ],
)
def test_a_flag_of_other_programs_is_answered_with_ours(
    word: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What means the same, rather than what is spelled alike."""
    assert main(["submit", "text-to-image", "x", word]) == 2
    assert f"Did you mean {flag}?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["submit", "--prompt", "a cat"], "PROMPT"),
        (["submit", "--kind=zoom-video"], "KIND"),
        (["batch", "--file", "a.csv"], "FILE"),
    ],
)
def test_a_flag_for_what_needs_none_is_told_so(
    words: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rather than with a flag that is spelled alike, like --prompts."""
    assert main(words) == 2
    assert f"{name} is given without a flag" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["submit", "text-to-image", "x", "--no-wait"], ["up", "--flower"]]
)
def test_the_opposite_of_a_flag_is_not_suggested(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`submit` has --wait, and `up` has --no-flower."""
    assert main(words) == 2
    assert "Did you mean" not in capsys.readouterr().err


def test_flags_are_not_alike_for_their_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    """`list` has no --user, and nothing that a user could have meant by it."""
    assert main(["list", "--user", "ann"]) == 2
    assert "Did you mean" not in capsys.readouterr().err
