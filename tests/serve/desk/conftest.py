"""One cluster that traded a little, seen once by all tests here; none of them changes it."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from serve.desk.port import NewOrder
from serve.desk.principal import ALL, Principal
from serve.desk.view import ClusterSnapshot, LinkedView, VenueView
from tests.serve.simulated_desk import SimulatedDesk
from trading.identifiers import AccountId, Venue
from trading.values import OrderSide, OrderType, TimeInForce

VENUE = VenueView(
    name=Venue("alpaca"), is_connected=True, is_ready=False, reason="cash", skew_ms=7.5
)


@pytest.fixture(scope="session")
def traded(tmp_path_factory: pytest.TempPathFactory) -> SimulatedDesk:
    """A desk with filled, working and refused orders by hand."""
    folder: Path = tmp_path_factory.mktemp("traded")
    desk = SimulatedDesk(folder)
    by = Principal(name="ann", permissions=ALL, came_by="key")

    def buy(key: str, quantity: int, **terms: Any) -> None:
        asked = NewOrder(symbol="KO", side=OrderSide.BUY, quantity=Decimal(quantity), **terms)
        desk.submit(asked, by, key, key)

    buy("filled", 10)
    buy(
        "working",
        7,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(40),
        time_in_force=TimeInForce.GTC,
    )
    buy("refused", 6_000)
    return desk


@pytest.fixture
def one(traded: SimulatedDesk) -> ClusterSnapshot:
    """A cluster with one account, at the simulated exchange."""
    return traded.snapshot()


@pytest.fixture
def two(one: ClusterSnapshot) -> ClusterSnapshot:
    """The same with a second account, which holds what the first one does, at a venue that is not ready."""
    names = {
        "broker:paper:SIM": "broker:alpaca:TWO",
        "ledger:SIM": "ledger:TWO",
        "risk:SIM": "risk:TWO",
    }
    machines = {new: one.machines[old] for old, new in names.items()}
    linked = LinkedView(account_id=AccountId("TWO"), venue=VENUE, machines=machines)
    return msgspec.structs.replace(one, linked=(linked,))


@pytest.fixture
def down(one: ClusterSnapshot) -> ClusterSnapshot:
    """Risk, broker and ledger are down."""
    alive: dict[str, Mapping[str, Any]] = {
        name: view
        for name, view in one.machines.items()
        if name.partition(":")[0] not in ("risk", "broker", "ledger")
    }
    return msgspec.structs.replace(one, machines=alive)
