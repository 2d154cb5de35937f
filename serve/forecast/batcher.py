"""Joins the histories that arrive together, so that a model runs once for all of them."""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from trading.errors import ForecastInvalid, TradingError
from trading.forecasting.forecast import Forecast
from trading.forecasting.history import History

Predict = Callable[[Sequence[History], Any], list[Forecast]]
"""Histories and terms to forecasts, all or none."""
Waiting = tuple[History, Hashable, "asyncio.Future[Forecast]"]


class Batcher:
    """The queue in front of one model; belongs to one event loop.

    What arrives in one turn of the loop, or while a batch runs, becomes the next batch: under load batches grow by
    themselves, and alone nobody waits.

    Parameters
    ----------
    max_size : int
        Histories that one run may join.
    wait_s : float
        How long the first of a batch waits for others.
    in_thread : bool
        Run the model beside the event loop: for models that take longer than the loop may stand still.
    """

    def __init__(
        self, predict: Predict, *, max_size: int, wait_s: float = 0.0, in_thread: bool = False
    ) -> None:
        self._predict = predict
        self._max_size = max_size
        self._wait_s = wait_s
        self._in_thread = in_thread
        self._waiting: deque[Waiting] = deque()
        self._is_due = False
        self._run: asyncio.Task[None] | None = None
        self.runs = 0
        self.joined = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def ask(self, history: History, terms: Hashable) -> "asyncio.Future[Forecast]":
        """Return the answer to come; one run of the model joins those that ask for the same terms.

        It raises what `forecast_histories` raises, for this history alone.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Forecast] = loop.create_future()
        self._waiting.append((history, terms, answer))
        if not self._is_due:
            self._is_due = True
            if self._wait_s:
                loop.call_later(self._wait_s, self._start)
            else:
                loop.call_soon(self._start)
        return answer

    def _start(self) -> None:
        if self._in_thread:
            self._run = asyncio.get_running_loop().create_task(self._work_in_thread())
            return
        batch = self._next()
        _deliver(batch, _outcomes(self._predict, batch))
        self._is_due = bool(self._waiting)
        if self._is_due:
            asyncio.get_running_loop().call_soon(self._start)

    async def _work_in_thread(self) -> None:
        while batch := self._next():
            _deliver(batch, await asyncio.to_thread(_outcomes, self._predict, batch))
        self._is_due = False

    def _next(self) -> list[Waiting]:
        """Take the next batch: who has given up meanwhile is left out."""
        batch: list[Waiting] = []
        while self._waiting and len(batch) < self._max_size:
            waiting = self._waiting.popleft()
            if not waiting[2].done():
                batch.append(waiting)
        self.runs += bool(batch)
        self.joined += len(batch)
        return batch


def _outcomes(predict: Predict, batch: Sequence[Waiting]) -> list[Forecast | Exception]:
    outcomes: list[Forecast | Exception | None] = [None] * len(batch)
    for terms in {terms for _, terms, _ in batch}:
        rows = [row for row, waiting in enumerate(batch) if waiting[1] == terms]
        answers = _answers(predict, [batch[row][0] for row in rows], terms)
        for row, answer in zip(rows, answers, strict=True):
            outcomes[row] = answer
    return [outcome for outcome in outcomes if outcome is not None]


def _answers(
    predict: Predict, histories: Sequence[History], terms: Hashable
) -> Sequence[Forecast | Exception]:
    """When a batch fails, ask for each alone, so that one bad history spoils no other."""
    try:
        return predict(histories, terms)
    except TradingError as error:
        if len(histories) == 1:
            return [error]
        return [_answers(predict, [history], terms)[0] for history in histories]
    except Exception as error:  # whatever it is, nobody may wait for ever
        failure = ForecastInvalid(f"The model failed: {error}")
        failure.__cause__ = error
        return [failure] * len(histories)


def _deliver(batch: Sequence[Waiting], outcomes: Sequence[Forecast | Exception]) -> None:
    for (_, _, answer), outcome in zip(batch, outcomes, strict=True):
        if answer.done():
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
