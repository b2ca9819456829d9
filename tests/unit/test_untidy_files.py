"""Files of prompts and tables as people leave them, and as large as nobody means them."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.written_files import plan_of, written

from winepress.bulk.bulk_file import FORMS, read_lines
from winepress.bulk.wildcards import Wildcards
from winepress.job_files.job_file import read_job_file
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.items import Item

# -- prompt files and tables -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        (
            "--prompt a castle --negative_prompt trees, shrubs --steps 20",
            {"prompt": "a castle", "negative_prompt": "trees, shrubs", "steps": "20"},
        ),
        (
            '--prompt "a big castle" by the sea --steps 20',
            {"prompt": "a big castle by the sea", "steps": "20"},
        ),
        (
            "--prompt a cat's castle, the dog's too --seed 4",
            {"prompt": "a cat's castle, the dog's too", "seed": "4"},
        ),
        ("--prompt dogs' toys --seed 4", {"prompt": "dogs' toys", "seed": "4"}),
        ("--prompt 'a cat' --seed -1", {"prompt": "a cat", "seed": "-1"}),
        (
            "--sampler_name DPM++ 2M Karras --prompt x",
            {"prompt": "x", "sampler_name": "DPM++ 2M Karras"},
        ),
        (
            "--prompt x --restore_faces false --do_not_save_grid true --outpath_samples out",
            {"prompt": "x"},
        ),
    ],
)
def test_lines_of_flags_need_no_quotation_marks(
    tmp_path: Path, line: str, fields: dict[str, str]
) -> None:
    """As the script of A1111 takes them, and an apostrophe is no mark."""
    (read,) = read_lines(written(tmp_path, "a.txt", line))
    assert read.values == fields


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf", b"\xff\xfe"])
@pytest.mark.parametrize("first", ["", "sep={}\r\n", '"sep={}"\r\n'])
def test_tables_may_say_their_delimiter(
    tmp_path: Path, delimiter: str, mark: bytes, first: str
) -> None:
    """As Excel writes and reads them, with any mark of their encoding; lines keep their numbers."""
    text = first.format(delimiter) + f"prompt{delimiter}seed\r\na cat{delimiter}7\r\n"
    data = text.encode("utf-16-le" if mark == b"\xff\xfe" else "utf-8")
    (line,) = read_lines(written(tmp_path, "a.csv", mark + data))
    assert (line.values, line.number) == ({"prompt": "a cat", "seed": "7"}, 3 if first else 2)


def test_negative_prompts_have_wildcards_too(tmp_path: Path) -> None:
    """Alone and with the prompt's; a fault in one is a fault of that field."""
    path = written(tmp_path, "a.csv", "prompt,negative_prompt\n{a|b},{c|d}\n")
    plan = plan_of(path, wildcards=Wildcards(tmp_path), every_combination=True)
    jobs = [Item.decode(item).job for group in plan.groups.values() for item in group.items]
    assert [job.prompt + job.negative_prompt for job in jobs] == ["ac", "ad", "bc", "bd"]
    with pytest.raises(InvalidJob, match=r"line 2, column 2 \(negative_prompt\)"):
        plan_of(
            written(tmp_path, "b.csv", "prompt,negative_prompt\na,{c\n"),
            wildcards=Wildcards(tmp_path),
        )


# -- large and hostile ones ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"prompt": "a", "seed": ' + "9" * 5000 + "}"),
        ("a.jsonl", '{"prompt": "a", "steps": ' + "9" * 5000 + ".5}"),
        ("a.jsonl", '{"prompt": "a", "x": ' + "[" * 100_000),
        ("a.jsonl", '{"prompt": "a", "cfg": NaN}'),
        ("a.csv", "prompt,batch_size\na," + "9" * 5000),
        ("a.csv", "prompt,seed\na," + "9" * 5000),
        ("a.csv", "prompt,size\na," + "9" * 5000),
        ("a.txt", "--prompt a --n_iter " + "9" * 5000),
        ("a.txt", "--prompt a --steps " + "9" * 5000),
    ],
)
def test_numbers_and_nests_of_any_size_are_faults_of_their_line(
    tmp_path: Path, name: str, text: str
) -> None:
    """In one short sentence: Python itself converts no more than 4300 digits."""
    with pytest.raises(InvalidJob, match=r"line [12]") as caught:
        plan_of(written(tmp_path, name, text))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("form", ["jsonl", "csv", "prompts"])
