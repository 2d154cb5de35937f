"""Configuration of the account that is traded, and of further ones."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from cluster.config.sections import Money, Name, Section, Symbols
from cluster.config.venues import InstrumentConfig, Kinds
from trading.values import DataKind


class AccountConfig(Section):
    """The account that is traded."""

    venue: Name = Field(
        default="paper",
        description="Venue that orders go to: `paper` is the simulator; any other is an installed venue "
        "(`trader venues list`) or a table [venues.<name>].",
    )
    account_id: Name = Field(
        default="DEMO", description="Account at the venue; required with a real one."
    )
    initial_cash: Money = Field(
        default=Decimal(1_000_000),
        description="Cash that a paper account starts with (USD); a real one has what its venue says.",
    )
    capital: Money | None = Field(
        default=None,
        description="What the strategies share, in account currency; required with a real venue, a paper "
        "account trades with all its cash.",
    )
    cash_tolerance: Annotated[Decimal, Field(ge=0)] = Field(
        default=Decimal(0),
        description="By how much the cash of a real account may differ from ours (interest, fees) before "
        "that is a mismatch.",
    )
    reconcile_interval_s: Annotated[float, Field(gt=0)] = Field(
        default=15.0, description="Pause between two comparisons with a real venue (s)."
    )


class LinkedAccountConfig(Section):
    """A further account at another real venue: the desk of [execution] trades with it, no strategy does.

    It has books, risk limits ([risk]), kill switch and ledger of its own.
    """

    venue: str = Field(
        default="",
        description="Venue that orders go to; no other account is there.",
        json_schema_extra={"default": "<name of the table>"},
    )
    account_id: Name = Field(
        description="Account at the venue; no other account has this id in the cluster."
    )
    capital: Money = Field(
        description="What its equity counts as until the venue tells it, in account currency."
    )
    cash_tolerance: Annotated[Decimal, Field(ge=0)] = Field(
        default=Decimal(0), description="As in [account]."
    )
    symbols: Symbols = Field(default=(), description="Symbols to trade, as the venue calls them.")
    instruments: tuple[InstrumentConfig, ...] = Field(
        default=(), description="As [[instruments]], for this account alone."
    )
    feed_venue: str = Field(
        default="",
        description="Venue that market data comes from.",
        json_schema_extra={"default": "<venue>"},
    )
    kinds: Kinds | None = Field(
        default=None, description="What is streamed; empty is as in [feed]."
    )
    bars_from: DataKind | None = Field(
        default=None, description="What bars are made of; empty is as in [feed]."
    )
    maker_bps: Decimal = Field(
        default=Decimal(0),
        description="Fee that the desk counts with for orders that rest (basis points; negative is a rebate).",
    )
    taker_bps: Decimal = Field(
        default=Decimal(0),
        description="Fee that it counts with for orders that take (basis points).",
    )
