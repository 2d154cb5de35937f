"""Configuration of the desk that works large orders over time."""

from decimal import Decimal

from pydantic import Field

from cluster.config.sections import Name, Section, Symbols


class ExecutionConfig(Section):
    """The desk that works large orders over time (TWAP, VWAP, iceberg, bracket): the machine `execution:<desk>`."""

    desk: Name | None = Field(default=None, description="Name of the desk; empty is none.")
    strategies: Symbols = Field(
        default=(),
        description="Strategy ids for large orders that belong to no strategy of [strategies]; real venues only.",
    )
    maker_bps: Decimal = Field(
        default=Decimal(0),
        description="Fee that the desk counts with at [account] for orders that rest (basis points; negative is a rebate).",
    )
    taker_bps: Decimal = Field(
        default=Decimal(0),
        description="Fee that it counts with for orders that take (basis points).",
    )
