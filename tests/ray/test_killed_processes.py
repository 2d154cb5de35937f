"""kill -9 of real processes in a running cluster: nothing is lost, doubled or different."""

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from actors.journal.open import open_journal
from trading.codec import decode
from trading.events import OrderDenied, OrderSubmitted
from trading.identifiers import StreamName

Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240)]
BROKER = "broker:paper:DEMO"


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def restarts(cluster: Cluster, host: str) -> int:
    return next(a.restarts for a in cluster.snapshot().actors if a.name == host)


def assert_books_agree(cluster: Cluster) -> None:
    cluster.finish()
    snapshot = cluster.wait(
        lambda s: s.machines.get(BROKER, {}).get("ambiguous") == 0, "a broker without doubts"
    )
    assert sum(snapshot.machines[BROKER]["orders_by_status"].values()) > 10
    assert snapshot.check is not None
    assert snapshot.check.is_clean, snapshot.check


@pytest.mark.parametrize("point", ["before_send", "before_ack", "before_fill"])
def test_broker_killed_at_the_worst_moment_loses_and_doubles_nothing(
    make_cluster: Callable[..., Cluster], point: str
) -> None:
    cluster = make_cluster(drills={"broker": {point: 5}})
    assert_books_agree(cluster)
    assert restarts(cluster, "broker") == 1


def test_every_host_killed_in_turn_while_trading(make_cluster: Callable[..., Cluster]) -> None:
    """One process per machine; exchange, feed, book, strategies, risk, broker, ledger, replay."""
    cluster = make_cluster(
        cluster={"placement": "spread"}, data={"days": 120, "pace_slices_per_s": 10.0}
    )
    hosts = [a.name for a in cluster.snapshot().actors if a.name != "supervisor"]
    assert len(hosts) == 11
    for host in hosts:
        old = cluster.pid_of(host)
        kill(old)
        cluster.successor(host, old)
    assert_books_agree(cluster)
    assert all(restarts(cluster, host) == 1 for host in hosts)


def test_supervisor_killed_is_back_and_still_replaces_the_dead(
    make_cluster: Callable[..., Cluster],
) -> None:
    cluster = make_cluster(data={"days": 120, "pace_slices_per_s": 10.0})
    old = cluster.pid_of("supervisor")
    kill(old)
    cluster.successor("supervisor", old)
    broker = cluster.pid_of("broker")
    kill(broker)
    cluster.successor("broker", broker)
    assert_books_agree(cluster)


def test_orders_are_refused_with_risk_unavailable_while_risk_is_down(
    make_cluster: Callable[..., Cluster],
) -> None:
    """Risk is stopped, not killed: nobody replaces it for a while, and it must be as good as dead."""
    cluster = make_cluster(
        cluster={"placement": "spread"},
        data={"days": 120, "pace_slices_per_s": 10.0, "settle_timeout_s": 0.2},
    )
    cluster.wait(lambda s: s.machines.get(BROKER, {}).get("is_ready"), "the broker")
    pid = cluster.pid_of("risk-DEMO")
    os.kill(pid, signal.SIGSTOP)
    cluster.wait(
        lambda s: any(
            "RISK_UNAVAILABLE" in view.get("denials", {})
            for name, view in s.machines.items()
            if name.startswith("strategy:")
        ),
        "a refusal RISK_UNAVAILABLE",
    )
    with suppress(ProcessLookupError):  # the supervisor replaces whoever is stuck for 5 s
        kill(pid)
    assert_books_agree(cluster)
    refused = _refused_without_risk(cluster)
    assert refused
    assert not refused & _sent(cluster), "an order that was refused was sent all the same"


def test_exchange_killed_while_orders_are_under_way(make_cluster: Callable[..., Cluster]) -> None:
    cluster = make_cluster(data={"days": 100, "pace_slices_per_s": 10.0})
    for _ in range(2):
        old = cluster.pid_of("market")
        kill(old)
        cluster.successor("market", old)
    assert_books_agree(cluster)


def test_rogue_second_broker_fences_the_first_and_is_fenced_in_turn(
    make_cluster: Callable[..., Cluster],
) -> None:
    """Whoever takes the lease wins; the supervisor's next broker takes it back. Nothing doubles."""
    cluster = make_cluster(data={"days": 100, "pace_slices_per_s": 10.0})
    cluster.wait(lambda s: s.machines.get(BROKER, {}).get("is_ready"), "the broker")
    stream = StreamName("account:paper:DEMO")
    journal = open_journal(cluster.config.cluster.journal)
    before = journal.epoch(stream)
    journal.acquire(stream, "rogue")
    cluster.wait(lambda s: any(a.name == "broker" and a.restarts for a in s.actors), "the fencing")
    assert_books_agree(cluster)
    assert journal.epoch(stream) > before + 1
    epochs = [record.epoch for record in journal.read(stream)]
    assert epochs == sorted(epochs)
    journal.close()


def _events(cluster: Cluster, prefix: str) -> list[object]:
    journal = open_journal(cluster.config.cluster.journal)
    found = [
        decode(record.payload)
        for stream in journal.streams()
        if stream.startswith(prefix)
        for record in journal.read(stream)
    ]
    journal.close()
    return found


def _refused_without_risk(cluster: Cluster) -> set[str]:
    denied = [e for e in _events(cluster, "strategy:") if isinstance(e, OrderDenied)]
    return {event.client_order_id for event in denied if event.code == "RISK_UNAVAILABLE"}


def _sent(cluster: Cluster) -> set[str]:
    events = _events(cluster, "account:")
    return {event.client_order_id for event in events if isinstance(event, OrderSubmitted)}
