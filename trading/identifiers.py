"""One type per identifier, and the two functions that derive identifiers from facts.

Identifiers are `NewType`s over `str`: free at run time, and mypy refuses to mix them.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import NewType

InstrumentId = NewType("InstrumentId", str)
"""`SYMBOL.VENUE`, for example `AAPL.XNAS`."""
Venue = NewType("Venue", str)
"""Name of the place where orders go, for example `paper`."""
AccountId = NewType("AccountId", str)
"""Name of one account at one venue, for example `DEMO`."""
StrategyId = NewType("StrategyId", str)
ClientOrderId = NewType("ClientOrderId", str)
"""Ours (FIX ClOrdID): 32 hexadecimal digits, the idempotency key of an order, never reused."""
VenueOrderId = NewType("VenueOrderId", str)
"""The venue's (FIX OrderID)."""
TradeId = NewType("TradeId", str)
"""The venue's execution id (FIX ExecID): the key by which a fill is applied once."""
MachineName = NewType("MachineName", str)
"""Address of a state machine: `kind:key`, for example `broker:paper:DEMO`."""
StreamName = NewType("StreamName", str)
"""Name of one journal stream, for example `account:paper:DEMO`."""


def instrument_id(symbol: str, venue: str) -> InstrumentId:
    """Return `SYMBOL.VENUE`.

    Raises
    ------
    ValueError
        If either part is empty or the venue contains a dot.
    """
    if not symbol or not venue or "." in venue:
        raise ValueError(f"not an instrument id: symbol={symbol!r} venue={venue!r}")
    return InstrumentId(f"{symbol}.{venue}")


def symbol_of(instrument: InstrumentId) -> str:
    """Return the symbol part: everything before the last dot."""
    return instrument.rpartition(".")[0]


@lru_cache(maxsize=1_024)
def machine_name(kind: str, *key: str) -> MachineName:
    """Return the address `kind:key[:key]`; the one place where addresses are formed.

    Raises
    ------
    ValueError
        If a part is empty or holds a colon.
    """
    parts = (kind, *key)
    if not all(parts) or any(":" in part for part in parts):
        raise ValueError(f"not a machine name: {parts!r}")
    return MachineName(":".join(parts))


def machine_kind(name: MachineName) -> str:
    """Return the kind of a machine from its address: `broker` from `broker:paper:DEMO`."""
    return name.partition(":")[0]


def account_stream(venue: Venue, account_id: AccountId) -> StreamName:
    """Return the name of the journal stream that holds all order facts of one account."""
    return StreamName(f"account:{venue}:{account_id}")


def kill_stream(account_id: AccountId) -> StreamName:
    """Return the name of the shared stream that latches and resets an account's kill switch."""
    return StreamName(f"kill:{account_id}")


def derive_client_order_id(
    account_id: AccountId,
    strategy_id: StrategyId,
    instrument: InstrumentId,
    ts_event: int,
    purpose: str,
    index: int = 0,
) -> ClientOrderId:
    """Return the id that this decision always gets: a pure hash of the logical order.

    A strategy that restarts and decides again on the same data derives the same id, so a
    repeated order is recognised everywhere. 32 hexadecimal digits are legal at every venue
    that we know (Kraken takes a UUID without dashes, Binance 36 characters, Alpaca 128).

    Parameters
    ----------
    ts_event : int
        Time of the data that the decision was made on (ns UTC).
    purpose : str
        What the order is for, for example `target`, `stop_loss`, `flatten`.
    index : int
        Distinguishes several orders of one decision.
    """
    text = "\x1f".join((account_id, strategy_id, instrument, str(ts_event), purpose, str(index)))
    return ClientOrderId(blake2b(text.encode(), digest_size=16).hexdigest())


def derive_leg_id(first: ClientOrderId, index: int) -> ClientOrderId:
    """Return the id of order `index` (>= 1) of the list that begins with the order `first`."""
    text = f"{first}\x1f{index}"
    return ClientOrderId(blake2b(text.encode(), digest_size=16).hexdigest())
