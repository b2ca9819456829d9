"""Mutants of the functions of a Python module."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import accumulate

from mutation.mutant import Mutant

Function = ast.FunctionDef | ast.AsyncFunctionDef
_COMPARISONS: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Lt: ("<", ("<=", ">=")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<=")),
    ast.GtE: (">=", (">", "<")),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.BitOr: ("|", "&"),
}
_LARGE = 999  #: see `lua_mutator`


def mutants_of(name: str, text: str) -> Iterator[Mutant]:
    """Every mutant of the functions of the module ``name``; signatures stay as they are."""
    module = _Module(text)
    for function in functions_of(ast.parse(text)):
        for statement in function.body:
            for node in _walk(statement):
                for first, last, instead in module.changes(node):
                    yield Mutant(name, first, last, instead, first_line(function)).named(text)


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """The functions and methods of a module, without those inside of others."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, Function):
            yield node
        elif isinstance(node, ast.ClassDef | ast.If):
            yield from functions_of(node)


def first_line(function: Function) -> int:
    """What ``co_firstlineno`` says of a function."""
    return min([function.lineno, *(one.lineno for one in function.decorator_list)])


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """A node and what is in it, but for the words ``strict`` of ``zip``."""
    if isinstance(node, ast.keyword) and node.arg == "strict":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _walk(child)


class _Module:
    """A source with the places of its nodes, as offsets of characters."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._lines = text.splitlines(keepends=True)
        self._starts = [0, *accumulate(map(len, self._lines))]

    def _begin(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: ast.expr | ast.stmt) -> int:
        return self._offset(node.end_lineno or 0, node.end_col_offset or 0)

    def _offset(self, line: int, column: int) -> int:
        before = self._lines[line - 1].encode()[:column].decode()
        return self._starts[line - 1] + len(before)

    def changes(self, node: ast.AST) -> Iterator[tuple[int, int, str]]:
        """First and last offset of each change of a node, and what replaces it."""
        if isinstance(node, ast.Compare):
            yield from self._comparisons(node)
        elif isinstance(node, ast.BoolOp):
            words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for one, other in zip(node.values, node.values[1:], strict=False):
                yield self._between(one, other, *words)
        elif isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            yield self._between(node.left, node.right, *_ARITHMETIC[type(node.op)])
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            yield self._begin(node), self._begin(node) + len("not "), ""
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.stmt):
            yield from self._statement(node)
        if isinstance(node, ast.If | ast.IfExp):
            yield from self._negated(node.test)
        elif isinstance(node, ast.comprehension):
            for condition in node.ifs:
                yield from self._negated(condition)

    def _comparisons(self, node: ast.Compare) -> Iterator[tuple[int, int, str]]:
        operands = [node.left, *node.comparators]
        for place, kind in enumerate(node.ops):
            word, others = _COMPARISONS[type(kind)]
            for other in others:
                yield self._between(operands[place], operands[place + 1], word, other)

    def _between(
        self, one: ast.expr, other: ast.expr, word: str, instead: str
    ) -> tuple[int, int, str]:
        first = self._text.index(word, self._end(one), self._begin(other))
        return first, first + len(word), instead

    def _constant(self, node: ast.Constant) -> Iterator[tuple[int, int, str]]:
        if isinstance(node.value, bool):
            yield self._begin(node), self._end(node), str(not node.value)
        elif isinstance(node.value, int | float) and node.value <= _LARGE:
            yield self._begin(node), self._end(node), str(node.value + 1)

    def _statement(self, node: ast.stmt) -> Iterator[tuple[int, int, str]]:
        instead = "pass"
        if isinstance(node, ast.Return):
            if node.value is None or ast.unparse(node.value) == "None":
                return
            instead = "return None"
        elif isinstance(node, ast.Expr):
            if isinstance(node.value, ast.Constant):  # a docstring
                return
        elif isinstance(node, ast.Assign):
            if not any(isinstance(one, ast.Attribute | ast.Subscript) for one in node.targets):
                return
        elif not isinstance(node, ast.AugAssign | ast.Raise | ast.Continue):
            return
        yield self._begin(node), self._end(node), instead

    def _negated(self, test: ast.expr) -> Iterator[tuple[int, int, str]]:
        is_simple = isinstance(test, ast.Compare) and len(test.ops) == 1
        if not is_simple and not isinstance(test, ast.UnaryOp):
            first, last = self._begin(test), self._end(test)
            yield first, last, f"not ({self._text[first:last]})"
