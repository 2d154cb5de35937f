"""The stories that are told at every venue, and the table of what each venue took, at the end of a run."""

import asyncio
import importlib
from collections import defaultdict

import pytest

from tests.venues.rigs import VENUES
from tests.venues.trader import Trader


def pytest_terminal_summary(terminalreporter):
    """Print venue x order: `pass` or `refused by name`."""
    cells = defaultdict(dict)
    for report in terminalreporter.stats.get("passed", []):
        for name, value in getattr(report, "user_properties", ()):
            if name == "venue":
                venue, what, outcome = value
                cells[what][venue] = outcome
    if not cells:
        return
    venues = sorted({venue for row in cells.values() for venue in row})
    words = {"pass": "pass", "refused by name": "refused"}
    terminalreporter.section("orders that each venue takes")
    terminalreporter.line(f"{'':28}" + "".join(f"{venue:>10}" for venue in venues))
    for what in sorted(cells):
        row = "".join(f"{words.get(cells[what].get(venue, ''), '-'):>10}" for venue in venues)
        terminalreporter.line(f"{what:28}{row}")


@pytest.fixture(autouse=True)
def _no_account_of_the_user(monkeypatch):
    """A simulator is all that these tests reach: keys of a real account stay out of their sight."""
    import os

    for name in list(os.environ):
        if name.startswith(("ALPACA_", "BINANCE_", "KRAKEN_", "BYBIT_", "FIX_")):
            monkeypatch.delenv(name)


@pytest.fixture(params=VENUES)
def story(request, tmp_path, record_property):
    """Run `tell(rig, trader)` with a ready trader at one venue; check at the end, and close everything."""
    module, opener = VENUES[request.param]

    def run(tell, *, ready=True, check=True, **settings):
        async def whole():
            rig = await getattr(importlib.import_module(module), opener)(tmp_path)
            trader = Trader(rig, **settings)
            try:
                if ready:
                    await trader.start()
                await tell(rig, trader)
                if check:
                    await trader.settled()
            finally:
                await trader.kill()
                await rig.close()

        asyncio.run(whole())

    run.venue = request.param
    run.record = lambda what, outcome: record_property("venue", (request.param, what, outcome))
    return run
