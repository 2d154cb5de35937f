"""What the accounts hold, and what became of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from serve.api.lists import EquityCurve, FillPage, PositionList
from serve.api.paging import Key, Paged, page_of
from serve.api.permitted import Asker, Desk, Reader
from serve.desk.accounts import accounts_of, source_of
from serve.desk.analysis import allocation
from serve.desk.analysis.allocation import Rebalancing
from serve.desk.answers import Fill, Portfolio, moment
from serve.desk.order_rows import fills_of
from serve.desk.portfolio import portfolio_of, positions_of
from trading.errors import NotFound

router = APIRouter(tags=["portfolio"])
POINTS_MAX = 5_000


class RebalanceQuestion(BaseModel):
    """Where a portfolio is to go."""

    model_config = ConfigDict(
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"target_allocations": {"AAPL": 0.5, "KO": 0.3}}]},
    )
    target_allocations: dict[str, float] = Field(
        min_length=1, max_length=200, description="Parts of the whole by symbol; the rest is cash."
    )
    current_portfolio: dict[str, Any] | None = Field(
        default=None, max_length=200, description="Nothing: that of the cluster."
    )
    rebalance_threshold: float = Field(default=0.05, ge=0, lt=1)


class FillFilters(Paged):
    """Which fills."""

    symbol: str | None = None
    strategy: str | None = None
    account: str | None = None


@router.get("/portfolio", summary="Accounts, positions and strategies")
def get_portfolio(_: Reader, desk: Desk) -> Portfolio:
    """Of all accounts, as their ledgers and risk managers say it now."""
    return portfolio_of(desk.trading.snapshot())


@router.get("/positions", summary="Open positions")
def list_positions(_: Reader, desk: Desk, account: str | None = None) -> PositionList:
    """The largest value of each account first."""
    snapshot = desk.trading.snapshot()
    found = [
        row
        for each in accounts_of(snapshot)
        if account in (None, each.account)
        for row in positions_of(each)
    ]
    return PositionList(
        source=source_of(snapshot), as_of=moment(snapshot.clock_ns), positions=found
    )


@router.get("/fills", summary="The newest fills")
def list_fills(_: Reader, desk: Desk, asked: Annotated[FillFilters, Query()]) -> FillPage:
    """As many as the ledgers keep at hand; the journal has all of them (`trader fills --follow`)."""
    snapshot = desk.trading.snapshot()
    found = [row for row in fills_of(snapshot) if _is_wanted(row, asked)]
    page, following = page_of(found, _newest_first, asked)
    return FillPage(
        source=source_of(snapshot), as_of=moment(snapshot.clock_ns), fills=page, next=following
    )


@router.get("/equity", summary="The course of the equity")
def get_equity(
    _: Reader,
    desk: Desk,
    points: Annotated[int, Query(ge=2, le=POINTS_MAX)] = 500,
    account: Annotated[str | None, Query(description="Nothing: the first one.")] = None,
) -> EquityCurve:
    """Marks of one account, the oldest first, thinned to at most `points`."""
    snapshot, curves = desk.trading.snapshot(), desk.trading.equity(points)
    found = next((each for each in curves if account in (None, each.account)), None)
    if found is None:
        known = ", ".join(each.account for each in curves)
        raise NotFound(f"no account {str(account)[:60]!r} trades here; there are: {known}.")
    return EquityCurve(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        account=found.account,
        points=found.points,
    )


@router.post("/portfolio/rebalance", summary="The trades that lead to target weights")
def plan_rebalancing(_: Asker, desk: Desk, asked: RebalanceQuestion) -> Rebalancing:
    """It is calculated, and nothing is traded."""
    return allocation.rebalance(
        desk, asked.target_allocations, asked.current_portfolio, asked.rebalance_threshold
    )


def _is_wanted(row: Fill, asked: FillFilters) -> bool:
    return (
        asked.symbol in (None, row.symbol, row.instrument_id)
        and asked.strategy in (None, row.strategy_id)
        and asked.account in (None, row.account)
    )


def _newest_first(row: Fill) -> Key:
    return (-int(row.filled_at.timestamp() * 1e6), row.account, row.trade_id)
