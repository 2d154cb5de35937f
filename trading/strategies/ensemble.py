"""Ensemble: several strategies share one capital, by fixed weights, by vote, by what worked, or by regime.

Sources: Bates and Granger (1969), "The Combination of Forecasts", Operational Research Quarterly 20 (`weighted`);
Kuncheva (2004), "Combining Pattern Classifiers", ch. 4 (majority `voting`); Breiman (1996), "Stacked
Regressions", Machine Learning 24 (`stacking`: ridge, and only coefficients that are not negative); Ang and Bekaert
(2002), "International Asset Allocation with Regime Shifts", Review of Financial Studies 15 (`regime`; here
the regimes are quantiles of market volatility, not a hidden state).

Assumes that the members err at different times. Loses with them when they do not; `stacking` also when last
year's best is next month's worst, `regime` when volatility swings around a limit and the whole book changes
hands. Risk level: that of the members, medium by default.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, ClassVar

import msgspec
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from trading.indicators.periods import BARS_PER_MONTH_MAX
from trading.indicators.returns import simple_returns
from trading.indicators.rolling import FloatArray, rolling_std
from trading.strategies.registry import build_strategy
from trading.strategies.schedule import schedule
from trading.strategies.search_space import Choice, SearchSpace, Span
from trading.strategies.strategy import Bars, Strategy, require_range

MODES = ("weighted", "voting", "stacking", "regime")


def _default_members() -> dict[str, dict[str, Any]]:
    return {"momentum": {}, "mean_reversion": {}}


class Ensemble(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """Combine the weights of other strategies.

    Attributes
    ----------
    members : mapping of name to parameters
        Installed strategies, at least one, no ensembles; their order matters to `regime`.
    mode : str
        `weighted`: mean by `shares`. `voting`: a side that more than half of the members hold, at the mean
        weight of those. `stacking`: mean by the coefficients of a ridge regression of next-bar returns on the
        members' weights, all instruments together, without intercept, fitted at the first bar of each month; a
        negative coefficient counts as 0, and without a positive one nothing is held. `regime`: the first
        member while market volatility is in the lowest part of its own history, the last in the
        highest.
    shares : mapping of name to number
        For `weighted` (0 to 1000 each, not all 0); a member that is not named has 1. Only their
        proportions count.
    fit_bars : int
        Next-bar returns in the regression (bars, 30 to 2520).
    ridge : float
        Penalty, as a share of the mean diagonal element (0 to 100).
    volatility_bars : int
        Returns of the market (mean of all instruments) in its volatility (bars, 2 to 252).
    regime_bars : int
        Volatilities that tell what is usual (bars, 20 to 2520), the newest included.
    """

    SEARCH: ClassVar[SearchSpace] = {
        "mode": Choice(MODES),
        "fit_bars": Span(126, 756),
        "ridge": Span(0.001, 10.0, is_log=True),
        "volatility_bars": Span(10, 63),
        "regime_bars": Span(126, 756),
    }
    RISK_LEVEL: ClassVar[str] = "medium"

    members: dict[str, dict[str, Any]] = msgspec.field(default_factory=_default_members)
    mode: str = "weighted"
    shares: dict[str, float] = msgspec.field(default_factory=dict)
    fit_bars: int = 252
    ridge: float = 0.1
    volatility_bars: int = 21
    regime_bars: int = 252

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"Ensemble: mode must be one of {', '.join(MODES)}, got {self.mode!r}")
        require_range(self, "fit_bars", 30, 2520)
        require_range(self, "ridge", 0.0, 100.0)
        require_range(self, "volatility_bars", 2, 252)
        require_range(self, "regime_bars", 20, 2520)
        _check_mapping("members", self.members)
        _check_mapping("shares", self.shares)
        if not self.built:
            raise ValueError("Ensemble: members must name at least one strategy")
        _check_shares(self.shares, self.members)

    @cached_property
    def built(self) -> dict[str, Strategy]:
        """The members by name."""
        return {name: _build_member(name, each) for name, each in self.members.items()}

    @property
    def NEEDS(self) -> tuple[str, ...]:  # noqa: N802  the name that strategies declare
        """What any member needs."""
        needs = (name for member in self.built.values() for name in getattr(member, "NEEDS", ()))
        return tuple(dict.fromkeys(needs))

    @property
    def lookback(self) -> int:
        """The bars of the slowest member, and what the mode needs besides."""
        match self.mode:
            case "stacking":
                return self._fit_rows_before + BARS_PER_MONTH_MAX
            case "regime":
                return max(self._members_lookback, self.volatility_bars + self.regime_bars)
            case _:
                return self._members_lookback

    @property
    def _members_lookback(self) -> int:
        return max(member.lookback for member in self.built.values())

    @property
    def _fit_rows_before(self) -> int:
        """Rows that a regression needs before its own."""
        return self._members_lookback - 1 + self.fit_bars

    def targets(self, bars: Bars) -> FloatArray:
        """Return target weights (time, instrument); gross at most 1. See `strategy.Strategy`.

        Raises
        ------
        DataError
            If the bars do not have what a member needs.
        """
        combine: dict[str, Callable[[Bars, FloatArray], FloatArray]] = {
            "weighted": self._weighted,
            "voting": self._voted,
            "stacking": self._stacked,
            "regime": self._by_regime,
        }
        opinions = np.stack([self._opinion(name, bars) for name in self.built])
        weights = combine[self.mode](bars, opinions)
        weights[: self.lookback - 1] = 0.0
        limited: FloatArray = weights / np.maximum(np.abs(weights).sum(axis=1, keepdims=True), 1.0)
        return limited

    def _opinion(self, name: str, bars: Bars) -> FloatArray:
        """Weights of one member: (time, instrument)."""
        parameters = msgspec.json.encode(self.members[name], order="deterministic")
        return bars.derived(
            ("member_targets", name, parameters), lambda: self.built[name].targets(bars)
        )

    def _weighted(self, _: Bars, opinions: FloatArray) -> FloatArray:
        shares = np.array([self.shares.get(name, 1.0) for name in self.built])
        return mixed(opinions, shares[:, None] / shares.sum())

    def _voted(self, _: Bars, opinions: FloatArray) -> FloatArray:
        return majority(opinions)

    def _stacked(self, bars: Bars, opinions: FloatArray) -> FloatArray:
        plan = schedule(bars, 1, self._fit_rows_before, BARS_PER_MONTH_MAX)
        returns = simple_returns(bars.close)
        shares = np.empty((plan.decided_at.size, opinions.shape[0]))
        for i, row in enumerate(plan.decided_at.tolist()):
            past = slice(row - self.fit_bars, row)
            following = returns[row - self.fit_bars + 1 : row + 1]
            shares[i] = stacked_shares(opinions[:, past], following, self.ridge)
        return mixed(opinions, plan.spread(shares).T)

    def _by_regime(self, bars: Bars, opinions: FloatArray) -> FloatArray:
        key = ("market_volatility_rank", self.volatility_bars, self.regime_bars)
        rank = bars.derived(
            key, lambda: volatility_rank(bars.close, self.volatility_bars, self.regime_bars)
        )
        count = opinions.shape[0]
        regime = np.floor(rank * count)
        is_ruling = regime == np.arange(count)[:, None]
        return mixed(opinions, is_ruling * 1.0)


def mixed(opinions: FloatArray, shares: FloatArray) -> FloatArray:
    """Return the sum of the members' weights times their shares: (time, instrument).

    Parameters
    ----------
    opinions : (member, time, instrument)
    shares : (member, time) or (member, 1)
    """
    total = np.zeros(opinions.shape[1:])
    for opinion, share in zip(opinions, shares, strict=True):
        total += opinion * share[:, None]
    return total


def majority(opinions: FloatArray) -> FloatArray:
    """Return, where more than half of the members agree on a side, the mean weight of those.

    Parameters
    ----------
    opinions : (member, time, instrument)

    Returns
    -------
    (time, instrument)
    """
    longs, shorts = np.maximum(opinions, 0.0), np.minimum(opinions, 0.0)
    total = np.zeros(opinions.shape[1:])
    for side in (longs, shorts):
        votes = (side != 0).sum(axis=0)
        total += np.where(2 * votes > len(opinions), side.sum(axis=0) / np.maximum(votes, 1), 0.0)
    return total


def stacked_shares(opinions: FloatArray, following: FloatArray, ridge: float) -> FloatArray:
    """Return the share of each member (>= 0, sum 1, or all 0): (member,).

    Parameters
    ----------
    opinions : (member, time, instrument)
        Weights in the past.
    following : (time, instrument)
        Return of the bar after each of them; NaN is left out.
    ridge : float
        See `Ensemble`.
    """
    is_known = np.isfinite(following).ravel()
    weights = np.ascontiguousarray(opinions.reshape(len(opinions), -1) * is_known)
    returns = np.where(is_known, following.ravel(), 0.0)
    gram = weights @ weights.T
    gram += ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
    coefficients = np.linalg.pinv(gram, hermitian=True) @ (weights @ returns)
    useful = np.maximum(coefficients, 0.0)
    total = useful.sum()
    shares: FloatArray = useful / total if total > 0 else useful
    return shares


def volatility_rank(close: FloatArray, volatility_bars: int, history_bars: int) -> FloatArray:
    """Return which part of the recent market volatilities lies below the newest: (time,), 0 to below 1.

    The market is the mean of the returns that are known. NaN where a volatility in the history is not.

    Parameters
    ----------
    close : (time, instrument)
    volatility_bars : int
        Returns in each volatility.
    history_bars : int
        Volatilities, the newest included.
    """
    returns = simple_returns(close)
    is_known = np.isfinite(returns)
    count = is_known.sum(axis=1, keepdims=True)
    total = np.where(is_known, returns, 0.0).sum(axis=1, keepdims=True)
    market = total / np.where(count > 0, count, np.nan)
    volatility = rolling_std(market, volatility_bars)[:, 0]
    rank = np.full(volatility.shape, np.nan)
    if volatility.size >= history_bars:
        windows = sliding_window_view(volatility, history_bars)
        below = (windows < windows[:, -1:]).sum(axis=1) / history_bars
        is_whole = np.isfinite(windows).all(axis=1)
        rank[history_bars - 1 :] = np.where(is_whole, below, np.nan)
    return rank


def _build_member(name: str, parameters: Mapping[str, object]) -> Strategy:
    member = build_strategy(name, parameters)
    if isinstance(member, Ensemble):
        raise ValueError("Ensemble: an ensemble cannot be a member of another")
    return member


def _check_mapping(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise ValueError(f"Ensemble: {name} must map names of strategies, got {value!r}")


def _check_shares(shares: Mapping[str, object], members: Mapping[str, object]) -> None:
    unknown = sorted(set(shares) - set(members))
    if unknown:
        raise ValueError(f"Ensemble: shares name {', '.join(unknown)}, not among the members")
    for name, share in shares.items():
        if not _is_share(share):
            raise ValueError(f"Ensemble: the share of {name} must be from 0 to 1000, got {share!r}")
    if not any(shares.get(name, 1.0) for name in members):
        raise ValueError("Ensemble: one of the shares must be above 0")


def _is_share(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 <= value <= 1000
