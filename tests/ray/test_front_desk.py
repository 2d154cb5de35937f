"""The front desk over a real cluster: one order for one key, whoever is killed in between."""

import os
import signal
import threading
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from actors.journal.open import open_journal
from cluster.desk import order_desk
from cluster.desk.live_desk import LiveDesk
from cluster.desk.ray_link import RayLink, link_inside
from serve.desk.answers import OrderReceipt
from serve.desk.port import NewOrder
from serve.desk.principal import ALL, Principal
from serve.desk.view import ClusterSnapshot, VenueKillReport
from trading.codec import decode
from trading.errors import ClusterUnreachable
from trading.events import VenueRequestReceived
from trading.identifiers import MachineName, StreamName
from trading.messages import Message
from trading.values import OrderSide, TradingState

Cluster = Any

pytestmark = [pytest.mark.ray, pytest.mark.timeout(240), pytest.mark.usefixtures("patient_desk")]

ANN = Principal(name="ann", permissions=ALL, came_by="key")
ORDER = NewOrder(symbol="KO", side=OrderSide.BUY, quantity=Decimal(10))


def desk_of(cluster: Cluster, link: RayLink | None = None) -> LiveDesk:
    found = link or RayLink(cluster.view, owns_view=False)
    return LiveDesk(
        lambda: found,
        cluster=cluster.config.cluster.name,
        mode="paper",
        logs=cluster.config.cluster.state_dir / "logs",
        latch=nobody_latches,
    )


def nobody_latches(actor: str, reason: str, flatten: bool) -> list[VenueKillReport]:
    raise AssertionError("the cluster answers")


@pytest.fixture
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """The replay outlasts the test."""
    made = make_cluster(data={"days": 2_000, "pace_slices_per_s": 10.0})
    made.wait(risk_has_seen_prices, "risk to see prices")
    return made


def risk_has_seen_prices(snapshot: ClusterSnapshot) -> bool:
    risk = snapshot.machines.get("risk:DEMO", {})
    return bool(risk.get("ready")) and risk.get("equity") is not None


def is_reset(snapshot: ClusterSnapshot) -> bool:
    """Risk and broker each follow the switch by themselves; both must let orders through again."""
    risk, broker = (snapshot.machines.get(name) for name in ("risk:DEMO", "broker:paper:DEMO"))
    return bool(
        risk and broker and risk["kill_switch"] is None and not broker["kill"]["is_latched"]
    )


def submissions(cluster: Cluster, key: str) -> int:
    """Return how often the exchange itself recorded that the order came."""
    journal = open_journal(cluster.config.cluster.journal)
    try:
        facts = [decode(record.payload) for record in journal.read(StreamName("exchange:paper"))]
    finally:
        journal.close()
    return sum(
        isinstance(fact, VenueRequestReceived)
        and fact.kind == "SubmitOrder"
        and fact.client_order_id == key
        for fact in facts
    )


def hosts_of(cluster: Cluster) -> list[tuple[Any, Any]]:
    import ray

    found: list[tuple[Any, Any]] = ray.get(cluster.view._supervisor.hosts.remote())
    return found


def supervisor_that_knows(hosts: list[tuple[Any, Any]]) -> Any:
    """Return one that names these hosts whoever has died since: the real one replaces the dead in no time."""
    import ray

    return SimpleNamespace(hosts=SimpleNamespace(remote=lambda: ray.put(hosts)))


def kill_risk(cluster: Cluster) -> None:
    hosts = (each for each in cluster.snapshot().actors if "risk:DEMO" in each.machines)
    pid = next(hosts).pid
    assert pid > 0, "it did not answer"
    os.kill(pid, signal.SIGKILL)


def test_an_order_is_filled_once_however_often_it_is_asked_for(cluster: Cluster) -> None:
    """By two connections: that of the process that started the cluster, and that of a replica."""
    desk, replica = desk_of(cluster), desk_of(cluster, link_inside(cluster.config))
    assert desk.preview(ORDER).is_allowed
    first = desk.submit(ORDER, ANN, "k", "corr")
    assert first.status == "FILLED"
    again = replica.submit(ORDER, ANN, "k", "corr")
    assert (again.status, again.is_repeated) == ("FILLED", True)
    assert again.average_price == first.average_price
    assert submissions(cluster, first.client_order_id) == 1
    steps = replica.story(first.client_order_id).steps
    assert [steps[0].fact, steps[-1].fact] == ["OrderRequested", "OrderFilled"]
    assert {step.correlation_id for step in steps} == {"corr"}
    replica.connection.close()


