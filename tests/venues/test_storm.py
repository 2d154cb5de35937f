"""Seeded storms: orders, cancels, changes, moves of the market, faults, cut sessions and deaths, at every venue.

`make chaos` runs many seeds. A failure prints the seed and how to run it again.
"""

import asyncio
import importlib
from decimal import Decimal

import numpy as np
import pytest

from tests.venues.faults import ONCE, Fault
from tests.venues.rigs import VENUES
from tests.venues.trader import MS, Death, Trader, problems
from trading.values import OrderSide

STEPS = 25
HARMLESS = frozenset({Fault.BAD_CREDENTIALS, Fault.CLOCK_SKEW, Fault.MUTE_STREAM})
"""Not part of a storm: they stop trading by design, and have stories of their own."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("venue", VENUES)
def test_after_a_storm_both_records_agree(venue, seed, tmp_path):
    asyncio.run(_weather(venue, seed, tmp_path))


@pytest.mark.chaos
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(3, 43))
@pytest.mark.parametrize("venue", VENUES)
def test_after_many_storms_both_records_agree(venue, seed, tmp_path):
    asyncio.run(_weather(venue, seed, tmp_path))


async def _weather(venue, seed, folder):
    module, opener = VENUES[venue]
    rig = await getattr(importlib.import_module(module), opener)(folder)
    trader = Trader(rig, submit_timeout_ns=1_000 * MS)  # orders without an answer are many here
    try:
        await trader.start()
        await _storm(rig, trader, np.random.default_rng(seed))
        rig.faults.clear()
        await rig.release()
        if trader.died.is_set():
            await trader.restart()
        trader.death = None
        await trader.until(lambda: not problems(trader), bound_s=60)
        before = trader.broker.state_hash()
        await trader.restart()
        await trader.until(lambda: not problems(trader), bound_s=60)
        assert trader.broker.state_hash() == before, "a second restart changed something"
    except AssertionError as error:
        replay = f"pytest tests/venues/test_storm.py -k '{venue} and {seed}'"
        raise AssertionError(
            f"seed={seed} replay: {replay}; {problems(trader)}; {error}"
        ) from error
    finally:
        await trader.kill()
        await rig.close()


async def _storm(rig, trader, chance):
    faults = sorted((rig.understands & ONCE) | (rig.understands - ONCE - HARMLESS))
    for _ in range(STEPS):
        if trader.died.is_set():
            await _rise(trader)
        act = chance.choice(
            [
                "order",
                "limit",
                "cancel",
                "replace",
                "move",
                "fault",
                "cut",
                "kill",
                "death",
                "wait",
            ],
            p=[0.2, 0.2, 0.1, 0.06, 0.18, 0.12, 0.03, 0.03, 0.03, 0.05],
        )
        match act:
            case "order" | "limit":
                await _submit(trader, act, chance)
            case "cancel" | "replace":
                _change(rig, trader, act, chance)
            case "move":
                trader.move(float(round(chance.uniform(90, 110), 2)))
            case "fault":
                rig.faults.plan(Fault(chance.choice(faults)))
            case "cut":
                await rig.cut()
            case "death":
                trader.death = Death(chance.choice(list(Death)))
            case "kill":
                await _rise(trader) if chance.uniform() < 0.5 else await _die(rig, trader)
            case _:
                await rig.release()
        await asyncio.sleep(float(chance.uniform(0, 0.05)))


async def _submit(trader, act, chance):
    side = OrderSide.BUY if chance.uniform() < 0.5 else OrderSide.SELL
    if trader.rig.desk.positions.get(trader.rig.traded, 0) <= 0:
        side = OrderSide.BUY  # not every venue sells short
    if act == "order":
        trader.submit(trader.order(side=side))
    else:
        trader.submit(trader.limit(round(float(chance.uniform(88, 112)), 1), side=side))


def _change(rig, trader, act, chance):
    working = [key for key, order in trader.record.open_orders.items() if not order.is_in_flight]
    if not working:
        return
    key = working[int(chance.integers(len(working)))]
    if act == "cancel":
        trader.cancel(key)
        return
    instrument = rig.desk.instruments[rig.traded]
    offered = rig.profile.capabilities.orders[instrument.asset_class]
    if offered.can_replace and trader.known(key).price is not None:
        factor = Decimal(int(chance.integers(2, 4)))
        trader.replace(key, quantity=factor * rig.lot)


async def _die(rig, trader):
    """Be dead while the market moves."""
    await trader.kill()
    trader.move(91.0)
    trader.move(109.0)
    await trader.start(until_ready=False)


async def _rise(trader):
    """Start anew without waiting: a venue that still holds fills back cannot be agreed with."""
    await trader.kill()
    await trader.start(until_ready=False)
