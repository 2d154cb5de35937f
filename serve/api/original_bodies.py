"""Bodies that clients of the original API send, and what they are in ours.

Names of strategies are looked up in the table of aliases. `use_gpu` was a hint, and is one here: what computes is a matter of the
configuration. What cannot be done is refused, not left out without a word.
"""

from decimal import Decimal
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from serve.api.market import CorrelationQuestion
from serve.api.risk import RiskQuestion
from serve.desk.job_requests import BacktestRequest, TrainRequest, TuneRequest
from serve.desk.port import NewOrder
from serve.forecast.question import Question
from serve.http.problems import RequestRefused
from trading.forecasting.prediction import COVERAGES
from trading.values import OrderSide, OrderType

Name = Annotated[str, Field(min_length=1, max_length=64)]
Names = Annotated[list[Name], Field(max_length=64)]
Day = Annotated[str, Field(max_length=10)]
Asked = TypeVar("Asked", bound=BaseModel)
_ORDER_TYPES = {
    "market": OrderType.MARKET,
    "limit": OrderType.LIMIT,
    "stop": OrderType.STOP_MARKET,
    "stop_loss": OrderType.STOP_MARKET,
}
_FIGURES = {"sharpe_ratio": "sharpe", "sortino_ratio": "sortino", "calmar_ratio": "calmar"}


def _answered(level: float) -> float:
    if level not in COVERAGES:
        raise ValueError(f"forecasts have the levels {', '.join(map(str, COVERAGES))}")
    return level


class OriginalBody(BaseModel):
    """Base of them."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, protected_namespaces=())

    use_gpu: bool = False


class StartBody(OriginalBody):
    """`/trading/start`: strategies and symbols are those of the configuration; they are compared with it."""

    strategies: Names = []
    symbols: Names = []
    reason: str = Field(default="", max_length=500)


class StopBody(OriginalBody):
    """`/trading/stop`. Positions stay: closing them is the kill switch, `POST /v1/trading/kill` with `flatten`."""

    cancel_orders: bool = True
    close_positions: Literal[False] = False
    reason: str = Field(default="", max_length=500)


class TradeBody(OriginalBody):
    """`/trading/execute-trade`."""

    symbol: Name
    action: Literal["buy", "sell"]
    quantity: int = Field(ge=1, le=10**12)
    order_type: Literal["market", "limit", "stop", "stop_loss"] = "market"
    limit_price: Decimal | None = Field(default=None, gt=0)
    stop_price: Decimal | None = Field(default=None, gt=0)
    strategy: str = Field(default="", max_length=64)

    def order(self) -> NewOrder:
        return NewOrder(
            symbol=self.symbol,
            side=OrderSide(self.action.upper()),
            quantity=Decimal(self.quantity),
            order_type=_ORDER_TYPES[self.order_type],
            limit_price=self.limit_price,
            stop_price=self.stop_price,
            strategy=self.strategy,
        )


class BacktestBody(OriginalBody):
    """`/trading/backtest`."""

    strategy: Name
    symbols: Names = []
    start_date: Day
    end_date: Day
    initial_capital: float = Field(default=100_000, ge=1_000)

    def request(self) -> BacktestRequest:
        return mapped(
            BacktestRequest,
            strategy=self.strategy,
            symbols=self.symbols,
            start=self.start_date,
            end=self.end_date,
            cash=self.initial_capital,
        )


class OptimizeBody(OriginalBody):
    """`/trading/optimize`."""

    strategy: Name
    symbols: Names = []
    optimization_metric: str = Field(default="sharpe_ratio", max_length=40)
    max_iterations: int = Field(default=100, ge=10, le=1_000)

    def request(self) -> TuneRequest:
        metric = self.optimization_metric
        return mapped(
            TuneRequest,
            strategy=self.strategy,
            symbols=self.symbols,
            metric=_FIGURES.get(metric, metric),
            trials=self.max_iterations,
        )


class TrainBody(OriginalBody):
    """`/neural/train`: `data_path` is a source that the server knows, `sp500` or `catalogue:NAME`; it reads no paths of others."""

    data_path: str = Field(default="sp500", max_length=128)
    model_type: str = Field(max_length=32)
    batch_size: int | None = Field(default=None, ge=1, le=4_096)
    learning_rate: float | None = Field(default=None, gt=0, le=1)

    def request(self) -> TrainRequest:
        given = {"batch_size": self.batch_size, "learning_rate": self.learning_rate}
        return mapped(
            TrainRequest,
            kinds=[self.model_type.lower()],
            data=self.data_path,
            settings={name: value for name, value in given.items() if value is not None},
        )


class ForecastBody(OriginalBody):
    """`/neural/forecast`: the bounds of each level stand in `quantiles`; 0.95 lies between 0.025 and 0.975."""

    symbol: Name
    horizon: int | None = Field(default=None, ge=1, le=10_000)
    confidence_level: Annotated[float, AfterValidator(_answered)] = 0.95
    model_id: str | None = Field(default=None, min_length=1, max_length=128)

    def question(self) -> Question:
        return Question(symbol=self.symbol, horizon=self.horizon, model=self.model_id)


class RiskBody(RiskQuestion, OriginalBody):
    """`/risk/analysis`."""


class CorrelationBody(CorrelationQuestion, OriginalBody):
    """`/market/correlation-analysis`."""


def mapped(kind: type[Asked], **fields: Any) -> Asked:
    """Return a request of ours.

    Raises
    ------
    RequestRefused
        If ours does not allow what was asked for (422).
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestRefused(422, "REQUEST_INVALID", f"{first['msg']} - at `{place}`.") from None
