"""The rules of the house that no linter knows: sizes, names, dead modules, purity."""

import ast
import importlib
import tomllib
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("trading", "actors", "cluster", "sandboxes", "serve", "tune")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc"}
IMPURE = {"ray", "zmq", "asyncio", "random", "time", "socket", "threading", "sqlite3", "redis"}
STARTED_BY_NAME = {"cluster.reference", "tune.train.shipped"}
"""Run with `python -m`."""


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph(*PACKAGES, include_external_packages=True, cache_dir=None)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def imported_by(folder: str) -> set[str]:
    """Every module, and every name that may be one, that the files of a folder import."""
    found: set[str] = set()
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Import):
                found |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
    return found


def declared_entry_points() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    return {target.partition(":")[0] for group in groups for target in group.values()}


LIBRARIES = tuple(
    f"trading.{room}."
    for room in (
        "indicators",
        "valuation",
        "portfolio_risk",
        "allocation",
        "stress",
        "routing",
    )
)
LIBRARIES += ("trading.algorithms.volume_curve",)


def test_there_is_something_to_check() -> None:
    assert len(FILES) > 100


def test_no_file_is_longer_than_a_person_reads_at_once() -> None:
    lines = {relative(path): len(path.read_text().splitlines()) for path in FILES}
    assert {name: count for name, count in lines.items() if count > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    """A command's options are its signature: there the body counts."""
    long = {
        f"{relative(path)}:{node.name}": length
        for path in FILES
        for node in functions(path)
        if (length := length_of(path, node)) > FUNCTION_LINES_MAX
    }
    assert long == {}


def length_of(path: Path, node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    is_command = path.is_relative_to(ROOT / "cluster" / "cli")
    first = node.body[0].lineno if is_command else node.lineno
    return (node.end_lineno or first) - first + 1


def test_no_file_or_folder_has_a_name_that_says_nothing() -> None:
    parts = {part for path in FILES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert parts & BANNED_NAMES == set()


def test_every_module_is_used(graph: grimp.ImportGraph) -> None:
    """By another module, by an entry point, or, as a twin to compare with, by a benchmark.

    Some rooms are libraries: users' strategies and research import them.
    """
    used = {name for name in graph.modules if name.startswith(LIBRARIES)}
    used |= declared_entry_points() | STARTED_BY_NAME | imported_by("bench")
    modules = {".".join(path.relative_to(ROOT).with_suffix("").parts) for path in FILES}
    plain = {name for name in modules if not name.endswith("__init__")}
    dead = {
        name for name in plain - used if not graph.find_modules_that_directly_import(name) - {name}
    }
    assert dead == set()


def test_modules_started_by_name_are_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert all(f"-m {name}\n" in makefile for name in STARTED_BY_NAME)


def test_declared_entry_points_are_those_installed() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    for group, table in declared.items():
        installed = {point.name: point.value for point in entry_points(group=group)}
        assert table.items() <= installed.items()


@pytest.mark.parametrize("package", PACKAGES)
def test_package_of_that_name_is_ours(package: str) -> None:
    """Other distributions own some of these names too."""
    found = importlib.import_module(package).__file__
    assert found is not None
    assert Path(found) == ROOT / package / "__init__.py"


@pytest.mark.parametrize("package", PACKAGES)
def test_package_itself_imports_nothing(package: str) -> None:
    """A worker that needs one module must not pay for the others."""
    body = parsed(ROOT / package / "__init__.py").body
    assert all(isinstance(node, ast.Expr) for node in body)
    assert ast.get_docstring(parsed(ROOT / package / "__init__.py"))


def test_nobody_prints_but_the_command_line() -> None:
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in FILES
        if not path.is_relative_to(ROOT / "cluster" / "cli")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert found == []


@pytest.mark.parametrize("module", sorted(IMPURE))
def test_trading_reads_no_clock_no_chance_and_no_wire(
    graph: grimp.ImportGraph, module: str
) -> None:
    importers = graph.find_modules_that_directly_import(module) if module in graph.modules else ()
    assert sorted(name for name in importers if name.partition(".")[0] == "trading") == []


def test_trading_knows_none_of_the_rooms_above_it(graph: grimp.ImportGraph) -> None:
    inside = {"trading", *graph.find_descendants("trading")}
    above = set(PACKAGES) - {"trading"}
    found = {
        (name, imported)
        for name in inside
        for imported in graph.find_modules_directly_imported_by(name)
        if imported.partition(".")[0] in above
    }
    assert found == set()


def test_trading_asks_nobody_for_the_time() -> None:
    """`datetime.now()` needs no import of `time`."""
    clocks = {"now", "utcnow", "today", "time_ns", "monotonic", "perf_counter"}
    found = [
        f"{relative(path)}:{node.lineno}"
        for path in FILES
        if path.is_relative_to(ROOT / "trading")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in clocks
    ]
    assert found == []
