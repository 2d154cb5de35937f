"""Events: facts, past tense. Only these are journalled; state is a fold over them. No floats."""

from decimal import Decimal

from trading.commands import SubmitOrder
from trading.identifiers import (
    AccountId,
    ClientOrderId,
    InstrumentId,
    StrategyId,
    TradeId,
    VenueOrderId,
)
from trading.ladder.standing import MoveCode, Stage, Standing
from trading.messages import Message
from trading.values import ZERO, LiquiditySide, OrderListKind, OrderSide, TradingState


class Event(Message, frozen=True, kw_only=True):
    """Base of facts."""


class OrderEvent(Event, frozen=True, kw_only=True):
    """Base of facts about one order."""

    client_order_id: ClientOrderId
    strategy_id: StrategyId
    instrument_id: InstrumentId


class OrderSubmitted(OrderEvent, frozen=True, kw_only=True):
    """The intent, durable before the socket write: from here on the venue may know the order.

    `list_kind` is that of the list that the order was sent in.
    """

    order: SubmitOrder
    epoch: int
    list_kind: OrderListKind | None = None


class OrderAmbiguous(OrderEvent, frozen=True, kw_only=True):
    """The outcome of the submission is unknown (time-out, reset, 5xx, restart)."""

    reason: str


class OrderAccepted(OrderEvent, frozen=True, kw_only=True):
    venue_order_id: VenueOrderId


class OrderRejected(OrderEvent, frozen=True, kw_only=True):
    """The venue refused the order in so many words."""

    code: str
    reason: str


class OrderDenied(OrderEvent, frozen=True, kw_only=True):
    """We refused the order; `code` is a `RefusalCode`. `order` is there unless it was submitted before."""

    code: str
    reason: str
    order: SubmitOrder | None = None


class OrderTriggered(OrderEvent, frozen=True, kw_only=True):
    """The trigger price of a stop order was reached."""


class OrderFilled(OrderEvent, frozen=True, kw_only=True):
    """A fill, applied once by (venue, account, `trade_id`).

    Attributes
    ----------
    last_qty : Decimal
        Units (> 0).
    last_px : Decimal
        Price per unit, in `currency`.
    commission : Decimal
        Cost when positive, in `currency`.
    commission_qty : Decimal
        Units of the instrument itself that the venue kept as its fee (crypto); they are not in the position.
    is_margined : bool
        The price is not paid, only profit and loss settle in cash (futures, perpetuals).
    """

    venue_order_id: VenueOrderId
    trade_id: TradeId
    side: OrderSide
    last_qty: Decimal
    last_px: Decimal
    commission: Decimal
    currency: str = "USD"
    liquidity_side: LiquiditySide = LiquiditySide.TAKER
    purpose: str = "target"
    commission_qty: Decimal = ZERO
    is_margined: bool = False


class OrderCanceled(OrderEvent, frozen=True, kw_only=True):
    """`filled_qty` is what the venue says was filled until then, also what it has not reported yet; None: not said."""

    reason: str = ""
    filled_qty: Decimal | None = None


class OrderExpired(OrderEvent, frozen=True, kw_only=True):
    """`filled_qty` as in `OrderCanceled`."""

    reason: str = ""
    filled_qty: Decimal | None = None


class OrderUpdated(OrderEvent, frozen=True, kw_only=True):
    """A replacement took effect; the fields hold the new values."""

    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None


class OrderCancelRejected(OrderEvent, frozen=True, kw_only=True):
    code: str
    reason: str


class OrderUpdateRejected(OrderEvent, frozen=True, kw_only=True):
    code: str
    reason: str


class AccountReconciled(Event, frozen=True, kw_only=True):
    """Our record and the venue's agree (after applying `fill_count` fills that we had missed)."""

    account_id: AccountId
    cash: Decimal
    order_count: int
    fill_count: int


class AccountOpened(Event, frozen=True, kw_only=True):
    """What a real account held when we first met it: the start of every count, journalled once.

    Attributes
    ----------
    cash : Decimal
        In account currency.
    positions : tuple of (instrument_id, signed quantity, average price)
        They belong to nobody's strategy (`EXTERNAL`). The price is 0 when the venue does not say it.
    margined : tuple of InstrumentId
        Those whose price is not paid.
    fills_until : int
        Venue time (ns UTC) of the newest fill that is part of it: older ones never count.
    trade_ids : tuple of TradeId
        The fills of exactly that moment.
    filled : tuple of (client_order_id, units)
        What had filled of the orders that worked then: of them only the rest counts.
    """

    account_id: AccountId
    cash: Decimal
    positions: tuple[tuple[InstrumentId, Decimal, Decimal], ...] = ()
    margined: tuple[InstrumentId, ...] = ()
    fills_until: int = 0
    trade_ids: tuple[TradeId, ...] = ()
    filled: tuple[tuple[ClientOrderId, Decimal], ...] = ()


