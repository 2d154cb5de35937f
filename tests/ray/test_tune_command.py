"""`trader tune` on the Ray of the session: from the command line to the report."""

import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

from cluster.cli import main
from cluster.cli import tune as command

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]

WORDS = (
    *("mean_reversion", "--symbols", "AAPL,KO", "--from", "2015", "--to", "2020-06"),
    *("--walk-forward", "24m/12m", "--trials", "5", "--algorithm", "random", "--name", "first"),
)


def test_search_is_shown_and_shown_again_without_ray(
    ray_session: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    connections: list[object] = []

    @contextmanager
    def connected(config: object) -> Iterator[Any]:
        connections.append(config)
        yield ray_session

    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("tune")(command.tune)
    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(command, "connected", connected)
    monkeypatch.setenv("TRADER_CLUSTER__STATE_DIR", str(tmp_path))
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def trader(*words: str) -> tuple[str, str]:
        monkeypatch.setattr(sys, "argv", ["trader", "tune", *WORDS, *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        out, err = capsys.readouterr()
        assert not caught.value.code, err
        return out, err

    out, err = trader()
    for words in ("| walk_forward", "buy_and_hold", "equal_weight", "Deflated Sharpe: "):
        assert words in out
    assert "after 5 trials" in out
    assert "Trials: 5 of 5" in err
    report = tmp_path / "results" / "first" / "report.html"
    assert report.exists()
    assert pl.read_parquet(report.with_suffix(".parquet"))["trial"].n_unique() == 5

    out, err = trader("--json", "--quiet")
    assert (len(connections), err) == (1, "")
    results = json.loads(out)
    assert [set(each) for each in results] == [{"strategy", "params", "metrics"}] * 5
    scores = [each["metrics"]["train.sharpe"] for each in results]
    known = [score for score in scores if score is not None]
    assert known == sorted(known, reverse=True)
    assert scores[: len(known)] == known
    assert len(known) > 1
