"""Every reason why we refuse an order: a machine code and a sentence. docs/refusals.md is made from it."""

from enum import StrEnum


class RefusalCode(StrEnum):
    """Stable and never reused."""

    RISK_UNAVAILABLE = "RISK_UNAVAILABLE"
    RISK_PERMIT_MISSING = "RISK_PERMIT_MISSING"
    RISK_PERMIT_INVALID = "RISK_PERMIT_INVALID"
    RISK_PERMIT_EXPIRED = "RISK_PERMIT_EXPIRED"
    RISK_PERMIT_STALE_EPOCH = "RISK_PERMIT_STALE_EPOCH"
    RISK_NOT_READY = "RISK_NOT_READY"
    RISK_MAX_SHARES = "RISK_MAX_SHARES"
    RISK_MAX_NOTIONAL = "RISK_MAX_NOTIONAL"
    RISK_MAX_EXPOSURE = "RISK_MAX_EXPOSURE"
    RISK_MAX_STRATEGY_EXPOSURE = "RISK_MAX_STRATEGY_EXPOSURE"
    RISK_MAX_POSITIONS = "RISK_MAX_POSITIONS"
    RISK_MAX_LOSS_PER_TRADE = "RISK_MAX_LOSS_PER_TRADE"
    RISK_DAILY_LOSS = "RISK_DAILY_LOSS"
    RISK_DRAWDOWN = "RISK_DRAWDOWN"
    RISK_CONSECUTIVE_LOSSES = "RISK_CONSECUTIVE_LOSSES"
    RISK_MAX_TRADES_PER_DAY = "RISK_MAX_TRADES_PER_DAY"
    RISK_ORDER_RATE = "RISK_ORDER_RATE"
    RISK_HALTED = "RISK_HALTED"
    RISK_REDUCING = "RISK_REDUCING"
    RISK_REDUCE_ONLY = "RISK_REDUCE_ONLY"
    RISK_ORDER_STALE = "RISK_ORDER_STALE"
    RISK_UNKNOWN_INSTRUMENT = "RISK_UNKNOWN_INSTRUMENT"
    RISK_UNKNOWN_STRATEGY = "RISK_UNKNOWN_STRATEGY"
    RISK_BAD_QUANTITY = "RISK_BAD_QUANTITY"
    RISK_BAD_PRICE = "RISK_BAD_PRICE"
    RISK_EQUITY_INVALID = "RISK_EQUITY_INVALID"
    RISK_RESTRICTED = "RISK_RESTRICTED"
    RISK_MARKET_CLOSED = "RISK_MARKET_CLOSED"
    RISK_NO_LOCATE = "RISK_NO_LOCATE"
    RISK_MAX_ORDER_VALUE = "RISK_MAX_ORDER_VALUE"
    RISK_PRICE_COLLAR = "RISK_PRICE_COLLAR"
    RISK_MAX_OPEN_ORDERS = "RISK_MAX_OPEN_ORDERS"
    RISK_MAX_CONCENTRATION = "RISK_MAX_CONCENTRATION"
    RISK_MAX_GROSS_LEVERAGE = "RISK_MAX_GROSS_LEVERAGE"
    RISK_MAX_NET_LEVERAGE = "RISK_MAX_NET_LEVERAGE"
    RISK_MAX_GROUP_EXPOSURE = "RISK_MAX_GROUP_EXPOSURE"
    RISK_MAX_CORRELATED_EXPOSURE = "RISK_MAX_CORRELATED_EXPOSURE"
    RISK_MAX_VALUE_AT_RISK = "RISK_MAX_VALUE_AT_RISK"
    RISK_UNMEASURED = "RISK_UNMEASURED"
    RISK_STRATEGY_HALTED = "RISK_STRATEGY_HALTED"
    RISK_REJECT_RATE = "RISK_REJECT_RATE"
    RISK_SLIPPAGE = "RISK_SLIPPAGE"
    RISK_FLATTEN = "RISK_FLATTEN"
    DATA_STALE = "DATA_STALE"
    CLOCK_SKEW = "CLOCK_SKEW"
    KILL_SWITCH = "KILL_SWITCH"
    BROKER_NOT_READY = "BROKER_NOT_READY"
    BROKER_FENCED = "BROKER_FENCED"
    DUPLICATE_CLIENT_ORDER_ID = "DUPLICATE_CLIENT_ORDER_ID"
    JOURNAL_UNAVAILABLE = "JOURNAL_UNAVAILABLE"
    ORDER_NEVER_SENT = "ORDER_NEVER_SENT"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    VENUE_UNSUPPORTED = "VENUE_UNSUPPORTED"
    RISK_BAD_LIST = "RISK_BAD_LIST"

    @property
    def meaning(self) -> str:
        """One sentence: what happened, and what to do."""
        return _MEANINGS[self]


