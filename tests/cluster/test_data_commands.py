"""`trader data` from the command line: what it prints, how it ends, what it refuses."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

CLOSES = "Date,AAA,BBB\n2020-11-23,1,2\n2020-11-24,1.1,2\n2020-11-25,1.2,2.1\n2020-11-27,1.3,2.2\n"


@pytest.fixture(autouse=True)
def _closes(home: Path) -> None:
    (home / "closes.csv").write_text(CLOSES)


@pytest.fixture
def trader(trader: Any) -> Any:
    return partial(trader, "data")


def import_closes(trader: Any, *options: str) -> Any:
    return trader("import", "stocks", "closes.csv", "--schema", "wide", *options)


def test_when_imported_the_data_set_is_shown_and_listed(trader: Any, home: Path) -> None:
    shown = import_closes(trader, "--json").json
    assert (shown["name"], shown["rows"], shown["files"]) == ("stocks", 8, 2)
    assert shown["catalogue"] == str(home / ".local/state/neural-trader/demo/catalogue")
    assert shown["settings"]["schema"] == "wide"
    assert shown["imported_at"] > 1_700_000_000_000_000_000
    (listed,) = trader("list", "--json").json["data_sets"]
    assert listed == {key: value for key, value in shown.items() if key != "catalogue"}
    assert "| stocks | bar 1d |" in trader("list").out
    ended = trader("show", "stocks")
    assert "AAA, BBB" in ended.out
    assert trader("show", "stocks", "--json").json == shown


def test_when_a_catalogue_is_named_it_is_used(trader: Any, home: Path) -> None:
    import_closes(trader, "--catalogue", "here")
    assert (home / "here/stocks/manifest.json").is_file()
    assert "is empty" in trader("list").out
    assert trader("list", "--json").json["data_sets"] == []


def test_when_the_name_is_taken_it_takes_replace(trader: Any) -> None:
    import_closes(trader)
    ended = import_closes(trader)
    assert ended.status == 2
    assert "--replace" in ended.err
    assert import_closes(trader, "--replace").status == 0


def test_when_a_row_is_bad_it_is_refused_or_skipped(trader: Any, home: Path) -> None:
    (home / "closes.csv").write_text(CLOSES.replace("1.2", "-1.2"))
    ended = import_closes(trader)
    assert (ended.status, ended.out) == (2, "")
    assert "closes.csv, line 4, column close (AAA): -1.2 is no price" in ended.err
    assert "[DATA_INVALID]" in ended.err
    assert trader("list", "--json").json["data_sets"] == []
    shown = import_closes(trader, "--on-error", "skip", "--json").json
    assert (shown["rows"], shown["skipped"]) == (7, 1)
    assert "skipped: closes.csv, line 4" in trader("show", "stocks").out


def test_when_checked_the_exit_code_tells_whether_it_is_serious(trader: Any, home: Path) -> None:
    import_closes(trader)
    ended = trader("check", "stocks", "--calendar", "XNYS")
    assert (ended.status, ended.out) == (0, "stocks: 0 serious findings, 0 warnings.\n")
    (home / "closes.csv").write_text(CLOSES.replace("2020-11-24,1.1,2\n", ""))
    import_closes(trader, "--replace")
    ended = trader("check", "stocks", "--calendar", "XNYS")
    assert ended.status == 1
    assert "| serious  | AAA    | gap " in ended.out
    shown = trader("check", "stocks", "--calendar", "XNYS", "--json")
    assert (shown.status, shown.json["ok"], len(shown.json["findings"])) == (1, False, 2)
    assert trader("check", "stocks", "--json").json["ok"] is True


def test_when_actions_are_given_they_are_stored(trader: Any, home: Path) -> None:
    (home / "a.csv").write_text("symbol,ex_date,kind,value\nAAA,2020-11-25,split,2\n")
    assert import_closes(trader, "--actions", "a.csv", "--json").json["action_count"] == 1
    (home / "a.csv").write_text("symbol,ex_date,kind,value\nAAA,2020-11-25,spin,2\n")
    ended = import_closes(trader, "--actions", "a.csv", "--replace")
    assert ended.status == 2
    assert "a.csv, line 2, column kind" in ended.err


def test_when_removed_it_is_gone_but_not_by_accident(trader: Any) -> None:
    import_closes(trader)
    assert trader("remove", "stocks").status == 2
    assert trader("remove", "stocks", "--yes", "--json").json == {"name": "stocks", "removed": True}
    for command in ("show", "check", "remove"):
        ended = trader(command, "stocks")
        assert ended.status == 2
        assert "has no data set 'stocks'" in ended.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--schema", "wild"), "did you mean wide?"),
        (("--schema", "long"), "has no column"),
        (("--schema", "wide", "--venue", "A.B"), "--venue 'A.B'"),
        (("--schema", "wide", "--on-error", "repair"), "repair"),
    ],
)
def test_when_the_call_is_wrong_the_exit_code_is_2(
    trader: Any, options: tuple[str, ...], words: str
) -> None:
    ended = trader("import", "stocks", "closes.csv", *options)
    assert (ended.status, ended.out) == (2, "")
    assert words in ended.err
    assert trader("import", "a/b", "closes.csv", "--schema", "wide").status == 2
    assert trader("check", "none", "--calendar", "MOON").status == 2


def test_when_features_are_asked_of_nothing_ray_is_not_started(
    trader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cluster import ray_runtime

    monkeypatch.setattr(ray_runtime, "start_local", lambda _: pytest.fail("started"))
    ended = trader("features", "none", "out")
    assert ended.status == 2
