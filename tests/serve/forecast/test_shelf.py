"""Versions are loaded once, kept while they are in service, and forgotten in the order of their last use."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from serve.forecast.shelf import Shelf
from trading.errors import ModelCorrupt


def a_shelf(capacity: int) -> tuple[Shelf, list[str]]:
    loads: list[str] = []

    def load(reference: str) -> Any:
        loads.append(reference)
        if reference == "bad@1":
            raise ModelCorrupt("bad@1 is damaged")
        return SimpleNamespace(reference=reference)

    return Shelf(load, capacity), loads


def kept(shelf: Shelf) -> list[str]:
    return [model.reference for model in shelf]


def test_the_longest_unused_version_is_forgotten() -> None:
    async def work() -> None:
        shelf, loads = a_shelf(2)
        for reference in ("a@1", "a@2", "a@1", "a@3"):
            await shelf.get(reference)
        assert kept(shelf) == ["a@1", "a@3"]
        assert loads == ["a@1", "a@2", "a@3"]

    asyncio.run(work())


def test_versions_in_service_stay() -> None:
    async def work() -> None:
        shelf, _ = a_shelf(1)
        await shelf.get("a@1")
        shelf.hold("a", ["a@1"])
        for number in range(2, 6):
            await shelf.get(f"a@{number}")
        assert kept(shelf) == ["a@1", "a@5"]
        shelf.hold("a", [])
        assert kept(shelf) == ["a@5"]

    asyncio.run(work())


def test_many_who_ask_at_once_load_once_and_may_give_up() -> None:
    gate = threading.Event()
    loads: list[str] = []

    def slowly(reference: str) -> Any:
        loads.append(reference)
        assert gate.wait(10)
        return SimpleNamespace(reference=reference)

    async def work() -> None:
        shelf = Shelf(slowly, 2)
        asked = [asyncio.create_task(shelf.get("a@1")) for _ in range(5)]
        await asyncio.sleep(0)
        asked[0].cancel()
        gate.set()
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert isinstance(found[0], asyncio.CancelledError)
        assert len({id(each) for each in found[1:]}) == 1

    asyncio.run(work())
    assert loads == ["a@1"]


def test_a_failed_load_is_told_to_all_and_tried_again() -> None:
    async def work() -> None:
        shelf, loads = a_shelf(2)
        for _ in range(2):
            with pytest.raises(ModelCorrupt):
                await shelf.get("bad@1")
        assert loads == ["bad@1", "bad@1"]

    asyncio.run(work())
