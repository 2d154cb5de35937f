"""Risk and the cluster itself, as a snapshot shows them."""

from collections import Counter
from collections.abc import Sequence

from actors.latency import BOUNDS_US
from serve.desk.accounts import AccountViews, Room, accounts_of, least_room, source_of, strictest
from serve.desk.answers import (
    Actor,
    ClusterStanding,
    LatencyClass,
    LimitUse,
    RiskStanding,
    VenueState,
    moment,
)
from serve.desk.view import ClusterSnapshot


def risk_of(snapshot: ClusterSnapshot, limits: Sequence[LimitUse] = ()) -> RiskStanding:
    """Return what the risk managers say, see `RiskStanding`.

    Parameters
    ----------
    limits : sequence of LimitUse
        Those in force, from `TradingDesk.limits`; what the running managers measure by default.
    """
    accounts = list(accounts_of(snapshot))
    ruling = strictest(accounts)
    risks = [each.of("risk") for each in accounts]
    denials: Counter[str] = Counter()
    for each in risks:
        denials.update(each.get("denials", {}))
    measured = least_room(accounts)
    daily = measured.get("max_daily_loss")
    return RiskStanding(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        state=ruling.trading_state,
        code=str(ruling.of("risk").get("code", "")),
        reason=_reason(ruling, is_one_of_many=len(accounts) > 1),
        kill_switch=next(
            (str(each["kill_switch"]) for each in risks if each.get("kill_switch")), ""
        ),
        daily_loss=None if daily is None else daily.used,
        limits=list(limits) or [_use(name, room) for name, room in measured.items()],
        halted_strategies={
            name: why for each in risks for name, why in each.get("halted_strategies", {}).items()
        },
        denials={str(code): count for code, count in denials.items()},
    )


def _reason(account: AccountViews, *, is_one_of_many: bool) -> str:
    risk = account.of("risk")
    reason = str(risk.get("reason", "" if risk else "the risk manager is down"))
    return f"{account.account}: {reason}" if reason and is_one_of_many else reason


def cluster_of(snapshot: ClusterSnapshot) -> ClusterStanding:
    """Return actors, venues, latency and how far a replay is."""
    return ClusterStanding(
        source=source_of(snapshot),
        as_of=moment(snapshot.clock_ns),
        name=snapshot.name,
        mode=snapshot.mode,
        is_finished=snapshot.finished,
        slice=snapshot.sequence,
        slices=snapshot.last,
        actors=[
            Actor(
                name=each.name,
                machines=[str(name) for name in each.machines],
                pid=each.pid,
                node=each.node,
                restarts=each.restarts,
                messages=each.messages,
                is_alive=each.alive,
            )
            for each in snapshot.actors
        ],
        venues=[state for each in accounts_of(snapshot) if (state := _venue(each)) is not None],
        tick_to_order_p50_us=snapshot.latency_us.tick_to_order.p50,
        tick_to_order_p99_us=snapshot.latency_us.tick_to_order.p99,
        tick_to_order_classes=[
            LatencyClass(up_to_us=bound, count=count)
            for bound, count in zip((*BOUNDS_US, None), snapshot.latency_counts, strict=False)
        ],
    )


def _use(name: str, room: Room) -> LimitUse:
    return LimitUse(
        name=name,
        limit=str(room.limit),
        used=room.used,
        left=room.left,
        account=room.account,
    )


def _venue(account: AccountViews) -> VenueState | None:
    venue = account.venue
    if venue is None:
        return None
    return VenueState(
        account=account.account,
        venue=venue.name,
        is_connected=venue.is_connected,
        is_ready=venue.is_ready,
        reason=venue.refusal or venue.reason,
        feed_problem=venue.feed_problem,
        skew_ms=venue.skew_ms,
    )
