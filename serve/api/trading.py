"""Trading as a whole: how it stands, pausing it, and the kill switch."""

from typing import Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from serve.api.lists import KillReports
from serve.api.permitted import Desk, Reader, RiskAdmin, Stopper
from serve.desk.answers import Answer, KillReport, Provenance
from serve.desk.portfolio import portfolio_of
from serve.desk.standing import risk_of
from serve.desk.view import ClusterSnapshot
from trading.values import TradingState

router = APIRouter(prefix="/trading", tags=["trading"])


class TradingStanding(Provenance):
    """Whether orders can leave now, and why not."""

    mode: str
    state: str = Field(
        description="ACTIVE, REDUCING or HALTED; UNKNOWN while the risk manager is down."
    )
    code: str
    reason: str
    kill_switch: str
    is_killed: bool
    is_ready: bool = Field(description="Every account agrees with its venue.")
    strategies: list[str]


class StateInForce(Answer):
    """What the risk manager says after the change."""

    state: str


class Because(BaseModel):
    """A reason."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "earnings tonight"}]}
    )
    reason: str = Field(default="", max_length=500, description="It is kept.")


class Pause(Because):
    """How far trading is paused."""

    state: Literal[TradingState.REDUCING, TradingState.HALTED] = Field(
        default=TradingState.REDUCING,
        description="REDUCING lets through what makes a position smaller, HALTED nothing but cancels.",
    )


class Kill(Because):
    """The kill switch."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"reason": "wrong prices", "flatten": False}]},
    )
    flatten: bool = Field(default=False, description="Also close every position.")


@router.get("", summary="Whether orders can leave now, and why not")
def get_trading(_: Reader, desk: Desk) -> TradingStanding:
    return standing_of(desk.trading.snapshot(), desk.trading.mode)


@router.post("/pause", summary="Pause all trading")
def pause_trading(by: RiskAdmin, desk: Desk, asked: Pause) -> StateInForce:
    """Cancels pass in any state."""
    return StateInForce(state=desk.trading.set_state(asked.state, by, asked.reason))


@router.post("/resume", summary="Trade again")
def resume_trading(by: RiskAdmin, desk: Desk, asked: Because) -> StateInForce:
    """After a pause. The kill switch is another thing: it is reset, not resumed."""
    return StateInForce(state=desk.trading.set_state(TradingState.ACTIVE, by, asked.reason))


@router.post("/kill", summary="The kill switch: cancel everything, let nothing out")
def kill_trading(by: Stopper, desk: Desk, asked: Kill) -> KillReports:
    """Latched and durable; it works with every actor dead. Resetting it is a separate act."""
    reports: list[KillReport] = desk.trading.kill(by, asked.reason, flatten=asked.flatten)
    return KillReports(reports=reports)


@router.post("/reset", summary="Reset the kill switch")
def reset_trading(by: RiskAdmin, desk: Desk, asked: Because) -> StateInForce:
    desk.trading.reset_kill(by, asked.reason)
    return StateInForce(state=risk_of(desk.trading.snapshot()).state)


def standing_of(snapshot: ClusterSnapshot, mode: str) -> TradingStanding:
    """Return how trading stands, from one look at the cluster."""
    risk, portfolio = risk_of(snapshot), portfolio_of(snapshot)
    return TradingStanding(
        source=portfolio.source,
        as_of=portfolio.as_of,
        mode=mode,
        state=portfolio.trading_state,
        code=risk.code,
        reason=risk.reason,
        kill_switch=risk.kill_switch,
        is_killed=portfolio.is_killed,
        is_ready=all(account.is_ready for account in portfolio.accounts),
        strategies=[each.strategy_id for each in portfolio.strategies],
    )