def test_threads_and_replicas_that_race_with_one_key_send_one_order(cluster: Cluster) -> None:
    desks = [desk_of(cluster), desk_of(cluster, link_inside(cluster.config))]
    receipts: list[OrderReceipt] = []
    gate = threading.Barrier(4)

    def ask(desk: LiveDesk) -> None:
        gate.wait()
        receipts.append(desk.submit(ORDER, ANN, "k", "c"))

    threads = [threading.Thread(target=ask, args=(desks[n % 2],)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (key,) = {receipt.client_order_id for receipt in receipts}
    assert [receipt.is_repeated for receipt in receipts].count(False) == 1
    assert {receipt.status for receipt in receipts} == {"FILLED"}
    assert submissions(cluster, key) == 1
    desks[1].connection.close()


def test_risk_killed_before_it_got_the_order_leads_to_one_order_when_repeated(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = RayLink(cluster.view, owns_view=False)
    desk = desk_of(cluster, link)
    hand_over = link.command

    def killed_before(to: MachineName, message: Message) -> None:
        hosts = hosts_of(cluster)
        kill_risk(cluster)
        with monkeypatch.context() as patch:
            patch.setattr(cluster.view, "_supervisor", supervisor_that_knows(hosts))
            hand_over(to, message)

    with monkeypatch.context() as patch:
        patch.setattr(link, "command", killed_before)
        lost = desk.submit(ORDER, ANN, "k", "c")
    assert lost.code == "OUTCOME_UNKNOWN"
    assert submissions(cluster, lost.client_order_id) == 0
    cluster.wait(risk_has_seen_prices, "the successor of risk")
    receipt = desk.submit(ORDER, ANN, "k", "c")
    assert (receipt.status, receipt.is_repeated) == ("FILLED", True)
    assert submissions(cluster, receipt.client_order_id) == 1


def test_risk_killed_with_the_order_in_its_hands_never_leads_to_two(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = RayLink(cluster.view, owns_view=False)
    desk = desk_of(cluster, link)
    hand_over = link.command

    def killed_after(to: MachineName, message: Message) -> None:
        hand_over(to, message)
        kill_risk(cluster)

    with monkeypatch.context() as patch:
        patch.setattr(link, "command", killed_after)
        patch.setattr(order_desk, "ANSWER_S", 1.0)  # perhaps nobody is left to answer
        desk.submit(ORDER, ANN, "k", "c")
    cluster.wait(risk_has_seen_prices, "the successor of risk")
    receipt = desk.submit(ORDER, ANN, "k", "c")
    assert receipt.is_repeated
    assert receipt.is_final
    assert submissions(cluster, receipt.client_order_id) == (receipt.status == "FILLED")


def test_a_pause_and_the_kill_switch_hold_until_they_are_taken_back(cluster: Cluster) -> None:
    desk = desk_of(cluster)
    assert desk.set_state(TradingState.HALTED, ANN, "lunch") == "HALTED"
    assert desk.submit(ORDER, ANN, "halted", "c").code == "RISK_HALTED"
    assert desk.set_state(TradingState.ACTIVE, ANN, "back") == "ACTIVE"
    (report,) = desk.kill(ANN, "fire", flatten=False)
    assert report.reached
    assert desk.submit(ORDER, ANN, "killed", "c").code == "KILL_SWITCH"
    desk.reset_kill(ANN, "out")
    cluster.wait(is_reset, "the reset")
    assert desk.submit(ORDER, ANN, "again", "c").status == "FILLED"


def test_a_limit_is_in_force_when_its_change_returns(cluster: Cluster) -> None:
    desk = desk_of(cluster)
    assert desk.change_limit("max_order_value", "1", ANN, "test").changed_by == "ann"
    assert desk.submit(ORDER, ANN, "small", "c").code == "RISK_MAX_ORDER_VALUE"
    desk.change_limit("max_order_value", "", ANN, "test")
    assert desk.submit(ORDER, ANN, "again", "c").status == "FILLED"


def test_what_is_shown_comes_from_the_running_cluster(cluster: Cluster) -> None:
    desk = desk_of(cluster)
    assert {each.symbol for each in desk.quotes()} == {"AAPL", "KO", "MSFT", "XOM"}
    (curve,) = desk.equity(5)
    assert (curve.account, len(curve.points) <= 5) == ("DEMO", True)
    assert {line.process for line in desk.log_tail(500)} > {"supervisor"}


def test_a_cluster_that_is_not_there_is_said_so(cluster: Cluster) -> None:
    config = cluster.config.model_copy(
        update={"cluster": cluster.config.cluster.model_copy(update={"name": "nowhere"})}
    )
    with pytest.raises(ClusterUnreachable, match="no cluster named 'nowhere'"):
        link_inside(config)
