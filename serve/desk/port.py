"""What the front desk asks of a trading cluster. `cluster.desk` implements it over Ray."""

from decimal import Decimal
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from serve.desk.answers import (
    AccountCurve,
    KillReport,
    LimitUse,
    Listed,
    LogLine,
    OrderReceipt,
    OrderStory,
    Quote,
    StrategyPoint,
)
from serve.desk.principal import Principal
from serve.desk.view import ClusterSnapshot
from trading.slippage import SlippageReport
from trading.values import OrderSide, OrderType, TimeInForce, TradingState


class NewOrder(BaseModel):
    """An order as a person or an agent asks for it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    symbol: str = Field(max_length=64, description="AAPL, AAPL.XNAS, or the venue's name of it.")
    side: OrderSide
    quantity: Decimal = Field(gt=0, le=Decimal("1e12"), description="Units.")
    order_type: OrderType = OrderType.MARKET
    time_in_force: TimeInForce = TimeInForce.DAY
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    trailing_offset: Decimal | None = Field(
        default=None, gt=0, description="Of a trailing stop, in price units."
    )
    strategy: str = Field(
        default="", max_length=64, description="In whose name; empty is the operator's."
    )
    account: str = Field(default="", max_length=64, description="Needed where several list it.")
    reduce_only: bool = False
    extended_hours: bool = False


class Replacement(BaseModel):
    """New terms of a working order; None leaves a term as it is."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    quantity: Decimal | None = Field(default=None, gt=0)
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)


class Preview(BaseModel):
    """What an order would do: nothing is sent.

    Attributes
    ----------
    is_allowed : bool
        No rule that can be checked now speaks against it; the risk manager has the last word when it is sent.
    objections : list of str
        `CODE: sentence`, one per rule.
    """

    model_config = ConfigDict(frozen=True)

    instrument_id: str
    side: OrderSide
    quantity: Decimal
    reference_price: Decimal | None
    estimated_value: Decimal | None
    estimated_cost: Decimal | None = Field(description="Half the spread and fees.")
    position_before: Decimal
    position_after: Decimal
    cash_after: Decimal | None
    is_allowed: bool
    objections: list[str]


class TradingDesk(Protocol):
    """A trading cluster. Calls block, and may come from several threads at once.

    Every method raises `ClusterUnreachable` when no cluster answers, and finds it again when it is back.
    """

    @property
    def mode(self) -> str:
        """`paper` or `live`, from the configuration."""

    def snapshot(self) -> ClusterSnapshot:
        """Return one look at everything; several calls within a quarter of a second share one."""

    def instruments(self) -> list[Listed]: ...

    def quotes(self) -> list[Quote]:
        """Return the best bid and ask of every instrument that has them now."""

    def log_tail(self, lines: int) -> list[LogLine]:
        """Return the newest lines of the logs of all processes of this machine, oldest first; secrets are masked."""

    def preview(self, order: NewOrder) -> Preview:
        """Say what an order would do.

        Raises
        ------
        NotFound
            If nothing of that name is traded.
        UsageError
            If the order makes no sense (a limit order without a price), or its account must be named.
        """

    def submit(self, order: NewOrder, by: Principal, key: str, correlation_id: str) -> OrderReceipt:
        """Ask for an order; the same `key` asks once, however often it comes.

        The request is journalled before it is handed to the risk manager; the order's id follows from the key.
        Returns when risk or the venue has said something, or after a second with what is known.

        Raises
        ------
        NotFound, UsageError
            As `preview`.
        Conflict
            If the key was used for another order.
        PermissionMissing
            If `by` may not trade in a cluster of this mode.
        """

    def cancel(self, client_order_id: str, by: Principal, reason: str) -> OrderReceipt:
        """Ask for the end of a working order. Raises `NotFound` for an order that nobody knows."""

    def replace(self, client_order_id: str, terms: Replacement, by: Principal) -> OrderReceipt:
        """Ask for new terms. Raises `NotFound`, or `Conflict` when the order is over."""

    def cancel_all(self, by: Principal, reason: str, strategy: str = "") -> int:
        """Ask for the end of every working order. Returns how many there were."""

    def story(self, client_order_id: str) -> OrderStory:
        """Return an order with all that is journalled about it. Raises `NotFound`."""

    def equity(self, points: int) -> list[AccountCurve]:
        """Return the marks of every account, the first account first, each thinned to at most `points`."""

    def set_state(self, state: TradingState, by: Principal, reason: str) -> str:
        """Pause (`REDUCING`, `HALTED`) or resume (`ACTIVE`) all trading. Returns the state in force."""

    def kill(self, by: Principal, reason: str, *, flatten: bool) -> list[KillReport]: ...

    def reset_kill(self, by: Principal, reason: str) -> None: ...

    def limits(self) -> list[LimitUse]: ...

    def change_limit(self, name: str, value: str, by: Principal, reason: str) -> LimitUse:
        """Change a limit; an empty value goes back to the configuration. Raises `UsageError`."""

    def strategy_course(self, strategy: str, points: int) -> list[StrategyPoint]:
        """Return the newest `points` marks of one strategy, oldest first, none left out between them.

        Raises
        ------
        NotFound
            If no account marks a strategy of that name.
        """

    def slippage(self) -> SlippageReport:
        """Return what every filled order of all accounts cost against the price that it was decided on."""
