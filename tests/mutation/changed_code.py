"""Runs the product with another text of one of its files, in this process."""

from __future__ import annotations

import gc
import importlib
import inspect
from collections.abc import Iterator, Mapping
from types import CodeType, FunctionType
from typing import cast

from mutation.sources import Source
from winepress_shared.ledger.script_server import script_texts


def put_in(source: Source, text: str) -> None:
    """Have every later use of the file find ``text``; raises SyntaxError for a Python module."""
    if source.is_lua:
        put_in_scripts({source: text})
    else:
        _put_in_functions(source, text)


def put_in_scripts(texts: Mapping[Source, str]) -> None:
    """The same for several scripts, or parts of all scripts."""
    scripts = cast("dict[str, str]", script_texts())
    for source, text in texts.items():
        if "/prelude/" in source.path:
            for name, whole in scripts.items():
                scripts[name] = _replaced(whole, source.text, text)
        else:
            name = source.name.removesuffix(".lua")
            bodies = [one.split("\n", 1)[1] for one in (source.text, text)]
            scripts[name] = _replaced(scripts[name], *bodies)


def _replaced(whole: str, old: str, new: str) -> str:
    assert whole.count(old) == 1, "a script does not have the text of its file"
    return whole.replace(old, new)


def _put_in_functions(source: Source, text: str) -> None:
    """Give each function its new code: whoever has imported it uses the same function."""
    module = importlib.import_module(source.module)
    file = str(inspect.getsourcefile(module))
    codes = dict(_codes(compile(text, file, "exec", dont_inherit=True)))
    gc.unfreeze()  # else those that were imported early are not listed
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename == file:
            one.__code__ = codes.get(one.__code__.co_qualname, one.__code__)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """The functions of a module by their full names, without those inside of others."""
    for one in code.co_consts:
        if isinstance(one, CodeType) and "<" not in one.co_qualname:
            yield one.co_qualname, one
            yield from _codes(one)
