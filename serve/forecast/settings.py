"""What the forecasting service is told, by whoever composes it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from serve.auth.settings import AccessSettings

if TYPE_CHECKING:
    from serve.desk.front_desk import FrontDesk
    from serve.forecast.price_histories import Histories
    from serve.forecast.service import ForecastService

MakeDesk = Callable[["ForecastService", "Histories"], "FrontDesk"]
"""Makes the front desk around the forecasts of a replica; travels to it, so it can be pickled."""


class ServiceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one forecasting service; the same in every replica.

    Attributes
    ----------
    registry : str
        Folder of the models: a path, or any URL that fsspec knows.
    model : str
        Who answers when a request names no model.
    source : str
        Where the bars of a symbol come from, see `actors.feeds.sources.load_prices`.
    providers : tuple of str
        Who computes, the wanted one first.
    valid_bars : int
        Bars after which nobody may trade on a forecast any more.
    ha_proxy : bool
        HAProxy carries HTTP to the replicas, instead of Serve's own proxy.
    min_replicas, max_replicas : int
        At rest, and under load.
    num_cpus, num_gpus : float
        What one replica reserves.
    max_batch_size : int
        Windows that one run of a model may join.
    batch_wait_ms : float
        How long a window waits for others; 0 joins those that arrive in one turn of the event loop.
    models_per_replica : int
        Loaded versions that a replica keeps beside those in service.
    deadline_ms : float
        Of a request that gives none.
    shadow : bool
        The challenger is asked too; nobody gets its answer.
    cache_entries : int
        Answers that a replica keeps; 0 keeps none.
    access : AccessSettings
        Who may come in.
    """

    registry: str
    model: str = "nhits@champion"
    source: str = "sp500"
    providers: tuple[str, ...] = ("cpu",)
    precision: str = "fp32"
    threads: int = 1
    valid_bars: int = 1
    host: str = "127.0.0.1"
    port: int = 8000
    ha_proxy: bool = True
    min_replicas: int = 1
    max_replicas: int = 2
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    max_batch_size: int = 32
    batch_wait_ms: float = 0.0
    models_per_replica: int = 8
    deadline_ms: float = 1000.0
    shadow: bool = True
    max_body_bytes: int = 1_048_576
    cache_entries: int = 10_000
    access: AccessSettings = AccessSettings()
