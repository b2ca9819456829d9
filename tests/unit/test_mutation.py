"""What `make mutants` rests on: it reads the sources rightly, and its list is up to date."""

from __future__ import annotations

import ast

import pytest
from mutation.lua_mutator import mutants_of
from mutation.lua_tokens import LuaTokens
from mutation.python_mutator import mutants_of as python_mutants_of
from mutation.sources import SOURCES, Source
from mutation.survivors import Survivors

SCRIPT = """#!lua flags=allow-oom
local seen = 0 -- not = here
local function add(some, ...)
  if some and #some >= 1 then seen = seen + 1
  elseif redis.call('EXISTS', P) == 1 then return true end
  each(some, function(one) redis.call('DEL', one) end)
  redis.call('ZADD', 'XX', 2, math.min(seen, 3))
end
return add
"""


def test_every_statement_of_a_script_is_found() -> None:
    """And each word belongs to the innermost one that it is part of."""
    tokens = LuaTokens(SCRIPT)
    begins = [tokens.all[index].text for index in sorted(tokens.begins)]
    assert begins == ["local", "local", "if", "seen", "return", "each", "redis", "redis", "return"]
    exists = next(index for index, one in enumerate(tokens.all) if one.text == "'EXISTS'")
    assert tokens.all[tokens.statements[exists]].text == "if"


def test_a_script_is_changed_one_word_at_a_time() -> None:
    """Numbers, comparisons, words, options; statements are left out whole."""
    found = {(one.change, one.applied(SCRIPT).count("\n")) for one in mutants_of("x", SCRIPT)}
    lines = SCRIPT.count("\n")
    changes = {change for change, _ in found}
    assert {count for _, count in found} == {lines}
    assert {
        "0 → 1",
        "and → or",
        ">= → >",
        ">= → <",
        "== → ~=",
        "true → false",
        "removed",
    } <= changes
    assert {"not (some and #some >= 1)", "'XX', → nothing", "min → max", "+ → -"} <= changes
    assert "return nil" in changes
    removed = [one.applied(SCRIPT) for one in mutants_of("x", SCRIPT) if one.change == "removed"]
    assert any("each(" not in text and "ZADD" in text for text in removed)


def test_a_module_is_changed_inside_of_its_functions() -> None:
    """What comes out is Python; signatures and docstrings stay."""
    text = '''
def count(items, most=3):
    """Say 1."""
    if not items:
        raise ValueError(1)
    self.seen = len(items) + 1
    return [one for one in items if one > most and one.good]
'''
    found = list(python_mutants_of("x", text))
    for one in found:
        ast.parse(one.applied(text))
        assert '(items, most=3):\n    """Say 1."""' in one.applied(text)
    changes = {one.change for one in found}
    assert {"not → nothing", "+ → -", "> → >=", "and → or", "removed", "return None"} <= changes


@pytest.mark.parametrize("source", SOURCES.values(), ids=lambda source: source.name)
def test_no_entry_of_the_list_has_lost_its_line(source: Source) -> None:
    """Whoever changes a line looks anew at what may be changed in it unnoticed."""
    assert Survivors.load().unknown(source.mutants()) == []
