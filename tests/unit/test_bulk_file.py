"""Files of items: every form is read, and what is broken is named by line and column."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from support.growth import MOST, growth

from winepress.bulk.bulk_file import read_lines
from winepress.bulk.line import LineFault
from winepress.bulk.matrix import Matrix
from winepress.bulk.plan import Plan, PlanOptions
from winepress.bulk.wildcards import Wildcards
from winepress.cli import main
from winepress_shared.catalogue import Catalogue
from winepress_shared.errors import InvalidJob, WrongUsage
from winepress_shared.items import Item

CATALOGUE = Catalogue.load()


def plan_of(path: Path, **options: Any) -> Plan:
    plan = Plan(CATALOGUE, PlanOptions(folder=path.parent, **options))
    plan.add(read_lines(path))
    return plan


def items_of(plan: Plan) -> list[Item]:
    return [Item.decode(item) for group in plan.groups.values() for item in group.items]


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def test_json_lines_take_our_fields_and_those_of_others(tmp_path: Path) -> None:
    """Foreign names mean the same as in a job; an id names the item."""
    path = written(
        tmp_path,
        "a.jsonl",
        '{"id": "first", "prompt": "a cat", "steps": 4, "seed": 7, "n": 2}\n\n'
        '{"prompt": "a dog", "size": "128x64", "cfg_scale": 3}\n',
    )
    items = items_of(plan_of(path))
    assert [(item.name, item.line, item.job.seed) for item in items[:2]] == [
        ("first", 1, 7),
        ("first", 1, 8),
    ]
    dog = items[2].job
    assert (dog.prompt, dog.width, dog.height, dog.guidance_scale) == ("a dog", 128, 64, 3.0)
    assert all(item.job.n == 1 for item in items)


def test_lines_of_the_openai_batch_api_are_read(tmp_path: Path) -> None:
    """custom_id names the picture; fields about the answer are not about the picture."""
    body = {"model": "vignette", "prompt": "a cat", "n": 1, "size": "256x256"}
    body |= {"response_format": "b64_json", "user": "u"}
    line = {"custom_id": "r-1", "method": "POST", "url": "/v1/images/generations", "body": body}
    (item,) = items_of(plan_of(written(tmp_path, "a.jsonl", json.dumps(line))))
    assert (item.name, item.job.prompt, item.job.width) == ("r-1", "a cat", 256)


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "excel"])
@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_csv_is_read_as_spreadsheets_write_it(tmp_path: Path, comma: str, mark: str) -> None:
    """Other separators, a byte order mark, empty cells, quoted line breaks and empty rows."""
    rows = ["id,prompt,Steps,seed", 'x,"two\nlines",4,', ",plain,,3", ",,,"]
    text = mark + "\r\n".join(row.replace(",", comma) for row in rows) + "\r\n"
    items = items_of(plan_of(written(tmp_path, "a.csv", text)))
    assert [item.job.prompt for item in items] == ["two\nlines", "plain"]
    assert [item.line for item in items] == [2, 4]
    assert items[0].job.num_inference_steps == 4
    assert items[1].job.seed == 3


def test_prompt_files_take_plain_lines_flags_and_comments(tmp_path: Path) -> None:
    """The format of A1111's prompts-from-file script."""
    path = written(
        tmp_path,
        "a.txt",
        "# a comment\na plain cat\n\n"
        '--prompt "a dog" --negative_prompt "blurry" --steps 30 --cfg_scale 7 --width 128 '
        '--height 64 --seed 1 --sampler_name "Euler a" --batch_size 2 --n_iter 2\n',
    )
    items = items_of(plan_of(path))
    assert [item.job.prompt for item in items] == ["a plain cat", *["a dog"] * 4]
    dog = items[1].job
    assert (dog.negative_prompt, dog.num_inference_steps, dog.width) == ("blurry", 30, 128)
    assert [item.job.seed for item in items[1:]] == [1, 2, 3, 4]
    assert dog.scheduler == "euler_a"


def test_a_line_of_flags_has_a_bounded_number_of_them(tmp_path: Path) -> None:
    """As a line of JSON; the last one that was read is named with its column."""
    flags = [f"--{'a' * number}" for number in range(1, 202)]
    line = " 1 ".join(["--prompt", *flags, "--b 1"])
    with pytest.raises(LineFault, match="too many fields; allowed: 200") as refused:
        plan_of(written(tmp_path, "a.txt", line))
    assert refused.value.column == line.index(f" {flags[199]} ") + 2


