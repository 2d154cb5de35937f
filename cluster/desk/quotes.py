"""Best bid and ask as the book machines show them."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

from actors.blueprint import Blueprint
from serve.desk.answers import Listed, Quote, moment
from serve.desk.view import ClusterSnapshot
from trading.identifiers import InstrumentId, symbol_of


def listed_of(blueprint: Blueprint) -> list[Listed]:
    """Return what the cluster trades."""
    return [
        Listed(
            instrument_id=each.instrument_id,
            symbol=symbol_of(each.instrument_id),
            account=account.account_id,
            venue=account.venue,
            tick=each.tick_size,
            lot=each.lot_size,
        )
        for account in blueprint.accounts
        for each in account.instruments
    ]


def quotes_of(blueprint: Blueprint, snapshot: ClusterSnapshot) -> list[Quote]:
    """Return the books that have a bid or an ask and can be trusted."""
    return [
        _quote(account, InstrumentId(key), row)
        for account in blueprint.accounts
        for key, row in books_of(snapshot, account).items()
        if row["bid_px"] is not None or row["ask_px"] is not None
    ]


def books_of(snapshot: ClusterSnapshot, account: Blueprint) -> Mapping[str, Mapping[str, Any]]:
    """Return the books of an account's venue by instrument; none while their machine is down."""
    books = machine_of(snapshot, account, "book").get("books", {})
    assert isinstance(books, Mapping)
    return books


def machine_of(snapshot: ClusterSnapshot, account: Blueprint, kind: str) -> Mapping[str, Any]:
    """Return what a machine of an account says; nothing while it is down."""
    name = str(account.name(kind))
    return next((views[name] for views in _machines(snapshot) if name in views), {})


def middle_of(
    snapshot: ClusterSnapshot, account: Blueprint, instrument_id: InstrumentId
) -> float | None:
    """Return the middle of a book with two sides."""
    book = books_of(snapshot, account).get(instrument_id, {})
    bid, ask = book.get("bid_px"), book.get("ask_px")
    return None if bid is None or ask is None else (bid + ask) / 2


def _machines(snapshot: ClusterSnapshot) -> Iterator[Mapping[str, Mapping[str, Any]]]:
    yield snapshot.machines
    for linked in snapshot.linked:
        yield linked.machines


def _quote(account: Blueprint, key: InstrumentId, row: Mapping[str, Any]) -> Quote:
    is_live = account.feed is not None
    return Quote(
        instrument_id=key,
        symbol=symbol_of(key),
        venue=account.venue,
        bid=row["bid_px"],
        bid_size=row["bid_size"],
        ask=row["ask_px"],
        ask_size=row["ask_size"],
        at=moment(row["ts_event"]),
        age_s=max(0.0, (time.time_ns() - row["ts_init"]) / 1e9) if is_live else None,
    )
