"""Everything that the routes, the tools and the page stand on, in one place. Made by `cluster.desk`."""

from dataclasses import dataclass, field

from serve.desk.audit import AuditTrail
from serve.desk.jobs import Jobs
from serve.desk.port import TradingDesk
from serve.forecast.price_histories import Histories
from serve.forecast.service import ForecastService


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """One per replica; holds no state that another replica would need.

    Attributes
    ----------
    forecasts : ForecastService
        Its `registry` is the registry of models.
    histories : callable
        Bars of a symbol, from the configured source of data.
    source : str
        Name of that source, for answers that are computed from it.
    secret : bytes
        Of the cluster: what a client carries from one replica to another is sealed with keys made from it.
    """

    trading: TradingDesk
    jobs: Jobs
    audit: AuditTrail
    forecasts: ForecastService
    histories: Histories
    source: str
    secret: bytes = field(repr=False)
