"""What a risk manager needs to know before it starts."""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from trading.identifiers import AccountId, InstrumentId, MachineName, StrategyId, Venue
from trading.instruments import Instrument
from trading.market_hours import ALWAYS_OPEN, MarketHours
from trading.risk.limits import RiskLimits
from trading.risk.permits import PERMIT_TTL_NS_MAX


class RiskConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of one account's risk manager.

    Attributes
    ----------
    strategies : tuple of StrategyId
        Who may trade, and whose watermarks are awaited.
    operators : tuple of StrategyId
        Who may trade besides, under the same rules; nobody waits for them.
    instruments : mapping of InstrumentId to Instrument
        What may be traded.
    limits : RiskLimits
        As configured; changes that people made since are in the journal.
    key : bytes
        Secret shared with the broker; never shown.
    initial_cash : Decimal
        Of the account, in account currency.
    permit_ttl_ns : int
        Life of a permit, in (0, 2 s].
    hours : MarketHours
        Sessions of the market: trading days, and when new orders pass.
    history : MachineName or None
        Who answers `RequestBars`; without it stops and variance learn from new bars alone.
    """

    account_id: AccountId
    venue: Venue
    strategies: tuple[StrategyId, ...]
    operators: tuple[StrategyId, ...] = ()
    instruments: Mapping[InstrumentId, Instrument]
    limits: RiskLimits
    key: bytes
    initial_cash: Decimal
    permit_ttl_ns: int = PERMIT_TTL_NS_MAX
    hours: MarketHours = ALWAYS_OPEN
    history: MachineName | None = None

    def __repr__(self) -> str:
        return f"RiskConfig(account_id={self.account_id!r}, venue={self.venue!r})"
