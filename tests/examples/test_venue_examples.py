"""The examples of real venues load as they are, and become plans without a venue being reached."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from actors.venues.profile import VenueProfile
from cluster import real_venue
from cluster.config import Config, load_config
from cluster.config.venue_checks import is_simulated, profile_of
from cluster.launch import plan_of
from trading.identifiers import instrument_id
from trading.instruments import Instrument

EXAMPLES = Path(__file__).parents[2] / "examples"
VARIABLES = (
    "ALPACA_API_KEY", "ALPACA_SECRET_KEY", "BINANCE_API_KEY", "BINANCE_SECRET",
    "LIME_FIX_USERNAME", "LIME_FIX_PASSWORD",
)  # fmt: skip


@pytest.fixture(autouse=True)
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in VARIABLES:
        monkeypatch.setenv(name, f"value of {name}")


def without_client_library(config: Config, venue: str) -> VenueProfile:
    """The profile as it is, with connections that come from nowhere."""
    profile = profile_of(config, venue)
    port = SimpleNamespace(capabilities=profile.capabilities)
    data = None if profile.open_market_data is None else lambda settings: port
    return replace(profile, open_execution=lambda settings: port, open_market_data=data)


@pytest.mark.parametrize(
    ("name", "venue", "symbols", "budget"),
    [
        ("alpaca-paper", "alpaca", ["AAPL", "MSFT", "KO", "XOM"], 20_000),
        ("ib-paper", "ib", ["AAPL", "KO"], 50_000),
        ("binance-testnet", "binance", ["BTC/USDT", "ETH/USDT"], 5_000),
        ("fix", "lime", [], 100_000),
    ],
)
def test_example_becomes_a_plan(
    name: str, venue: str, symbols: list[str], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    async def answer(port: Any, wanted: tuple[str, ...]) -> tuple[Instrument, ...]:
        asked.extend(wanted)
        return tuple(Instrument(instrument_id=instrument_id(each, "TEST")) for each in wanted)

    config = load_config(EXAMPLES / f"{name}.toml")
    assert not is_simulated(config)
    assert isinstance(profile_of(config, venue), VenueProfile)
    monkeypatch.setattr(real_venue, "ask_instruments", answer)
    monkeypatch.setattr(real_venue, "profile_of", without_client_library)
    plan = plan_of(config, {})
    assert asked == symbols
    assert plan.blueprint.venue == venue
    assert plan.blueprint.budget == Decimal(budget)
    assert not plan.blueprint.is_live
    assert "value of" not in repr(plan)
    assert plan.blueprint.feed is not None
    assert plan.blueprint.feed.history_bars > 20
