"""`trader execute` and `trader cancel`: a large order for the desk, over one account or several."""

import time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.cli.execute_options import (
    AlgorithmName,
    CatchUpOption,
    CompleteOption,
    DisplayOption,
    JitterOption,
    ParticipationOption,
    RestsOption,
    SlicesOption,
    StopLimitOption,
    StopLossOption,
    StyleOption,
    TakeProfitOption,
    VolumesOption,
    WindowOption,
    algorithm_of,
    duration,
    number,
)
from cluster.cli.options import AddressOption, ConfigOption, JsonOption, QuietOption, config_of
from cluster.exit_codes import ExitCode
from trading.values import OrderSide, TimeInForce

if TYPE_CHECKING:
    from cluster.execution_story import ExecutionStory
    from trading.events import Event

ANSWER_S = 5.0
"""How long the desk has to journal that it took, or refused, an order."""
POLL_S = 0.1

FollowOption = Annotated[
    bool,
    typer.Option(
        "--follow", "-f", help="Show the children until the end; Ctrl-C only stops looking."
    ),
]


def execute(
    side: Annotated[
        OrderSide, typer.Argument(metavar="SIDE", case_sensitive=False, help="BUY or SELL.")
    ],
    quantity: Annotated[
        Decimal, typer.Argument(metavar="QUANTITY", parser=number, help="Units in all.")
    ],
    symbol: Annotated[
        str, typer.Argument(metavar="SYMBOL", help="AAPL, AAPL.XNAS or the venue's name of it.")
    ],
    *,
    algorithm: Annotated[
        AlgorithmName, typer.Option("--algorithm", help="route: all of it now, at the best prices.")
    ] = AlgorithmName.ROUTE,
    over: Annotated[
        str, typer.Option("--over", metavar="V,V", help="Venues; all that list it by default.")
    ] = "",
    limit: Annotated[
        Decimal | None,
        typer.Option("--limit", metavar="PRICE", parser=number, help="No part trades worse."),
    ] = None,
    strategy: Annotated[
        str,
        typer.Option(
            "--strategy", metavar="ID", help="In whose name; needed where several may trade."
        ),
    ] = "",
    expires: Annotated[
        int | None,
        typer.Option(
            "--expires", metavar="TIME", parser=duration, help="End it after so long: 1h."
        ),
    ] = None,
    time_in_force: Annotated[
        TimeInForce, typer.Option("--tif", case_sensitive=False, help="Of children that rest.")
    ] = TimeInForce.DAY,
    window: WindowOption = None,
    slices: SlicesOption = None,
    volumes: VolumesOption = None,
    participation: ParticipationOption = None,
    style: StyleOption = None,
    catch_up: CatchUpOption = None,
    jitter: JitterOption = None,
    complete: CompleteOption = None,
    display: DisplayOption = None,
    take_profit: TakeProfitOption = None,
    stop_loss: StopLossOption = None,
    stop_limit: StopLimitOption = None,
    rests: RestsOption = None,
    key: Annotated[
        str,
        typer.Option(
            "--id", metavar="ID", help="Of an order that may have been sent: it is worked once."
        ),
    ] = "",
    follow: FollowOption = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Work a large order over the accounts of the running cluster; prints the id of the execution.

    The desk sends children through each account's risk manager. Exit codes: 0 it was taken (with --follow: all
    of it is done), 6 it was refused, 1 it ended otherwise, 7 the desk did not answer: ask again with --id.
    """
    from cluster.cli.output import note
    from cluster.client import connect
    from cluster.execution_story import ExecutionStory
    from cluster.parent_order import desk_of, listings_of, require_workable, trader_of
    from trading.commands import ExecuteOrder
    from trading.identifiers import ClientOrderId, derive_client_order_id

    how = algorithm_of(
        algorithm,
        {
            "window_ns": window, "slices": slices, "volumes": volumes, "participation": participation,
            "style": style, "catch_up": catch_up, "jitter": jitter, "must_complete": complete,
            "display_qty": display, "take_profit_px": take_profit, "stop_loss_px": stop_loss,
            "stop_limit_px": stop_limit, "rests": rests,
        },
    )  # fmt: skip
    view = connect(config_of(config, address))
    now = time.time_ns()
    names = tuple(name.strip() for name in over.split(",") if name.strip())
    listings = listings_of(view.blueprint, symbol, names)
    trader, first = trader_of(view.blueprint, strategy), listings[0]
    fresh = derive_client_order_id(first.account_id, trader, first.instrument_id, now, "execute")
    order = ExecuteOrder(
        ts_init=now,
        client_order_id=ClientOrderId(key) if key else fresh,
        strategy_id=trader,
        side=side,
        quantity=quantity,
        listings=listings,
        algorithm=how,
        limit_price=limit,
        expires_at=now + expires if expires else 0,
        time_in_force=time_in_force,
    )
    desk = desk_of(view.blueprint)
    require_workable(view.blueprint, order, now)
    story = ExecutionStory(
        view.journal, view.blueprint, order.client_order_id, from_start=bool(key)
    )
    note(f"Sending execution {order.client_order_id} to {desk} ...", quiet=quiet)
    view.command(desk, order)
    _tell(story, order.client_order_id, follow=follow, as_json=as_json)


def cancel(
    key: Annotated[
        str, typer.Argument(metavar="ID", help="Of the execution, as `execute` printed it.")
    ],
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; it is recorded.")
    ] = "",
    follow: FollowOption = False,
    config: ConfigOption = None,
    address: AddressOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop working a large order and cancel its children, exits too; what was filled stays."""
    from cluster.client import connect
    from cluster.execution_story import ExecutionStory
    from cluster.parent_order import desk_of
    from trading.commands import CancelExecution
    from trading.errors import UsageError
    from trading.identifiers import ClientOrderId

    view = connect(config_of(config, address))
    desk, named = desk_of(view.blueprint), ClientOrderId(key)
    story = ExecutionStory(view.journal, view.blueprint, named, from_start=True)
    story.poll()
    if story.started is None:
        raise UsageError(f"{desk} works no order {key}; the id has 32 digits.")
    if story.ended is None:
        why = reason or "requested by the operator"
        view.command(
            desk, CancelExecution(ts_init=time.time_ns(), client_order_id=named, reason=why)
        )
        story = ExecutionStory(view.journal, view.blueprint, named, from_start=True)
    _tell(story, key, follow=follow, as_json=as_json)


