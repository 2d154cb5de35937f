"""What jobs are started with: the configuration in force, and no credential of a venue."""

import os
from pathlib import Path
from typing import Any

import pytest

from cluster.config import load_config
from cluster.config.safety import LIVE_CONFIRM
from cluster.desk.job_settings import (
    config_text,
    credential_names,
    job_environment,
    job_settings,
)
from serve.desk.job_folder import JobFolder
from serve.desk.principal import ALL, Principal

CONFIG: dict[str, Any] = {
    "strategies": {"mine": {"kind": "momentum", "capital": 0.5, "params": {"lookback": 20}}},
    "data": {"symbols": "AAPL,KO", "days": 77},
    "risk": {"max_group_exposure": {"sector:energy": 500}, "restricted": "XOM"},
    "logging": {"level": "DEBUG"},
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A person with a configuration that says nothing."""
    for name in list(os.environ):
        if name.startswith("TRADER_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trader.toml").write_text("")  # instead of the shipped demo
    return tmp_path


def test_a_job_reads_the_configuration_that_is_in_force(home: Path) -> None:
    config = load_config(None, {**CONFIG, "cluster": {"state_dir": str(home / "s")}})
    (home / "written.toml").write_text(config_text(config))
    assert load_config(home / "written.toml") == config


def test_a_real_job_runs_with_it(home: Path) -> None:
    config = load_config(None, {**CONFIG, "cluster": {"state_dir": str(home / "s")}})
    settings = job_settings(config)
    (_, path) = settings.options
    assert Path(path).stat().st_mode & 0o077 == 0
    jobs = JobFolder(settings)
    by = Principal(name="ann", permissions=ALL, came_by="key")
    job = jobs.wait(jobs.start("config show", [], by).id, 60.0)
    assert job.state == "done", job.detail
    assert job.result["strategies"]["mine"]["params"] == {"lookback": 20}
    assert job.result["data"]["days"] == 77
    assert job.result["cluster"]["state_dir"] == str(home / "s")


def test_a_wrong_option_is_told_in_one_line(home: Path) -> None:
    config = load_config(None, {"cluster": {"state_dir": str(home / "s")}})
    jobs = JobFolder(job_settings(config))
    by = Principal(name="ann", permissions=ALL, came_by="key")
    job = jobs.wait(jobs.start("backtest", ["--nope"], by).id, 60.0)
    assert (job.state, job.code) == ("failed", "USAGE")
    assert job.detail.startswith("No such option: --nope")


def test_no_credential_reaches_a_job(home: Path) -> None:
    config = load_config(
        None, {"venues": {"kraken": {"adapter": "ccxt", "options": {"exchange": "kraken"}}}}
    )
    known = credential_names(config)
    assert {"ALPACA_SECRET_KEY", "KRAKEN_SECRET", "CCXT_SECRET"} <= known
    given = dict.fromkeys(known, "sesame") | {
        "PATH": "/bin",
        "RAY_ADDRESS": "here",
        "TRADER_DATA__DAYS": "7",
        LIVE_CONFIRM: "DEMO",
    }
    kept = job_environment(config, given)
    assert kept["PATH"] == "/bin"
    assert kept[LIVE_CONFIRM] == "DEMO"
    assert "sesame" not in kept.values()
    assert not {"RAY_ADDRESS", "TRADER_DATA__DAYS"} & kept.keys()
