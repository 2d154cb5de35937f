"""Configuration of the account that is traded."""

from decimal import Decimal
from typing import Annotated

from pydantic import Field

from cluster.config.sections import Money, Name, Section


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
