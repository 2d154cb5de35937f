"""Many instruments in one run of a model, where one that cannot be forecast costs the others nothing."""

from collections.abc import Callable, Sequence

from actors.models.forecasting import check_horizon, forecast_histories
from actors.models.session import ModelSession
from trading.errors import ForecastError, ForecastInvalid, ForecastRefused
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History, inputs_of


def forecast_each(
    session: ModelSession, histories: Sequence[History], horizon: int, clock: Callable[[], int]
) -> list[Forecast | ForecastError]:
    """Return for each history its forecast, or why there is none.

    Histories that the model cannot read stay outside of the run. When a run gives what is no forecast, each of its
    histories is run alone, so that the error is that of its own instrument.

    Parameters
    ----------
    horizon : int
        Steps to forecast (bars).
    clock : callable
        Monotonic time (ns).

    Raises
    ------
    ForecastRefused
        If the model does not reach that far.
    """
    manifest = session.manifest
    check_horizon(horizon, manifest.horizon, manifest.reference)
    found: list[Forecast | ForecastError | None] = [_refusal(session, each) for each in histories]
    usable = [history for history, refusal in zip(histories, found, strict=True) if not refusal]
    answers = iter(_run(session, usable, horizon, clock))
    return [next(answers) if each is None else each for each in found]


def _refusal(session: ModelSession, history: History) -> ForecastRefused | None:
    try:
        inputs_of([history], session.manifest.input_size, session.manifest.features)
    except ForecastRefused as refusal:
        return refusal
    return None


def _run(
    session: ModelSession, histories: Sequence[History], horizon: int, clock: Callable[[], int]
) -> Sequence[Forecast | ForecastError]:
    if not histories:
        return []
    try:
        return forecast_histories(session, histories, horizon, clock)
    except ForecastInvalid as error:
        if len(histories) == 1:
            return [error]
        return [one for each in histories for one in _run(session, [each], horizon, clock)]
