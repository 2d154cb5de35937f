"""Pause, resume and kill all trading; look at the limits and change them."""

from typing import Annotated, Any

from mcp.server.mcpserver import Context, Elicit, Resolve
from pydantic import Field

from serve.desk.accounts import source_of
from serve.desk.answers import moment
from serve.desk.portfolio import portfolio_of
from serve.desk.principal import Permission
from serve.mcp.answers import ChangedLimit, Killed, Limits, TradingSwitch
from serve.mcp.call import Call, Caller
from serve.mcp.confirmation import Answer, Confirm, ask, confirmed
from serve.mcp.refusal import nearest
from serve.mcp.tool import STOP, tool
from serve.mcp.toolsets import Toolset
from serve.mcp.trade_terms import place_of
from serve.mcp.untrusted import one_line
from trading.errors import UsageError
from trading.values import TradingState

Why = Annotated[str, Field(min_length=1, max_length=300, description="It is recorded.")]
LimitName = Annotated[
    str,
    Field(
        max_length=128, description="As get_risk_limits names it, or max_strategy_exposure.NAME."
    ),
]


@tool(Toolset.TRADING, Permission.RISK_ADMIN, is_core=True, changes=True, is_idempotent=True)
def pause_trading(
    call: Caller,
    *,
    reason: Why,
    reduce_only: Annotated[bool, Field(description="True: positions may still be closed.")] = False,
) -> TradingSwitch:
    """Stop all new orders, at once and without a question; resume_trading ends it."""
    state = TradingState.REDUCING if reduce_only else TradingState.HALTED
    call.desk.trading.set_state(state, call.by, one_line(reason, 300))
    return _switch(call, reason)


def ask_to_resume(call: Caller, context: Context[Any, Any], reason: str) -> Elicit[Confirm]:
    """Show the person why trading stands still."""

    def question() -> str:
        found = portfolio_of(call.desk.trading.snapshot())
        killed = " The kill switch is latched and would be reset." if found.is_killed else ""
        return (
            f"{place_of(call.desk)} Let trading go on? It is {found.trading_state}.{killed}\n"
            f"- reason given: {one_line(reason)}"
        )

    return ask(call, context, question)


@tool(Toolset.TRADING, Permission.RISK_ADMIN, changes=True, is_destructive=True, is_idempotent=True)
def resume_trading(
    call: Caller, answer: Annotated[Answer, Resolve(ask_to_resume)], reason: Why
) -> TradingSwitch:
    """Let trading go on after a pause or after the kill switch, when the person said yes."""
    desk = call.desk.trading
    told = one_line(reason, 300)
    if portfolio_of(desk.snapshot()).is_killed:
        desk.reset_kill(call.by, told)
    desk.set_state(TradingState.ACTIVE, call.by, told)
    return _switch(call, reason)


def ask_to_flatten(
    call: Caller, context: Context[Any, Any], reason: str, flatten: bool
) -> Elicit[Confirm] | Confirm:
    """Stopping needs nobody's yes; closing every position does."""
    if not flatten:
        return confirmed()

    def question() -> str:
        rows = portfolio_of(call.desk.trading.snapshot()).positions
        held = "\n".join(
            f"- {row.quantity:f} {row.instrument_id}, worth {row.value:,.2f}" for row in rows
        )
        return (
            f"{place_of(call.desk)} Kill all trading AND close {len(rows)} positions at the market?\n"
            f"- reason given: {one_line(reason)}\n{held}"
        )

    return ask(call, context, question)


@tool(
    Toolset.TRADING,
    STOP,
    is_core=True,
    changes=True,
    is_destructive=True,
    is_idempotent=True,
    is_open_world=True,
)
def kill_switch(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_flatten)],
    *,
    reason: Why,
    flatten: Annotated[
        bool, Field(description="Also close every position; asks the person.")
    ] = False,
) -> Killed:
    """Stop everything: cancel all orders and latch the switch of every account. Stays so until a person resumes."""
    reports = call.desk.trading.kill(call.by, one_line(reason, 300), flatten=flatten)
    snapshot = call.desk.trading.snapshot()
    return Killed(source=source_of(snapshot), as_of=moment(snapshot.clock_ns), accounts=reports)


@tool(Toolset.RISK)
def get_risk_limits(call: Caller) -> Limits:
    """List the limits in force, how much of each is used, and who changed it."""
    snapshot = call.desk.trading.snapshot()
    return Limits(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        limits=call.desk.trading.limits(),
    )


def ask_to_change_limit(
    call: Caller, context: Context[Any, Any], name: str, value: str, reason: str
) -> Elicit[Confirm]:
    """Show the person the limit as it is and as it would be."""

    def question() -> str:
        known = {each.name: each for each in call.desk.trading.limits()}
        now = known.get(name)
        if now is None and "." not in name:
            raise UsageError(f"There is no limit {name!r}; {nearest(name, known)}")
        return (
            f"{place_of(call.desk)} Change the risk limit {one_line(name, 128)}?\n"
            f"- now: {'none' if now is None else now.limit}\n"
            f"- then: {one_line(value, 64) or 'as the configuration says'}\n- reason given: {one_line(reason)}"
        )

    return ask(call, context, question)


@tool(Toolset.RISK, Permission.RISK_ADMIN, changes=True, is_destructive=True, is_idempotent=True)
def set_risk_limit(
    call: Caller,
    answer: Annotated[Answer, Resolve(ask_to_change_limit)],
    *,
    name: LimitName,
    value: Annotated[str, Field(max_length=64, description="Empty: as configured. off: none.")],
    reason: Why,
) -> ChangedLimit:
    """Change one risk limit, when the person said yes; the running risk manager obeys within a second."""
    desk = call.desk.trading
    limit = desk.change_limit(name, value, call.by, one_line(reason, 300))
    snapshot = desk.snapshot()
    return ChangedLimit(source=source_of(snapshot), as_of=moment(snapshot.clock_ns), limit=limit)


def _switch(call: Call, reason: str) -> TradingSwitch:
    snapshot = call.desk.trading.snapshot()
    found = portfolio_of(snapshot)
    return TradingSwitch(
        source=found.source,
        as_of=found.as_of,
        trading_state=found.trading_state,
        is_killed=found.is_killed,
        reason=one_line(reason, 300),
    )
