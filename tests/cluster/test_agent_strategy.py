"""What the ladder approved trades; nothing else of an agent does, and a kill is told."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from cluster import agent_strategy
from cluster.agent_ladder import AgentLadder, open_ladder
from cluster.agent_strategy import AgentStrategy, with_approved
from cluster.config import Config, load_config
from cluster.config.model import StrategyConfig
from sandboxes.errors import SandboxTimeout, StrategyFailed
from tests.cluster.sandboxed_commands import STRATEGY
from tests.sandboxes.local.home import any_backend
from tests.trading.ladder.story import ALL_PASSED, NAME, SUBMITTED, moved
from tests.tune.agents.in_process import Inside, candidate, prices
from trading.errors import ConfigError
from trading.events import AgentEvent
from trading.ladder.refusal import LadderRefused
from trading.ladder.standing import Standing

HANDED_IN = replace(SUBMITTED, source=STRATEGY, lookback=50, parameters='{"days":50,"size":0.25}')
VERDICTS = tuple(
    replace(each, inputs=(("parameters", HANDED_IN.parameters), ("template", "base")))
    for each in ALL_PASSED
)


@pytest.fixture
def config(home: object, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(agent_strategy, "open_backend", lambda _: any_backend())
    own = {NAME: StrategyConfig(kind="agent", capital=Decimal("0.5"))}
    return load_config(None, {}).model_copy(update={"strategies": own})


@pytest.fixture
def ladder(config: Config) -> Iterator[AgentLadder]:
    with open_ladder(config) as opened:
        yield opened


def put(ladder: AgentLadder, *facts: AgentEvent) -> None:
    ladder.append(NAME, lambda *_: facts)


def started(config: Config) -> AgentStrategy:
    own: dict[str, Any] = with_approved(config).strategies[NAME].params
    return AgentStrategy(**own)


def test_approved_source_trades_with_the_parameters_that_were_judged(
    ladder: AgentLadder, config: Config
) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    bars = prices(120).bars

    ready = with_approved(config)
    strategy = started(config)

    assert ready.strategies[NAME].capital == Decimal("0.5")
    assert strategy.lookback == 50
    expected = Inside(candidate(STRATEGY, size=0.25)).targets(bars)
    assert expected.any()
    assert np.array_equal(strategy.targets(bars), expected)


def test_strategy_that_is_not_on_paper_does_not_start(ladder: AgentLadder, config: Config) -> None:
    with pytest.raises(LadderRefused, match="submit it first"):
        with_approved(config)
    put(ladder, HANDED_IN, *VERDICTS)
    with pytest.raises(LadderRefused, match="is candidate, so it may not trade"):
        with_approved(config)
    put(ladder, moved(Standing.PAPER), moved(Standing.QUARANTINED))
    with pytest.raises(LadderRefused, match="is quarantined"):
        with_approved(config)


def live(config: Config, account: str) -> Config:
    cluster = config.cluster.model_copy(update={"mode": "live"})
    own = config.account.model_copy(update={"account_id": account})
    return config.model_copy(update={"cluster": cluster, "account": own})


def test_money_is_for_the_account_that_was_confirmed(ladder: AgentLadder, config: Config) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    with pytest.raises(LadderRefused, match="paper for no money, so it may not trade on ACC7"):
        with_approved(live(config, "ACC7"))

    put(ladder, replace(moved(Standing.LIVE), account_id="ACC7"))

    assert with_approved(live(config, "ACC7")).strategies[NAME].params["sha256"] == "aa"
    with pytest.raises(LadderRefused, match="for account ACC7, so it may not trade on ACC8"):
        with_approved(live(config, "ACC8"))


def test_parameters_written_into_the_configuration_are_refused(
    ladder: AgentLadder, config: Config
) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    own = config.strategies[NAME].model_copy(update={"params": {"size": 9}})

    with pytest.raises(ConfigError, match="trades with what was judged"):
        with_approved(config.model_copy(update={"strategies": {NAME: own}}))


def test_configuration_without_agents_is_left_alone(home: object) -> None:
    config = load_config(None, {})

    assert with_approved(config) is config
    assert not config.cluster.secret_file.exists()


def test_kill_in_the_cluster_is_told_to_the_ladder_and_an_exception_is_not(
    ladder: AgentLadder, config: Config
) -> None:
    text = "LOOKBACK = 1\ndef targets(bars, n):\n    while n or 1 / 0:\n        pass\n"
    raises = replace(HANDED_IN, source=text, lookback=1, parameters='{"n":0}')
    put(ladder, raises, moved(Standing.PAPER))
    with pytest.raises(StrategyFailed):
        started(config).targets(prices(3).bars)
    assert ladder.record(NAME).kills == ()

    put(ladder, replace(raises, parameters='{"n":1}'), moved(Standing.PAPER))
    strategy = started(config)
    for _ in range(3):
        with pytest.raises(SandboxTimeout):
            strategy.targets(prices(3).bars)

    found = ladder.record(NAME)
    assert found.standing is Standing.QUARANTINED
    assert len(found.kills) == 3
