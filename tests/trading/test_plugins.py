"""Entry points by name."""

from pathlib import Path

import pytest

from trading.plugins import plugins


def announce(folder: Path, package: str, group: str, lines: str) -> str:
    """Make a distribution that announces entry points; return what goes onto the path."""
    metadata = folder / f"{package}-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
    (metadata / "entry_points.txt").write_text(f"[{group}]\n{lines}")
    return str(folder)


def test_of_two_with_one_name_the_first_on_the_path_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = "neural_trader.tests"
    second = announce(tmp_path / "b", "second", group, "same = second:B\nother = second:C\n")
    first = announce(tmp_path / "a", "first", group, "same = first:A\n")
    monkeypatch.syspath_prepend(second)
    monkeypatch.syspath_prepend(first)
    found = {name: entry.value for name, entry in plugins(group).items()}
    assert found == {"same": "first:A", "other": "second:C"}


def test_group_that_nobody_announces_is_empty() -> None:
    assert plugins("neural_trader.nobody") == {}
