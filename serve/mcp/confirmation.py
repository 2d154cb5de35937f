"""A person's yes before anything that trades or spends. There is no way around it.

The question is put by the server, in its own words, to the client's user (elicitation). The answer never comes from the
arguments of the call: an argument `confirm` is refused like any other that a tool does not have.
"""

from collections.abc import Callable
from typing import Any

from mcp.server.elicitation import (
    AcceptedElicitation,
    CancelledElicitation,
    DeclinedElicitation,
    ElicitationResult,
)
from mcp.server.mcpserver import Context, Elicit
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, Field, StrictBool

from serve.mcp.call import Call
from trading.errors import TradingError

MESSAGE_MAX = 4_000


class NotConfirmed(TradingError):
    """The person did not say yes; nothing was done."""

    code = "NOT_CONFIRMED"
    exit_status = 6


class CannotAsk(TradingError):
    """The client has no way to ask a person; nothing was done."""

    code = "CONFIRMATION_IMPOSSIBLE"
    exit_status = 6


class Confirm(BaseModel):
    """What the person is asked to fill in."""

    confirm: StrictBool = Field(description="Yes, do it.")


Answer = ElicitationResult[Confirm]


def ask(call: Call, context: Context[Any, Any], make: Callable[[], str]) -> Elicit[Confirm]:
    """Put a question to the person in front of the client.

    Parameters
    ----------
    make : callable
        Makes the question; it is put in the same words until it is answered.

    Raises
    ------
    CannotAsk
        If the client cannot ask anybody.
    """
    require_askable(context)
    return Elicit(call.ticket.once("question", make)[:MESSAGE_MAX], Confirm)


def confirmed() -> Confirm:
    """Return the answer where nothing has to be asked."""
    return Confirm(confirm=True)


def require_askable(context: Context[Any, Any]) -> None:
    """Check that the client can show a form to a person."""
    declared = context.client_capabilities
    elicitation = None if declared is None else declared.elicitation
    is_able = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    is_reachable = (
        context.protocol_version in MODERN_PROTOCOL_VERSIONS or context.session.can_send_request
    )
    if not (is_able and is_reachable):
        raise CannotAsk(
            "This needs a person's yes, and your client cannot ask one here. Use a client with form elicitation: "
            "over stdio any protocol version will do, over HTTP 2026-07-28 or later. simulate_trade needs no yes; "
            "a person can also trade on the web page."
        )


def require_yes(value: Any) -> None:
    """Check an argument of a tool, if it is an answer.

    Raises
    ------
    NotConfirmed
        If it is anything but yes.
    """
    if isinstance(value, DeclinedElicitation):
        raise NotConfirmed("The person declined; nothing was done.")
    if isinstance(value, CancelledElicitation):
        raise NotConfirmed("The person closed the question without an answer; nothing was done.")
    is_answer = isinstance(value, AcceptedElicitation) and isinstance(value.data, Confirm)
    if is_answer and value.data.confirm is not True:
        raise NotConfirmed("The person answered, but not with yes; nothing was done.")
