import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from trading.errors import ConfigError, UsageError
from trading.strategies import registry
from trading.strategies.momentum import Momentum
from trading.strategies.registry import GROUP, build_strategy, known_strategies

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The entry points that pyproject declares, whatever is installed here."""
    table = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"][GROUP]
    found = {GROUP: {name: EntryPoint(name, value, GROUP) for name, value in table.items()}}
    monkeypatch.setattr(registry, "plugins", lambda group: found.get(group, {}))


def test_declared_strategies_are_known_and_can_be_built() -> None:
    assert known_strategies() == (
        "allocation",
        "enhanced_momentum",
        "ensemble",
        "mean_reversion",
        "mirror",
        "momentum",
        "neural_arbitrage",
        "neural_sentiment",
        "neural_trend",
        "pairs",
    )
    for name in known_strategies():
        assert build_strategy(name, {}).lookback > 0


def test_parameters_reach_the_strategy() -> None:
    assert build_strategy("momentum", {"top_k": 3}) == Momentum(top_k=3)


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(
        UsageError, match=r"'momentun'; known are: allocation, enhanced_momentum, .*pairs"
    ):
        build_strategy("momentun", {})


@pytest.mark.parametrize("parameters", [{"speed": 3}, {"top_k": 0}, {"top_k": "many"}])
def test_wrong_parameter_is_a_configuration_error(parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=f"Strategy 'momentum': .*{next(iter(parameters))}"):
        build_strategy("momentum", parameters)