_MEANINGS: dict[RefusalCode, str] = {
    RefusalCode.RISK_UNAVAILABLE: "The risk manager cannot be reached; nothing is sendable until it is back.",
    RefusalCode.RISK_PERMIT_MISSING: "The order carries no risk permit; send it through the risk manager.",
    RefusalCode.RISK_PERMIT_INVALID: "The permit's signature does not fit the order; it was forged or altered.",
    RefusalCode.RISK_PERMIT_EXPIRED: "The permit is older than its expiry; ask for the order again.",
    RefusalCode.RISK_PERMIT_STALE_EPOCH: "The permit was signed by a risk manager that has been replaced.",
    RefusalCode.RISK_NOT_READY: "The risk manager is still catching up with the account after a start.",
    RefusalCode.RISK_MAX_SHARES: "The order's quantity is above max_shares.",
    RefusalCode.RISK_MAX_NOTIONAL: "The position would exceed max_notional_per_position.",
    RefusalCode.RISK_MAX_EXPOSURE: "The gross exposure of the account would exceed max_total_exposure.",
    RefusalCode.RISK_MAX_STRATEGY_EXPOSURE: "The strategy's gross exposure would exceed its limit.",
    RefusalCode.RISK_MAX_POSITIONS: "The account already holds max_open_positions positions.",
    RefusalCode.RISK_MAX_LOSS_PER_TRADE: "The loss at the stop would exceed max_loss_per_trade.",
    RefusalCode.RISK_DAILY_LOSS: "The day's loss reached max_daily_loss; trading is halted until the next day.",
    RefusalCode.RISK_DRAWDOWN: "The drawdown from the peak reached the limit; only reducing orders pass.",
    RefusalCode.RISK_CONSECUTIVE_LOSSES: "Too many losing trades in a row; the breaker is cooling down.",
    RefusalCode.RISK_MAX_TRADES_PER_DAY: "The day's number of trades is used up; the breaker is cooling down.",
    RefusalCode.RISK_ORDER_RATE: "Orders arrive faster than max_orders_per_second.",
    RefusalCode.RISK_HALTED: "Trading is halted by an operator or a breaker.",
    RefusalCode.RISK_REDUCING: "Only orders that make a position smaller pass now.",
    RefusalCode.RISK_REDUCE_ONLY: "The order is reduce-only and would open, enlarge or flip a position.",
    RefusalCode.RISK_ORDER_STALE: "The order reached risk after its own expiry.",
    RefusalCode.RISK_UNKNOWN_INSTRUMENT: "No such instrument is configured.",
    RefusalCode.RISK_UNKNOWN_STRATEGY: "No such strategy is configured.",
    RefusalCode.RISK_BAD_QUANTITY: "The quantity is not a positive whole number of lots.",
    RefusalCode.RISK_BAD_PRICE: "A price is missing, not positive, or not on the tick grid.",
    RefusalCode.RISK_EQUITY_INVALID: "Three bad equity readings in a row; trading is halted.",
    RefusalCode.RISK_RESTRICTED: "The instrument is on the restricted list; only reducing orders pass.",
    RefusalCode.RISK_MARKET_CLOSED: "The market is closed; new orders wait for the next session.",
    RefusalCode.RISK_NO_LOCATE: "The short position would exceed what was located to borrow.",
    RefusalCode.RISK_MAX_ORDER_VALUE: "The order's value is above max_order_value.",
    RefusalCode.RISK_PRICE_COLLAR: "The limit price lies too far through the other side of the book.",
    RefusalCode.RISK_MAX_OPEN_ORDERS: "The account already has max_open_orders working orders.",
    RefusalCode.RISK_MAX_CONCENTRATION: "The position would exceed max_concentration of the equity.",
    RefusalCode.RISK_MAX_GROSS_LEVERAGE: "The gross exposure would exceed max_gross_leverage times the equity.",
    RefusalCode.RISK_MAX_NET_LEVERAGE: "The net exposure would exceed max_net_leverage times the equity.",
    RefusalCode.RISK_MAX_GROUP_EXPOSURE: "The gross exposure of a sector, currency or venue would exceed its limit.",
    RefusalCode.RISK_MAX_CORRELATED_EXPOSURE: "What moves together with the instrument would exceed max_correlated_exposure.",
    RefusalCode.RISK_MAX_VALUE_AT_RISK: "The account's value at risk after the order would exceed max_value_at_risk.",
    RefusalCode.RISK_UNMEASURED: "A limit cannot be measured yet: equity, or enough bars of returns, are missing.",
    RefusalCode.RISK_STRATEGY_HALTED: "The strategy is halted: its loss of the day reached max_strategy_daily_loss.",
    RefusalCode.RISK_REJECT_RATE: "The venue refused too many of the last orders; the breaker is cooling down.",
    RefusalCode.RISK_SLIPPAGE: "The last fills cost too much against the price decided on; the breaker is cooling down.",
    RefusalCode.RISK_FLATTEN: "The loss reached flatten_at; every position is being closed and trading is halted.",
    RefusalCode.DATA_STALE: "There is no fresh market data for the instrument.",
    RefusalCode.CLOCK_SKEW: "The clock is off by more than one second; new orders are halted.",
    RefusalCode.KILL_SWITCH: "The kill switch is latched; reset it deliberately to trade again.",
    RefusalCode.BROKER_NOT_READY: "The broker has not reconciled with the venue yet.",
    RefusalCode.BROKER_FENCED: "Another broker holds the lease of this account.",
    RefusalCode.DUPLICATE_CLIENT_ORDER_ID: "An order with this id exists already.",
    RefusalCode.JOURNAL_UNAVAILABLE: "The journal cannot be written (disk full?); new orders are refused.",
    RefusalCode.ORDER_NEVER_SENT: "The venue does not know the order: it never arrived.",
    RefusalCode.UNKNOWN_ORDER: "No order with this id is known.",
    RefusalCode.VENUE_UNSUPPORTED: "The venue does not offer this kind of order; the reason says which part of it.",
    RefusalCode.RISK_BAD_LIST: "The orders of the list do not belong together.",
}
