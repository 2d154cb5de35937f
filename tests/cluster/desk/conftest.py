"""A front desk over a simulated cluster, and people who ask it."""

from pathlib import Path

import pytest

from serve.desk.principal import ALL, Permission, Principal
from tests.serve.simulated_desk import SimulatedDesk


@pytest.fixture
def desk(tmp_path: Path) -> SimulatedDesk:
    return SimulatedDesk(tmp_path)


@pytest.fixture
def ann() -> Principal:
    """Somebody who may do everything."""
    return Principal(name="ann", permissions=ALL, came_by="key")


@pytest.fixture
def bob() -> Principal:
    """Another one."""
    return Principal(name="bob", permissions=ALL, came_by="key")


@pytest.fixture
def reader() -> Principal:
    return Principal(name="reader", permissions=frozenset({Permission.READ}), came_by="key")
