"""What the pages say is there: links, files, names in the code, commands and their flags."""

from __future__ import annotations

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import cache

import pytest
from support.markdown_pages import ROOT, Page, commands, pages

import winepress
from winepress.cli import parse
from winepress.commands import COMMANDS
from winepress.parser import Parser
from winepress.plugins import load_plugins
from winepress_shared.errors import WrongUsage
from winepress_shared.settings import Settings

MAX_README_WORDS = 700
PAGES = pages()
#: Of these, every name set as code must be one of the source.
DESIGN = [page for page in PAGES if page.path.parent.name == "design" or "ARCH" in page.name]
_FOLDERS = ("shared", "worker", "producer", "deploy", "tests", "training", "docs", "examples")
_PATH = re.compile(r"[\w.-]+(?:/[\w.-]+)*/?")
_SOURCE_NAME = re.compile(r"[A-Z][a-z]+(?:[A-Z][a-z]+)+|[a-z]+(?:_[a-z]+)+")
_FLAG = re.compile(r"--[a-z][a-z-]*")
#: Of blocks: those that are tried, those that are files, and pictures.
_LANGUAGES = {
    *("js", "sh", "python", "csv", "json", "toml", "yaml", "conf", "mermaid", "caddyfile", "nginx"),
}
#: Flags of other programs' commands that pages speak of.
_FOREIGN_FLAGS = {"--config", "--critic", "--force-recreate", "--init"}
#: All but the page that speaks of what was, too.
STATED = [page for page in PAGES if page.name != "CHANGELOG.md"]
on_every_page = pytest.mark.parametrize("page", STATED, ids=lambda page: page.name)


def test_the_readme_is_read_in_three_minutes() -> None:
    """Whatever is longer has a page of its own."""
    assert len((ROOT / "README.md").read_text("utf-8").split()) <= MAX_README_WORDS


@on_every_page
def test_every_link_leads_somewhere(page: Page) -> None:
    """Files, folders and headings; addresses elsewhere are not looked up."""
    lost = []
    for link in page.links:
        path, _, anchor = link.partition("#")
        target = page.path.parent / path if path else page.path
        is_found = target.exists() and (not anchor or anchor in Page(target).anchors)
        lost += [] if is_found else [link]
    assert lost == []


@cache
def _files() -> list[str]:
    """Every file of the project, as a path below its root."""
    files = [path for path in ROOT.glob("*") if path.is_file()]
    for folder in _FOLDERS:
        files += [path for path in (ROOT / folder).rglob("*") if path.is_file()]
    return [str(path.relative_to(ROOT)) for path in files]


def _is_there(path: str) -> bool:
    """Whether it is the end of a file's path, or a folder on the way to one."""
    end = f"/{path.rstrip('/')}"
    return any(f"/{file}".endswith(end) or f"{end}/" in f"/{file}" for file in _files())


@on_every_page
def test_every_file_of_the_project_that_a_page_names_is_there(page: Page) -> None:
    """In its folder, or with as much of the path as the page gives."""
    named = [span for span in page.spans if _PATH.fullmatch(span)]
    ours = [n for n in named if n.endswith((".py", ".lua")) or n.partition("/")[0] in _FOLDERS]
    files = [name for name in ours if name.endswith((".py", ".lua")) or "/" in name]
    assert [name for name in files if not _is_there(name)] == []


@cache
def _source() -> str:
    kinds = (".py", ".lua", ".toml")
    return "\n".join((ROOT / f).read_text("utf-8") for f in _files() if f.endswith(kinds))


@pytest.mark.parametrize("page", DESIGN, ids=lambda page: page.name)
def test_every_name_of_the_code_that_a_design_page_gives_is_in_the_code(page: Page) -> None:
    """Classes, functions, settings and fields: a page about what was is worse than none."""
    named = {span for span in page.spans if _SOURCE_NAME.fullmatch(span)}
    assert [name for name in sorted(named) if not re.search(rf"\b{name}\b", _source())] == []


def _written_commands(page: Page) -> Iterator[list[str]]:
    for block in page.blocks:
        yield from block.commands
    for span in page.spans:
        if span.startswith("winepress "):
            for words in commands(span):
                is_named_alone = all(re.fullmatch(r"[a-z]+", word) for word in words)
                yield [*words, "--help"] if is_named_alone else words


@on_every_page
def test_every_command_is_understood(page: Page) -> None:
    """By the command line itself; most are also run, by another test."""
    wrong = []
    for words in _written_commands(page):
        try:
            with suppress(SystemExit) if "--help" in words else nullcontext():
                parse(words)
        except WrongUsage as error:
            wrong.append(f"winepress {' '.join(words)}: {error}")
    assert wrong == []


@on_every_page
def test_no_command_stands_where_it_is_not_tried(page: Page) -> None:
    """Blocks are fenced and say a language that the tests know; targets of make are there."""
    assert {block.language for block in page.blocks} <= _LANGUAGES
    assert re.findall(r"^(?: {4}|\t)winepress .*", page.prose, re.MULTILINE) == []
    texts = [*page.spans, *(block.text for block in page.blocks if block.language == "sh")]
    targets = {found for text in texts for found in re.findall(r"^make ([a-z0-9-]+)", text, re.M)}
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert [name for name in targets if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


@cache
def _command_line() -> argparse.ArgumentParser:
    """With the commands of every package."""
    whole: argparse.ArgumentParser = Parser(prog="winepress")
    subparsers = whole.add_subparsers()
    for register in COMMANDS:
        register(subparsers)
    load_plugins(subparsers)
    return whole


def _parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A command and those below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield from _parsers(each)


@cache
def _known_flags() -> set[str]:
    actions = (action for each in _parsers(_command_line()) for action in each._actions)
    return {flag for action in actions for flag in action.option_strings}


@on_every_page
def test_every_flag_that_a_sentence_names_is_one(page: Page) -> None:
    """Of some command."""
    named = {flag for span in page.spans for flag in _FLAG.findall(span)}
    assert named - _known_flags() - _FOREIGN_FLAGS == set()


def test_the_way_of_a_job_meets_each_file_once_or_twice() -> None:
    """A way that comes back again and again says that something lies in the wrong file."""
    walk = Page(ROOT / "ARCHITECTURE.md").text.partition("to the PNG\n")[2]
    files = Counter(re.findall(r"`(?:[\w.-]+/)*([\w.-]+\.(?:py|lua))`", walk))
    assert len(files) > 10
    assert [file for file, times in files.items() if times > 2] == []


def test_every_command_setting_and_error_has_its_place_in_the_pages() -> None:
    """What no page names, nobody finds."""
    told = "\n".join(page.text for page in STATED if page.path.parent == ROOT / "docs")
    names = {each.prog for each in _parsers(_command_line()) if not each._subparsers}
    names |= {*Settings.model_fields, *(name for name in winepress.__all__ if name[0].isupper())}
    assert sorted(name for name in names if not re.search(rf"\b{name}\b", told)) == []


def test_the_ruler_of_pages_works() -> None:
    """The tests above would notice."""
    text = "X=1 winepress submit a --n 3 | head; J=$(winepress list) # winepress no\nmake x\n"
    assert list(commands(text)) == [["list"], ["submit", "a", "--n", "3"]]
    assert not _is_there("shared/winepress_shared/nonesuch.py")
    assert _is_there("winepress_shared/errors.py")
    assert len(PAGES) > 10
