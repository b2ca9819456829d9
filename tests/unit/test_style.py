"""The house style, as far as it can be measured."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from functools import cache
from itertools import chain
from pathlib import Path

import pytest

from winepress_shared import __version__

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES = 300
MAX_FUNCTION_LINES = 60  #: without its docstring
MAX_PARAMETERS = 8  #: without self and cls
VAGUE_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
#: The command line is what prints.
COMMANDS = ("cli.py", "*command*.py", "run_*.py", "console.py", "*commands/*.py")
TEXT = {".py", ".md", ".toml", ".txt", ".lua", ".yaml", ".yml", ".sh", ".json", ".service", ".conf"}

# Written in pieces so that this file does not find itself.
_ROOTS = "|".join(["root", "work", "workspace", "Users", r"home/(?!winepress\b)\w+"])
MACHINE_PATH = re.compile(rf"(?<![\w.$}}])/(?:{_ROOTS})\b")
_HOSTS = "|".join(["pypi", "pythonhosted", "npmjs", "anaconda", "download.pytorch", "deb.debian"])
REGISTRY = re.compile(rf"\b(?:{_HOSTS})\.(?:org|com)\b|-(?:-extra)?-index-url|-{{2}}find-links")

#: Names that modules and classes had before they got the field's words.
_FORMER = (
    "Cutting-Room cutting_-room Farm-Book farm_-book Lane-Book lane_-book Open-Lanes open_-lanes "
    "Preview-Box preview_-box Preview-Desk preview_-desk stew-ard leash-ed lone_-flower name-sake "
    "un-heard un-watched she-lf winepress[.]pre-ss part:.Sli-ce PART_-ITEMS "
    "spare_-vae BAN-DS[.]index band_-served band:.in-t"
)
FORMER_NAME = re.compile(rf"\b(?:{'|'.join(_FORMER.replace('-', '').split())})s?\b", re.IGNORECASE)
#: The same for classes whose names are words of plain English too.
FORMER_CLASSES = {"Press", "Desk", "Studio", "Painter", "Tender", "Handling"} | {
    "Offered",
    "Ending",
    "Pulse",
    "Moved",
    "Environment",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _files(folder: Path, ignored: tuple[str, ...]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatch(path.name, pattern) for pattern in ignored):
            continue
        if path.is_dir():
            yield from _files(path, ignored)
        else:
            yield path


def _ignored() -> tuple[str, ...]:
    lines = (ROOT / ".gitignore").read_text("utf-8").split()
    return (".git", *(line.strip("/") for line in lines))


FILES = [path.relative_to(ROOT) for path in _files(ROOT, _ignored())]
PYTHON = [path for path in FILES if path.suffix == ".py"]
PRODUCT = [path for path in PYTHON if path.parts[0] not in ("tests", "examples")]


@cache
def _read(path: Path) -> str:
    return (ROOT / path).read_text("utf-8")


@cache
def _functions(path: Path) -> tuple[Function, ...]:
    nodes = ast.walk(ast.parse(_read(path)))
    return tuple(node for node in nodes if isinstance(node, Function))


def _lines(function: Function) -> int:
    """Length in lines, without the docstring."""
    first = function.body[0]
    has_docstring = ast.get_docstring(function) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if has_docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - docstring


def _parameters(function: Function) -> list[ast.arg]:
    given = function.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    every += [extra for extra in (given.vararg, given.kwarg) if extra]
    return [argument for argument in every if argument.arg not in ("self", "cls")]


def _where(path: Path, function: Function) -> str:
    return f"{path}:{function.lineno} {function.name}"


def test_the_ruler_reaches_the_whole_tree() -> None:
    """An empty list of files would pass every test below."""
    assert {path.parts[0] for path in PYTHON} >= {"shared", "worker", "producer", "deploy", "tests"}
    assert {Path("Makefile"), Path(".ci/run"), Path("pyproject.toml")} <= set(FILES)


def test_no_file_is_longer_than_300_lines() -> None:
    """One noun, one file: a longer one holds two."""
    assert [str(path) for path in PYTHON if _read(path).count("\n") > MAX_FILE_LINES] == []


def test_no_function_is_longer_than_60_lines() -> None:
    """A function fits on one screen."""
    long = [
        _where(path, function)
        for path in PYTHON
        for function in _functions(path)
        if _lines(function) > MAX_FUNCTION_LINES
    ]
    assert long == []


def test_no_function_takes_more_than_8_parameters() -> None:
    """More of them want to be one value."""
    wide = [
        _where(path, function)
        for path in PYTHON
        for function in _functions(path)
        if len(_parameters(function)) > MAX_PARAMETERS
    ]
    assert wide == []


def test_every_function_of_the_product_is_annotated() -> None:
    """Parameters and results alike; the checker then says what is wrong with them."""
    bare = [
        _where(path, function)
        for path in PRODUCT
        for function in _functions(path)
        if function.returns is None or any(not each.annotation for each in _parameters(function))
    ]
    assert bare == []


def test_no_module_has_a_vague_name() -> None:
    """A file called utils says only that nobody knew where to put it."""
    vague = [path for path in PYTHON if {path.stem, *path.parts[:-1]} & VAGUE_NAMES]
    assert vague == []


def test_only_the_command_line_prints() -> None:
    """A library that prints cannot be used in a program whose output is JSON."""
    printing = [
        str(path)
        for path in PRODUCT
        if not any(path.match(command) for command in COMMANDS)
        for node in ast.walk(ast.parse(_read(path)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
    ]
    assert printing == []


def test_every_test_states_its_promise() -> None:
    """A test that fails must say what is broken for whom."""
    silent = [
        _where(path, function)
        for path in PYTHON
        if path.parts[0] == "tests" and path.name.startswith("test_")
        for function in _functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []


def _found(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{path}:{number} {line.strip()}"
        for path in FILES
        if path.suffix in TEXT or path.name in ("Makefile", "Dockerfile", "run")
        for number, line in enumerate(_read(path).splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_former_name_is_left() -> None:
    """One word for one thing: a reader meets no name that no longer exists."""
    assert [hit for hit in _found(FORMER_NAME) if re.match(r"[^:]*\.(py|lua|toml):", hit)] == []
    classes = (
        f"{path}: {node.name}"
        for path in PYTHON
        for node in ast.walk(ast.parse(_read(path)))
        if isinstance(node, ast.ClassDef) and node.name in FORMER_CLASSES
    )
    assert list(classes) == []


def test_no_path_of_a_machine_is_written_down() -> None:
    """The project works wherever it is checked out."""
    assert _found(MACHINE_PATH) == []


def test_no_package_registry_is_written_down() -> None:
    """Where packages come from is the business of the machine, not of the project."""
    assert _found(REGISTRY) == []


@pytest.mark.parametrize(
    ("pattern", "text", "is_found"),
    [
        (MACHINE_PATH, "cd /" + "root/x", True),
        (MACHINE_PATH, "open('/" + "home/ann/x')", True),
        (MACHINE_PATH, "/" + "home/winepress/models", False),
        (MACHINE_PATH, "tests/" + "work/x, $HOME/" + "work, /workers", False),
        (REGISTRY, "https://" + "pypi" + ".org/simple", True),
        (REGISTRY, "pip install -" + "-index-url x", True),
        (REGISTRY, "pip install winepress", False),
    ],
    ids=["root", "home", "home-of-the-image", "no-root", "host", "option", "plain"],
)
def test_ruler_of_written_down_places_works(
    pattern: re.Pattern[str], text: str, is_found: bool
) -> None:
    """The two tests above would notice."""
    assert bool(pattern.search(text)) is is_found


#: Of the light producer, the worker and the farm.
PROJECTS = [Path(folder, "pyproject.toml") for folder in (".", "worker", "deploy")]


def test_version_is_the_same_everywhere() -> None:
    """Packages, module and changelog tell one version, and the parts ask for each other's own."""
    light, *parts = (tomllib.loads(_read(path))["project"] for path in PROJECTS)
    newest = re.search(r"^## \[(.+?)\]", _read(Path("CHANGELOG.md")), re.MULTILINE)
    assert newest
    assert {each["version"] for each in (light, *parts)} == {__version__} == {newest[1]}
    wanted = [wish for wishes in light["optional-dependencies"].values() for wish in wishes]
    for part in parts:
        assert part["dependencies"] == [f"winepress=={__version__}"]
        assert f"{part['name']}=={__version__}" in wanted


def test_every_part_carries_the_licence() -> None:
    """Each is a package of its own, built from its own folder."""
    assert len({_read(path.parent / "LICENSE") for path in PROJECTS}) == 1


def test_every_dependency_is_pinned() -> None:
    """A build of tomorrow installs what was tested today, the torch pin without CUDA's builds."""
    project = tomllib.loads(_read(Path("pyproject.toml")))["project"]
    every = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    own = ("winepress-", "winepress[")
    wanted = [wish for wish in every if not wish.startswith(own)]
    pins = dict(re.findall(r"^([\w.-]+)==(\S+)$", _read(Path("constraints.txt")), re.MULTILINE))
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in pins}
    names = {re.split(r"[^\w.-]", wish, maxsplit=1)[0].lower() for wish in wanted}
    assert names - pinned == set()
    assert pins["torch"] == "2.13.0"