def _tell(story: "ExecutionStory", key: str, *, follow: bool, as_json: bool) -> None:
    """Wait for the desk's answer, with `follow` for the end, and say what it is."""
    from cluster.cli.output import note

    deadline = time.monotonic() + ANSWER_S
    if follow and not as_json:
        note(f"Ctrl-C stops looking, not the execution; `trader cancel {key}` ends it.")
    while True:
        is_over = story.ended is not None or story.refused is not None
        for fact in story.poll():
            if follow and not as_json:
                typer.echo(_line(story, fact))
        if is_over or (story.started is not None and not follow):
            break  # one look more after the end: the last fill may stand in another stream
        if story.started is None and time.monotonic() > deadline:
            break
        time.sleep(POLL_S)
    _show(story, key, as_json=as_json)
    raise typer.Exit(_status(story, follow=follow))


def _show(story: "ExecutionStory", key: str, *, as_json: bool) -> None:
    from cluster.cli.output import note, print_json

    ended = story.ended
    if as_json:
        print_json(
            {
                "execution": key,
                "state": _state(story),
                "code": "" if ended is None else ended.code,
                "reason": story.refused.reason if story.refused else ended.reason if ended else "",
                "filled_qty": sum((row.filled_qty for row in story.children.values()), Decimal(0)),
                "children": list(story.children.values()),
            }
        )
        return
    typer.echo(f"{key} {_state(story)}")
    if story.refused is not None:
        note(f"The desk refused it: {story.refused.reason}")
    elif story.started is None:
        note(
            f"The desk has not said that it took it; ask again with --id {key}: it is worked once."
        )


def _state(story: "ExecutionStory") -> str:
    if story.refused is not None:
        return "REFUSED"
    if story.ended is not None:
        return f"ENDED {story.ended.code}"
    return "UNKNOWN" if story.started is None else "STARTED"


def _status(story: "ExecutionStory", *, follow: bool) -> ExitCode:
    from trading.algorithms.plan import EndCode

    if story.refused is not None:
        return ExitCode.REFUSED
    if story.started is None:
        return ExitCode.AMBIGUOUS
    if not follow:
        return ExitCode.OK
    is_done = story.ended is not None and story.ended.code in (EndCode.FILLED, EndCode.EXITED)
    return ExitCode.OK if is_done else ExitCode.FAILED


def _line(story: "ExecutionStory", fact: "Event") -> str:
    """Return one fact as a line: when, which child, what."""
    from cluster.cli.wording import moment

    return f"{moment(fact.ts_init)} {_words(story, fact)}"


def _words(story: "ExecutionStory", fact: Any) -> str:
    from cluster.cli.wording import units
    from trading.algorithms.facts import ChildPlanned, ExecutionEnded, ExecutionStarted
    from trading.events import OrderEvent, OrderFilled

    match fact:
        case ExecutionStarted():
            return f"started, arrival price {units(fact.arrival_px)}"
        case ChildPlanned(order=order):
            return (
                f"{order.client_order_id[:8]} {order.side} {units(order.quantity)} {order.instrument_id} "
                f"at {fact.venue} with {order.account_id}, {fact.role} {fact.step}"
            )
        case ExecutionEnded():
            return f"ended {fact.code}, filled {units(fact.filled_qty)}: {fact.reason}"
        case OrderFilled():
            return (
                f"{fact.client_order_id[:8]} filled {units(fact.last_qty)} at {units(fact.last_px)}"
            )
        case OrderEvent():
            status = story.children[fact.client_order_id].status
            return f"{fact.client_order_id[:8]} {status} {getattr(fact, 'reason', '')}".rstrip()
        case _:
            return f"{type(fact).__name__} {getattr(fact, 'reason', '')}".rstrip()
