"""IB's market scanner: instruments ranked by one of its criteria."""

import msgspec
from ib_async.objects import ScannerSubscription

from actors.venues.ib import decode
from actors.venues.ib.market_data import IbMarketData
from actors.venues.ib.messages import IbContract
from trading.identifiers import InstrumentId

ROWS_MAX = 50
"""IB sends no more."""


class Scan(msgspec.Struct, frozen=True, kw_only=True):
    """What to look for.

    Attributes
    ----------
    code : str
        IB's criterion: `TOP_PERC_GAIN`, `MOST_ACTIVE`, `HOT_BY_VOLUME`, `HIGH_OPT_IMP_VOLAT` ...
    instrument, location : str
        IB's kind and market: `STK` and `STK.US.MAJOR`.
    count : int
        Rows wanted (1 to 50).
    min_price, max_price : float or None
    min_volume : int or None
        Units.
    """

    code: str
    instrument: str = "STK"
    location: str = "STK.US.MAJOR"
    count: int = ROWS_MAX
    min_price: float | None = None
    max_price: float | None = None
    min_volume: int | None = None


class ScannerRow(msgspec.Struct, frozen=True, kw_only=True):
    """One instrument found; `rank` begins at 0. IB names no primary listing here, so it is looked up.

    `value` is IB's own text about the criterion; often empty.
    """

    rank: int
    instrument_id: InstrumentId
    contract: IbContract
    value: str = ""


async def scan(feed: IbMarketData, wanted: Scan) -> tuple[ScannerRow, ...]:
    """Run a scan once and return its rows, best first.

    Raises
    ------
    VenueError
        As every question to a venue.
    """
    connection = feed.connection()
    rows = await connection.ask(
        "reqScannerSubscription", _subscription(wanted), [], [], cancel="cancelScannerSubscription"
    )
    found = []
    for rank, details, value, *_ in rows:
        contract = decode.contract(details.contract)
        instrument = await feed.contracts.of(connection, contract)
        row = ScannerRow(
            rank=rank, instrument_id=instrument.instrument_id, contract=contract, value=value
        )
        found.append(row)
    return tuple(sorted(found, key=lambda row: row.rank))


def _subscription(wanted: Scan) -> ScannerSubscription:
    optional = {
        "abovePrice": wanted.min_price,
        "belowPrice": wanted.max_price,
        "aboveVolume": wanted.min_volume,
    }
    return ScannerSubscription(
        numberOfRows=min(max(wanted.count, 1), ROWS_MAX),
        instrument=wanted.instrument,
        locationCode=wanted.location,
        scanCode=wanted.code,
        **{name: value for name, value in optional.items() if value is not None},
    )
