"""What the venue answers when it is asked about an account."""

from typing import Any

from trading.commands import QueryMassStatus
from trading.exchange.turn import Turn
from trading.exchange.venue_account import VenueAccount
from trading.exchange.venue_state import VenueState
from trading.reports import AccountReport, MassStatus, PositionReport


def mass_status(state: VenueState, query: QueryMassStatus, turn: Turn) -> MassStatus:
    """Return open orders, fills from `query.since` on, positions and cash, all of one moment."""
    account = state.accounts[query.account_id]
    positions = (
        PositionReport(
            **turn.stamps,
            account_id=query.account_id,
            instrument_id=instrument_id,
            quantity=position.quantity,
            avg_px=position.avg_px,
        )
        for instrument_id, position in account.open_positions().items()
    )
    return MassStatus(
        **turn.stamps,
        account_id=query.account_id,
        open_orders=tuple(map(turn.status, state.open_orders[query.account_id].values())),
        fills=tuple(fill for fill in account.fills if fill.ts_event >= query.since),
        positions=tuple(positions),
        account=AccountReport(**turn.stamps, account_id=query.account_id, cash=account.cash),
    )


def account_view(account: VenueAccount) -> dict[str, Any]:
    """Return cash, profit, positions and counts for people."""
    return {
        "cash": account.cash,
        "commissions": account.commissions,
        "realized_pnl": account.realized_pnl,
        "fills": len(account.fills),
        "positions": {
            instrument_id: {"quantity": position.quantity, "avg_px": position.avg_px}
            for instrument_id, position in account.open_positions().items()
        },
    }
