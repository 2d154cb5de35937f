"""`trader forecast --all --workers` and `trader train A,B` on the Ray of the session."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer

from cluster.cli import forecast, forecast_batch, main, train, training_ways

pytestmark = [pytest.mark.ray, pytest.mark.timeout(180)]
SMALL = ("--symbols", "AAPL,KO", "--start", "2000", "--end", "2004", "--max-steps", "20")
SHAPE = ("--horizon", "2", "--input-size", "16", "--set", "batch_size=32")


@pytest.fixture
def trader(
    ray_session: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., tuple[int, str, str]]:
    @contextmanager
    def connected(config: object) -> Iterator[Any]:
        yield ray_session

    app = typer.Typer(pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    app.command("forecast")(forecast.forecast)
    app.command("train")(train.train)
    monkeypatch.setattr(main, "app", app)
    monkeypatch.setattr(forecast_batch, "connected", connected)
    monkeypatch.setattr(training_ways, "connected", connected)
    monkeypatch.setenv("TRADER_CLUSTER__STATE_DIR", str(tmp_path / "state"))

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["trader", *words])
        with pytest.raises(SystemExit) as caught:
            main.main()
        out, err = capsys.readouterr()
        return int(caught.value.code or 0), out, err

    return call


def test_workers_write_what_one_process_writes(
    trader: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    for folder, words in (("alone", ()), ("pool", ("--workers", "1"))):
        status, _, err = trader("forecast", "--all", "--out", str(tmp_path / folder), *words)
        assert status == 0, err
    alone, pool = (
        pl.read_parquet(next((tmp_path / folder).glob("*/forecasts.parquet")))
        for folder in ("alone", "pool")
    )
    assert alone["symbol"].n_unique() == 20
    assert alone.equals(pool)
    status, out, err = trader("forecast", "--all", "--out", str(tmp_path), "--workers", "999")
    assert (status, out) == (2, "")
    assert "--workers 999: Ray has" in err


def test_kinds_are_trained_at_once(trader: Callable[..., tuple[int, str, str]]) -> None:
    status, out, err = trader("train", "linear,lstm", *SMALL, *SHAPE)
    assert status == 0, err
    assert "| linear@1" in out
    assert "| lstm@1" in out
