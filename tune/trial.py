"""One trial of a search in a Ray worker: measures fold after fold and reports each."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

import msgspec

from trading.errors import ConfigError
from trading.strategies.strategy import Bars
from tune.ledger import Ending, Measured
from tune.objective import Objective, strategy_of
from tune.prices import Quoted
from tune.threads import use_one_thread

NUMBER, PARAMS = "number", "params"
SCORE, FOLDS, MEASURED = "score", "folds", "measured"
ENDING, REASON = "ending", "reason"


def run_trial(
    config: Mapping[str, Any],
    *,
    bars: Bars,
    objective: Objective,
    known: Mapping[int, Sequence[Measured]],
    quoted: Quoted | None = None,
) -> None:
    """Report every fold of a trial to Ray Tune; those that are `known` (by trial) are not measured again.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.
    """
    from ray import tune as ray_tune

    use_one_thread()
    number = config[NUMBER]
    measured = {each.fold: each for each in known.get(number, ())}
    try:
        strategy = strategy_of(objective.strategy, config[PARAMS])
        for fold in range(len(objective.folds)):
            if fold not in measured:
                measured[fold] = objective.measure(strategy, bars, number, fold, quoted)
            ray_tune.report(_report([measured[each] for each in range(fold + 1)], objective))
    except (ConfigError, ValueError) as error:
        ray_tune.report({ENDING: Ending.SKIPPED.value, REASON: str(error)})
    except Exception as error:  # of the strategy: the trial's result, not the search's end
        reason = f"{type(error).__name__}: {error}"
        ray_tune.report({ENDING: Ending.FAILED.value, REASON: reason})


def _report(measured: Sequence[Measured], objective: Objective) -> dict[str, Any]:
    """Return what Tune is told after a fold; without a score early stopping leaves the trial alone."""
    report: dict[str, Any] = {
        FOLDS: len(measured),
        MEASURED: msgspec.msgpack.encode(measured[-1]),
    }
    score = objective.score(measured)
    return {**report, SCORE: score} if isfinite(score) else report
