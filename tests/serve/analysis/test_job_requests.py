"""Requests become command lines that the real parsers of the commands accept."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from cluster.cli.main import app
from cluster.cli.risk_inputs import _units_of_file
from cluster.cli.strategy_inputs import parameters_of
from cluster.cli.sweep import grid_values
from serve.desk import job_requests
from serve.desk.job_requests import (
    BacktestRequest,
    CheckDataRequest,
    CheckRequest,
    CheckSandboxRequest,
    CompareModelsRequest,
    DemoteAgentRequest,
    ExecuteSandboxRequest,
    ForecastRequest,
    JobRequest,
    ListAgentsRequest,
    PromoteAgentRequest,
    RiskReportRequest,
    RiskStressRequest,
    RunSandboxRequest,
    ShowAgentRequest,
    SubmitAgentRequest,
    SweepRequest,
    TrainRequest,
    TuneRequest,
    VerifyModelsRequest,
    arguments_of,
    files_of,
)
from serve.desk.requests.laboratory import SweepFigure
from serve.desk.requests.request import Option
from tune.figures import COURSE_FIGURES

KINDS = [
    each
    for each in vars(job_requests).values()
    if isinstance(each, type) and issubclass(each, JobRequest) and each is not JobRequest
]
HELD = [{"symbol": "AAPL", "quantity": 5}, {"symbol": "XOM", "quantity": -2.5}]
FULL: list[JobRequest] = [
    BacktestRequest(
        strategy="momentum_trader",
        params={"top_k": 3, "allow_short": True},
        data="catalogue:us-stocks@1d",
        symbols=("AAPL", "MSFT"),
        start="2015",
        end="2019-06-30",
        forecaster="nhits@3",
        retrain="12m",
        gear="event",
        cash=5_000.0,
        execution="same_close",
        fee_bps=1.5,
        fee_per_unit=0.01,
        fee_min=0.0,
        half_spread_bps=2.0,
        slippage_bps=0.5,
        stop_loss=0.1,
        take_profit=0.3,
        trailing_stop=0.2,
        leverage=1.5,
        long_only=True,
    ),
    TuneRequest(
        strategy="pairs",
        trials=10,
        walk_forward="12m/3m",
        anchored=True,
        algorithm="random",
        asha=True,
        metric="sortino",
        seed=7,
        cost_bps=2.0,
        name="my-run",
        concurrency=2,
    ),
    SweepRequest(
        strategy="momentum",
        values={"fast": "5:20:5", "top_k": "1,2,3"},
        params={"rebalance_months": 3},
        workers=0,
        metric="annual_return",
        top=3,
        name="grid",
    ),
    CheckRequest(strategy="momentum", symbols=("AAPL",), thorough=True),
    TrainRequest(
        kinds=("nhits", "lstm"),
        symbols=("AAPL",),
        horizon=10,
        start="2000",
        end="2015",
        name="mine",
        input_size=60,
        features=("volume", "time"),
        loss="normal",
        max_steps=100,
        seed=3,
        settings={"hidden": 32, "rates": [0.1, 0.2]},
        parent="nhits@2",
        workers=2,
        trials=4,
        scheduler="pbt",
        refit=True,
        promote="challenger",
    ),
    CompareModelsRequest(models=("nhits@1", "nhits@champion"), data="sp500", start="2018"),
    VerifyModelsRequest(model="nhits@1"),
    ForecastRequest(
        symbols=("AAPL", "BRK.B"), horizon=5, models=("a", "b@2"), ensemble="mean", as_of="2020"
    ),
    RiskReportRequest(positions=HELD, cash=10.0, confidence=(0.9, 0.99), horizon=5, seed=1),
    RiskStressRequest(scenario="covid_2020", data="sp500", as_of="2020-01-31"),
    RiskStressRequest(positions=HELD, reverse=5_000.0),
    SubmitAgentRequest(
        name="calm", source="x = 1\n", params={"window": 5}, walk_forward="12m/3m", start="2010"
    ),
    PromoteAgentRequest(name="calm", to="paper", reason="--json it passed"),
    DemoteAgentRequest(name="calm", to="paper", reason="lost"),
    ListAgentsRequest(),
    ShowAgentRequest(name="calm"),
    RunSandboxRequest(source="x = 1\n", params={"a": "b c"}, backend="local", least_rung="L2"),
    ExecuteSandboxRequest(source="print(1)", timeout_s=5.0, template="polars"),
    CheckSandboxRequest(backend="local"),
    CheckDataRequest(name="us-stocks", calendar="XNYS"),
]
LEAST: list[JobRequest] = [
    BacktestRequest(strategy="momentum"),
    TuneRequest(strategy="momentum"),
    SweepRequest(strategy="momentum", values={"top_k": "1:3"}),
    TrainRequest(),
    VerifyModelsRequest(),
    RiskReportRequest(),
    RiskStressRequest(),
    SubmitAgentRequest(name="a", source="x"),
    DemoteAgentRequest(name="a", reason="why"),
    ExecuteSandboxRequest(source="x"),
]


@cache
def _command(kind: str) -> click.Command:
    found: Any = typer.main.get_command(app)
    for word in kind.split():
        found = found.commands[word]
    command: click.Command = found
    return command


def _parsed(request: JobRequest) -> click.Context:
    """Parse the command line with the command's own parser; its body is not run."""
    words = [*arguments_of(request), "--json"]
    return _command(request.KIND).make_context("trader", words)


