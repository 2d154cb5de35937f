"""The rows of a price table as moments of a replay."""

from collections.abc import Iterator

from actors.feeds.sources import PriceTable
from trading.data import Bar, MarketSlice

BLOCK = 1_024
"""Rows turned into plain numbers at a time."""


class TableMoments:
    """The rows of a price table as slices."""

    def __init__(self, table: PriceTable) -> None:
        self._table = table

    def moments(self) -> Iterator[MarketSlice]:
        table = self._table
        for start in range(0, len(table), BLOCK):
            rows = slice(start, start + BLOCK)
            columns = (table.open, table.high, table.low, table.close, table.volume)
            cells = [column[rows].tolist() for column in columns]
            moments = zip(table.ts[rows].tolist(), *cells, strict=True)
            for sequence, (ts, *prices) in enumerate(moments, start=start + 1):
                bars = [
                    Bar(
                        ts_event=ts,
                        ts_init=ts,
                        sequence=sequence,
                        instrument_id=name,
                        open=open_,
                        high=high,
                        low=low,
                        close=close,
                        volume=volume,
                    )
                    for name, open_, high, low, close, volume in zip(
                        table.instrument_ids, *prices, strict=True
                    )
                    if close == close  # NaN: no bar  # noqa: PLR0124
                ]
                yield MarketSlice(ts_event=ts, ts_init=ts, sequence=sequence, bars=tuple(bars))
