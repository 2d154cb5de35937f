"""A snapshot as a portfolio: accounts, positions, strategies."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from serve.desk.accounts import AccountViews, accounts_of, source_of, strictest
from serve.desk.answers import (
    AccountStanding,
    Portfolio,
    Position,
    StrategyStanding,
    moment,
)
from serve.desk.view import ClusterSnapshot
from trading.identifiers import InstrumentId, symbol_of


def portfolio_of(snapshot: ClusterSnapshot) -> Portfolio:
    """Return what the ledgers and risk managers of all accounts say."""
    accounts = list(accounts_of(snapshot))
    return Portfolio(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        accounts=[_standing(each) for each in accounts],
        positions=[row for each in accounts for row in positions_of(each)],
        strategies=[row for each in accounts for row in _strategies(each)],
        trading_state=strictest(accounts).trading_state,
        is_killed=any(each.of("broker").get("kill", {}).get("is_latched") for each in accounts),
    )


def positions_of(account: AccountViews) -> list[Position]:
    """Return the open positions of one account, largest value first."""
    rows = [_position(account.account, row) for row in account.of("ledger").get("positions", ())]
    return sorted(rows, key=lambda row: -abs(row.value))


def _position(account: str, row: Mapping[str, Any]) -> Position:
    key = InstrumentId(row["instrument_id"])
    return Position(
        account=account,
        instrument_id=key,
        symbol=symbol_of(key),
        quantity=row["quantity"],
        average_price=row["avg_px"],
        last_price=row["last_px"],
        value=row["value"],
        unrealized_pnl=row["unrealized_pnl"],
        realized_pnl=row["realized_pnl"],
    )


def _standing(account: AccountViews) -> AccountStanding:
    ledger, broker, venue = account.of("ledger"), account.of("broker"), account.venue
    return AccountStanding(
        account=account.account,
        venue="simulated exchange" if venue is None else venue.name,
        is_ready=bool(broker.get("is_ready")),
        reason=_reason(account),
        equity=ledger.get("equity"),
        cash=ledger.get("cash"),
        initial_equity=ledger.get("initial"),
        realized_pnl=ledger.get("realized_pnl"),
        unrealized_pnl=ledger.get("unrealized_pnl"),
        commissions=ledger.get("commissions"),
        gross_exposure=ledger.get("gross"),
        net_exposure=ledger.get("net"),
        drawdown=_ratio(ledger.get("drawdown")),
        max_drawdown=_ratio(ledger.get("max_drawdown")),
        sharpe_ratio=ledger.get("sharpe"),
    )


def _reason(account: AccountViews) -> str:
    if not account.of("broker"):
        return "its broker is down"
    return "" if account.venue is None or account.venue.is_ready else account.venue.summary


def _strategies(account: AccountViews) -> list[StrategyStanding]:
    halted = account.of("risk").get("halted_strategies", {})
    return [
        StrategyStanding(
            strategy_id=name,
            capital=row["capital"],
            profit=row["profit"],
            total_return=row["return"],
            sharpe_ratio=row["sharpe"],
            max_drawdown=float(row["max_drawdown"]),
            exposure=row["exposure"],
            trades=row["trades"],
            is_disabled=bool(account.machines.get(f"strategy:{name}", {}).get("disabled")),
            halt_reason=halted.get(name, ""),
        )
        for name, row in account.of("ledger").get("strategies", {}).items()
    ]


def _ratio(value: Decimal | float | None) -> float | None:
    return None if value is None else float(value)
