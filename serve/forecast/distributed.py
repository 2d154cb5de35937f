"""Forecasts of many symbols by several models at once, put together before a deadline from those that answered."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from serve.forecast.attempts import Attempted, attempt, prediction_of
from serve.forecast.members import Member
from serve.forecast.service import Refusal
from trading.errors import ForecastError, ForecastLate, TradingError, UsageError
from trading.forecasting.aggregation import Method, aggregate
from trading.forecasting.forecast import Forecast, quantiles_by_level
from trading.forecasting.history import History
from trading.forecasting.prediction import LEVELS, Prediction
from trading.strategies.signals import FORECAST_DEVIATION, FORECAST_RETURN

State = Literal["ok", "partial", "late", "failed"]
REQUEST = 64
"""Histories in one request to a replica."""


class MemberStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How one member did.

    Attributes
    ----------
    state : str
        "ok": all requests were answered. "partial": some were. "late": none in time. "failed": none.
    forecasts : int
        Symbols with a forecast of this member.
    refused : int
        Symbols whose history it refused, or answered with NaN.
    repeated : int
        Requests to another replica, after the first one did not answer.
    code, reason : str
        Of the last request that was not answered; "" when all were.
    latency_ms : float
        Until its last request was answered or given up.
    """

    member: str
    state: State
    forecasts: int
    refused: int
    repeated: int
    code: str
    reason: str
    latency_ms: float


class DistributedForecast(msgspec.Struct, frozen=True, kw_only=True):
    """What the members say together.

    Attributes
    ----------
    forecasts : tuple of Forecast
        In the order of the histories; `model` is the aggregation and `version` 0, the data cut-off is that of the
        newest member, the expiry that of the earliest.
    errors : tuple of Refusal
        One for each symbol that fewer than `quorum` members forecast.
    members : tuple of MemberStatus
        In the order that they were given.
    voices : dict of symbol to members
        Whose forecasts are in the one of a symbol.
    """

    forecasts: tuple[Forecast, ...]
    errors: tuple[Refusal, ...]
    members: tuple[MemberStatus, ...]
    voices: dict[str, tuple[str, ...]]


async def predict_distributed(
    histories: Sequence[History],
    members: Sequence[Member],
    horizon: int,
    *,
    deadline_ms: float,
    method: Method = "median",
    weights: Mapping[str, float] | None = None,
    quorum: int = 1,
) -> DistributedForecast:
    """Ask all members about all symbols at once, and put together what came before the deadline.

    Parameters
    ----------
    histories : sequence of History
        One per symbol.
    members : sequence of Member
        With different names.
    horizon : int
        Bars ahead.
    deadline_ms : float
        Nothing is waited for longer.
    method : str
        See `trading.forecasting.aggregation.aggregate`.
    weights : mapping of member to weight or None
        For "stacking", and for "weighted" instead of the losses of the members.
    quorum : int
        Members that must answer, and that must forecast a symbol (>= 1).

    Raises
    ------
    UsageError
        If symbols or members are missing or repeated, or a number cannot be right.
    ForecastLate
        If fewer than `quorum` members answered, one of them for lack of time.
    ForecastError
        If fewer than `quorum` members answered.
    """
    _require_sound(histories, members, deadline_ms, quorum)
    plan = _Plan(method, weights, _losses(members), quorum)
    plan.require_weights(members)
    clock = asyncio.get_running_loop().time
    begun = clock()
    deadline_s = begun + deadline_ms / 1000.0
    voices = await asyncio.gather(
        *(_voice(member, histories, horizon, deadline_s) for member in members)
    )
    _require_quorum([voice.status for voice in voices], quorum, deadline_ms)
    return _together(histories, voices, plan, (clock() - begun) * 1000.0)


# -- asking


@dataclass(frozen=True, slots=True)
class _Voice:
    """What one member said."""

    status: MemberStatus
    forecasts: Mapping[str, Forecast]
    problems: Mapping[str, Exception]


async def _voice(
    member: Member, histories: Sequence[History], horizon: int, deadline_s: float
) -> _Voice:
    """Spread the requests over the replicas of a member: each begins with another one."""
    clock = asyncio.get_running_loop().time
    begun = clock()
    requests = [histories[at : at + REQUEST] for at in range(0, len(histories), REQUEST)]
    count = len(member.replicas)
    attempted = await asyncio.gather(
        *(
            attempt(
                [member.replicas[(number + turn) % count] for turn in range(count)],
                request,
                horizon,
                deadline_s,
            )
            for number, request in enumerate(requests)
        )
    )
    forecasts: dict[str, Forecast] = {}
    problems: dict[str, Exception] = {}
    for request, one in zip(requests, attempted, strict=True):
        outcomes: Sequence[Forecast | Exception | None]
        outcomes = one.outcomes or [one.error] * len(request)
        for history, outcome in zip(request, outcomes, strict=True):
            if isinstance(outcome, Forecast):
                forecasts[history.symbol] = outcome
            elif outcome is not None:
                problems[history.symbol] = outcome
    latency_ms = (clock() - begun) * 1000.0
    return _Voice(_status(member.name, attempted, forecasts, latency_ms), forecasts, problems)


def _status(
    member: str,
    attempted: Sequence[Attempted],
    forecasts: Mapping[str, Forecast],
    latency_ms: float,
) -> MemberStatus:
    errors = [each.error for each in attempted if each.error is not None]
    outcomes = sum(len(each.outcomes) for each in attempted)
    state: State = "ok"
    if errors:
        is_late = any(isinstance(error, ForecastLate) for error in errors)
        nothing: State = "late" if is_late else "failed"
        state = "partial" if outcomes else nothing
    code, reason = _said(errors[-1]) if errors else ("", "")
    return MemberStatus(
        member=member,
        state=state,
        forecasts=len(forecasts),
        refused=outcomes - len(forecasts),
        repeated=sum(max(0, each.asked - 1) for each in attempted),
        code=code,
        reason=reason,
        latency_ms=latency_ms,
    )


