"""A quick look at a source before anything is run. It is no security: the sandbox is.

It finds what would fail in the sandbox, or make two runs differ, and says where. Code that wants to hide
from it can.
"""

import ast
from collections.abc import Iterator

import msgspec

NOTICE = "A lint is advice, not security: code can hide from it, and only the sandbox holds it."
ALLOWED = {
    *("__future__", "abc", "array", "bisect", "collections", "copy", "dataclasses", "datetime"),
    *("decimal", "enum", "fractions", "functools", "heapq", "itertools", "math", "numbers"),
    *("numpy", "operator", "polars", "re", "statistics", "string", "typing", "zoneinfo"),
}
"""Packages that a strategy may import."""
IO_NAMES = {"open", "input", "print", "exec", "eval", "compile", "__import__", "breakpoint"}
IO_ATTRIBUTES = {
    *("memmap", "fromfile", "tofile", "load", "save", "savez", "savez_compressed", "loadtxt"),
    *("savetxt", "genfromtxt", "DataSource", "read_csv", "read_parquet", "read_json", "read_ipc"),
    *("read_excel", "read_database", "scan_csv", "scan_parquet", "scan_ipc", "write_csv"),
    *("write_parquet", "write_ipc", "write_json", "sink_csv", "sink_parquet"),
}
CLOCKS = {"now", "today", "utcnow"}
SEEDED = {"default_rng", "RandomState", "SeedSequence", "PCG64", "Philox", "Generator"}


class LintFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the report."""

    line: int
    rule: str
    text: str


def lint(text: str) -> tuple[LintFinding, ...]:
    """Return what is wrong with a source, by line."""
    found = [finding for node in ast.walk(ast.parse(text)) for finding in _look(node)]
    return tuple(sorted(found, key=lambda each: (each.line, each.rule, each.text)))


def _look(node: ast.AST) -> Iterator[LintFinding]:
    match node:
        case ast.Import():
            yield from (_import(node, each.name) for each in node.names if _is_foreign(each.name))
        case ast.ImportFrom() if node.level or _is_foreign(node.module or ""):
            yield _import(node, "." * node.level + (node.module or ""))
        case ast.Call(func=ast.Name(id=name)) if name in IO_NAMES:
            yield _finding(node, "io", f"{name}() reads, writes or runs something")
        case ast.Call(func=ast.Attribute() as function):
            yield from _look_at_call(node, function)
        case _:
            pass


def _look_at_call(node: ast.Call, function: ast.Attribute) -> Iterator[LintFinding]:
    path = _dotted(function)
    if function.attr in IO_ATTRIBUTES:
        yield _finding(node, "io", f"{path}() reads or writes files")
    elif function.attr in CLOCKS:
        yield _finding(node, "clock", f"{path}() asks the clock; use bars.ts")
    elif ".random." in f".{path}" and not _is_seeded(node, function.attr):
        yield _finding(node, "randomness", f"{path}() has no seed; use default_rng(a number)")


def _is_seeded(node: ast.Call, name: str) -> bool:
    return name in SEEDED and bool(node.args or node.keywords)


def _is_foreign(module: str) -> bool:
    return module.partition(".")[0] not in ALLOWED


def _import(node: ast.AST, module: str) -> LintFinding:
    return _finding(
        node, "import", f"{module} is not among the packages that a strategy may import"
    )


def _finding(node: ast.AST, rule: str, text: str) -> LintFinding:
    return LintFinding(line=getattr(node, "lineno", 0), rule=rule, text=text)


def _dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "..."
