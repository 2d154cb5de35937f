"""Requests that wait for their answer, found by the ids that the answer may carry."""

import asyncio
from collections.abc import Callable
from typing import Any

from actors.venues.fix.messages import Fields, MsgType
from actors.venues.fix.parse import ExecType
from trading.errors import OutcomeUnknown, VenueError

Take = Callable[[str, Fields], Any]
"""What a request makes of a message that carries its id: None while the answer is not complete."""


class _Request:
    def __init__(self, take: Take) -> None:
        self.take = take
        self.answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class Waiting:
    """Belongs to one event loop. An id is a ClOrdID, the id of a query, or a MsgSeqNum."""

    def __init__(self) -> None:
        self._requests: dict[str, _Request] = {}

    async def answer(
        self, keys: tuple[str, ...], send: Callable[[], int], take: Take, timeout_s: float
    ) -> Any:
        """Send a request and return what `take` makes of the answer.

        Parameters
        ----------
        keys : tuple of str
            The id in the request that answers repeat; behind it others by which an answer may be found.
        send : function
            Sends it, and returns its MsgSeqNum, by which rejections name it.

        Raises
        ------
        VenueError
            What `send` or `take` raises; `OutcomeUnknown` when no answer comes in time.
        """
        request = _Request(take)
        self._requests.update(dict.fromkeys(keys, request))
        number = ""
        try:
            number = f"#{send()}"
            self._requests[number] = request
            async with asyncio.timeout(timeout_s):
                return await request.answer
        except TimeoutError:
            raise OutcomeUnknown(f"the venue did not answer within {timeout_s:g} s") from None
        finally:
            for key in (*keys, number):
                if self._requests.get(key) is request:
                    del self._requests[key]

    def arrived(self, text: str, fields: Fields, *other_keys: str) -> bool:
        """Let the request that a message answers have it; False when nobody waits for it."""
        for key in (*_ids(fields), *other_keys):
            request = self._requests.get(key)
            if request is None or request.answer.done():
                continue
            try:
                found = request.take(text, fields)
            except VenueError as error:
                request.answer.set_exception(error)
            else:
                if found is not None:
                    request.answer.set_result(found)
            return True
        return False

    def give_up(self, reason: str) -> None:
        """End all requests as unknown: the session that they were sent in is over."""
        for request in list(self._requests.values()):
            if not request.answer.done():
                request.answer.set_exception(OutcomeUnknown(reason))


def _ids(fields: Fields) -> list[str]:
    """Return the ids by which a message may name the request that it answers, surest first."""
    if fields.get(35) in {MsgType.REJECT, MsgType.BUSINESS_REJECT}:
        return [f"#{fields.get(45, '')}", fields.get(379, "")]
    if fields.get(150) == ExecType.ORDER_STATUS:
        return [fields.get(584, ""), fields.get(790, "")]
    return [fields.get(tag, "") for tag in (710, 721, 909, 11)]