@pytest.mark.parametrize("unit", ["--{} x ", "--x {} ", "--{}", "'", '"x', "\\x"])
def test_a_line_of_flags_eight_times_as_long_takes_about_eight_times_as_long(
    tmp_path: Path, unit: str
) -> None:
    """However many flags it has, and whatever is quoted."""
    letters = [f"{a}{b}{c}{d}" for a, b, c, d in product("abcdefghij", repeat=4)]
    units = 6 * "".join(unit.format(name) for name in letters)

    def read(text: str) -> object:
        return list(read_lines(written(tmp_path, "a.txt", "--prompt a " + text[:60_000])))

    assert growth(lambda size: read(units[: len(size)]), "x", 7_500) < MOST


def test_a_broken_line_1501_is_named_with_its_column(tmp_path: Path) -> None:
    """The user finds the cell at once, in a file of thousands."""
    rows = [f"a cat {number},4,{number}" for number in range(2, 2001)]
    rows[1499] = "a cat 1501,many,7"
    path = written(tmp_path, "a.csv", "prompt,steps,seed\n" + "\n".join(rows))
    with pytest.raises(InvalidJob, match=r"line 1501, column 2 \(steps\): .*'many'"):
        plan_of(path)


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.jsonl", '{"prompt": "a"}\n{"prompt": }', "line 2, column 12"),
        ("a.jsonl", '{"prompt": "a", "stepz": 3}', r"line 1, column 17 \(stepz\)"),
        ("a.jsonl", '{"prompt": "a"}\n[1]', "line 2, column 1"),
        ("a.jsonl", "[" * 60000, "line 1"),
        ("a.jsonl", '{"url": "/v1/chat", "body": {}}', r"column 2 \(url\)"),
        ("a.jsonl", '{"body": 3}', r"column 2 \(body\)"),
        (
            "a.jsonl",
            '{"id": "x", "prompt": "a"}\n{"id": "x", "prompt": "b"}',
            "line 1 has the same name",
        ),
        ("a.csv", 'prompt\n"open', "line 2"),
        ("a.csv", 'prompt\na\n"open,2\nb\nc\n', "line 3: .*quotation mark"),
        ("a.csv", "promt,seed\na,1", r"line 2, column 1 \(promt\): unknown field.*'prompt'"),
        ("a.csv", "prompt,seed\na,1\nb", "line 3, column 2"),
        ("a.csv", "prompt,prompt\na,b", "line 1"),
        ("a.csv", "prompt,size\na,big", r"line 2, column 2 \(size\)"),
        ("a.csv", "prompt,model\na,vignete", r"line 2, column 2 \(model\)"),
        ("a.csv", "prompt,image\na,nowhere.png", r"line 2, column 2 \(image\)"),
        ("a.txt", 'ok\n--prompt "open', "line 2, column 14"),
        ("a.txt", "--prompt a --steps", r"line 1, column 12 \(--steps\)"),
        ("a.txt", "--prompt a --steps 9999", r"line 1, column 12 \(steps\)"),
        ("a.txt", "--prompt a -- c", "line 1, column 12"),
        ("a.txt", "x" * 70_000, "line 1"),
        ("a.txt", "a {red|blue", r"line 1, column 1 \(prompt\)"),
    ],
)
def test_what_is_broken_is_named_by_line_and_column(
    tmp_path: Path, name: str, text: str, place: str
) -> None:
    """In every form, for every kind of mistake, without a traceback."""
    with pytest.raises(InvalidJob, match=place):
        plan_of(written(tmp_path, name, text), wildcards=Wildcards(tmp_path))


def test_files_that_cannot_be_read_are_refused_in_one_sentence(tmp_path: Path) -> None:
    """Missing, of unknown form, or not text."""
    with pytest.raises(WrongUsage, match="No such file"):
        plan_of(tmp_path / "a.csv")
    with pytest.raises(WrongUsage, match="--form"):
        plan_of(written(tmp_path, "a.xlsx", ""))
    (tmp_path / "b.csv").write_bytes(b"prompt\n\xff\n")
    with pytest.raises(WrongUsage, match=r"line 2 is not UTF-8.*Save the file as UTF-8"):
        plan_of(tmp_path / "b.csv")


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n"])
def test_a_file_without_a_picture_is_refused_before_the_farm_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """A dry run says so too: the real one would queue nothing."""
    path = written(tmp_path, "a.txt", text)
    assert main(["batch", str(path), "--dry-run"]) == 4
    assert "the file contains no pictures" in capsys.readouterr().err


