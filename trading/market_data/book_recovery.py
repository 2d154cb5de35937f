"""A whole book on request, put in its place among the changes that are streamed meanwhile."""

from collections.abc import Iterable

from trading.data import BookDelta, BookSnapshot
from trading.identifiers import InstrumentId

KEPT_MAX = 1_000
"""Changes of one book that are kept while it is asked for; with more the answer is too old to be of use."""


class BookRecovery:
    """Which books are asked for, and what changed in each since."""

    def __init__(self) -> None:
        self._since: dict[InstrumentId, list[BookDelta]] = {}

    def begin(self, instrument_id: InstrumentId) -> bool:
        """Keep the changes of this book from now on; False when it is asked for already."""
        if instrument_id in self._since:
            return False
        self._since[instrument_id] = []
        return True

    def note(self, delta: BookDelta) -> None:
        kept = self._since.get(delta.instrument_id)
        if kept is not None and len(kept) <= KEPT_MAX:
            kept.append(delta)

    def end(self, instrument_id: InstrumentId) -> None:
        """Forget the question: it failed, or the stream itself began the book again."""
        self._since.pop(instrument_id, None)

    def clear(self) -> None:
        self._since.clear()

    def complete(self, snapshot: BookSnapshot) -> list[BookDelta] | None:
        """Return the changes to make on top of the answer; None when it is of no use any more.

        A change that the answer may hold already is made again: it sets a level to what it is.
        """
        kept = self._since.pop(snapshot.instrument_id, None)
        if kept is None or len(kept) > KEPT_MAX:
            return None
        return list(_newer(kept, snapshot))


def _newer(deltas: Iterable[BookDelta], snapshot: BookSnapshot) -> Iterable[BookDelta]:
    for delta in deltas:
        if snapshot.sequence and delta.sequence:
            is_newer = delta.sequence > snapshot.sequence
        else:
            is_newer = delta.ts_event >= snapshot.ts_event
        if is_newer:
            yield delta
