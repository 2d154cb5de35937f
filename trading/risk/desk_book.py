"""What the desk's limits are measured on, kept up to date with every change of one line of the account."""

from collections.abc import Mapping
from decimal import Decimal

from trading.data import BarSlice
from trading.identifiers import InstrumentId
from trading.instruments import Instrument
from trading.position import EXACT
from trading.risk.exposure import Line
from trading.risk.limits import RiskLimits
from trading.risk.variance import AccountVariance
from trading.values import ZERO, OrderSide


class DeskBook:
    """Exposure of groups, the range of the net exposure, and the account's variance.

    Working orders count in the worst way: between `low` and `high` lies what the net exposure can become.

    Parameters
    ----------
    variance : AccountVariance or None
        What was learned before the limits changed.
    """

    def __init__(
        self,
        instruments: Mapping[InstrumentId, Instrument],
        limits: RiskLimits,
        variance: AccountVariance | None = None,
    ) -> None:
        self._groups_of = {
            name: tuple(g for g in instrument.groups if g in limits.max_group_exposure)
            for name, instrument in instruments.items()
        }
        self.groups: dict[str, Decimal] = dict.fromkeys(limits.max_group_exposure, ZERO)
        self.high = ZERO
        self.low = ZERO
        self._lines: dict[InstrumentId, tuple[Decimal, Decimal, Decimal]] = {}
        self.variance: AccountVariance | None = None
        if limits.max_value_at_risk or limits.max_correlated_exposure:
            terms = float(limits.variance_decay), float(limits.correlation_threshold)
            if variance is None or (variance.decay, variance.threshold) != terms:
                variance = AccountVariance(tuple(instruments), *terms)
            self.variance = variance

    def note(self, instrument_id: InstrumentId, line: Line) -> None:
        """A line of the account changed."""
        price = line.price or ZERO
        after = (
            line.value,
            EXACT.multiply(EXACT.add(line.quantity, line.buys), price),
            EXACT.multiply(EXACT.subtract(line.quantity, line.sells), price),
        )
        before = self._lines.get(instrument_id, (ZERO, ZERO, ZERO))
        self._lines[instrument_id] = after
        gained = EXACT.subtract(after[0], before[0])
        for group in self._groups_of.get(instrument_id, ()):
            self.groups[group] = EXACT.add(self.groups[group], gained)
        self.high = EXACT.add(self.high, EXACT.subtract(after[1], before[1]))
        self.low = EXACT.add(self.low, EXACT.subtract(after[2], before[2]))
        if self.variance is not None:
            worst = after[1] if abs(after[1]) >= abs(after[2]) else after[2]
            self.variance.set_exposure(instrument_id, float(worst))

    def learn(self, slice_: BarSlice) -> None:
        """Take the returns of a bar slice in."""
        if self.variance is not None:
            self.variance.learn(slice_)

    def groups_after(
        self, instrument_id: InstrumentId, value: Decimal
    ) -> tuple[tuple[str, Decimal], ...]:
        """Return the exposure of each limited group of the instrument if its line were worth `value`."""
        groups = self._groups_of.get(instrument_id, ())
        if not groups:
            return ()
        own = self._lines.get(instrument_id, (ZERO, ZERO, ZERO))[0]
        change = value - own
        return tuple([(group, self.groups[group] + change) for group in groups])

    def net_after(self, side: OrderSide, value: Decimal) -> Decimal:
        """Return the largest absolute net exposure if an order of `value` worked on `side` as well."""
        high, low = self.high, self.low
        if side is OrderSide.BUY:
            high += value
        else:
            low -= value
        return max(abs(high), abs(low))

    def measures_after(
        self, instrument_id: InstrumentId, exposure: Decimal
    ) -> tuple[float | None, float | None]:
        """Return (correlated exposure, deviation of the account) with that signed exposure; None if unknown."""
        if self.variance is None:
            return None, None
        amount = float(exposure)
        return (
            self.variance.correlated_exposure(instrument_id, amount),
            self.variance.deviation_with(instrument_id, amount),
        )

    def validate(self, lines: Mapping[InstrumentId, Line]) -> None:
        """Assert that the running sums equal a recomputation."""
        high = low = ZERO
        groups = dict.fromkeys(self.groups, ZERO)
        for name, line in lines.items():
            price = line.price or ZERO
            high += (line.quantity + line.buys) * price
            low += (line.quantity - line.sells) * price
            for group in self._groups_of.get(name, ()):
                groups[group] += line.value
        assert (self.high, self.low) == (high, low), f"{self.high} {self.low} != {high} {low}"
        assert self.groups == groups, f"{self.groups} != {groups}"
