"""Mutants of a Lua script."""

from __future__ import annotations

from collections.abc import Iterator

from mutation.lua_tokens import LuaTokens
from mutation.mutant import Mutant

_COMPARISONS = {
    "==": ("~=",),
    "~=": ("==",),
    "<": ("<=", ">="),
    "<=": ("<", ">"),
    ">": (">=", "<="),
    ">=": (">", "<"),
}
_WORDS = {
    "and": "or",
    "or": "and",
    "not": "",
    "true": "false",
    "false": "true",
    "min": "max",
    "max": "min",
    "floor": "ceil",
    "ceil": "floor",
}
_ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*"}
_OPTIONS = frozenset({"'XX'", "'NX'", "'GT'"})
#: A string after one of these is a value; others are names of commands, keys and fields.
_BEFORE_VALUE = frozenset({"return", "==", "~=", "=", "and", "or", "{"})
_LITERALS = frozenset({"nil", "true", "false"})
_LARGE = (
    999  #: a larger number is a time, a size or a limit: nobody promised that it is not one more
)
_NOW = "now"  #: beside it, `<` and `<=` differ for one millisecond


def mutants_of(name: str, text: str) -> Iterator[Mutant]:
    """Every mutant of the script ``name``, in the order of its text."""
    tokens = LuaTokens(text)
    for index in range(len(tokens.all)):
        for last, instead in _changes(tokens, index):
            begin, end = tokens.all[index].first, tokens.all[last - 1].last
            place = tokens.all[tokens.statements[index]].first
            if instead is None:  # the whole condition
                instead = f"not ({text[begin:end]})"
            yield Mutant(name, begin, end, instead, place).named(text)


def _changes(tokens: LuaTokens, index: int) -> Iterator[tuple[int, str | None]]:
    """Index after the last token of each change that begins at a token, and what replaces it."""
    token, before = tokens.all[index], tokens.text_at(index - 1)
    if token.kind == "number" and float(token.text) <= _LARGE:
        yield index + 1, f"{float(token.text) + 1:.15g}"
    elif token.kind == "string":
        if token.text in _OPTIONS:
            yield index + 2, ""  # with its comma
        elif before in _BEFORE_VALUE and token.text != "''":
            yield index + 1, "'mutant'"
    elif token.text in _COMPARISONS:
        near = {tokens.text_at(place) for place in range(index - 4, index + 3)}
        others = _COMPARISONS[token.text]
        yield from ((index + 1, other) for other in others[-1 if _NOW in near else 0 :])
    elif token.text in _WORDS:
        yield index + 1, _WORDS[token.text]
    elif token.text in _ARITHMETIC and tokens.all[index - 1].ends_operand:
        yield index + 1, _ARITHMETIC[token.text]
    if before in ("if", "elseif"):
        yield from _negated(tokens, index)
    if index in tokens.begins:
        yield from _without(tokens, index)


def _negated(tokens: LuaTokens, index: int) -> Iterator[tuple[int, None]]:
    """The condition that begins at ``index``, unless turning its only comparison does the same."""
    end = index
    while tokens.text_at(end) != "then":
        end += 1
    words = [token.text for token in tokens.all[index:end]]
    is_simple = not {"and", "or"} & set(words)
    if not (is_simple and (set(words) & {"==", "~=", "<", "<=", ">", ">="} or words[0] == "not")):
        yield end, None


def _without(tokens: LuaTokens, index: int) -> Iterator[tuple[int, str]]:
    """Without the call or the assignment that begins at ``index``, or with another return."""
    token, end = tokens.all[index], tokens.end_of_statement(index)
    if token.text == "return":
        is_literal = end == index + 2 and (
            tokens.all[index + 1].kind == "string" or tokens.text_at(index + 1) in _LITERALS
        )
        if end > index + 1 and not is_literal:
            yield end, "return nil"
    elif token.is_name:
        yield end, ""
