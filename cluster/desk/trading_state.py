"""Changes that risk managers have to obey: of the trading state, of a limit; and waiting until they do."""

from cluster.desk.link import ClusterLink
from cluster.desk.looking import look_until
from cluster.desk.quotes import machine_of
from serve.desk.accounts import accounts_of, strictest
from serve.desk.view import ClusterSnapshot
from trading.commands import SetTradingState
from trading.errors import ClusterUnreachable
from trading.events import LimitChanged
from trading.values import TradingState

IN_FORCE_S = 1.0


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

    def is_obeyed(snapshot: ClusterSnapshot) -> bool:
        return all(each.trading_state == state for each in accounts_of(snapshot))

    seen = look_until(link, link.snapshot, is_obeyed, IN_FORCE_S)
    return strictest(accounts_of(seen)).trading_state


def obeyed(link: ClusterLink, change: LimitChanged) -> ClusterSnapshot:
    """Look until every running risk manager goes by a changed limit; return the last look.

    They follow the journal, so it takes a fraction of a second; one that is down reads it when it starts.
    """

    def is_obeyed(snapshot: ClusterSnapshot) -> bool:
        views = [machine_of(snapshot, account, "risk") for account in link.blueprint.accounts]
        made = [view["limit_changes"]["made"].get(change.name) for view in views if view]
        return all((each and each["value"]) == (change.value or None) for each in made)

    return look_until(link, link.snapshot, is_obeyed, IN_FORCE_S)
