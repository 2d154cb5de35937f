"""One request to a member: first to one of its replicas, then, while there is time, to the others."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serve.forecast.members import Outcome, Replica
from trading.errors import ForecastInvalid, ForecastLate, ForecastRefused
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS, Prediction


@dataclass(frozen=True, slots=True)
class Attempted:
    """What came of a request.

    Attributes
    ----------
    outcomes : sequence of Outcome
        One for each history; empty when no replica answered.
    error : Exception or None
        Why the last replica that was asked did not answer; None when one did.
    asked : int
        Replicas that were asked.
    """

    outcomes: Sequence[Outcome]
    error: Exception | None
    asked: int


async def attempt(
    replicas: Sequence[Replica], histories: Sequence[History], horizon: int, deadline_s: float
) -> Attempted:
    """Ask the replicas, one after the other, until one answers.

    Inference changes nothing and may be repeated, but never at the same replica. Each may take its share of the time
    that is left, so that one which hangs leaves time for the others; the last one may take all of it.

    Parameters
    ----------
    deadline_s : float
        On the clock of the event loop.
    """
    clock = asyncio.get_running_loop().time
    error: Exception = ForecastLate("There was no time left to ask.")
    asked = 0
    for replica in replicas:
        left_s = (deadline_s - clock()) / (len(replicas) - asked)
        if left_s <= 0:
            break
        asked += 1
        try:
            async with asyncio.timeout(left_s):
                outcomes = await replica.forecast(histories, horizon, left_s)
            _check(outcomes, histories, horizon)
            return Attempted(outcomes, None, asked)
        except TimeoutError:
            error = ForecastLate(f"There was no answer within {left_s * 1000:.0f} ms.")
        except ForecastRefused as refusal:  # no replica will see that otherwise
            return Attempted([refusal] * len(histories), None, asked)
        except Exception as failure:  # whatever it is: the next replica may be well
            error = _cause(failure)
    return Attempted((), error, asked)


def prediction_of(forecasts: Sequence[Forecast]) -> Prediction:
    """Return the quantiles of forecasts as log returns again.

    The scale is 1: it serves to correct quantiles, and those of a forecast have been corrected.
    """
    prices = np.array([[each.quantiles[str(level)] for level in LEVELS] for each in forecasts])
    last_close = np.array([each.last_close for each in forecasts])
    with np.errstate(
        invalid="ignore", divide="ignore"
    ):  # `Prediction.check` finds what is no price
        log_returns = np.log(prices.transpose(0, 2, 1) / last_close[:, None, None])
    return Prediction(log_returns, np.ones(len(forecasts)))


def _check(outcomes: Sequence[Outcome], histories: Sequence[History], horizon: int) -> None:
    """A replica may be broken, or behind a proxy that mixes answers up: look before use."""
    if len(outcomes) != len(histories):
        raise ForecastInvalid(f"{len(histories)} forecasts were asked for, {len(outcomes)} came.")
    invalid = [outcome for outcome in outcomes if isinstance(outcome, ForecastInvalid)]
    if len(invalid) == len(outcomes):  # nothing but NaN: rather the replica than the bars
        raise invalid[0]
    for outcome, history in zip(outcomes, histories, strict=True):
        if not isinstance(outcome, Forecast):
            continue
        asked = (history.symbol, horizon, int(history.ts[-1]), float(history.close[-1]))
        if asked != (outcome.symbol, outcome.horizon, outcome.as_of, outcome.last_close):
            raise ForecastInvalid(f"The answer for {history.symbol} is about other bars.")
        prediction_of([outcome]).check(outcome.model)


def _cause(failure: Exception) -> Exception:
    """Of several requests that were made together, the error of the first that failed."""
    while isinstance(failure, ExceptionGroup):
        failure = failure.exceptions[0]
    return failure
