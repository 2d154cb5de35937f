"""When the slices of TWAP and VWAP begin, and how much is to be done by then."""

from decimal import Decimal

from trading.algorithms.chance import fraction
from trading.algorithms.parameters import CatchUp, Sliced, Twap, slice_count
from trading.identifiers import ClientOrderId
from trading.values import ZERO


class Schedule:
    """The slices of one parent. Numbers beyond the last slice are the completion, at the same pace.

    Parameters
    ----------
    key : ClientOrderId
        Of the parent: its hash puts off the slices.
    started_at : int
        Host time (ns UTC).
    """

    def __init__(self, algorithm: Sliced, key: ClientOrderId, started_at: int) -> None:
        self._algorithm = algorithm
        self._key = key
        self._started_at = started_at
        self.count = slice_count(algorithm)
        self.ends_at = started_at + algorithm.window_ns

    def starts_at(self, step: int) -> int:
        """Return the host time (ns UTC) at which slice `step` begins."""
        window = self._algorithm.window_ns
        regular = self._started_at + window * step // self.count
        if step >= self.count:
            return regular
        late = fraction(self._key, step) * self._algorithm.jitter * window / self.count
        return regular + int(late)

    def step_at(self, now: int) -> int:
        """Return the slice that has begun last; -1 before the first."""
        regular = (now - self._started_at) * self.count // self._algorithm.window_ns
        return regular if now >= self.starts_at(regular) else regular - 1

    def due(self, step: int, quantity: Decimal) -> Decimal:
        """Return what of `quantity` is to be done when slice `step` is; nothing before the first."""
        if step >= self.count - 1:
            return quantity
        if isinstance(self._algorithm, Twap):
            return quantity * (step + 1) / self.count
        volumes = self._algorithm.volumes
        return quantity * sum(volumes[: step + 1], ZERO) / sum(volumes, ZERO)

    def wanted(self, step: int, quantity: Decimal, done: Decimal) -> Decimal:
        """Return the units that slice `step` is to trade, before rounding to lots.

        Parameters
        ----------
        quantity : Decimal
            Of the parent.
        done : Decimal
            What is filled or may still fill.
        """
        left = quantity - done
        if step >= self.count:
            return left
        before, after = self.due(step - 1, quantity), self.due(step, quantity)
        match self._algorithm.catch_up:
            case CatchUp.NEXT:
                wanted = after - done
            case CatchUp.SPREAD:
                open_part = quantity - before
                wanted = left * (after - before) / open_part if open_part else left
            case CatchUp.END:
                wanted = after - before
        return max(min(wanted, left, self._cap(step, left)), ZERO)

    def _cap(self, step: int, left: Decimal) -> Decimal:
        algorithm = self._algorithm
        if isinstance(algorithm, Twap) or algorithm.participation is None:
            return left
        return algorithm.volumes[step] * algorithm.participation
