"""Changes that risk managers have to obey: of the trading state, of a limit; and waiting until they do."""

from cluster.desk.link import ClusterLink
from cluster.desk.quotes import machine_of
from serve.desk.accounts import accounts_of, strictest
from serve.desk.view import ClusterSnapshot
from trading.commands import SetTradingState
from trading.errors import ClusterUnreachable
from trading.events import LimitChanged
from trading.values import NANOS_PER_SECOND, TradingState

IN_FORCE_S = 1.0
POLL_S = 0.02


def set_trading_state(link: ClusterLink, state: TradingState, actor: str, reason: str) -> str:
    """Ask every account's risk manager, and return the strictest state in force then.

    A breaker that tripped may hold a stricter one than was asked for.

    Raises
    ------
    ClusterUnreachable
        If a risk manager is down; all others were asked.
    """
    missed: ClusterUnreachable | None = None
    for account in link.blueprint.accounts:
        command = SetTradingState(
            ts_init=link.now_ns(), state=state, actor=actor, reason=reason or "no reason given"
        )
        try:
            link.command(account.name("risk"), command)
        except ClusterUnreachable as error:
            missed = error
    if missed is not None:
        raise missed
    return _wait(link, state)


def obeyed(link: ClusterLink, change: LimitChanged) -> ClusterSnapshot:
    """Look until every running risk manager goes by a changed limit; return the last look.

    They follow the journal, so it takes a fraction of a second; one that is down reads it when it starts.
    """
    deadline = link.now_ns() + int(IN_FORCE_S * NANOS_PER_SECOND)
    while True:
        is_last = link.now_ns() >= deadline  # before looking: a pause does not make a look old
        snapshot = link.snapshot()
        views = [machine_of(snapshot, account, "risk") for account in link.blueprint.accounts]
        made = [view["limit_changes"]["made"].get(change.name) for view in views if view]
        value = change.value or None
        if is_last or all((each and each["value"]) == value for each in made):
            return snapshot
        link.pause(POLL_S)


def _wait(link: ClusterLink, wanted: TradingState) -> str:
    deadline = link.now_ns() + int(IN_FORCE_S * NANOS_PER_SECOND)
    while True:
        is_last = link.now_ns() >= deadline
        accounts = list(accounts_of(link.snapshot()))
        is_obeyed = all(each.trading_state == wanted for each in accounts)
        if is_obeyed or is_last:
            return strictest(accounts).trading_state
        link.pause(POLL_S)
