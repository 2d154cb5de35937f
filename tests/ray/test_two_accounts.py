"""Real processes that trade with two accounts at two venues: one order over both, and one switch that stops both."""

import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cluster import launch
from cluster.client import RayClusterView
from cluster.execution_story import ExecutionStory
from cluster.parent_order import desk_of, listings_of, trader_of
from serve.desk.view import ClusterSnapshot
from tests.cluster.desk_config import two_desk_config
from tests.cluster.remote_desk import KEY, SECRET, DeskServer
from trading.algorithms.parameters import Twap
from trading.commands import ExecuteOrder
from trading.identifiers import AccountId, ClientOrderId
from trading.values import NANOS_PER_SECOND, OrderSide

pytestmark = [pytest.mark.ray, pytest.mark.timeout(300)]
WAIT_S = 90.0
PARENT = ClientOrderId("e" * 32)
Servers = tuple[DeskServer, DeskServer]


@pytest.fixture
def servers() -> Iterator[Servers]:
    running = (
        DeskServer(account_id=AccountId("E1"), size=30),
        DeskServer(account_id=AccountId("W1"), size=30),
    )
    yield running
    for each in running:
        each.close()


@pytest.fixture
def view(
    ray_session: Any, servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RayClusterView]:
    folder = Path(tempfile.mkdtemp(prefix="tr-", dir="/tmp"))
    monkeypatch.setenv("DESK_KEY", KEY)
    monkeypatch.setenv("EAST_SECRET", SECRET)
    monkeypatch.setenv("WEST_SECRET", SECRET)
    running = launch.start(two_desk_config(*servers, folder), ray=ray_session)
    assert {path.name for path in (folder / "credentials").iterdir()} == {"east", "west"}
    yield running
    running.stop()
    assert not (folder / "credentials").exists()
    shutil.rmtree(folder, ignore_errors=True)


def wait(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT_S:.0f} s for {what}"
        time.sleep(0.1)


def test_one_order_is_filled_over_both_venues_and_both_ledgers_agree(
    view: RayClusterView, servers: Servers
) -> None:
    wait(lambda: is_ready(view.snapshot()), "both venues")
    order = ExecuteOrder(
        client_order_id=PARENT,
        strategy_id=trader_of(view.blueprint, ""),
        side=OrderSide.BUY,
        quantity=Decimal(100),
        listings=listings_of(view.blueprint, "AAPL", ()),
        algorithm=Twap(window_ns=4 * NANOS_PER_SECOND, slices=2),
    )
    story = ExecutionStory(view.journal, view.blueprint, PARENT, from_start=False)
    view.command(desk_of(view.blueprint), order)
    wait(lambda: story.poll() and story.ended, "the end of the execution")
    assert story.ended is not None
    assert (story.ended.code, story.ended.filled_qty) == ("FILLED", 100)
    wait(lambda: all(agrees(view.snapshot(), each) for each in servers), "ledgers that agree")
    story.poll()
    for server, venue in zip(servers, ("east", "west"), strict=True):
        assert not server.desk.duplicates
        theirs = {fill.client_order_id: fill.last_qty for fill in server.desk.fills}
        ours = {key: row.filled_qty for key, row in story.children.items() if row.venue == venue}
        assert theirs == ours
        assert sum(theirs.values()) > 0
    assert sum(row.filled_qty for row in story.children.values()) == 100
    reports = view.kill(reason="drill", flatten=True)
    assert [(each.venue, each.account_id) for each in reports] == [("east", "E1"), ("west", "W1")]
    wait(lambda: not any(any(each.desk.positions.values()) for each in servers), "flat accounts")


def is_ready(snapshot: ClusterSnapshot) -> bool:
    (linked,) = snapshot.linked
    assert snapshot.venue is not None
    desk = snapshot.machines.get("execution:main")
    venues_are_up = all(
        each.is_ready and not each.feed_problem for each in (snapshot.venue, linked.venue)
    )
    return venues_are_up and desk is not None and not any(desk["left_out"].values())


def agrees(snapshot: ClusterSnapshot, server: DeskServer) -> bool:
    machines = {**snapshot.machines, **snapshot.linked[0].machines}
    ledger = machines.get(f"ledger:{server.desk.account_id}")
    if ledger is None:
        return False
    ours = {each["instrument_id"]: each["quantity"] for each in ledger["positions"]}
    theirs = {key: units for key, units in server.desk.positions.items() if units}
    return ours == theirs and ledger["cash"] == server.desk.cash
