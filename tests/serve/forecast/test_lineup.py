"""Decisions of the registry rule in a replica when all that they need works, and not before."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from actors.models.registry import ModelRegistry
from serve.forecast.lineup import RETRY_S, Lineup
from serve.forecast.loaded_model import load_model
from serve.forecast.settings import ServiceSettings
from serve.forecast.shelf import Shelf
from trading.errors import ModelUnknown


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Time:
    return Time()


@pytest.fixture
def make_lineup(registry: ModelRegistry, clock: Time) -> Callable[..., Lineup]:
    settings = ServiceSettings(registry=registry.url)

    def make(*, shadow: bool = True) -> Lineup:
        shelf = Shelf(lambda reference: load_model(registry, reference, settings), 8)
        return Lineup(registry, shelf, shadow=shadow, clock=clock)

    return make


Make = Callable[..., Lineup]


def test_a_corrupt_champion_is_refused_by_name_and_the_old_one_stays(
    make_lineup: Make, registry: ModelRegistry, net: Any
) -> None:
    async def work() -> None:
        lineup = make_lineup()
        assert (await lineup.join("net")).champion == 1
        net.corrupt(registry, "net@2")
        net.promote(registry, "net@2")
        await lineup.look()
        assert lineup.in_force["net"].champion == 1
        assert list(lineup.refused) == ["net@2"]
        assert "checksum" in lineup.refused["net@2"]

    asyncio.run(work())


def test_a_refused_version_is_tried_again_later_and_then_rules(
    make_lineup: Make, registry: ModelRegistry, net: Any, clock: Time
) -> None:
    async def work() -> None:
        lineup = make_lineup()
        await lineup.join("net")
        path = net.corrupt(registry, "net@2")
        net.promote(registry, "net@2")
        await lineup.look()
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        await lineup.look()
        assert lineup.in_force["net"].champion == 1, "too soon"
        clock.now += RETRY_S + 1
        await lineup.look()
        assert lineup.in_force["net"].champion == 2
        assert lineup.refused == {}

    asyncio.run(work())


def test_a_replica_that_starts_beside_a_corrupt_champion_takes_the_one_before(
    make_lineup: Make, registry: ModelRegistry, net: Any
) -> None:
    net.promote(registry, "net@2")
    net.corrupt(registry, "net@2")

    async def work() -> None:
        lineup = make_lineup()
        assert (await lineup.join("net")).champion == 1
        assert list(lineup.refused) == ["net@2"]
        await lineup.look()
        assert lineup.in_force["net"].champion == 1

    asyncio.run(work())


def test_a_corrupt_share_of_the_traffic_changes_nothing(
    make_lineup: Make, registry: ModelRegistry, net: Any
) -> None:
    async def work() -> None:
        lineup = make_lineup()
        await lineup.join("net")
        net.corrupt(registry, "net@2")
        registry.split("net", {1: 0.5, 2: 0.5}, by="test", why="try", at=1)
        await lineup.look()
        assert lineup.in_force["net"].weights == {}
        fresh = make_lineup()
        assert (await fresh.join("net")).weights == {}
        assert fresh.in_force["net"].champion == 1

    asyncio.run(work())


def test_challengers_are_loaded_only_for_a_shadow(
    make_lineup: Make, registry: ModelRegistry, net: Any
) -> None:
    net.promote(registry, "net@2", "challenger")
    assert asyncio.run(make_lineup().join("net")).challenger == 2
    assert asyncio.run(make_lineup(shadow=False).join("net")).challenger is None


def test_an_unreadable_registry_is_told_and_changes_nothing(
    make_lineup: Make, registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(name: str) -> None:
        raise OSError("the disk is away")

    async def work() -> None:
        lineup = make_lineup()
        await lineup.join("net")
        with monkeypatch.context() as patch:
            patch.setattr(registry, "aliases", gone)
            await lineup.look()
        assert lineup.in_force["net"].champion == 1
        assert "the disk is away" in lineup.problem
        await lineup.look()
        assert lineup.problem == ""

    asyncio.run(work())


def test_unknown_models_are_not_followed(make_lineup: Make) -> None:
    async def work() -> None:
        lineup = make_lineup()
        with pytest.raises(ModelUnknown):
            await lineup.join("nobody")
        assert lineup.in_force == {}

    asyncio.run(work())
