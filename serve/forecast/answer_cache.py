"""Answers that were computed already: the same model on the same bars says the same."""

import hashlib
from collections import OrderedDict
from collections.abc import Hashable

from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

Key = tuple[str, str, str, Hashable]
"""Version, symbol, digest of the bars, and the terms of the question."""


class AnswerCache:
    """The last used answers.

    Parameters
    ----------
    capacity : int
        Answers that are kept; 0 keeps none.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[Key, Forecast] = OrderedDict()
        self.hits = 0
        self.misses = 0

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: Key) -> Forecast | None:
        found = self._answers.get(key)
        if found is None:
            self.misses += 1
            return None
        self._answers.move_to_end(key)
        self.hits += 1
        return found

    def put(self, key: Key, answer: Forecast) -> None:
        if self._capacity == 0:
            return
        self._answers[key] = answer
        while len(self._answers) > self._capacity:
            self._answers.popitem(last=False)


def digest_of(history: History, input_size: int) -> str:
    """Return a digest of the newest `input_size` bars: their times, closes, volumes and sentiment."""
    digest = hashlib.blake2b(digest_size=16)
    for column in (history.ts, history.close, history.volume, history.sentiment):
        digest.update(b"-" if column is None else column[-input_size:].tobytes())
    return digest.hexdigest()