def test_every_kind_of_request_is_tried_here() -> None:
    assert {type(each) for each in FULL} == set(KINDS)


@pytest.mark.parametrize("request_", [*FULL, *LEAST], ids=lambda each: type(each).__name__)
def test_the_real_parser_accepts_it(request_: JobRequest, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files_of(request_).items():
        assert "/" not in name
        (tmp_path / name).write_text(text)
    context = _parsed(request_)
    assert context.params["as_json"] is True
    assert bool(context.args) == isinstance(request_, SweepRequest)


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
def test_defaults_are_those_of_the_command(kind: type[JobRequest]) -> None:
    """They are left out of the command line, so they must say the same."""
    parameters = {
        name: parameter for parameter in _command(kind.KIND).params for name in parameter.opts
    }
    for name, field in kind.model_fields.items():
        for mark in field.metadata:
            default = field.get_default(call_default_factory=True)
            if isinstance(mark, Option) and mark.name:
                assert mark.name in parameters, f"{kind.__name__}.{name}"
                if default not in (None, (), {}) and not field.is_required():
                    assert parameters[mark.name].default == default, f"{kind.__name__}.{name}"


def test_values_arrive_as_they_were_given() -> None:
    found = _parsed(FULL[0]).params
    assert found["strategy"] == "momentum"
    assert parameters_of(found["param"]) == {"top_k": 3, "allow_short": True}
    assert found["symbols"] == "AAPL,MSFT"
    assert (found["start"], found["end"]) == ("2015", "2019-06-30")
    assert (found["fee_bps"], found["leverage"], found["long_only"]) == (1.5, 1.5, True)
    train = _parsed(FULL[4]).params
    assert train["kind"] == "nhits,lstm"
    assert train["features"] == "volume,time"
    assert parameters_of(train["settings"]) == {"hidden": 32, "rates": [0.1, 0.2]}
    assert (train["workers"], train["trials"], train["parent"]) == (2, 4, "nhits@2")


def test_a_sweep_names_its_grid_as_the_command_reads_it() -> None:
    context = _parsed(FULL[2])
    assert grid_values("momentum", context.args) == {
        "skip_bars": (5, 10, 15, 20),
        "top_k": (1, 2, 3),
    }
    assert SweepFigure.__args__ == COURSE_FIGURES


def test_positions_become_the_file_that_the_command_reads(tmp_path: Path, monkeypatch: Any) -> None:
    asked = RiskReportRequest(positions=HELD)
    monkeypatch.chdir(tmp_path)
    for name, text in files_of(asked).items():
        Path(name).write_text(text)
    context = _parsed(asked)
    assert _units_of_file(context.params["positions"]) == {"AAPL.XNAS": 5.0, "XOM.XNAS": -2.5}


def test_source_goes_into_a_file_of_the_strategys_name() -> None:
    asked = SubmitAgentRequest(name="calm", source="-c import os")
    assert files_of(asked) == {"calm.py": "-c import os"}
    assert arguments_of(asked) == ["calm.py"]


def test_a_reason_that_looks_like_an_option_is_none() -> None:
    asked = PromoteAgentRequest(name="calm", to="paper", reason="--config=/etc/passwd")
    assert _parsed(asked).params["reason"] == "--config=/etc/passwd"
    assert _parsed(asked).params["config"] is None


def test_text_in_parameters_is_text() -> None:
    asked = RunSandboxRequest(source="x", params={"a": 'b" = 1\n--config=x', "c": ["d", 1.5]})
    assert parameters_of(_parsed(asked).params["param"]) == {
        "a": 'b" = 1\n--config=x',
        "c": ["d", 1.5],
    }


WRONG: list[tuple[type[JobRequest], dict[str, Any]]] = [
    (BacktestRequest, {"strategy": "--all"}),
    (BacktestRequest, {"strategy": "/tmp/mine.py"}),
    (BacktestRequest, {"strategy": "momentum:Class"}),
    (BacktestRequest, {"strategy": "momentum", "params": {"nothing": 1}}),
    (BacktestRequest, {"strategy": "momentum", "params": {"top_k=1 --config": 1}}),
    (BacktestRequest, {"strategy": "momentum", "data": "/etc/passwd"}),
    (BacktestRequest, {"strategy": "momentum", "data": "catalogue:../x"}),
    (BacktestRequest, {"strategy": "momentum", "symbols": ["--config=x"]}),
    (BacktestRequest, {"strategy": "momentum", "symbols": ["A,B"]}),
    (BacktestRequest, {"strategy": "momentum", "forecaster": "../model"}),
    (BacktestRequest, {"strategy": "momentum", "start": "--to"}),
    (BacktestRequest, {"strategy": "momentum", "cash": float("inf")}),
    (BacktestRequest, {"strategy": "momentum", "report": "/tmp/x.html"}),
    (SweepRequest, {"strategy": "momentum", "values": {"config": "1,2"}}),
    (SweepRequest, {"strategy": "momentum", "values": {"top_k": "1 --json"}}),
    (SweepRequest, {"strategy": "momentum", "values": {}}),
    (TuneRequest, {"strategy": "momentum", "trials": 0}),
    (TuneRequest, {"strategy": "momentum", "name": "../../run"}),
    (TrainRequest, {"kinds": ["--json"]}),
    (TrainRequest, {"kinds": []}),
    (TrainRequest, {"parent": "file:///x"}),
    (ForecastRequest, {"symbols": ["-m"]}),
    (ForecastRequest, {"symbols": []}),
    (ForecastRequest, {"symbols": ["A"], "ensemble": "mean"}),
    (CompareModelsRequest, {"models": ["nhits"]}),
    (RiskStressRequest, {"scenario": "mine.toml"}),
    (RiskReportRequest, {"confidence": [0.05]}),
    (SubmitAgentRequest, {"name": "../evil", "source": "x"}),
    (SubmitAgentRequest, {"name": "-evil", "source": "x"}),
    (SubmitAgentRequest, {"name": "a", "source": ""}),
    (PromoteAgentRequest, {"name": "a", "to": "live", "reason": "x"}),
    (PromoteAgentRequest, {"name": "a", "to": "paper"}),
    (ExecuteSandboxRequest, {"source": "x", "timeout_s": 1e9}),
    (CheckDataRequest, {"name": "--help"}),
]


@pytest.mark.parametrize(("kind", "fields"), WRONG, ids=lambda each: str(each)[:60])
def test_what_is_no_name_is_refused(kind: type[JobRequest], fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(fields)


@settings(deadline=None)  # the first one loads what the others find
@given(text=st.text(max_size=20) | st.text(max_size=20).map("--".__add__))
def test_no_text_becomes_an_option(text: str) -> None:
    """Whatever is given: it is refused, or it stays behind the `=` of an option or is a plain name."""
    tries: list[tuple[type[JobRequest], dict[str, Any]]] = [
        (BacktestRequest, {"strategy": text}),
        (BacktestRequest, {"strategy": "momentum", "symbols": [text], "data": text}),
        (BacktestRequest, {"strategy": "momentum", "forecaster": text}),
        (SweepRequest, {"strategy": "momentum", "values": {"top_k": text}}),
        (ForecastRequest, {"symbols": [text], "models": [text]}),
        (SubmitAgentRequest, {"name": text, "source": "x"}),
        (ShowAgentRequest, {"name": text}),
        (DemoteAgentRequest, {"name": "a", "reason": text}),
        (RiskStressRequest, {"scenario": text}),
        (CheckDataRequest, {"name": text}),
    ]
    for kind, fields in tries:
        try:
            asked = kind.model_validate(fields)
        except ValidationError:
            continue
        known = {name for each in _command(kind.KIND).params for name in each.opts}
        for word in arguments_of(asked):
            if word.startswith("-"):
                assert word.partition("=")[0] in {*known, "--top_k"}
        assert all("/" not in name and ".." not in name for name in files_of(asked))


def test_an_unknown_strategy_is_told_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="did you mean momentum"):
        BacktestRequest(strategy="momentun")


@pytest.mark.parametrize("kind", KINDS, ids=lambda each: each.__name__)
def test_every_request_has_a_schema_with_words(kind: type[JobRequest]) -> None:
    schema = kind.model_json_schema()
    assert schema["additionalProperties"] is False
    assert schema["description"].startswith("`trader ")
    json.dumps(schema)