class CashAdjusted(Event, frozen=True, kw_only=True):
    """The venue moved cash without a fill: interest, dividends, funding, fees, deposits.

    `amount` (account currency) is added to the cash; it is no profit of any strategy.
    """

    account_id: AccountId
    amount: Decimal
    reason: str


class KillSwitchTripped(Event, frozen=True, kw_only=True):
    """Latched: no order leaves until `KillSwitchReset`. `flatten` also closes every position."""

    actor: str
    reason: str
    flatten: bool = False


class KillSwitchReset(Event, frozen=True, kw_only=True):
    actor: str
    reason: str


class TradingStateChanged(Event, frozen=True, kw_only=True):
    """`until` is the market time (ns UTC) at which it ends by itself; 0 is until changed."""

    state: TradingState
    code: str
    reason: str
    until: int = 0


class LimitChanged(Event, frozen=True, kw_only=True):
    """A person changed one risk limit; in the shared stream `limits:<account>`.

    Attributes
    ----------
    name : str
        Field of `RiskLimits`; for one entry of a table `field.key`.
    value : str
        As text; empty goes back to the configuration's.
    """

    actor: str
    name: str
    value: str
    reason: str


class RiskWarned(Event, frozen=True, kw_only=True):
    """A loss came near a limit. `used` and `limit` are in the limit's own unit."""

    name: str
    used: Decimal
    limit: Decimal


class StrategyHalted(Event, frozen=True, kw_only=True):
    """One strategy may only reduce until market time `until` (ns UTC); 0 ends an earlier halt."""

    strategy_id: StrategyId
    code: str
    reason: str
    until: int


class DayOpened(Event, frozen=True, kw_only=True):
    """A trading day began for risk: day counters restart from `equity`, those of strategies from `profits`.

    Both equities are without the cash that the venue had moved by then (`CashAdjusted`).
    """

    day: int
    equity: Decimal
    peak_equity: Decimal
    profits: tuple[tuple[StrategyId, Decimal], ...] = ()


class EquityMarked(Event, frozen=True, kw_only=True):
    """The account valued at the close of one bar slice, in account currency.

    Attributes
    ----------
    sequence : int
        The bar slice.
    gross, net : Decimal
        Sum of absolute, of signed position values.
    by_strategy : tuple of (strategy_id, profit since start, gross exposure)
    capital : Decimal or None
        All that was brought in until then; None in records of versions that did not know it: as before.
    """

    account_id: AccountId
    sequence: int
    equity: Decimal
    cash: Decimal
    gross: Decimal
    net: Decimal
    by_strategy: tuple[tuple[StrategyId, Decimal, Decimal], ...]
    capital: Decimal | None = None


class ReplayAdvanced(Event, frozen=True, kw_only=True):
    """The replay has handed slice `sequence` to the exchange."""

    sequence: int


class VenueRequestReceived(Event, frozen=True, kw_only=True):
    """Ground truth of the simulated exchange: one request, as it came, before it had any effect."""

    request_id: str
    kind: str
    client_order_id: str
    payload: bytes


class SignalPublished(Event, frozen=True, kw_only=True):
    """Base of what a person, a model or another account tells strategies about one instrument.

    `ts_event` is when it became known, in market time. A source writes to the shared stream
    `signals:<source>`; see `trading.strategies.published`.
    """

    source: str
    instrument_id: InstrumentId


class SentimentPublished(SignalPublished, frozen=True, kw_only=True):
    """Tone of what was written about an instrument: `score` from -1 (bad) to 1 (good)."""

    score: Decimal


