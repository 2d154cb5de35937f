"""Which strategy: compared, recommended for a state of the market, or chosen for one symbol. All from backtests."""

from serve.desk.analysis.adaptive import AdaptiveSelection, adaptive_selection
from serve.desk.analysis.comparison import StrategyComparison, compare_strategies
from serve.desk.analysis.recommendation import StrategyRecommendation, recommend_strategy

__all__ = [
    "AdaptiveSelection",
    "StrategyComparison",
    "StrategyRecommendation",
    "adaptive_selection",
    "compare_strategies",
    "recommend_strategy",
]
