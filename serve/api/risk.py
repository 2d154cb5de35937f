"""Risk: how it stands, the limits in force, and changing them."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from serve.api.lists import LimitList
from serve.api.permitted import Asker, Desk, Reader, RiskAdmin
from serve.desk.analysis import kelly, risk
from serve.desk.analysis.holdings import POSITIONS_MAX, Holding
from serve.desk.analysis.kelly import KellyCriterion
from serve.desk.analysis.risk import HORIZON_MAX
from serve.desk.analysis.risk_answers import RiskAnalysis
from serve.desk.answers import LimitUse, RiskStanding
from serve.desk.standing import risk_of
from trading.errors import NotFound

router = APIRouter(prefix="/risk", tags=["risk"])
LimitName = Annotated[str, Path(pattern=r"^[A-Za-z0-9_.:-]{1,128}$", examples=["max_daily_loss"])]


class LimitChange(BaseModel):
    """A new limit."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"value": "5000", "reason": "fed day"}]}
    )
    value: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9.,:/ %+-]+$")
    reason: str = Field(default="", max_length=500, description="It is kept.")


class RiskQuestion(BaseModel):
    """What is to be measured, and how."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"portfolio": [{"symbol": "AAPL", "quantity": 100}], "time_horizon": 5}]
        },
    )
    portfolio: list[Holding] | None = Field(
        default=None, max_length=POSITIONS_MAX, description="Nothing: that of the cluster."
    )
    var_confidence: float = Field(
        default=0.05, gt=0, lt=1, description="0.05 and 0.95 are the same: one in twenty is worse."
    )
    time_horizon: int = Field(default=1, ge=1, le=HORIZON_MAX, description="Trading days.")
    use_monte_carlo: bool = True


class KellyQuestion(BaseModel):
    """A bet, or a trade with two outcomes."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"probability": 0.55, "odds": 2.0, "bankroll": 10000}]},
    )
    probability: float = Field(gt=0, lt=1)
    odds: float = Field(gt=1, le=1e6, description="Decimal odds.")
    bankroll: float = Field(gt=0, le=1e15)
    fraction: float = Field(default=0.25, gt=0, le=1, description="Of the full Kelly stake.")


@router.get("", summary="State, limits with room left, and what was refused")
def get_risk(_: Reader, desk: Desk) -> RiskStanding:
    return risk_of(desk.trading.snapshot(), desk.trading.limits())


@router.get("/limits", summary="The limits in force")
def list_limits(_: Reader, desk: Desk) -> LimitList:
    return LimitList(limits=desk.trading.limits())


@router.get("/limits/{name}", summary="One limit")
def get_limit(_: Reader, desk: Desk, name: LimitName) -> LimitUse:
    limits = desk.trading.limits()
    for limit in limits:
        if limit.name == name:
            return limit
    raise NotFound(
        f"There is no limit {name!r}; there are {', '.join(one.name for one in limits)}."
    )


@router.put("/limits/{name}", summary="Change a limit")
def change_limit(by: RiskAdmin, desk: Desk, name: LimitName, asked: LimitChange) -> LimitUse:
    """It is in force within a second, is journalled, and survives a restart."""
    return desk.trading.change_limit(name, asked.value, by, asked.reason)


@router.delete("/limits/{name}", summary="Go back to the configured limit")
def reset_limit(
    by: RiskAdmin,
    desk: Desk,
    name: LimitName,
    reason: Annotated[str, Query(max_length=500, description="It is kept.")] = "",
) -> LimitUse:
    return desk.trading.change_limit(name, "", by, reason)


@router.post("/analysis", summary="Value at risk by several methods, and what crises would do")
def analyse_risk(_: Asker, desk: Desk, asked: RiskQuestion) -> RiskAnalysis:
    return risk.risk_analysis(
        desk, asked.portfolio, asked.var_confidence, asked.time_horizon, asked.use_monte_carlo
    )


@router.post("/kelly", summary="How much to stake")
def get_kelly_stake(_: Asker, asked: KellyQuestion) -> KellyCriterion:
    return kelly.kelly_criterion(asked.probability, asked.odds, asked.bankroll, asked.fraction)
