"""What was asked for at the front desk: facts of the streams `requests:<account>` and `audit:<cluster>`."""

from trading.commands import SubmitOrder
from trading.events import Event
from trading.identifiers import AccountId, StreamName


class DeskEvent(Event, frozen=True, kw_only=True):
    """Base of facts about requests of people and agents."""


class OrderRequested(DeskEvent, frozen=True, kw_only=True):
    """Somebody asked for an order; durable before it is handed to the risk manager.

    Attributes
    ----------
    key : str
        The `Idempotency-Key`, together with who gave it: the first fact with a key is the one that counts.
    digest : str
        Of what was asked for: the same key with another order is refused.
    actor : str
        Who asked.
    """

    key: str
    digest: str
    actor: str
    order: SubmitOrder


class RequestAudited(DeskEvent, frozen=True, kw_only=True):
    """A request that may have changed something.

    Attributes
    ----------
    actor : str
        Who asked.
    came_by, address : str
        See `serve.desk.principal.Principal`.
    action : str
        What was asked for: `POST /v1/orders`, `mcp execute_trade`.
    subject : str
        What it was about: an order id, a limit, a job; may be empty.
    outcome : str
        `OK`, or the code of the refusal.
    """

    actor: str
    came_by: str
    address: str
    action: str
    subject: str
    outcome: str


def requests_stream(account_id: AccountId) -> StreamName:
    """Return the shared stream of the orders that people and agents ask for."""
    return StreamName(f"requests:{account_id}")


def audit_stream(cluster: str) -> StreamName:
    """Return the shared stream of who did what at the front desk."""
    return StreamName(f"audit:{cluster}")