@pytest.mark.parametrize(
    "text",
    [b"\n" * 1_000_001, b"\r" * 1_000_001, b"," * 70_000, b"x" * 70_000],
    ids=["newlines", "returns", "commas", "letters"],
)
def test_a_file_of_nothing_is_refused_with_its_limit(
    tmp_path: Path, form: str, text: bytes
) -> None:
    """Before it is looked through line by line, or taken apart."""
    path = written(tmp_path, "a", text)
    with pytest.raises((InvalidJob, WrongUsage)) as caught:
        list(read_lines(path, form))
    if form != "jsonl" or text[:1] in b"\n\r":  # a long line of JSON may hold pictures
        assert caught.value.allowed in ("1000000", "65536 characters")


@pytest.mark.parametrize("form", ["{}", '{{"body": {}}}'])
def test_a_line_of_countless_fields_is_refused_before_each_is_looked_for(
    tmp_path: Path, form: str
) -> None:
    """To find the places of millions in a line of 96 MiB would take days."""
    fields = ", ".join(f'"f{number}": 0' for number in range(100_000))
    with pytest.raises(InvalidJob, match=r"line 1.*too many fields"):
        list(read_lines(written(tmp_path, "a.jsonl", form.format(f"{{{fields}}}"))))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("seed: " + "9" * 200_000, "a number of 200000 characters; 40 are allowed"),
        ("seed: 0x" + "f" * 200_000, "a number of 200002 characters"),
        ("seed: 1" + ":59" * 60_000, "a number of 180001 characters"),
        ("cfg: 1." + "9" * 200_000, "a number of 200002 characters"),
        ("prompt: [" + "a," * 100_000 + "]", "more than 20000 values"),
        ("prompt: " + "[" * 100_000, "nested too deeply"),
        ('{"seed": ' + "9" * 5000 + "}", "a number of 5000 characters"),
    ],
)
def test_a_job_file_that_takes_long_to_read_is_not_read(
    tmp_path: Path, text: str, problem: str
) -> None:
    """What is too much is said before it is done."""
    for name in ("a.yaml", "a.json"):
        if name == "a.yaml" or text.startswith("{"):
            with pytest.raises(WrongUsage, match=problem):
                read_job_file(written(tmp_path, name, text))


#: Of all the forms at once.
_PIECES = (
    *("prompt", "seed", "--prompt ", "--steps ", "sep=;", "a cat", '"', "'", ",", ";", "\n", "\r"),
    *("{", "}", "[", "]", ": ", "null", "1e999", "9" * 50, '{"prompt": "a"}', '{"body": {', "\0"),
    *("---", "&a", "*a", "!!int ", "!!bool ", "!!timestamp ", "!!binary ", "<<", "#", "%", " "),
    *("data:image/png;base64,", "init_images", "image"),
)
_TEXTS = st.lists(st.sampled_from(_PIECES), max_size=20).map("".join)


@given(st.binary(max_size=100) | _TEXTS.map(str.encode))
def test_any_bytes_are_a_file_or_refused(data: bytes) -> None:
    """Through every door, whatever the file is said to be: nothing else is ever raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = written(Path(folder), "a", data)
        for form in FORMS:
            with suppress(InvalidJob, WrongUsage):
                list(read_lines(path, form))
        with suppress(InvalidJob, WrongUsage):
            read_job_file(path)
