"""A door over a journal in a folder, with hashes that cost little."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from serve.auth import passwords
from tests.serve.auth.door import Door, a_door


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The defaults take 64 MiB and a tenth of a second for each."""
    monkeypatch.setattr(
        passwords, "PasswordHasher", lambda: PasswordHasher(time_cost=1, memory_cost=64)
    )


@pytest.fixture
def make_door(tmp_path: Path) -> Iterator[Callable[..., Door]]:
    made: list[Door] = []

    def make(**changes: Any) -> Door:
        made.append(a_door(tmp_path, **changes))
        return made[-1]

    yield make
    for door in made:
        door.access.close()


@pytest.fixture
def door(make_door: Callable[..., Door]) -> Door:
    """Authentication is on; alice may do everything, bob may read."""
    return make_door().with_people()
