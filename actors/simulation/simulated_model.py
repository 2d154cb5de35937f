"""The model of a simulated forecast source: answers what the prices say, or fails when the seed wants it."""

import numpy as np

from actors.forecast_calls import failed
from actors.local_bus import Faults
from trading.effects import AskModel
from trading.forecasting.history import History
from trading.identifiers import InstrumentId
from trading.outcomes import ModelAnswer, ModelAnswered, Outcome

NAME = "simulated@1"
_NORMAL = np.array([-2.576, -1.96, -1.282, -0.674, 0.0, 0.674, 1.282, 1.96, 2.576])
"""Quantiles of a standard normal variable at `prediction.LEVELS`."""


class SimulatedModel:
    """Expects the mean return of the window to go on. A lost `answer` is an error of the model."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def answer(self, ask: AskModel, now: int) -> Outcome:
        """Return what became of the question, at host time `now` (ns UTC)."""
        if self._faults.is_lost("answer"):
            return failed(ask, "the model answered a number that is not finite", now)
        answers = tuple(_answer(each, ask.horizon) for each in ask.histories)
        return ModelAnswered(ts_init=now, sequence=ask.sequence, answers=answers)


def _answer(history: History, horizon: int) -> ModelAnswer:
    returns = np.diff(np.log(history.close))
    *path, last = (
        tuple(np.expm1(returns.mean() * step + returns.std() * step**0.5 * _NORMAL).tolist())
        for step in range(1, horizon + 1)
    )
    return ModelAnswer(
        instrument_id=InstrumentId(history.symbol),
        model=NAME,
        provider="cpu",
        data_cutoff=0,
        expected_return=float(returns.mean()) * horizon,
        deviation=float(returns.std()) * horizon**0.5,
        quantiles=last,
        path=tuple(path),
    )
