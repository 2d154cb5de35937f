"""Which books a desk has asked for, what for, and what was answered."""

from dataclasses import dataclass, field

from trading.algorithms.parameters import Listing
from trading.commands import RequestBook
from trading.effects import Effect, Send
from trading.identifiers import ClientOrderId, InstrumentId, MachineName, Venue, machine_name
from trading.routing.quotes import Sides

BookKey = tuple[Venue, InstrumentId]


@dataclass(slots=True)
class _Question:
    """What one parent waits for before it decides."""

    until: int
    ids: dict[str, BookKey] = field(default_factory=dict)
    answers: dict[BookKey, Sides] = field(default_factory=dict)

    @property
    def is_answered(self) -> bool:
        return len(self.answers) == len(self.ids)


class BookQuestions:
    """One open question per parent at most, about any number of books. Volatile: a restart asks again.

    An answer counts for the decision that it was asked for; the next one asks anew. It says by its cause
    which request it belongs to, so it cannot be taken for the book of another venue, nor for a
    later question.

    Parameters
    ----------
    asker : MachineName
        Who gets the answers.
    wait_ns : int
        Bound of the wait of one decision; 0 asks nobody.
    """

    def __init__(self, asker: MachineName, wait_ns: int) -> None:
        self._asker = asker
        self._wait_ns = wait_ns
        self._open: dict[ClientOrderId, _Question] = {}

    def ask(
        self, parent: ClientOrderId, listings: tuple[Listing, ...], now: int
    ) -> tuple[list[Effect], int]:
        """Ask for the books that this parent has not asked for, and return when it is to decide at the latest."""
        question = self._open.setdefault(parent, _Question(now + self._wait_ns))
        asked = set(question.ids.values())
        keys = dict.fromkeys((listing.venue, listing.instrument_id) for listing in listings)
        requests = [self._request(question, key, now) for key in keys if key not in asked]
        return requests, question.until

    def book_of(self, request_id: str) -> BookKey | None:
        """Return the book that an open request is about; None when nobody waits for its answer any more."""
        found = (question.ids.get(request_id) for question in self._open.values())
        return next((key for key in found if key is not None), None)

    def answer(self, key: BookKey, sides: Sides) -> list[ClientOrderId]:
        """Give a book to all who wait for it; return those who now have all that they asked for."""
        waiting = [
            (parent, question)
            for parent, question in self._open.items()
            if key in question.ids.values() and key not in question.answers
        ]
        for _, question in waiting:
            question.answers[key] = sides
        return [parent for parent, question in waiting if question.is_answered]

    def sides(self, parent: ClientOrderId, listing: Listing) -> Sides | None:
        """Return the levels that were answered."""
        question = self._open.get(parent)
        if question is None:
            return None
        return question.answers.get((listing.venue, listing.instrument_id))

    def may_answer(self, parent: ClientOrderId, listing: Listing, now: int) -> bool:
        """Return True while the book is still to be had for the next decision: not asked for, or not late."""
        question = self._open.get(parent)
        if question is None:
            return self._wait_ns > 0
        return now < question.until and self.sides(parent, listing) is None

    def close(self, parent: ClientOrderId) -> None:
        """The decision is made: what comes now comes too late."""
        self._open.pop(parent, None)

    def close_all(self) -> None:
        self._open.clear()

    def _request(self, question: _Question, key: BookKey, now: int) -> Effect:
        venue, instrument_id = key
        request_id = f"{self._asker}/{venue}/{instrument_id}/{now}"
        question.ids[request_id] = key
        request = RequestBook(
            ts_init=now,
            correlation_id=request_id,
            instrument_id=instrument_id,
            reply_to=self._asker,
        )
        return Send(machine_name("book", venue), request)
