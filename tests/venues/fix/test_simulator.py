"""The venue on fixcore itself: it goes on after whatever it was told to do wrong, and never fails in silence."""

import pytest

from tests.venues.faults import Fault
from tests.venues.fix.floor import How
from tests.venues.fix.probe import connected, in_loop, market, rig_at, until
from tests.venues.fix.rig import FixRig
from trading.errors import OutcomeUnknown
from trading.outcomes import VenueConnected


@pytest.mark.parametrize("broken", [Fault.HALF_ANSWER, Fault.RESET_EXECUTED])
@pytest.mark.parametrize("told", [Fault.DUPLICATE_FILLS, Fault.MALFORMED])
def test_when_the_connection_breaks_under_a_bad_message_the_venue_still_answers(
    tmp_path, broken, told
):
    """The fill comes right behind the answer that broke the connection, and is told wrongly too."""

    async def whole(folder):
        async with rig_at(folder) as rig, connected(rig) as (port, seen):
            rig.faults.plan(broken)
            rig.faults.plan(told)
            with pytest.raises(OutcomeUnknown):
                await port.submit(market("a"))
            rig.faults.clear()
            # Something unreadable may have been followed by a comparison while the session was up.
            before = len(seen.of(VenueConnected))
            await until(lambda: len(seen.of(VenueConnected)) > before)
            assert await port.open_orders("ACC") == ()
            assert [fill.last_qty for fill in rig.desk.fills] == [10]
            assert len(await port.executions_since("ACC", 0)) == 1
            await until(lambda: not rig.venue.queued)

    in_loop(whole)(tmp_path)


@in_loop
async def test_when_the_venue_cannot_write_a_message_its_end_is_an_error(folder):
    rig = FixRig(folder)
    half_a_group = [(35, "r"), (41, "of no response")]
    rig.venue.run(rig.floor.say, half_a_group, How.PLAIN)
    await until(rig.venue._pumping.done)
    with pytest.raises(ValueError):
        await rig.close()