def _said(error: Exception) -> tuple[str, str]:
    if isinstance(error, TradingError):
        return error.code, str(error)
    return ForecastError.code, f"{type(error).__name__}: {error}"


# -- putting together


@dataclass(frozen=True, slots=True)
class _Plan:
    method: Method
    weights: Mapping[str, float] | None
    losses: Mapping[str, float] | None
    quorum: int

    def aggregated(self, members: Mapping[str, Prediction]) -> Prediction:
        return aggregate(self.method, members, weights=self.weights, losses=self.losses)

    def require_weights(self, members: Sequence[Member]) -> None:
        """Find a missing weight before anybody is asked, not when its member answers."""
        nothing = Prediction(np.zeros((1, 1, len(LEVELS))), np.ones(1))
        self.aggregated({member.name: nothing for member in members})


def _together(
    histories: Sequence[History], voices: Sequence[_Voice], plan: _Plan, latency_ms: float
) -> DistributedForecast:
    """Symbols that the same members forecast are put together in one go."""
    heard = {
        history.symbol: tuple(v.status.member for v in voices if history.symbol in v.forecasts)
        for history in histories
    }
    by_name = {voice.status.member: voice.forecasts for voice in voices}
    forecasts: dict[str, Forecast] = {}
    for names in {names for names in heard.values() if len(names) >= plan.quorum}:
        symbols = [symbol for symbol, who in heard.items() if who == names]
        said = {name: [by_name[name][symbol] for symbol in symbols] for name in names}
        together = plan.aggregated({name: prediction_of(said[name]) for name in names})
        for row, symbol in enumerate(symbols):
            parts = [said[name][row] for name in names]
            forecasts[symbol] = _joined(parts, together, row, plan.method, latency_ms)
    return DistributedForecast(
        forecasts=tuple(forecasts[symbol] for symbol in heard if symbol in forecasts),
        errors=tuple(_refusal(s, voices, plan.quorum) for s in heard if s not in forecasts),
        members=tuple(voice.status for voice in voices),
        voices={symbol: names for symbol, names in heard.items() if symbol in forecasts},
    )


def _joined(
    parts: Sequence[Forecast], together: Prediction, row: int, method: str, latency_ms: float
) -> Forecast:
    first = parts[0]
    alone = Prediction(together.log_returns[row : row + 1], together.scale[row : row + 1])
    signals = alone.signals(first.horizon)
    return Forecast(
        symbol=first.symbol,
        model=method,
        version=0,
        provider="+".join(sorted({part.provider for part in parts})),
        is_fallback=any(part.is_fallback for part in parts),
        is_cached=all(part.is_cached for part in parts),
        horizon=first.horizon,
        as_of=first.as_of,
        data_cutoff=max(part.data_cutoff for part in parts),
        expires_at=min(part.expires_at for part in parts),
        last_close=first.last_close,
        quantiles=quantiles_by_level(alone.prices(np.array([first.last_close]))[0]),
        expected_return=float(signals[FORECAST_RETURN][0]),
        deviation=float(signals[FORECAST_DEVIATION][0]),
        latency_ms=latency_ms,
    )


def _refusal(symbol: str, voices: Sequence[_Voice], quorum: int) -> Refusal:
    """Say what is wrong with the history, if that is the reason; otherwise why a member is missing."""
    missing = {v.status.member: v.problems[symbol] for v in voices if symbol in v.problems}
    name = next(
        (name for name, error in missing.items() if _said(error)[0].startswith("FORECAST_HISTORY")),
        next(iter(missing)),
    )
    code, reason = _said(missing[name])
    count = len(voices) - len(missing)
    detail = f"{count} of {len(voices)} models forecast {symbol}, {quorum} must; {name}: {reason}"
    return Refusal(symbol=symbol, code=code, detail=detail)


# -- conditions


def _losses(members: Sequence[Member]) -> dict[str, float] | None:
    known = {member.name: member.loss for member in members if member.loss is not None}
    return known or None


def _require_sound(
    histories: Sequence[History], members: Sequence[Member], deadline_ms: float, quorum: int
) -> None:
    for what, names in (
        ("symbol", [history.symbol for history in histories]),
        ("member", [member.name for member in members]),
    ):
        if not names:
            raise UsageError(f"There is no {what} to forecast with; give at least one.")
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise UsageError(f"The {what} {repeated[0]!r} is given twice.")
    idle = [member.name for member in members if not member.replicas]
    if idle:
        raise UsageError(f"The member {idle[0]!r} has no replica to ask.")
    if not 1 <= quorum <= len(members):
        raise UsageError(f"The quorum is {quorum}, must be from 1 to {len(members)} members.")
    if not 0 < deadline_ms < float("inf"):
        raise UsageError(f"The deadline is {deadline_ms} ms, must be above 0.")


def _require_quorum(statuses: Sequence[MemberStatus], quorum: int, deadline_ms: float) -> None:
    silent = [status for status in statuses if status.state in ("late", "failed")]
    answered = len(statuses) - len(silent)
    if answered >= quorum:
        return
    who = "; ".join(f"{each.member} {each.state}: {each.reason}" for each in silent)
    message = f"{answered} of {len(statuses)} models answered within {deadline_ms:g} ms, {quorum} must: {who}"
    if any(status.state == "late" for status in silent):
        raise ForecastLate(message)
    raise ForecastError(message)
