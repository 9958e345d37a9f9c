"""Mutants of a module, and whether tests notice them; for mutants.py.

cosmic-ray makes the mutants. Each is tested in a process forked from one that has loaded what the tests load, and is
imported in place of its module, so no file is ever changed.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import hashlib
import importlib
import importlib.util
import os
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

import cosmic_ray.plugins
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

ROOT = Path(__file__).parents[1]
CPU_SECONDS = 120  # a mutant that takes longer loops for ever; unchanged, the slowest tests take under 15
OWN = ("flythrough", "tests", "__main__")
# Of cosmic-ray's operators those whose mutants run: `a << b` of two floats is an error that any test notices.
OPERATORS = (
    "NumberReplacer", "AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd",
    "ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "ZeroIterationForLoop",
    *(f"ReplaceUnaryOperator_Delete_{name}" for name in ("USub", "Invert", "Not")),
    *(f"ReplaceBinaryOperator_{name}" for name in (
        "Add_Sub", "Add_Mul", "Sub_Add", "Sub_Mul", "Mul_Div", "Mul_Add", "Div_Mul", "Div_Sub", "FloorDiv_Div",
        "FloorDiv_Mul", "Mod_Mul", "Mod_FloorDiv", "Pow_Mul", "Pow_Add", "BitOr_BitAnd", "BitAnd_BitOr")),
    *(f"ReplaceComparisonOperator_{name}" for name in (
        "Eq_NotEq", "NotEq_Eq", "Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE", "Gt_LtE", "GtE_Gt", "GtE_Lt",
        "Is_IsNot", "IsNot_Is")),
)  # fmt: skip
Position = tuple[int, int]  # line from 1, column


@dataclass(frozen=True)
class Mutant:
    """One change of one module.

    Attributes:
        module: its file.
        line: where, from 1.
        was: the line before.
        now: the line with the change.
        source: the whole module with the change.
    """

    module: str
    line: int
    was: str
    now: str
    source: str

    @property
    def key(self) -> str:
        return hashlib.sha256(f"{self.module}\n{self.source}".encode()).hexdigest()[:20]

    @classmethod
    def of(cls, module: str, operator: str, occurrence: int) -> Mutant:
        before = (ROOT / module).read_text(encoding="utf-8")
        after = mutate_code(before, cosmic_ray.plugins.get_operator(operator)(), occurrence)
        pairs = enumerate(zip(before.splitlines(), after.splitlines(), strict=False), 1)
        line, (was, now) = next((i, pair) for i, pair in pairs if pair[0] != pair[1])
        return cls(module, line, was.strip(), now.strip(), after)


def changes(module: str) -> list[tuple[str, str, int]]:
    """The module, operator and occurrence of every change but for what :func:`_left_out` names."""
    source = (ROOT / module).read_text(encoding="utf-8")
    spans, nodes = list(_left_out(ast.parse(source))), list(ast_nodes(get_ast(source)))
    found = []
    for name in (f"core/{each}" for each in OPERATORS):
        operator = cosmic_ray.plugins.get_operator(name)()
        at = [start for node in nodes for start, _ in operator.mutation_positions(node)]
        inside = [any(first <= position < last for first, last in spans) for position in at]
        found += [(module, name, occurrence) for occurrence, left_out in enumerate(inside) if not left_out]
    return found


def _left_out(tree: ast.AST) -> Iterator[tuple[Position, Position]]:
    """Spans of signatures but for defaults, annotations, type aliases, decorators and text (also of errors)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            yield from _signature(node)
        found: list[ast.AST | None] = []
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found += node.decorator_list
        if isinstance(node, ast.AnnAssign):
            found.append(node.annotation)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Subscript) and node.col_offset == 0:
            found.append(node.value)  # Key = tuple[str, int | None]
        if isinstance(node, ast.JoinedStr | ast.Raise):
            found.append(node)
        if isinstance(node, ast.Assert):
            found.append(node.msg)
        yield from (_span(each) for each in found if each is not None)


def _span(node: Any) -> tuple[Position, Position]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def _signature(node: ast.FunctionDef) -> Iterator[tuple[Position, Position]]:
    at = _span(node)[0]
    given = sorted(_span(each) for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None)
    for first, last in given:
        yield at, first
        at = last
    yield at, _span(node.body[0])[0]


class _Loader(SourceFileLoader):
    """Loads a module from other text than its file's."""

    def __init__(self, name: str, file: Path, source: str) -> None:
        super().__init__(name, str(file))
        self.source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self.source, self.path, "exec")


class _Finder(MetaPathFinder):
    """Imports one module, a mutant, by :class:`_Loader`."""

    def __init__(self, mutant: Mutant) -> None:
        name = mutant.module.removesuffix(".py").replace("/", ".")
        self.name = name if name.startswith("flythrough.") else f"flythrough.{name}"
        self.file = ROOT / mutant.module
        self.source = mutant.source

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name != self.name:
            return None
        loader = _Loader(name, self.file, self.source)
        return importlib.util.spec_from_file_location(name, self.file, loader=loader)


def notices(mutant: Mutant, tests: tuple[str, ...]) -> bool:
    """Whether a test fails, or runs out of time, on the mutant."""

    def run() -> int:
        sys.meta_path.insert(0, _Finder(mutant))
        return _pytest(tests)

    return _forked(run) != 0


def preload(tests: tuple[str, ...]) -> None:
    """Run the unchanged tests, and import here what they import besides the package: every fork has it then.

    Raises:
        SystemExit: a test fails.
    """
    listing = ROOT / "build" / "mutants" / "modules.txt"
    listing.parent.mkdir(parents=True, exist_ok=True)

    def run() -> int:
        code = _pytest(tests)
        listing.write_text("\n".join(name for name in sys.modules if name.partition(".")[0] not in OWN))
        return code

    if _forked(run) != 0:
        raise SystemExit(f"These tests fail on the unchanged modules: {' '.join(tests)}")
    for name in listing.read_text().splitlines():
        with contextlib.suppress(Exception):  # such as modules that only look like one
            importlib.import_module(name)
    gc.freeze()


def _pytest(tests: tuple[str, ...]) -> int:
    return pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests])


def _forked(run: Callable[[], int]) -> int:
    """What ``run`` returns in a process of its own, silent and limited in its own time (it may be paused)."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        try:
            os._exit(run())
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1]