class ForecastPublished(SignalPublished, frozen=True, kw_only=True):
    """What a model expects of an instrument.

    Attributes
    ----------
    expected_return : Decimal
        Simple return over the horizon (fraction).
    deviation : Decimal
        Standard deviation of that return (fraction, > 0).
    horizon_bars : int
        Length of the horizon (bars, >= 1).
    expires_at : int
        Market time (ns UTC) after which nobody may trade on it.
    model : str
        Name and version, for example `nhits@3`.
    as_of : int
        Close of the last bar that it is made of (ns UTC); 0 when the source does not say.
    data_cutoff : int
        Close of the last bar that the model was trained on (ns UTC); 0 when not known.
    provider : str
        What computed it: "tensorrt", "cuda" or "cpu".
    latency_us : int
        From the question to the answer (host microseconds).
    quantiles : tuple of Decimal
        Of the simple return over the horizon (fraction), at `prediction.LEVELS`; empty when not known.
    path : tuple of tuple of Decimal
        The same of the simple return after each bar before the last of the horizon.
    miscoverage : tuple of Decimal
        What its intervals were asked for, see `adaptive.AdaptiveMiscoverage`; empty when they do not adapt.
    """

    expected_return: Decimal
    deviation: Decimal
    horizon_bars: int
    expires_at: int
    model: str = ""
    as_of: int = 0
    data_cutoff: int = 0
    provider: str = ""
    latency_us: int = 0
    quantiles: tuple[Decimal, ...] = ()
    path: tuple[tuple[Decimal, ...], ...] = ()
    miscoverage: tuple[Decimal, ...] = ()


class ModelAlarmed(Event, frozen=True, kw_only=True):
    """A model in service began to look wrong to the source that watches it; once for each time that it does.

    In the shared stream `alarms:<source>`.

    Attributes
    ----------
    model : str
        Name and version, for example `nhits@3`.
    alarm : str
        What it is about: one of `MonitorReport.alert_names`.
    reason : str
        One sentence; empty ends the alarm.
    """

    source: str
    model: str
    alarm: str
    reason: str


class LeaderTraded(SignalPublished, frozen=True, kw_only=True):
    """A trade of the account that a mirror follows; `source` names the leader.

    Attributes
    ----------
    trade_id : TradeId
        Applied once by (source, `trade_id`).
    quantity : Decimal
        Signed units: > 0 bought, < 0 sold.
    price : Decimal
        Of one unit (> 0).
    capital : Decimal
        The leader's capital after the trade (> 0, in the currency of the price).
    """

    trade_id: TradeId
    quantity: Decimal
    price: Decimal
    capital: Decimal


class AgentEvent(Event, frozen=True, kw_only=True):
    """Base of facts about one strategy that an agent wrote; in the stream `agents:<agent>`.

    Attributes
    ----------
    agent : str
        Name of the strategy.
    number : int
        1, 2, 3 ... in its stream.
    actor : str
        Who: a person, or the part of the system that saw it.
    signature : str
        Of all the rest, see `trading.ladder.signatures`.
    """

    agent: str
    number: int
    actor: str
    signature: str = ""


class AgentSubmitted(AgentEvent, frozen=True, kw_only=True):
    """A source was handed in: what is judged and what trades later is this text.

    Attributes
    ----------
    source_sha256 : str
        Of the text in UTF-8 (hexadecimal).
    template : str
        What it finds installed.
    lookback : int
        Bars (>= 1).
    parameters : str
        JSON object.
    """

    source: str
    source_sha256: str
    template: str
    lookback: int
    parameters: str


class AgentStageJudged(AgentEvent, frozen=True, kw_only=True):
    """The verdict of one stage.

    Attributes
    ----------
    reason : str
        One sentence: what was seen.
    inputs : tuple of (name, value)
        All that the verdict depends on besides the source: parameters, template, digests, settings.
    figures : tuple of (name, value)
        Those that are finite.
    """

    stage: Stage
    passed: bool
    source_sha256: str
    reason: str
    inputs: tuple[tuple[str, str], ...] = ()
    figures: tuple[tuple[str, Decimal], ...] = ()


class AgentMoved(AgentEvent, frozen=True, kw_only=True):
    """It went up or down the ladder. `account_id` is that of a promotion to money."""

    standing: Standing
    code: MoveCode
    source_sha256: str
    reason: str
    account_id: str = ""


class AgentMarked(AgentEvent, frozen=True, kw_only=True):
    """What it has made on its rung in one run of the cluster, from when it came to that rung.

    Attributes
    ----------
    run : str
        Names the run.
    days : int
        Days (UTC, market time) with a mark of the account, since it came to its rung; none in a replay.
    capital : Decimal
        What a weight of 1 is worth (account currency, > 0).
    profit : Decimal
        In account currency.
    fall : Decimal
        Deepest fall from the best profit (account currency, >= 0).
    """

    run: str
    days: int
    capital: Decimal
    profit: Decimal
    fall: Decimal


class AgentSandboxKilled(AgentEvent, frozen=True, kw_only=True):
    """Its sandbox had to be killed; `code` is that of the error."""

    source_sha256: str
    code: str
    reason: str
