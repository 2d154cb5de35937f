"""What the front desk answers: the same models for HTTP, for MCP tools and for the page.

Money, prices of orders and quantities are Decimal, and strings in JSON; measured figures are floats; times
are UTC. Every answer says where it comes from.
"""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer

Money = Annotated[Decimal, PlainSerializer(lambda value: format(value, "f"), return_type=str)]
"""Account currency, price or units; a plain decimal string in JSON."""


class Source(StrEnum):
    """Where an answer comes from."""

    LIVE = "live"
    """A real account."""
    PAPER = "paper"
    """An account without real money, at a venue or at the simulated exchange."""
    COMPUTED = "computed"
    """Calculated from stored market data."""
    REGISTRY = "registry"
    """Read from the model registry, a journal or a file of our own."""


class Answer(BaseModel):
    """Base of all answers."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")


class Provenance(Answer):
    """Base of answers to questions.

    Attributes
    ----------
    as_of : datetime
        Moment of the newest data in the answer (market time of a replay is historic).
    """

    source: Source
    as_of: datetime


class Position(Answer):
    account: str
    instrument_id: str
    symbol: str
    quantity: Money
    average_price: Money
    last_price: Money | None = Field(description="None before the first price.")
    value: Money
    unrealized_pnl: Money
    realized_pnl: Money


class StrategyStanding(Answer):
    """What one strategy made, as the ledger counts it."""

    strategy_id: str
    capital: Money
    profit: Money
    total_return: float
    sharpe_ratio: float | None
    max_drawdown: float
    exposure: Money
    trades: int
    is_disabled: bool = False
    halt_reason: str = ""


class AccountStanding(Answer):
    """One account of the cluster. Fields are None while its ledger is down."""

    account: str
    venue: str
    is_ready: bool
    reason: str = Field(default="", description="Why it is not ready.")
    equity: Money | None
    cash: Money | None
    initial_equity: Money | None
    realized_pnl: Money | None
    unrealized_pnl: Money | None
    commissions: Money | None
    gross_exposure: Money | None
    net_exposure: Money | None
    drawdown: float | None
    max_drawdown: float | None
    sharpe_ratio: float | None


class Portfolio(Provenance):
    accounts: list[AccountStanding]
    positions: list[Position]
    strategies: list[StrategyStanding]
    trading_state: str = Field(
        description="The strictest of all accounts: ACTIVE, REDUCING or HALTED; UNKNOWN while risk is down."
    )
    is_killed: bool


class Order(Answer):
    client_order_id: str
    account: str
    strategy_id: str
    instrument_id: str
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Money | None
    filled_quantity: Money
    average_price: Money | None
    limit_price: Money | None
    stop_price: Money | None
    status: str
    code: str = Field(default="", description="Why it was denied or rejected.")
    purpose: str
    updated_at: datetime | None
    is_open: bool


class Fill(Answer):
    trade_id: str
    account: str
    strategy_id: str
    instrument_id: str
    symbol: str
    side: str
    quantity: Money
    price: Money
    commission: Money
    realized_pnl: Money
    purpose: str
    filled_at: datetime
    client_order_id: str = Field(default="", description="Empty where the ledger does not tell it.")


class Step(Answer):
    """One fact in the life of an order, as it was journalled."""

    at: datetime
    stream: str
    sequence: int
    fact: str = Field(description="Name of the event, for example OrderAccepted.")
    detail: str
    correlation_id: str
    causation_id: str


class OrderStory(Provenance):
    """An order and everything that is journalled about it: who asked, what risk said, what the venue did."""

    order: Order
    steps: list[Step]


class OrderReceipt(Provenance):
    """What became of a request so far. `OUTCOME_UNKNOWN` as code: repeat it with the same key.

    Attributes
    ----------
    is_repeated : bool
        The same key was used before for the same order; nothing was sent again.
    """

    client_order_id: str
    status: str
    code: str = ""
    reason: str = ""
    filled_quantity: Money = Decimal(0)
    average_price: Money | None = None
    is_final: bool = False
    is_repeated: bool = False


class LimitUse(Answer):
    """A limit in force in every account, with its use in the one that has the least left of it."""

    name: str
    limit: str
    used: Money | None
    left: Money | None
    account: str | None = Field(
        default=None, description="Whose use this is; nothing where none is measured."
    )
    changed_by: str | None = None
    reason: str | None = None


class RiskStanding(Provenance):
    """State, code and reason are those of the account that may trade least, the loss that of who lost most today."""

    state: str
    code: str
    reason: str
    kill_switch: str
    daily_loss: Money | None
    limits: list[LimitUse]
    halted_strategies: dict[str, str]
    denials: dict[str, int]


class Actor(Answer):
    name: str
    machines: list[str]
    pid: int
    node: str
    restarts: int
    messages: int
    is_alive: bool


class VenueState(Answer):
    account: str
    venue: str
    is_connected: bool
    is_ready: bool
    reason: str
    feed_problem: str
    skew_ms: float | None


class LatencyClass(Answer):
    """How many orders took so long from tick to order, since the start."""

    up_to_us: int | None = Field(description="Longer than the class before; None has no end.")
    count: int


class ClusterStanding(Provenance):
    """The trading cluster as a whole."""

    name: str
    mode: str
    is_finished: bool = Field(description="A replay that has come to its end.")
    slice: int
    slices: int
    actors: list[Actor]
    venues: list[VenueState]
    tick_to_order_p50_us: float | None
    tick_to_order_p99_us: float | None
    feed_age_s: float | None = None
    tick_to_order_classes: list[LatencyClass] = Field(
        default_factory=list, description="Shortest first; empty where it is not known."
    )


class KillReport(Answer):
    venue: str
    account: str
    reached: bool
    canceled: int
    flattened: int
    reason: str


class EquityPoint(Answer):
    at: datetime
    equity: Money
    drawdown: float


class AccountCurve(Answer):
    """The marks of one account, the oldest first."""

    account: str
    points: list[EquityPoint]


class StrategyPoint(Answer):
    """One mark of one strategy.

    Attributes
    ----------
    profit : Decimal
        Since its start, realised and not, less commissions.
    exposure : Decimal
        Value of its positions, long and short added up.
    """

    at: datetime
    profit: Money
    exposure: Money


class Listed(Answer):
    """An instrument that the cluster trades."""

    instrument_id: str
    symbol: str
    account: str
    venue: str
    tick: Money
    lot: Money


class Quote(Answer):
    instrument_id: str
    symbol: str
    venue: str
    bid: float | None
    bid_size: float | None
    ask: float | None
    ask_size: float | None
    at: datetime
    age_s: float | None = Field(description="Host seconds since it was read; None in a replay.")


class LogLine(Answer):
    at: str
    process: str
    level: str
    event: str
    text: str


def moment(ts_ns: int) -> datetime:
    """Return a time of ours (ns UTC) as people read it."""
    return datetime.fromtimestamp(ts_ns / 1e9, UTC)
