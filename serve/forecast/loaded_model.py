"""One version of a model, loaded and warm: from histories to forecasts."""

import time
from collections.abc import Sequence

from actors.models.forecasting import forecast_histories
from actors.models.registry import ModelRegistry
from actors.models.session import ModelSession, load_session
from serve.forecast.batcher import Batcher
from serve.forecast.settings import ServiceSettings
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

INLINE_MAX_S = 0.005
"""A batch that runs longer goes to a thread: the event loop, and with it the health check, must not stand still."""

Terms = tuple[int, tuple[float, ...]]
"""Horizon (bars), and the wanted miscoverage of each interval; none is that of the calibration."""


class LoadedModel:
    """A version in the memory of a replica, with the queue in front of it."""

    def __init__(self, session: ModelSession, settings: ServiceSettings, batch_s: float) -> None:
        self.session = session
        self.manifest = session.manifest
        self._valid_bars = settings.valid_bars
        self.batcher = Batcher(
            self.predict,
            max_size=settings.max_batch_size,
            wait_s=settings.batch_wait_ms / 1000.0,
            in_thread=batch_s > INLINE_MAX_S,
        )

    @property
    def reference(self) -> str:
        return self.manifest.reference

    def predict(self, histories: Sequence[History], terms: Terms) -> list[Forecast]:
        """Run the model once. See `actors.models.forecasting.forecast_histories`."""
        horizon, miscoverage = terms
        return forecast_histories(
            self.session,
            histories,
            horizon,
            time.perf_counter_ns,
            valid_bars=self._valid_bars,
            miscoverage=miscoverage or None,
        )


def load_model(registry: ModelRegistry, reference: str, settings: ServiceSettings) -> LoadedModel:
    """Load and warm a version. Takes a while: call it in a thread.

    Raises
    ------
    ModelUnknown, ModelCorrupt
        As `actors.models.session.load_session`.
    ForecastInvalid
        If the graph loads but does not forecast.
    """
    session = load_session(
        registry,
        reference,
        settings.providers,
        precision=settings.precision,
        threads=settings.threads,
    )
    session.warm_up()
    began = time.perf_counter()
    session.warm_up()
    return LoadedModel(session, settings, time.perf_counter() - began)
