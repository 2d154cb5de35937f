"""What waits for the rate limit, and who goes first."""

import asyncio

import pytest

from actors.venues.ccxt.budget import Budget
from actors.venues.pacing import Priority


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_what_fits_does_not_wait_and_the_rest_does():
    async def tell():
        budget = Budget(10, 0.2)
        await budget.take(6, Priority.QUERY)
        await budget.take(4, Priority.QUERY)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await budget.take(1, Priority.QUERY)
        async with asyncio.timeout(5):
            await budget.take(1, Priority.QUERY)

    asyncio.run(tell())


def test_a_cancel_goes_before_everything_that_waits():
    async def tell():
        budget, order = Budget(1, 0.1), []
        await budget.take(1, Priority.QUERY)

        async def ask(name, priority):
            await budget.take(1, priority)
            order.append(name)

        tasks = [
            asyncio.ensure_future(ask(name, priority))
            for name, priority in [
                ("data", Priority.DATA),
                ("query", Priority.QUERY),
                ("order", Priority.ORDER),
                ("cancel", Priority.CANCEL),
            ]
        ]
        async with asyncio.timeout(5):
            await asyncio.gather(*tasks)
        assert order == ["cancel", "order", "query", "data"]

    asyncio.run(tell())


def test_one_request_above_all_of_it_waits_for_an_empty_window():
    async def tell():
        budget = Budget(5, 0.1)
        async with asyncio.timeout(5):
            await budget.take(50, Priority.QUERY)
            await budget.take(50, Priority.QUERY)

    asyncio.run(tell())


def test_in_a_pause_nothing_goes_not_even_what_costs_nothing():
    async def tell():
        budget = Budget(10, 1)
        budget.pause(0.2)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await budget.take(0, Priority.CANCEL)
        async with asyncio.timeout(5):
            await budget.take(0, Priority.CANCEL)

    asyncio.run(tell())


def test_who_gives_up_waiting_spends_nothing():
    async def tell():
        budget = Budget(1, 0.3)
        await budget.take(1, Priority.QUERY)
        given_up = asyncio.ensure_future(budget.take(1, Priority.CANCEL))
        await asyncio.sleep(0)
        given_up.cancel()
        async with asyncio.timeout(5):
            await budget.take(1, Priority.QUERY)
        assert budget.room_in(1) > 0

    asyncio.run(tell())


def test_room_is_told_before_anything_is_spent():
    async def tell():
        clock = Clock()
        budget = Budget(10, 30, now=clock)
        await budget.take(4, Priority.QUERY)
        clock.now = 10
        await budget.take(4, Priority.QUERY)
        assert budget.room_in(2) == 0
        assert budget.room_in(6) == 20
        assert budget.room_in(10) == 30
        clock.now = 31
        assert budget.room_in(6) == 0

    asyncio.run(tell())
