"""How much was tried."""

from decimal import Decimal

import pytest

from tests.trading.ladder.story import SUBMITTED, judged
from trading.ladder.standing import Stage
from trading.ladder.trials import SHARPE, trials_of, tried


def backtested(sha256: str, sharpe: str, parameters: str = "{}") -> object:
    return judged(
        Stage.BACKTEST,
        source_sha256=sha256,
        inputs=(("parameters", parameters),),
        figures=((SHARPE, Decimal(sharpe)),),
    )


def test_each_source_with_each_parameters_counts_once() -> None:
    facts = [
        SUBMITTED,
        backtested("aa", "0.01"),
        backtested("aa", "0.03"),
        backtested("aa", "0.02", '{"n":2}'),
        backtested("bb", "0.05"),
        judged(Stage.SMOKE, figures=((SHARPE, Decimal(9)),)),
        judged(Stage.BACKTEST),
    ]

    found = tried(facts)  # type: ignore[arg-type]

    assert sorted(found.values()) == [0.02, 0.03, 0.05]
    trials = trials_of(found.values())
    assert trials.tried == 3
    assert trials.variance == pytest.approx(0.000233333, rel=1e-4)


def test_one_trial_has_no_spread_and_none_counts_as_one() -> None:
    assert trials_of([0.1]) == (1, 0.0)
    assert trials_of([]) == (1, 0.0)
