"""The paper venue in one table; the adapter is imported when a connection is opened."""

from actors.venues.paper.capabilities import CAPABILITIES
from actors.venues.profile import VenueProfile, VenueSettings
from trading.ports import VenuePort


def _open(settings: VenueSettings) -> VenuePort:
    from actors.venues.paper.adapter import open_paper

    return open_paper(settings)


PAPER = VenueProfile(
    name="paper",
    title="Paper (the simulated exchange)",
    capabilities=CAPABILITIES,
    open_execution=_open,
    is_simulated=True,
)
