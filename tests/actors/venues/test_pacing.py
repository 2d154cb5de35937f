"""The budget of requests: never more than allowed in any window, cancels first, pauses kept, prices charged."""

import asyncio
from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.venues.backoff import reconnect_delays
from actors.venues.pacing import Pacing, Priority


class Clock:
    """Time that passes when the loop sleeps: `call_later` of a loop that runs on it."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def run(work):
    """Run `work(pacing_of, clock)` in a loop whose timers fire in virtual time."""
    clock = Clock()
    loop = asyncio.new_event_loop()
    alarms = []

    class Handle:
        def __init__(self, at, call):
            self.at, self.call = at, call

        def cancel(self):
            alarms.remove(self)

    loop.call_later = lambda delay, call, *args: (
        alarms.append(Handle(clock.now + delay, lambda: call(*args))) or alarms[-1]
    )

    async def drive():
        task = asyncio.ensure_future(work(lambda *args: Pacing(*args, now=clock), clock))
        while not task.done():
            for _ in range(20):
                await asyncio.sleep(0)
            if not task.done() and alarms:
                first = min(alarms, key=lambda alarm: alarm.at)
                alarms.remove(first)
                clock.now = max(clock.now, first.at)
                first.call()
        return task.result()

    try:
        return loop.run_until_complete(drive())
    finally:
        loop.close()


@given(
    count=st.integers(1, 5),
    per_s=st.sampled_from([0.5, 1.0, 10.0]),
    requests=st.lists(st.sampled_from(list(Priority)), min_size=1, max_size=30),
)
@settings(deadline=None, max_examples=60)
def test_in_no_window_are_there_more_requests_than_allowed(count, per_s, requests):
    sent = []

    async def work(pacing_of, clock):
        pacing = pacing_of(count, per_s)

        async def one(priority):
            await pacing.turn(priority)
            sent.append(clock.now)

        await asyncio.gather(*(one(priority) for priority in requests))

    run(work)
    assert len(sent) == len(requests)
    for start in sent:
        assert sum(start <= at < start + per_s - 1e-9 for at in sent) <= count


def test_when_requests_wait_cancels_go_first():
    order = []

    async def work(pacing_of, clock):
        pacing = pacing_of(1, 1.0)
        await pacing.turn()

        async def one(priority):
            await pacing.turn(priority)
            order.append(priority)

        wanted = [Priority.DATA, Priority.ORDER, Priority.CANCEL, Priority.QUERY, Priority.CANCEL]
        await asyncio.gather(*(one(priority) for priority in wanted))

    run(work)
    assert order == sorted(order)


def test_when_the_venue_asks_for_a_pause_nothing_is_sent_in_it():
    async def work(pacing_of, clock):
        pacing = pacing_of(10, 1.0)
        pacing.pause(7.0)
        await pacing.turn(Priority.CANCEL)
        return clock.now

    assert run(work) >= 7.0


def test_when_a_waiting_task_gives_up_its_turn_is_not_lost():
    async def work(pacing_of, clock):
        pacing = pacing_of(1, 1.0)
        await pacing.turn()
        given_up = asyncio.ensure_future(pacing.turn(Priority.CANCEL))
        await asyncio.sleep(0)
        given_up.cancel()
        await pacing.turn(Priority.DATA)
        assert pacing.room_in(1) > 0
        return clock.now

    assert run(work) == pytest.approx(1.0)


@given(costs=st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0, 20.0]), min_size=1, max_size=20))
@settings(deadline=None, max_examples=60)
def test_in_no_window_is_more_spent_than_allowed_but_by_one_request_alone(costs):
    spent = []

    async def work(pacing_of, clock):
        pacing = pacing_of(10.0, 1.0)

        async def one(cost):
            await pacing.turn(cost=cost)
            spent.append((clock.now, cost))

        await asyncio.gather(*(one(cost) for cost in costs))

    run(work)
    assert len(spent) == len(costs)
    for start, _ in spent:
        window = [cost for at, cost in spent if start <= at < start + 1.0 - 1e-9 and cost]
        assert sum(window) <= 10.0 or len(window) == 1


def test_when_one_request_costs_more_than_all_of_it_the_window_is_its_own():
    async def work(pacing_of, clock):
        pacing = pacing_of(5.0, 2.0)
        await pacing.turn(cost=50.0)
        first = clock.now
        await pacing.turn(cost=50.0)
        return first, clock.now

    assert run(work) == (0.0, pytest.approx(2.0))


def test_in_a_pause_nothing_goes_not_even_what_costs_nothing():
    async def work(pacing_of, clock):
        pacing = pacing_of(10.0, 1.0)
        pacing.pause(7.0)
        await pacing.turn(Priority.CANCEL, cost=0.0)
        return clock.now

    assert run(work) >= 7.0


def test_room_is_told_before_anything_is_spent():
    async def work(pacing_of, clock):
        pacing = pacing_of(10.0, 30.0)
        await pacing.turn(cost=4.0)
        clock.now = 10.0
        await pacing.turn(cost=4.0)
        assert [pacing.room_in(cost) for cost in (2, 6, 10)] == [0, 20, 30]
        clock.now = 31.0
        assert pacing.room_in(6) == 0

    run(work)


def test_pauses_between_attempts_grow_and_are_not_short_on_average():
    generator = np.random.default_rng(1)
    runs = [list(islice(reconnect_delays(generator, 1.0, 8.0), 6)) for _ in range(400)]
    means = np.mean(runs, axis=0)
    assert means == pytest.approx([1, 2, 4, 8, 8, 8], rel=0.1)
    assert np.max(runs) <= 12.0
