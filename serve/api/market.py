"""What the configured source of prices has, and what can be read from it."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from serve.api.permitted import Asker, Desk, Reader
from serve.desk.analysis import correlation, market, quick, selection
from serve.desk.analysis.correlation import CorrelationAnalysis, CorrelationMatrix
from serve.desk.analysis.market import BARS_MAX, BarList, SymbolList
from serve.desk.analysis.quick import QuickAnalysis
from serve.desk.analysis.selection import AdaptiveSelection

router = APIRouter(prefix="/market", tags=["market"])
SYMBOLS_MAX = 64
Symbol = Annotated[str, Path(min_length=1, max_length=64, examples=["AAPL"])]
SymbolName = Annotated[str, Field(min_length=1, max_length=64)]
Symbols = Annotated[list[SymbolName], Field(min_length=1, max_length=SYMBOLS_MAX)]
Day = Annotated[str | None, Query(max_length=10, description="YYYY, YYYY-MM or YYYY-MM-DD.")]


class CorrelationQuestion(BaseModel):
    """Which symbols, and how far back."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"symbols": ["AAPL", "KO"], "period_days": 90}]},
    )
    symbols: Symbols
    period_days: int = Field(default=90, ge=1, le=20_000)


@router.get("/symbols", summary="Every symbol that there are prices of")
def list_symbols(_: Reader, desk: Desk) -> SymbolList:
    return market.symbols(desk)


@router.get("/{symbol}/bars", summary="Bars, the oldest first")
def get_bars(
    _: Reader,
    desk: Desk,
    symbol: Symbol,
    start: Day = None,
    end: Day = None,
    limit: Annotated[int, Query(ge=1, le=BARS_MAX)] = 500,
) -> BarList:
    """The newest ones of that time, where there are more than `limit`."""
    return market.bars(desk, symbol, start, end, limit)


@router.get("/{symbol}/analysis", summary="Trend, volatility and the usual indicators")
def get_quick_analysis(_: Reader, desk: Desk, symbol: Symbol) -> QuickAnalysis:
    return quick.quick_analysis(desk, symbol)


@router.get("/{symbol}/strategy", summary="Which strategy suits a symbol now")
def select_strategy(_: Reader, desk: Desk, symbol: Symbol) -> AdaptiveSelection:
    return selection.adaptive_selection(desk, symbol)


@router.post("/correlation", summary="How symbols move together")
def analyse_correlation(_: Asker, desk: Desk, asked: CorrelationQuestion) -> CorrelationAnalysis:
    return correlation.correlation_analysis(desk, asked.symbols, asked.period_days)


@router.post("/correlation-matrix", summary="The matrix, with the pairs that stand out")
def get_correlation_matrix(_: Asker, desk: Desk, asked: CorrelationQuestion) -> CorrelationMatrix:
    return correlation.correlation_matrix(desk, asked.symbols, asked.period_days)
