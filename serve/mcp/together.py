"""One forecast of several models: those of a cluster, asked at once in the replica that answers."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import Field

from serve.desk.answers import Answer, Provenance, Source, moment
from serve.forecast.distributed import DistributedForecast, predict_distributed
from serve.forecast.members import Member, ServedModel, recent_loss
from serve.forecast.question import Question, own_history
from serve.forecast.service import ForecastService
from serve.mcp.call import Call
from serve.mcp.committees import Committee
from serve.mcp.forecasts import service_of
from trading.errors import UsageError
from trading.forecasting.aggregation import METHODS, Method
from trading.forecasting.forecast import Forecast, interval
from trading.forecasting.history import History

SYMBOLS_MAX = 64


@dataclass(frozen=True, slots=True)
class JointQuestion:
    """What is asked of all members. See the tool."""

    input_data: dict[str, Any]
    method: str
    horizon: int | None
    quorum: int
    deadline_ms: float


class JointSymbol(Answer):
    symbol: str
    horizon: int
    current_price: float
    predicted_prices: list[float] = Field(description="Median after each bar.")
    lower_95: list[float]
    upper_95: list[float]
    expected_return: float
    models_used: list[str]


class MemberAnswer(Answer):
    model: str
    state: str = Field(description="ok, partial, late or failed")
    forecasts: int
    reason: str
    latency_ms: float


class JointForecast(Provenance):
    cluster_id: str
    aggregation_method: str
    predictions: list[JointSymbol]
    refused: dict[str, str] = Field(description="Symbol to why it has no forecast.")
    nodes_used: int
    individual: list[MemberAnswer]


async def answered_together(
    call: Call, committee: Committee, question: JointQuestion
) -> JointForecast:
    """Ask all members before the deadline.

    Raises
    ------
    UsageError
        If the input is none, or a number cannot be right.
    ForecastError
        If too few members answered, or a symbol is unknown.
    """
    service = await service_of(call)
    desk = call.desk
    manifests = [desk.forecasts.registry.manifest(each) for each in committee.members]
    reach = min(each.horizon for each in manifests)
    horizon = question.horizon or reach
    histories = await asyncio.to_thread(_histories, desk.histories, question.input_data)
    members = [_member(service, each, question.method) for each in committee.members]
    found = await predict_distributed(
        histories,
        members,
        horizon,
        deadline_ms=question.deadline_ms,
        method=_method(question.method),
        quorum=question.quorum,
    )
    return _told(committee.name, question.method, histories, found)


def _method(name: str) -> Method:
    return next(each for each in METHODS if each == name)


def _member(service: ForecastService, reference: str, method: str) -> Member:
    async def ask(question: Question) -> Forecast:
        found = await service.forecast(question, time.perf_counter())
        assert isinstance(found, Forecast)
        return found

    loss = recent_loss(service.registry, reference) if method == "weighted" else None
    return Member(reference, (ServedModel(ask, reference),), loss)


def _histories(known: Any, given: dict[str, Any]) -> list[History]:
    """Return the bars that the members shall read: the desk's own, or those of the caller."""
    symbols = given.get("symbols")
    if symbols is not None:
        if not isinstance(symbols, list) or not 1 <= len(symbols) <= SYMBOLS_MAX:
            raise UsageError(f"input_data.symbols must be a list of 1 to {SYMBOLS_MAX} symbols.")
        return [known(str(symbol)) for symbol in dict.fromkeys(symbols)]
    try:
        question = msgspec.convert(given, Question)
    except msgspec.ValidationError as error:
        raise UsageError(f"input_data: {error}.") from None
    if question.close is None:
        return [known(question.symbol or "")]
    return [own_history(question, (), "1d")]


def _told(
    name: str, method: str, histories: list[History], found: DistributedForecast
) -> JointForecast:
    return JointForecast(
        source=Source.COMPUTED,
        as_of=moment(max(int(each.ts[-1]) for each in histories)),
        cluster_id=name,
        aggregation_method=method,
        predictions=[_symbol(each, found.voices[each.symbol]) for each in found.forecasts],
        refused={each.symbol: f"{each.code}: {each.detail}" for each in found.errors},
        nodes_used=sum(each.state in ("ok", "partial") for each in found.members),
        individual=[
            MemberAnswer(
                model=each.member,
                state=each.state,
                forecasts=each.forecasts,
                reason=each.reason,
                latency_ms=each.latency_ms,
            )
            for each in found.members
        ],
    )


def _symbol(forecast: Forecast, voices: tuple[str, ...]) -> JointSymbol:
    low, high = interval(forecast, 0.95)
    return JointSymbol(
        symbol=forecast.symbol,
        horizon=forecast.horizon,
        current_price=forecast.last_close,
        predicted_prices=list(forecast.quantiles["0.5"]),
        lower_95=list(low),
        upper_95=list(high),
        expected_return=forecast.expected_return,
        models_used=list(voices),
    )
