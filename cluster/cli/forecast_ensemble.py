"""One forecast of several models for `trader forecast`: run here, or asked of a service."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cluster.config import Config
    from serve.forecast.distributed import DistributedForecast
    from serve.forecast.members import Member
    from trading.forecasting.history import History

DEADLINE_MS = 10_000.0


class Ensemble(StrEnum):
    """What needs no fitted weights; see `trading.forecasting.aggregation`."""

    MEAN = "mean"
    MEDIAN = "median"
    WEIGHTED = "weighted"
    MAJORITY = "majority"


@dataclass(frozen=True, slots=True)
class Committee:
    """How several models make one forecast.

    Attributes
    ----------
    references : sequence of str
        Models, `name@version` or `name@alias`.
    horizon : int or None
        Bars ahead; None for as far as all of them reach, which only models that are run here can tell.
    deadline_ms : float
        Nothing is waited for longer.
    quorum : int
        Members that must answer, and that must forecast a symbol.
    """

    references: Sequence[str]
    method: Ensemble
    horizon: int | None
    deadline_ms: float = DEADLINE_MS
    quorum: int = 1


def ask(
    config: "Config", committee: Committee, histories: "Sequence[History]", url: str
) -> "DistributedForecast":
    """Return what the models say together: those of the service at `url`, or of the registry when that is empty.

    Raises
    ------
    UsageError
        If there are fewer than two models, one is named twice, a weight or the horizon is not known, or `url` is
        no HTTP address.
    ModelError
        If a model of the registry is not there or damaged.
    ForecastError
        If a model does not reach the horizon, or fewer than the quorum answered.
    """
    from trading.errors import UsageError

    if len(committee.references) < 2:
        raise UsageError(
            f"--ensemble {committee.method} needs at least two models: "
            "--model nhits@1 --model lstm@1."
        )
    if url:
        return _ask_service(config, committee, histories, url)
    return _ask_here(config, committee, histories)


def shortfalls(together: "DistributedForecast") -> Iterator[str]:
    """Say which members did not answer in full, and which symbols have no forecast, each with its code.

    Without any forecast the first of those symbols is left to `raise_if_nothing`.
    """
    for each in together.members:
        if each.state != "ok":
            yield f"{each.member} is {each.state}: {each.reason} [{each.code}]"
    for refusal in together.errors if together.forecasts else together.errors[1:]:
        yield f"{refusal.symbol} has no forecast: {refusal.detail} [{refusal.code}]"


def raise_if_nothing(together: "DistributedForecast") -> None:
    """Raise the error of the first symbol if none has a forecast."""
    from cluster.forecast_service import error_of

    if not together.forecasts:
        raise error_of(together.errors[0].code, together.errors[0].detail)


def _ask_here(
    config: "Config", committee: Committee, histories: "Sequence[History]"
) -> "DistributedForecast":
    import asyncio

    from actors.models.forecasting import check_horizon
    from cluster.models import model_access
    from serve.forecast.members import LocalModel, Member

    access = model_access(config)
    sessions = [access.session(each) for each in committee.references]
    manifests = [session.manifest for session in sessions]
    horizon = committee.horizon
    if horizon is None:
        horizon = min(manifest.horizon for manifest in manifests)
    for manifest in manifests:
        check_horizon(horizon, manifest.horizon, manifest.reference)
    losses = _losses(config, committee.method, [each.reference for each in manifests])
    members = [
        Member(each.manifest.reference, (LocalModel(each),), losses.get(each.manifest.reference))
        for each in sessions
    ]
    return asyncio.run(_asked(members, committee, horizon, histories))


def _ask_service(
    config: "Config", committee: Committee, histories: "Sequence[History]", url: str
) -> "DistributedForecast":
    import asyncio

    from cluster.forecast_service import checked_url
    from trading.errors import UsageError

    if committee.horizon is None:
        raise UsageError(
            "--ensemble with --url needs --horizon: every model is asked for the same."
        )
    losses = _losses(config, committee.method, committee.references)
    address = checked_url(url)
    return asyncio.run(_asked_there(address, committee, committee.horizon, histories, losses))


async def _asked_there(
    url: str,
    committee: Committee,
    horizon: int,
    histories: "Sequence[History]",
    losses: Mapping[str, float],
) -> "DistributedForecast":
    from aiohttp import ClientSession

    from serve.forecast.members import Member, ServedModel, asked_by_http

    async with ClientSession() as client:
        ask = asked_by_http(client, url)
        members = [
            Member(each, (ServedModel(ask, each),), losses.get(each))
            for each in committee.references
        ]
        return await _asked(members, committee, horizon, histories)


async def _asked(
    members: "Sequence[Member]",
    committee: Committee,
    horizon: int,
    histories: "Sequence[History]",
) -> "DistributedForecast":
    from serve.forecast.distributed import predict_distributed

    return await predict_distributed(
        histories,
        members,
        horizon,
        deadline_ms=committee.deadline_ms,
        method=committee.method.value,
        quorum=committee.quorum,
    )


def _losses(config: "Config", method: Ensemble, references: Sequence[str]) -> dict[str, float]:
    """Return what "weighted" needs, by reference."""
    from cluster.models import open_models
    from serve.forecast.members import recent_loss
    from trading.errors import ModelUnknown, UsageError

    if method is not Ensemble.WEIGHTED:
        return {}
    registry = open_models(config)
    try:
        return {each: recent_loss(registry, each) for each in references}
    except ModelUnknown as error:
        raise UsageError(
            f"--ensemble weighted takes its weights from the registry here. {error} "
            "Choose --ensemble mean, or name the registry of the service: models.folder."
        ) from None
