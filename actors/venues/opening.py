"""Find a venue by its name, through entry points: `neural_trader.venues`, ours and anybody's."""

from importlib.metadata import entry_points

from trading.errors import ConfigError
from trading.identifiers import AccountId, Venue
from trading.ports import VenuePort

GROUP = "neural_trader.venues"


def open_venue(venue: Venue, account_id: AccountId, secret: bytes) -> VenuePort:
    """Return the adapter for one account; not connected yet.

    An entry point names a function `(account_id, cluster_secret) -> VenuePort`. Credentials are the
    adapter's own business: it reads them in the one process that needs them.

    Raises
    ------
    ConfigError
        If no such venue is installed.
    """
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if venue not in found:
        raise ConfigError(
            f"account.venue is {venue!r}; installed venues are {', '.join(sorted(found))}."
        )
    port: VenuePort = found[venue].load()(account_id, secret)
    return port
