"""FIX 4.4 in one table; the engine is imported when a connection is opened."""

from actors.venues.fix.config import FixOptions
from actors.venues.fix.dialect import capabilities, load_dialect
from actors.venues.profile import VenueProfile, VenueSettings
from trading.ports import VenuePort


def _open(settings: VenueSettings) -> VenuePort:
    FIX.require_library()
    from actors.venues.fix.opening import open_fix

    return open_fix(settings)


FIX = VenueProfile(
    name="fix",
    title="FIX 4.4 (QuickFIX)",
    capabilities=capabilities(load_dialect("standard")),
    open_execution=_open,
    optional_credentials=("{VENUE}_FIX_USERNAME", "{VENUE}_FIX_PASSWORD"),
    options=FixOptions,
    library="quickfix",
    extra="fix",
)
