"""Control characters in text from outside: refused, and where they stand is said."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from winepress.bulk.bulk_file import read_lines
from winepress.bulk.plan import Plan, PlanOptions
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob
from winepress_shared.jobs.job import parse_job
from winepress_shared.jobs.plain_text import check_text

ZOOM = {"kind": "zoom-video", "prompt": "a valley"}
TEXTS = [
    ({}, "prompt"),
    ({"prompt": "x"}, "negative_prompt"),
    (ZOOM, "prompt"),
    (ZOOM, "prompt_prefix"),
    (ZOOM, "prompt_suffix"),
]


@pytest.mark.parametrize(("values", "field"), TEXTS)
@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x85", "\x9b", "\ud83c"])
def test_no_text_of_a_job_holds_control_characters(
    values: dict[str, object], field: str, character: str
) -> None:
    """A NUL ends a PNG's text; others drive the terminal on which a prompt is listed."""
    with pytest.raises(InvalidJob) as caught:
        parse_job({**values, field: f"a red{character} apple"})
    code = f"U+{ord(character):04X}"
    assert caught.value.message.startswith(
        f"{field}: contains a control character, {code}, at position 6"
    )
    assert character not in caught.value.message


def test_prompt_tables_hold_none_either() -> None:
    """Nor one at the end, which is otherwise taken away like a space."""
    for prompt in ("a\0b", "a valley\x1c"):
        with pytest.raises(InvalidJob, match=r"^prompts: contains a control character"):
            parse_job({"kind": "zoom-video", "prompts": {"0": prompt}})


def test_the_names_of_a_bulk_hold_none_either(tmp_path: Path) -> None:
    """They are written into the manifest and shown; the line is named."""
    path = tmp_path / "night.jsonl"
    path.write_text('{"custom_id": "a", "prompt": "x"}\n{"custom_id": "b\\u001b", "prompt": "x"}\n')
    with pytest.raises(InvalidJob, match=r"line 2, column 2 \(custom_id\): contains a control"):
        Plan(Catalogue.load(), PlanOptions()).add(read_lines(path))


def test_every_other_character_is_text() -> None:
    """Of the control characters tab and the ends of lines; whatever else Unicode has."""
    for code in range(0x11000):
        character = chr(code)
        is_control = unicodedata.category(character) in ("Cc", "Cs") and character not in "\t\n\r"
        if is_control:
            with pytest.raises(InvalidJob):
                check_text(character, None)
        else:
            assert check_text(character, None) == character
