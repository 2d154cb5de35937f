"""From what a person asks for to an order of ours: which instrument, which account, in whose name, which prices."""

from decimal import Decimal

import msgspec

from actors.blueprint import Blueprint
from cluster.desk.quotes import middle_of
from serve.desk.port import NewOrder
from serve.desk.view import ClusterSnapshot
from trading.account import OPERATOR
from trading.codec import digest_of
from trading.commands import SubmitOrder
from trading.errors import NotFound, UsageError
from trading.identifiers import ClientOrderId, InstrumentId, StrategyId, symbol_of
from trading.instruments import Instrument
from trading.values import OrderType, TimeInForce

MANUAL = "manual"
"""Purpose of the orders of people."""
_PRICES = {
    "limit_price": frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT}),
    "stop_price": frozenset({OrderType.STOP_MARKET, OrderType.STOP_LIMIT}),
    "trailing_offset": frozenset({OrderType.TRAILING_STOP_MARKET}),
}
"""Which kinds of order need which price; no other kind takes it."""
_NAMED_MAX = 10


def order_of(blueprint: Blueprint, asked: NewOrder) -> tuple[Blueprint, SubmitOrder]:
    """Return the account that an order is for, and the order, without id and times.

    Raises
    ------
    NotFound
        If nothing of that name is traded.
    UsageError
        If it makes no sense, or its account must be named.
    """
    account, instrument = listing_of(blueprint, asked.symbol, asked.account)
    _require_prices(asked)
    time_in_force = asked.time_in_force
    if time_in_force is TimeInForce.DAY:
        time_in_force = instrument.order_time
    return account, SubmitOrder(
        client_order_id=ClientOrderId(""),
        account_id=account.account_id,
        strategy_id=trader_of(blueprint, asked.strategy),
        instrument_id=instrument.instrument_id,
        side=asked.side,
        quantity=asked.quantity,
        order_type=asked.order_type,
        time_in_force=time_in_force,
        price=asked.limit_price,
        trigger_price=asked.stop_price,
        trailing_offset=asked.trailing_offset,
        reduce_only=asked.reduce_only,
        extended_hours=asked.extended_hours,
        purpose=MANUAL,
    )


def stamped(
    order: SubmitOrder, snapshot: ClusterSnapshot, account: Blueprint, now: int
) -> SubmitOrder:
    """Return the order with the market that it was asked for in: its time, and its price there."""
    instrument = account.instruments_by_id[order.instrument_id]
    middle = middle_of(snapshot, account, order.instrument_id)
    return msgspec.structs.replace(
        order,
        ts_event=snapshot.clock_ns or now,
        ts_init=now,
        arrival_px=None if middle is None else instrument.price(middle),
    )


def digest_of_terms(order: SubmitOrder) -> str:
    """Return the hash of what was asked for; 10 and 10.0 units are the same."""
    terms = {
        name: format(value.normalize(), "f") if isinstance(value, Decimal) else value
        for name in SubmitOrder.__struct_fields__
        if name not in _NO_TERMS
        for value in (getattr(order, name),)
    }
    return digest_of(terms)


_NO_TERMS = frozenset(
    {
        "ts_event", "ts_init", "correlation_id", "causation_id", "client_order_id", "arrival_px",
        "expires_at", "ts_signal",
    }
)  # fmt: skip


def listing_of(blueprint: Blueprint, symbol: str, account_id: str) -> tuple[Blueprint, Instrument]:
    """Return where a symbol is traded.

    Parameters
    ----------
    symbol : str
        An instrument id, a symbol, or the venue's name of it.
    account_id : str
        Of this account; empty is of the only one that lists it.

    Raises
    ------
    NotFound, UsageError
        As `order_of`.
    """
    known = [str(each.account_id) for each in blueprint.accounts]
    if account_id and account_id not in known:
        raise UsageError(f"there is no account {account_id!r}; name one of {', '.join(known)}.")
    found = [
        (account, instrument)
        for account in blueprint.accounts
        if account_id in ("", account.account_id)
        for instrument in account.instruments
        if is_named(instrument, symbol)
    ]
    if not found:
        raise NotFound(f"{symbol!r} is not traded here; {_traded(blueprint)}.")
    if len(found) > 1:
        if len({account.account_id for account, _ in found}) > 1:
            at = ", ".join(str(account.account_id) for account, _ in found)
            raise UsageError(f"{symbol} is traded by several accounts; name one of {at}.")
        ids = ", ".join(instrument.instrument_id for _, instrument in found)
        raise UsageError(f"{symbol} means several instruments; name one of {ids}.")
    return found[0]


def is_named(instrument: Instrument, symbol: str) -> bool:
    """Say whether people mean this instrument by `symbol`."""
    key = instrument.instrument_id
    return symbol in (key, symbol_of(key), instrument.venue_symbol)


def trader_of(blueprint: Blueprint, name: str) -> StrategyId:
    """Return in whose name is traded; empty is the operator's.

    Raises
    ------
    UsageError
        If risk would let nobody of that name pass.
    """
    traders = (
        OPERATOR,
        *blueprint.traders,
        *(plan.strategy_id for plan in blueprint.strategies),
    )
    wanted = StrategyId(name or OPERATOR)
    if wanted not in traders:
        raise UsageError(f"{name!r} may not trade; who may: {', '.join(traders)}.")
    return wanted


def _require_prices(asked: NewOrder) -> None:
    for name, kinds in _PRICES.items():
        is_given, is_needed = getattr(asked, name) is not None, asked.order_type in kinds
        if is_needed and not is_given:
            raise UsageError(f"an order of type {asked.order_type} needs {name}.")
        if is_given and not is_needed:
            raise UsageError(
                f"an order of type {asked.order_type} takes no {name}; leave it out, or ask for "
                f"{' or '.join(sorted(kinds))}."
            )


def _traded(blueprint: Blueprint) -> str:
    names: list[InstrumentId] = [
        each.instrument_id for account in blueprint.accounts for each in account.instruments
    ]
    shown = ", ".join(symbol_of(key) for key in names[:_NAMED_MAX])
    more = len(names) - _NAMED_MAX
    return f"what is: {shown}" + (f" and {more} more" if more > 0 else "")
