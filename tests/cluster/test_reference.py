"""The reference pages are what the code says."""

import sys
from pathlib import Path

import pytest

from cluster import reference
from cluster.exit_codes import ExitCode
from trading import errors
from trading.refusals import RefusalCode

PAGES = (
    "cli.md", "config.md", "refusals.md", "mcp.md", "http-reference.md", "monitoring-reference.md",
    "deploy/prometheus/rules.yml", "deploy/prometheus/prometheus.yml",
    "deploy/grafana/dashboards/trading.json", "deploy/grafana/provisioning/dashboards/trading.yml",
    "deploy/grafana/provisioning/datasources/prometheus.yml",
)  # fmt: skip


def test_when_a_page_is_added_it_is_compared() -> None:
    assert set(reference.pages()) == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_when_the_code_changes_the_page_on_disk_follows(name: str) -> None:
    stored = (reference.DOCS / name).read_text(encoding="utf-8")
    assert stored == reference.pages()[name], "run `make docs`"


def test_when_a_code_exists_it_is_documented() -> None:
    page = reference.refusals_page()
    for code in RefusalCode:
        assert f"| `{code}` | {code.meaning} |" in page


def test_when_a_command_exists_it_is_documented_with_its_exit_codes() -> None:
    page = reference.cli_page()
    for words in ("run", "up", "down", "status", "orders", "positions", "fills", "kill", "replay",
                  "doctor", "config show", "config check", "config schema", "version"):  # fmt: skip
        assert f"### trader {words}\n" in page
    for code in ExitCode:
        assert f"| {int(code)} | {code.name} | {code.meaning} |" in page


def test_when_an_error_has_an_exit_status_it_is_in_the_table() -> None:
    known = {int(code) for code in ExitCode}
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    for kind in kinds:
        if issubclass(kind, errors.TradingError):
            assert kind.exit_status in known, kind


def test_when_asked_to_check_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference", "--check"])
    with pytest.raises(SystemExit) as caught:
        reference.main()
    assert "out of date" in str(caught.value.code)
    assert not list(tmp_path.iterdir())


def test_when_made_every_page_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "DOCS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["reference"])
    reference.main()
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert written == set(PAGES) - {"mcp.md"}, "people write that page; its tables alone are made"
