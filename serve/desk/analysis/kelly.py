"""How much of a bankroll to stake on a bet, or to give to strategies: Kelly, and what it risks."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import Field

from serve.desk.analysis.catalogue import canonical
from serve.desk.analysis.figures import Figure
from serve.desk.analysis.prices import Computed, prices_of
from serve.desk.answers import Answer, Provenance, Source, moment
from serve.desk.front_desk import FrontDesk
from trading.allocation.kelly.allocation import KellyRule
from trading.allocation.kelly.bet import bet_fraction, bet_growth
from trading.allocation.kelly.caps import Caps
from trading.allocation.kelly.drawdown import loss_probability
from trading.backtest.settings import BacktestSettings
from trading.errors import UsageError
from tune.prices import Prices
from tune.risk.strategy_kelly import StrategyKelly, strategy_kelly
from tune.signal_sources import SignalSources

LOSSES = (0.1, 0.25, 0.5, 0.9)
STRATEGIES_MAX = 10
BARS_MAX = 1_260

FRACTION_FORMULA = "f = p - (1 - p) / b, with b = odds - 1 (Kelly 1956)"
GROWTH_FORMULA = "g(f) = p log(1 + b f) + (1 - p) log(1 - f)"
LOSS_FORMULA = (
    "P(ever losing the part d) = (1 - d)^(2 mean / variance) of the log growth per bet (Thorp 2006, section 7): exact "
    "for growth in small steps, an approximation for bets won or lost whole"
)


class Stake(Answer):
    """One size of the bet, repeated for ever with the same part of what is there."""

    fraction_of_kelly: float
    fraction: float = Field(description="Of the bankroll.")
    amount: float = Field(description="Of the bankroll given, in its currency.")
    growth_per_bet: Figure = Field(description="Expected log growth of the bankroll.")
    expected_profit: float = Field(description="Of the next bet, in the bankroll's currency.")
    loss_probability: dict[str, float] = Field(
        description="Chance of ever losing that part of today's bankroll."
    )


class KellyInputs(Answer):
    probability: float
    odds: float = Field(description="Decimal: what comes back per unit staked, the stake included.")
    bankroll: float
    fraction: float
    confidence: float


class KellyCriterion(Provenance):
    inputs: KellyInputs
    edge: float = Field(description="Expected profit per unit staked: p * odds - 1.")
    is_favourable: bool
    kelly_fraction: float = Field(description="0 when the bet is not favourable.")
    full: Stake
    half: Stake
    chosen: Stake = Field(description="At the fraction and the confidence that were given.")
    recommendation: str
    formulas: dict[str, str]


class StrategyShare(Answer):
    strategy: str
    sharpe: Figure = Field(description="Annual, of its backtest.")
    weight: float = Field(description="Of the capital.")


class StrategyShares(Computed):
    strategies: list[StrategyShare]
    cash: float
    fraction: float = Field(description="Of the Kelly weights that is held.")
    shrinkage: float = Field(description="What the error of the estimates leaves of them.")
    annual_growth: Figure = Field(description="In the sample.")
    loss_probability: dict[str, float]
    notes: list[str]


def kelly_criterion(
    probability: float,
    odds: float,
    bankroll: float,
    fraction: float = 0.25,
    confidence: float = 1.0,
) -> KellyCriterion:
    """Return what to stake on a bet that can be repeated.

    Parameters
    ----------
    probability : float
        Of winning, above 0 and below 1.
    odds : float
        Decimal odds (> 1).
    bankroll : float
        (> 0)
    fraction : float
        Of the Kelly stake, above 0, up to 1.
    confidence : float
        How far the probability is believed, 0 to 1: the rest is put to what the odds imply, so that 0 stakes nothing.

    Raises
    ------
    UsageError
        If an argument is out of range.
    """
    inputs = _checked(probability, odds, bankroll, fraction, confidence)
    believed = confidence * probability + (1.0 - confidence) / odds
    full = bet_fraction(probability, odds - 1.0)
    cautious = bet_fraction(believed, odds - 1.0)
    part = fraction * (cautious / full if full > 0 else 0.0)
    return KellyCriterion(
        source=Source.COMPUTED,
        as_of=datetime.now(UTC),
        inputs=inputs,
        edge=probability * odds - 1.0,
        is_favourable=full > 0,
        kelly_fraction=full,
        full=_stake(1.0, full, probability, odds, bankroll),
        half=_stake(0.5, full, probability, odds, bankroll),
        chosen=_stake(part, full, probability, odds, bankroll),
        recommendation=_advice(full, part * full, bankroll),
        formulas={"fraction": FRACTION_FORMULA, "growth": GROWTH_FORMULA, "loss": LOSS_FORMULA},
    )


def kelly_of_strategies(
    desk: FrontDesk,
    strategies: Sequence[str],
    symbols: Sequence[str] | None = None,
    fraction: float = 0.5,
    bars: int = BARS_MAX,
) -> StrategyShares:
    """Return how much of the capital each strategy should get, by backtests over the newest bars.

    Raises
    ------
    NotFound
        If there is no such strategy or symbol.
    UsageError
        If there are too many strategies, or the fraction or the number of bars is out of range.
    DataError
        If the returns of the backtests are unfit.
    """
    names = list(dict.fromkeys(canonical(name) for name in strategies))
    if not 1 <= len(names) <= STRATEGIES_MAX or not 2 <= bars <= BARS_MAX:
        raise UsageError(
            f"give 1 to {STRATEGIES_MAX} strategies and 2 to {BARS_MAX} bars; `trader risk kelly` takes more."
        )
    stored = prices_of(desk)
    columns = stored.columns(symbols or stored.symbols)
    market = stored.bars(columns, bars)
    rule = KellyRule(fraction=fraction, caps=Caps(weight_min=0.0, weight_max=1.0, gross_max=1.0))
    found = strategy_kelly(names, Prices(market, market), BacktestSettings(), SignalSources(), rule)
    return StrategyShares(
        source=Source.COMPUTED,
        as_of=moment(int(market.ts[-1])),
        method=(
            "Backtests (vector gear, default costs); weights of the best growth in the sample, long only and without "
            "borrowing, less for the error of the estimates (Kan and Zhou 2007)."
        ),
        data=stored.data(columns, market.ts),
        strategies=_shares(found),
        cash=1.0 - float(found.allocation.weights.sum()),
        fraction=found.allocation.fraction,
        shrinkage=found.allocation.shrinkage,
        annual_growth=found.annual_growth,
        loss_probability={f"{depth:g}": p for depth, p in found.loss_probability.items()},
        notes=list(found.notes),
    )


def _checked(
    probability: float, odds: float, bankroll: float, fraction: float, confidence: float
) -> KellyInputs:
    if not 0.0 < probability < 1.0:
        raise UsageError(f"probability is {probability}, must be above 0 and below 1.")
    if not (math.isfinite(odds) and odds > 1.0):
        raise UsageError(f"odds are {odds}, must be decimal odds above 1, such as 2.5.")
    if not (math.isfinite(bankroll) and bankroll > 0.0):
        raise UsageError(f"bankroll is {bankroll}, must be a number above 0.")
    if not 0.0 < fraction <= 1.0:
        raise UsageError(f"fraction is {fraction}, must be above 0 and at most 1.")
    if not 0.0 <= confidence <= 1.0:
        raise UsageError(f"confidence is {confidence}, must be from 0 to 1.")
    return KellyInputs(
        probability=probability,
        odds=odds,
        bankroll=bankroll,
        fraction=fraction,
        confidence=confidence,
    )


def _stake(part: float, full: float, probability: float, odds: float, bankroll: float) -> Stake:
    staked = part * full
    growth = bet_growth(staked, probability, odds - 1.0)
    variance = _log_variance(staked, probability, odds - 1.0)
    return Stake(
        fraction_of_kelly=part,
        fraction=staked,
        amount=staked * bankroll,
        growth_per_bet=growth,
        expected_profit=staked * bankroll * (probability * odds - 1.0),
        loss_probability={
            f"{depth:g}": loss_probability(growth, variance, depth) for depth in LOSSES
        },
    )


def _log_variance(staked: float, probability: float, gain: float) -> float:
    """Return the variance of the log growth of one bet: p (1 - p) (log of won over lost)^2."""
    distance = math.log1p(gain * staked) - math.log1p(-staked)
    return probability * (1.0 - probability) * distance**2


def _advice(full: float, staked: float, bankroll: float) -> str:
    if full == 0.0:
        return "No bet: the odds pay less than the probability is worth."
    return (
        f"Stake {staked * bankroll:.2f}, {100 * staked:.2f} % of the bankroll. More than {100 * full:.2f} % lowers the "
        "growth and raises the risk."
    )


def _shares(found: StrategyKelly) -> list[StrategyShare]:
    weights = found.allocation.weights.tolist()
    return [
        StrategyShare(strategy=name, sharpe=ratio, weight=weight)
        for name, ratio, weight in zip(found.names, found.sharpe, weights, strict=True)
    ]
