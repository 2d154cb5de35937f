"""What a person may do with a strategy: hand it in, let it up, take it down, retire it."""

from trading.events import AgentMoved, AgentSubmitted
from trading.ladder.promotion import objections
from trading.ladder.record import AgentRecord, terms_of
from trading.ladder.refusal import LadderRefused
from trading.ladder.rules import LadderRules
from trading.ladder.standing import AT_WORK, CLOSED, MoveCode, Standing

DOWN = {
    Standing.LIVE: (Standing.PAPER, Standing.CANDIDATE),
    Standing.PAPER: (Standing.CANDIDATE,),
}


def require_open(record: AgentRecord, fact: AgentSubmitted) -> None:
    """Check that a source may be handed in under this name.

    Raises
    ------
    LadderRefused
        If the name is closed, or trades with something else.
    """
    name = record.name
    if record.standing is Standing.RETIRED:
        raise LadderRefused(f"{name} is retired; submit under another name.")
    if record.standing in CLOSED:
        raise LadderRefused(
            f"{name} is quarantined; a person may release it: trader agent promote {name} candidate."
        )
    submitted = record.submitted
    if record.standing in AT_WORK and submitted and terms_of(submitted) != terms_of(fact):
        raise LadderRefused(
            f"{name} is {record.standing} with another source or parameters; demote it first, or submit "
            "under another name."
        )


def promoted(
    record: AgentRecord, to: Standing, rules: LadderRules, now: int, move: AgentMoved
) -> AgentMoved:
    """Return the fact that a strategy goes up.

    Parameters
    ----------
    move : AgentMoved
        Who, why and, for money, the account.

    Raises
    ------
    LadderRefused
        Naming everything that stands in the way.
    """
    found = list(objections(record, to, rules, now))
    if to is not Standing.PAPER and not move.reason.strip():
        found.append("it needs --reason TEXT")
    if to is Standing.LIVE and not move.account_id:
        found.append("it needs an account")
    if found:
        raise LadderRefused(f"{record.name} cannot go to {to}: {'; '.join(found)}.")
    return move


def move_of(
    record: AgentRecord, to: Standing, actor: str, reason: str, account_id: str = ""
) -> AgentMoved:
    """Return a move by a person; `promoted`, `demoted` and `retired` say whether it may be."""
    code = MoveCode.PROMOTED
    if to is Standing.CANDIDATE:
        is_release = record.standing is Standing.QUARANTINED
        code = MoveCode.RELEASED if is_release else MoveCode.DEMOTED
    elif to is Standing.RETIRED:
        code = MoveCode.RETIRED
    elif to is Standing.PAPER and record.standing is Standing.LIVE:
        code = MoveCode.DEMOTED
    return AgentMoved(
        agent=record.name,
        number=0,
        actor=actor,
        standing=to,
        code=code,
        source_sha256=record.sha256,
        reason=reason,
        account_id=account_id,
    )


def demoted(record: AgentRecord, to: Standing, actor: str, reason: str) -> AgentMoved:
    """Return the fact that a person takes a strategy down.

    Raises
    ------
    LadderRefused
        If that is not down from where it stands.
    """
    _require_known(record)
    below = DOWN.get(record.standing, ())
    if to not in below:
        places = " or ".join(below) or "nothing lower"
        raise LadderRefused(f"{record.name} is {record.standing}; below that is {places}.")
    return move_of(record, to, actor, reason)


def retired(record: AgentRecord, actor: str, reason: str) -> AgentMoved:
    """Return the fact that a strategy is given up, for good.

    Raises
    ------
    LadderRefused
        If it is unknown, or was retired before.
    """
    _require_known(record)
    if record.standing is Standing.RETIRED:
        raise LadderRefused(f"{record.name} is retired already.")
    return move_of(record, Standing.RETIRED, actor, reason)


def _require_known(record: AgentRecord) -> None:
    if record.submitted is None:
        raise LadderRefused(f"there is no strategy {record.name!r}; submit it first.")


def approved(record: AgentRecord, live_account: str = "") -> AgentSubmitted:
    """Return what may trade: on paper, or with money on `live_account`.

    Raises
    ------
    LadderRefused
        If it does not stand there, or was let up for another account.
    """
    _require_known(record)
    assert record.submitted is not None
    if record.standing not in AT_WORK:
        raise LadderRefused(
            f"{record.name} is {record.standing}, so it may not trade; see trader agent show {record.name}."
        )
    if not live_account:
        return record.submitted
    account = record.since.account_id if record.since else ""
    if record.standing is not Standing.LIVE or account != live_account:
        where = f"for account {account}" if account else "for no money"
        raise LadderRefused(
            f"{record.name} is {record.standing} {where}, so it may not trade on {live_account}."
        )
    return record.submitted
