"""What the ladder approved trades; nothing else of an agent does, and a kill is told."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from actors.journal.journal import Journal
from cluster import agent_strategy, launch
from cluster.agent_ladder import AgentLadder, open_ladder
from cluster.agent_results import kill_of
from cluster.agent_strategy import AgentStrategy, with_approved
from cluster.cli.folders import with_fresh_folder
from cluster.config import Config, load_config
from cluster.config.model import StrategyConfig
from sandboxes.errors import SandboxRefused, SandboxTimeout, StrategyFailed
from sandboxes.strategy import source_named
from tests.cluster.sandboxed_commands import STRATEGY
from tests.sandboxes.local.home import any_backend
from tests.trading.ladder.story import ALL_PASSED, NAME, SUBMITTED, moved
from tests.tune.agents.in_process import Inside, candidate, prices
from trading.errors import ConfigError, JournalUnavailable
from trading.events import AgentEvent
from trading.indicators.rolling import FloatArray
from trading.ladder.refusal import LadderRefused
from trading.ladder.standing import Standing
from trading.strategies.strategy import Bars, Undecided

HANDED_IN = replace(
    SUBMITTED,
    source=STRATEGY,
    source_sha256=source_named("", STRATEGY).sha256,
    lookback=50,
    parameters='{"days":50,"size":0.25}',
)
VERDICTS = tuple(
    replace(each, inputs=(("parameters", HANDED_IN.parameters), ("template", "base")))
    for each in ALL_PASSED
)


@pytest.fixture
def config(home: object, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setattr(agent_strategy, "opener", lambda *_: any_backend)
    own = {NAME: StrategyConfig(kind="agent", capital=Decimal("0.5"))}
    # What is not about time must not end because the machine is busy.
    patient = {"sandbox": {"call_timeout_s": 60.0}}
    return load_config(None, patient).model_copy(update={"strategies": own})


@pytest.fixture
def ladder(config: Config) -> Iterator[AgentLadder]:
    with open_ladder(config) as opened:
        yield opened


def put(ladder: AgentLadder, *facts: AgentEvent) -> None:
    ladder.append(NAME, lambda *_: facts)


def asked(strategy: AgentStrategy, bars: Bars) -> FloatArray:
    """Return the answer, however long the sandbox takes to start."""
    while True:
        try:
            return strategy.targets(bars)
        except Undecided:
            continue


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
    assert np.array_equal(asked(strategy, bars), expected)


def test_strategy_that_is_not_on_paper_does_not_start(ladder: AgentLadder, config: Config) -> None:
    with pytest.raises(LadderRefused, match="submit it first"):
        with_approved(config)
    put(ladder, HANDED_IN, *VERDICTS)
    with pytest.raises(LadderRefused, match="is candidate, so it may not trade"):
        with_approved(config)
    put(ladder, moved(Standing.PAPER), moved(Standing.QUARANTINED))
    with pytest.raises(LadderRefused, match="is quarantined"):
        with_approved(config)


def test_no_blueprint_of_a_cluster_is_made_past_the_ladder(
    ladder: AgentLadder, config: Config
) -> None:
    """Whoever starts a cluster, also with a folder of its own, gets what was approved or nothing."""
    put(ladder, HANDED_IN, *VERDICTS)
    fresh = with_fresh_folder(config, 1)
    with pytest.raises(LadderRefused, match="is candidate, so it may not trade"):
        launch.blueprint_of(fresh)

    put(ladder, moved(Standing.PAPER))

    (plan,) = launch.blueprint_of(fresh).strategies
    assert plan.params["source"] == STRATEGY
    assert plan.params["journal"] == config.cluster.ladder


@pytest.mark.parametrize(("places", "pools"), [(0, ""), (2, "trader-demo")])
def test_places_of_the_cluster_decide_whose_sandbox_it_gets(
    ladder: AgentLadder, config: Config, places: int, pools: str
) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    sandbox = config.sandbox.model_copy(update={"places": places})

    params = with_approved(config.model_copy(update={"sandbox": sandbox})).strategies[NAME].params

    assert json.loads(params["choice"])["pools"] == pools


def live(config: Config, account: str) -> Config:
    cluster = config.cluster.model_copy(update={"mode": "live"})
    own = config.account.model_copy(update={"account_id": account})
    return config.model_copy(update={"cluster": cluster, "account": own})


def test_money_is_for_the_account_that_was_confirmed(ladder: AgentLadder, config: Config) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    with pytest.raises(LadderRefused, match="paper for no money, so it may not trade on ACC7"):
        with_approved(live(config, "ACC7"))

    put(ladder, replace(moved(Standing.LIVE), account_id="ACC7"))

    assert with_approved(live(config, "ACC7")).strategies[NAME].params["source"] == STRATEGY
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
    sha256 = source_named("", text).sha256
    raises = replace(HANDED_IN, source=text, source_sha256=sha256, lookback=1, parameters='{"n":0}')
    put(ladder, raises, moved(Standing.PAPER))
    with pytest.raises(StrategyFailed):
        asked(started(config), prices(3).bars)
    assert ladder.record(NAME).kills == ()

    put(ladder, replace(raises, parameters='{"n":1}'), moved(Standing.PAPER))
    hasty = config.sandbox.model_copy(update={"call_timeout_s": 0.25})
    strategy = started(config.model_copy(update={"sandbox": hasty}))
    for _ in range(3):
        with pytest.raises(SandboxTimeout):
            asked(strategy, prices(3).bars)

    found = ladder.record(NAME)
    assert found.standing is Standing.QUARANTINED
    assert len(found.kills) == 3


def test_host_that_is_started_again_after_a_kill_does_not_ask_again_in_that_run(
    ladder: AgentLadder, config: Config
) -> None:
    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    params = with_approved(config).strategies[NAME].params
    put(ladder, kill_of(NAME, HANDED_IN.source_sha256, "SANDBOX_TIMEOUT", "late"))

    with pytest.raises(SandboxRefused, match="was killed in this run"):
        AgentStrategy(**params).targets(prices(60).bars)

    assert asked(started(config), prices(60).bars).shape == (60, 2)


def test_ladder_that_cannot_be_read_leaves_it_undecided(
    ladder: AgentLadder, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(_: str) -> Journal:
        raise JournalUnavailable("no server answers")

    put(ladder, HANDED_IN, *VERDICTS, moved(Standing.PAPER))
    strategy = started(config)
    with monkeypatch.context() as broken:
        broken.setattr(agent_strategy, "open_journal", gone)
        with pytest.raises(Undecided):
            strategy.targets(prices(60).bars)

    assert asked(strategy, prices(60).bars).shape == (60, 2)
