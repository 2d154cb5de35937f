"""A large order as a person names it: which places a symbol means, in whose name, and what is wrong with it."""

from actors.blueprint import Blueprint
from trading.algorithms.objections import objection
from trading.algorithms.parameters import Listing
from trading.commands import ExecuteOrder
from trading.errors import UsageError
from trading.identifiers import MachineName, StrategyId, machine_name, symbol_of
from trading.instruments import Instrument


def desk_of(blueprint: Blueprint) -> MachineName:
    """Return the machine that works large orders.

    Raises
    ------
    UsageError
        If the cluster has none.
    """
    if blueprint.execution is None:
        raise UsageError("this cluster has no desk; set execution.desk and start it again.")
    return machine_name("execution", blueprint.execution.name)


def listings_of(blueprint: Blueprint, symbol: str, over: tuple[str, ...]) -> tuple[Listing, ...]:
    """Return where `symbol` trades: at the venues `over`, or at all that list it.

    Parameters
    ----------
    symbol : str
        An instrument id, a symbol, or what the venue calls it.

    Raises
    ------
    UsageError
        If a venue is not traded at, or does not list the symbol, or lists several of that name.
    """
    known = [each.venue for each in blueprint.accounts]
    unknown = [name for name in over if name not in known]
    if unknown:
        raise UsageError(
            f"--over names {', '.join(unknown)}; this cluster trades at {', '.join(known)}."
        )
    found = []
    for account in blueprint.accounts:
        if over and account.venue not in over:
            continue
        matching = [each for each in account.instruments if _is_named(each, symbol)]
        if len(matching) > 1:
            ids = ", ".join(each.instrument_id for each in matching)
            raise UsageError(f"{symbol} means several at {account.venue}: {ids}; name one of them.")
        if not matching and over:
            raise UsageError(f"{symbol} is not traded at {account.venue}; correct its symbols.")
        found += [
            Listing(account.venue, account.account_id, each.instrument_id) for each in matching
        ]
    if not found:
        raise UsageError(f"{symbol} is traded at none of {', '.join(known)}.")
    return tuple(found)


def trader_of(blueprint: Blueprint, name: str) -> StrategyId:
    """Return in whose name is traded; empty means the only one there is.

    Raises
    ------
    UsageError
        If risk would let nobody of that name pass, or several may trade and none is named.
    """
    traders = (*blueprint.traders, *(plan.strategy_id for plan in blueprint.strategies))
    shown = ", ".join(traders) or "nobody; set execution.strategies"
    if not name and len(traders) == 1:
        return traders[0]
    if name not in traders:
        problem = f"{name!r} may not trade" if name else "--strategy is missing"
        raise UsageError(f"{problem}; who may: {shown}.")
    return StrategyId(name)


def require_workable(blueprint: Blueprint, order: ExecuteOrder, now: int) -> None:
    """Refuse what the desk would refuse, before an id is used up for it.

    Raises
    ------
    UsageError
        With the desk's own sentence.
    """
    instruments = {
        Listing(account.venue, account.account_id, each.instrument_id): each
        for account in blueprint.accounts
        for each in account.instruments
    }
    reason = objection(order, instruments, now)
    if reason is not None:
        raise UsageError(f"{reason}.")


def _is_named(instrument: Instrument, symbol: str) -> bool:
    key = instrument.instrument_id
    return symbol in (key, symbol_of(key), instrument.venue_symbol)
