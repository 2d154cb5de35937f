"""What people see of risk: plain values."""

from decimal import Decimal
from typing import Any

from trading.risk.breakers import Counters
from trading.risk.limits import RiskLimits
from trading.risk.reservations import WorkingOrder
from trading.risk.state import RiskState
from trading.risk.variance import normal_quantile
from trading.values import ZERO, OrderSide


def view_of(state: RiskState) -> dict[str, Any]:
    """Return trading state, limits with their use, counters, reservations and refusals."""
    standing, holdings = state.standing, state.holdings
    counters = state.counters()
    return {
        "state": str(standing.hold.state),
        "code": standing.hold.code,
        "reason": standing.hold.reason,
        "until": standing.hold.until,
        "kill_switch": holdings.kill_reason,
        "market_time": state.market_time,
        "day": standing.day,
        "equity": state.guard.last,
        "day_equity": state.day_equity,
        "peak_equity": state.peak_equity,
        "limits": _limits(state, counters),
        "strategies": {
            str(name): ledger.gross for name, ledger in holdings.reservations.strategies.items()
        },
        "strategy_positions": {
            str(name): {
                str(key): line.quantity for key, line in ledger.lines.items() if line.quantity
            }
            for name, ledger in holdings.reservations.strategies.items()
        },
        "positions": {
            str(key): line.quantity
            for key, line in holdings.reservations.account.lines.items()
            if line.quantity
        },
        "reservations": [_reservation(w) for w in holdings.reservations.orders.values()],
        "groups": dict(state.desk.groups),
        "halted_strategies": {
            str(key): halt.reason
            for key, halt in standing.halts.items()
            if halt.until > state.market_time
        },
        "denials": dict(standing.denials),
        "bad_equity_readings": state.guard.bad_count,
        "bad_prices": state.prices.bad_count,
    }


def _limits(state: RiskState, counters: Counters) -> dict[str, dict[str, Decimal | int]]:
    limits, account = state.limits, state.holdings.reservations.account
    largest = max((line.value for line in account.lines.values()), default=ZERO)
    used: dict[str, Decimal | int] = {
        "max_notional_per_position": largest,
        "max_total_exposure": account.gross,
        "max_open_positions": len(account.lines),
        "max_daily_loss": max(ZERO, counters.daily_loss or ZERO),
        "max_drawdown": counters.drawdown or ZERO,
        "max_consecutive_losses": counters.consecutive_losses,
        "max_trades_per_day": counters.trades_today,
    }
    used |= _desk_use(state)
    return {
        name: _use(limits, name, amount)
        for name, amount in used.items()
        if getattr(limits, name) is not None
    }


def _desk_use(state: RiskState) -> dict[str, Decimal | int]:
    """Return what is used of the limits of the desk that can be measured now."""
    account, equity = state.holdings.reservations.account, state.guard.last
    used: dict[str, Decimal | int] = {"max_open_orders": len(state.holdings.reservations.orders)}
    if equity is not None and equity > 0:
        largest = max((line.value for line in account.lines.values()), default=ZERO)
        net = state.desk.net_after(OrderSide.BUY, ZERO)
        used["max_concentration"] = round(largest / equity, 4)
        used["max_gross_leverage"] = round(account.gross / equity, 4)
        used["max_net_leverage"] = round(net / equity, 4)
    if state.desk.variance is not None:
        quantile = normal_quantile(float(state.limits.value_at_risk_confidence))
        at_risk = quantile * state.desk.variance.deviation
        used["max_value_at_risk"] = Decimal(repr(round(at_risk, 2)))
    return used


def _use(limits: RiskLimits, name: str, used: Decimal | int) -> dict[str, Decimal | int]:
    most: Decimal | int = getattr(limits, name)
    return {"limit": most, "used": used, "left": max(most - used, 0)}


def _reservation(working: WorkingOrder) -> dict[str, Any]:
    order = working.order
    return {
        "client_order_id": str(order.client_order_id),
        "strategy": str(order.strategy_id),
        "instrument": str(order.instrument_id),
        "side": str(order.side),
        "reserved": working.reserved,
        "filled": working.filled,
        "in_flight": not working.is_recorded,
    }