def test_an_input_picture_is_read_once_however_many_items_use_it(tmp_path: Path) -> None:
    """Paths are relative to the file."""
    Image.new("RGB", (64, 64), "red").save(tmp_path / "red.png")
    rows = "".join(f"image-to-image,a,red.png,{seed}\n" for seed in range(5))
    plan = plan_of(written(tmp_path, "a.csv", "kind,prompt,image,seed\n" + rows))
    (picture,) = plan.inputs
    assert {item.job.pictures[0].reference for item in items_of(plan)} == {picture.reference}


def test_pictures_are_sorted_by_lane_and_priority_and_priced(tmp_path: Path) -> None:
    """256 × 256 × 10 steps are 0.65536 megapixel-steps."""
    text = "prompt,precision,priority\na,fp16,\nb,int8-weights,\nc,fp16,interactive\n"
    defaults = {"num_inference_steps": 10, "size": "256x256", "priority": "bulk"}
    plan = plan_of(written(tmp_path, "a.csv", text), defaults=defaults)
    groups = [(str(g.lane), g.priority.value, len(g.items)) for g in plan.groups.values()]
    assert groups == [
        ("vignette.fp16", "bulk", 1),
        ("vignette.int8-weights", "bulk", 1),
        ("vignette.fp16", "interactive", 1),
    ]
    assert plan.cost == pytest.approx(3 * 0.65536)


def test_many_alike_pictures_in_a_row_share_calls(tmp_path: Path) -> None:
    """Few do not, nor larger ones; the group says so to whoever hands out its slices."""
    rows = ["a,256x256"] * 16 + ["b,128x128"] * 15 + ["c,512x512"] * 16 + ["d,256x256"] * 17
    plan = plan_of(written(tmp_path, "a.csv", "\n".join(["prompt,size", *rows])))
    numbers = [item.job.pictures_per_call for item in items_of(plan)]
    assert numbers == [4] * 16 + [None] * 31 + [4] * 17
    assert [group.together for group in plan.groups.values()] == [4]
    assert [item.job.prompt for item in items_of(plan)] == [row[0] for row in rows]


def test_a_matrix_draws_every_item_for_every_combination(tmp_path: Path) -> None:
    """The last axis runs fastest."""
    matrix = Matrix(["seed=1-3", "guidance=2,5", "prompt=a cat, black|a dog"])
    plan = plan_of(written(tmp_path, "a.txt", "overridden\n"), matrix=matrix)
    cells = [(i.job.seed, i.job.guidance_scale, i.job.prompt) for i in items_of(plan)]
    assert len(cells) == 12
    assert cells[:3] == [(1, 2.0, "a cat, black"), (1, 2.0, "a dog"), (1, 5.0, "a cat, black")]


@pytest.mark.parametrize(
    "axes",
    [
        ["seed"],
        ["=1"],
        ["seed=1-2", "rng_seed=3"],
        ["seed=5-1"],
        ["seed=1-9:0"],
        ["seed=0-999", "steps=1-999"],
        ["seed=0-9999999999999999"],
    ],
    ids=str,
)
def test_a_matrix_that_makes_no_sense_is_refused(axes: list[str]) -> None:
    """Before anything is unrolled."""
    with pytest.raises(WrongUsage):
        Matrix(axes)


def test_a_short_line_cannot_ask_for_more_pictures_than_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trillion combinations are refused as soon as the limit is passed."""
    prompt = "{a|b|c|d|e|f|g|h|i|j}" * 12
    path = written(tmp_path, "a.txt", prompt)
    options = {"wildcards": Wildcards(tmp_path), "every_combination": True}
    monkeypatch.setattr("winepress.bulk.plan.MAX_ITEMS", 100)
    with pytest.raises(InvalidJob, match=r"line 1: too many pictures"):
        plan_of(path, **options)
