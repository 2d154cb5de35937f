"""What a call remembers from the question to the answer, sealed into the state that the client carries.

A confirmed call comes twice: it is asked about, then it comes back with the answer, perhaps to another replica. The
ticket joins the two. It is made with the first, travels in the sealed request state (bound to tool, arguments and
caller, with an expiry), and comes back with the second. So a question is put in the same words although the market
has moved on, and whatever is done under one ticket is done once: the key of an order is the ticket's.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any


class Ticket:
    """One for each call that nobody has answered yet.

    Attributes
    ----------
    id : str
        Made by chance; never used for another call.
    """

    def __init__(self, ticket_id: str = "", pinned: dict[str, str] | None = None) -> None:
        self.id = ticket_id or secrets.token_hex(12)
        self._pinned = dict(pinned or {})

    def once(self, name: str, make: Callable[[], str]) -> str:
        """Return what was made under this name when the question was first put, or make it now."""
        if name not in self._pinned:
            self._pinned[name] = make()
        return self._pinned[name]

    def sealed_with(self, state: str) -> str:
        """Return the state of a round with this ticket in it, to be sealed by the SDK."""
        return json.dumps({"ticket": self.id, "pinned": self._pinned, "state": state})


def opened(state: Any) -> tuple[Ticket, str | None]:
    """Return ticket and state of a round. What is none of ours begins a new one.

    Parameters
    ----------
    state : str or None
        As the SDK unsealed it: nobody but a replica of ours has made it.
    """
    if not isinstance(state, str):
        return Ticket(), None
    try:
        told = json.loads(state)
        return Ticket(told["ticket"], told["pinned"]), told["state"]
    except (ValueError, KeyError, TypeError):  # of a release that did not know tickets: ask anew
        return Ticket(), None
