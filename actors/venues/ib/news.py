"""Headlines through IB. Their text comes from outside: whoever shows it to a model must mark it as untrusted."""

import re
from datetime import UTC, datetime

import msgspec

from actors.venues.ib.connection import NEWS_PROVIDERS
from actors.venues.ib.market_data import IbMarketData
from trading.errors import VenueRefused
from trading.identifiers import InstrumentId
from trading.values import NANOS_PER_SECOND

HEADLINES_MAX = 300
"""IB sends no more at once."""
_META = re.compile(r"^\{[^}]*\}!?|\{[A-Z]:[^}]*\}")


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """One headline; `ts_event` is when it was published (ns UTC)."""

    ts_event: int
    instrument_id: InstrumentId
    provider: str
    article_id: str
    text: str


async def news_providers(feed: IbMarketData) -> dict[str, str]:
    """Return the names of the news providers that the account may read, by code."""
    rows = await feed.connection().ask_kind(NEWS_PROVIDERS, "reqNewsProviders")
    return {each.code: each.name for row in rows for each in row[0]}


async def headlines(
    feed: IbMarketData,
    instrument_id: InstrumentId,
    start: int,
    end: int,
    providers: tuple[str, ...] = (),
    count: int = HEADLINES_MAX,
) -> tuple[Headline, ...]:
    """Return headlines about an instrument, oldest first.

    Parameters
    ----------
    start, end : int
        Span (ns UTC).
    providers : tuple of str
        Codes; empty is all that the account may read.

    Raises
    ------
    VenueRefused
        If the account may read none.
    """
    codes = providers or tuple(await news_providers(feed))
    if not codes:
        raise VenueRefused("NO_NEWS", "the account is subscribed to no news provider")
    connection = feed.connection()
    con_id = (await feed.contracts.listing(connection, instrument_id)).contract.con_id
    rows = await connection.ask(
        "reqHistoricalNews",
        con_id,
        "+".join(codes),
        _text(start),
        _text(end),
        min(max(count, 1), HEADLINES_MAX),
        [],
    )
    found = [_headline(instrument_id, row) for row in rows]
    wanted = (each for each in found if each is not None and start <= each.ts_event <= end)
    return tuple(sorted(wanted, key=lambda headline: headline.ts_event))


def _headline(instrument_id: InstrumentId, row: tuple[str, ...]) -> Headline | None:
    """Return one headline; None when its time cannot be read."""
    time, provider, article_id, text = row[:4]
    try:
        moment = datetime.strptime(time[:19], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return Headline(
        ts_event=int(moment.timestamp()) * NANOS_PER_SECOND,
        instrument_id=instrument_id,
        provider=provider,
        article_id=article_id,
        text=_META.sub("", text).strip(),
    )


def _text(ts: int) -> str:
    return datetime.fromtimestamp(ts // NANOS_PER_SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S.0")
