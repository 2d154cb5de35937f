"""Configuration of venues, of the market data of a real one, and of instruments that no venue describes."""

import re
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from cluster.config.sections import Count, Section, Symbols
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.values import NANOS_PER_SECOND, ZERO, AssetClass, DataKind, OptionRight

_INTERVAL = re.compile(r"([1-9][0-9]*)(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def _interval(text: str) -> str:
    if not _INTERVAL.fullmatch(text):
        raise ValueError("must be a number and s, m, h or d, such as 1m or 4h")
    return text


def interval_ns(text: str) -> int:
    """Return the nanoseconds of a number and s, m, h or d, such as 1m or 4h.

    Raises
    ------
    ValueError
        If it is none.
    """
    _interval(text)
    return int(text[:-1]) * _SECONDS[text[-1]] * NANOS_PER_SECOND


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


Interval = Annotated[str, AfterValidator(_interval)]
Kinds = Annotated[tuple[DataKind, ...], BeforeValidator(_split)]


class VenueConfig(BaseModel):
    """A venue, by a name of your own; the other keys are the options of its adapter, see docs/venues/."""

    model_config = ConfigDict(extra="allow", frozen=True)

    adapter: str = Field(
        default="",
        description="Which installed venue this is (`trader venues list`), or `package.module:OBJECT`.",
        json_schema_extra={"default": "<name of the table>"},
    )

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class FeedConfig(Section):
    """Market data of a real venue; a paper account trades the replay of [data] instead."""

    venue: str = Field(
        default="",
        description="Venue that market data comes from.",
        json_schema_extra={"default": "<account.venue>"},
    )
    symbols: Symbols = Field(
        default=(),
        description="Symbols to trade, as the venue calls them: it is asked for the rest.",
    )
    kinds: Kinds = Field(
        default=(DataKind.QUOTES,),
        description="What is streamed beside that which bars are made of: `quotes`, `trades`, `books`, `bars`.",
    )
    bar_interval: Interval = Field(
        default="1m", description="Length of a bar: a number and s, m, h or d."
    )
    bars_from: DataKind = Field(
        default=DataKind.BARS,
        description="What bars are made of: `bars` (the venue's own), `trades` or `quotes`.",
    )
    max_silence_s: float = Field(
        default=30.0,
        gt=0,
        description="Connected, but mute for so long: the data is stale and no order leaves (s).",
    )
    history_bars: Count | None = Field(
        default=None,
        description="Bars that are fetched at a start; empty is as many as the strategies look back.",
    )

    @property
    def bar_interval_ns(self) -> int:
        return interval_ns(self.bar_interval)

    @property
    def streamed(self) -> frozenset[DataKind]:
        return frozenset({*self.kinds, self.bars_from})


class InstrumentConfig(Section):
    """What is traded, where the venue cannot be asked (FIX), or where it is known better."""

    instrument_id: str = Field(
        pattern=r"^.+\.[^.]+$", description="`SYMBOL.<MIC>` or `SYMBOL.<VENUE>`: `AAPL.XNAS`."
    )
    asset_class: AssetClass = Field(
        default=AssetClass.EQUITY, description="What kind of thing it is."
    )
    tick_size: Decimal = Field(
        default=Decimal("0.01"), gt=0, description="Smallest step of the price."
    )
    lot_size: Decimal = Field(
        default=Decimal(1), gt=0, description="Smallest step of the quantity (units)."
    )
    min_quantity: Decimal = Field(
        default=Decimal(1), ge=0, description="Smallest quantity of an order (units)."
    )
    min_notional: Decimal = Field(
        default=ZERO, ge=0, description="Smallest value of an order; 0 is no limit."
    )
    currency: str = Field(default="USD", description="Currency of the price (ISO 4217).")
    sector: str = Field(default="", description="Sector of the issuer, for limits on sectors.")
    multiplier: Decimal = Field(
        default=Decimal(1), gt=0, description="Units per contract of the venue."
    )
    is_margined: bool = Field(
        default=False, description="Only profit and loss settle in cash (futures, perpetuals)."
    )
    is_shortable: bool = Field(default=True, description="It may be sold short.")
    calendar: str = Field(default="", description="Sessions that it trades in (XNYS, 24/7).")
    venue_symbol: str = Field(
        default="", description="What the venue calls it; empty when that is its symbol."
    )
    underlying: str = Field(default="", description="Symbol below an option or future.")
    expiry: str = Field(default="", description="Last day of an option or future (ISO 8601).")
    strike: Decimal | None = Field(default=None, gt=0, description="Strike price of an option.")
    right: OptionRight | None = Field(default=None, description="`CALL` or `PUT`.")

    @property
    def instrument(self) -> Instrument:
        values = self.model_dump() | {"instrument_id": InstrumentId(self.instrument_id)}
        return Instrument(**values)
