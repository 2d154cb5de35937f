"""What a parameter set is worth: walk-forward, one fold after the other.

The figure that steers a search comes from the training slice of a fold; the test slice is only written down. The
strategy sees no bar behind the slice that is measured, so even one that looks ahead cannot see the test while
it is being chosen. Each slice starts without positions and pays for its entries.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module

import msgspec
import numpy as np

from trading.backtest.result import BacktestResult
from trading.backtest.settings import BacktestSettings
from trading.errors import ConfigError, UsageError
from trading.strategies.registry import installed_strategy
from trading.strategies.strategy import Bars, Strategy
from trading.validation.splits import Split
from tune.figures import figures_of
from tune.ledger import Measured
from tune.prices import Quoted, trade


class Fold(msgspec.Struct, frozen=True, array_like=True):
    """Rows to choose on and rows to look at afterwards; the stops are not included."""

    train_start: int
    train_stop: int
    test_start: int
    test_stop: int

    @property
    def train(self) -> slice:
        return slice(self.train_start, self.train_stop)

    @property
    def test(self) -> slice:
        return slice(self.test_start, self.test_stop)


def folds_of(splits: Iterable[Split], bars: int) -> tuple[Fold, ...]:
    """Return splits of that many bars as a plan holds them.

    Raises
    ------
    UsageError
        If there is none, a slice is empty, or a test does not come after its training.
    """
    folds: list[Fold] = []
    for split in splits:
        start, stop, _ = split.train.indices(bars)
        test_start, test_stop, _ = split.test.indices(bars)
        if not start < stop <= test_start < test_stop:
            raise UsageError(
                f"Fold {len(folds) + 1} trains on rows {start} to {stop} and tests on rows {test_start} to "
                f"{test_stop}; a test must follow its training, and neither may be empty."
            )
        folds.append(Fold(start, stop, test_start, test_stop))
    if not folds:
        raise UsageError("There is no fold; choose shorter windows or a longer period.")
    return tuple(folds)


def strategy_class(name: str) -> Callable[..., Strategy]:
    """Return the class of a strategy by its installed name, or by `module:Class`.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    module, colon, attribute = name.partition(":")
    if not colon:
        return installed_strategy(name)
    try:
        found: Callable[..., Strategy] = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UsageError(f"There is no strategy {name!r}: {error}.") from error
    return found


def strategy_of(name: str, params: Mapping[str, object]) -> Strategy:
    """Return a new strategy; see `strategy_class`.

    Raises
    ------
    UsageError
        If there is none of that name.
    ConfigError
        If it refuses the parameters.
    """
    make = strategy_class(name)
    try:
        return make(**params)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Strategy {name!r}: {error}.") from error


def needs_of(name: str, params: Mapping[str, object]) -> tuple[str, ...]:
    """Return the signals that a strategy cannot do without.

    The class says so, or, where that depends on the parameters, the strategy that has them.

    Raises
    ------
    UsageError
        If there is no strategy of that name.
    ConfigError
        If it refuses the parameters that its needs depend on.
    """
    declared = getattr(strategy_class(name), "NEEDS", ())
    if not isinstance(declared, tuple | list):
        declared = getattr(strategy_of(name, params), "NEEDS", ())
    return tuple(declared)


def backtest_rows(
    strategy: Strategy,
    bars: Bars,
    rows: slice,
    settings: BacktestSettings,
    quoted: Quoted | None = None,
) -> BacktestResult:
    """Return the backtest of some rows, with weights that know the bars up to their end and no further.

    Parameters
    ----------
    quoted : Quoted or None
        What is traded, when that is not `bars`.

    Raises
    ------
    DataError
        If a price or a weight is unusable.
    """
    known = bars.rows(max(0, rows.start - strategy.lookback + 1), rows.stop)
    weights = strategy.targets(known)
    if weights.shape == known.close.shape:
        weights = weights[len(known) - (rows.stop - rows.start) :]
    market = None if quoted is None else quoted.rows(rows.start, rows.stop)
    return trade(bars.rows(rows.start, rows.stop), weights, settings, market)


class Objective(msgspec.Struct, frozen=True, kw_only=True):
    """What a search maximises, or minimises, and how it is measured.

    Attributes
    ----------
    strategy : str
        Installed name, or `module:Class`.
    metric : str
        Name of a figure, see `tune.figures`.
    is_minimised : bool
        Whether less of it is better.
    """

    strategy: str
    folds: tuple[Fold, ...]
    settings: BacktestSettings = BacktestSettings()
    metric: str = "sharpe"
    is_minimised: bool = False

    def measure(
        self,
        strategy: Strategy,
        bars: Bars,
        number: int,
        fold: int,
        quoted: Quoted | None = None,
    ) -> Measured:
        """Return the figures of both slices of a fold of one trial; see `backtest_rows`.

        Raises
        ------
        DataError
            If a price or a weight is unusable.
        """
        rows = self.folds[fold]
        train = backtest_rows(strategy, bars, rows.train, self.settings, quoted)
        test = backtest_rows(strategy, bars, rows.test, self.settings, quoted)
        returns = np.ascontiguousarray(test.returns, dtype=np.float64)
        return Measured(number, fold, figures_of(train), figures_of(test), returns.tobytes())

    def score(self, folds: Sequence[Measured]) -> float:
        """Return the mean of the training figures, negated when less is better.

        One undefined figure makes the score undefined (NaN): a strategy that did not trade in a fold said
        nothing about it.
        """
        mean = sum(fold.train[self.metric] for fold in folds) / len(folds)
        return -mean if self.is_minimised else mean
