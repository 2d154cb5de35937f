"""From the configuration to a front desk."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actors.journal.open import open_journal
from cluster.access import record_of
from cluster.config import Config, cluster_secret
from cluster.desk.job_settings import job_settings
from cluster.desk.kill_latch import latch_kill_switch
from cluster.desk.link import ClusterLink
from cluster.desk.live_desk import LiveDesk
from cluster.desk.ray_link import link_inside, link_outside
from serve.auth.settings import AccessSettings
from serve.desk.audit import AuditTrail
from serve.desk.front_desk import FrontDesk
from serve.desk.job_folder import JobFolder
from serve.forecast.price_histories import PriceHistories
from serve.forecast.settings import ServiceSettings

if TYPE_CHECKING:
    from serve.forecast.price_histories import Histories
    from serve.forecast.service import ForecastService

DEFAULT_MODEL = "nhits@champion"


@dataclass(frozen=True, slots=True)
class DeskMaker:
    """Makes the front desk of a replica; travels to it.

    Nothing is connected before the first question: a replica becomes ready without a cluster.
    """

    config: Config

    def __call__(self, forecasts: "ForecastService", histories: "Histories") -> FrontDesk:
        config = self.config
        return front_desk(config, lambda: link_inside(config), forecasts, histories)


def open_desk(config: Config) -> FrontDesk:
    """Return a front desk for a process outside of Ray; it finds the cluster when it is asked something.

    Raises
    ------
    ConfigError, JournalUnavailable
        If a folder or the journal cannot be used.
    """
    forecasts, histories = forecasting(config)
    return front_desk(config, lambda: link_outside(config), forecasts, histories)


def forecasting(config: Config) -> "tuple[ForecastService, Histories]":
    """Return a forecasting service of this process, not started yet, and the bars that it reads."""
    from actors.models.opening import open_registry
    from serve.forecast.service import ForecastService

    settings = service_settings(config, DEFAULT_MODEL, AccessSettings())
    histories = PriceHistories(settings.source)
    return ForecastService(settings, open_registry(settings.registry), histories), histories


def front_desk(
    config: Config,
    connect: Callable[[], ClusterLink],
    forecasts: "ForecastService",
    histories: "Histories",
    *,
    running: Config | None = None,
) -> FrontDesk:
    """Return a front desk.

    Parameters
    ----------
    config : Config
        As people wrote it: jobs and the audit trail outlive single runs.
    connect : callable
        Finds the cluster.
    running : Config or None
        Of a run with a folder of its own.
    """
    running = running or config
    return FrontDesk(
        trading=LiveDesk(
            connect,
            cluster=config.cluster.name,
            mode=config.cluster.mode,
            logs=running.cluster.state_dir / "logs",
            latch=lambda actor, reason, flatten: latch_kill_switch(
                config, actor=actor, reason=reason, flatten=flatten
            ),
        ),
        jobs=JobFolder(job_settings(config)),
        audit=AuditTrail(open_journal(record_of(config)), config.cluster.name),
        forecasts=forecasts,
        histories=histories,
        source=config.data.source,
        secret=cluster_secret(config),
    )


def service_settings(config: Config, model: str, access: AccessSettings) -> ServiceSettings:
    """Return what the configuration says about the forecasting service.

    Parameters
    ----------
    model : str
        Who answers when a request names no model.
    access : AccessSettings
        Who may come in, from `cluster.access.prepare_access`.
    """
    from cluster.models import models_url

    models = config.models
    return ServiceSettings(
        registry=models_url(config),
        model=model,
        source=config.data.source,
        providers=models.providers,
        precision=models.precision,
        threads=models.threads,
        access=access,
        **config.serve.model_dump(),
    )
