"""Find venues by name, through entry points: `neural_trader.venues`, ours and anybody's."""

from difflib import get_close_matches
from importlib.metadata import EntryPoint

from actors.venues.profile import VenueProfile
from trading.errors import ConfigError
from trading.plugins import plugins

GROUP = "neural_trader.venues"


def venue_names() -> tuple[str, ...]:
    """Return the names of all installed venues, sorted."""
    return tuple(sorted(plugins(GROUP)))


def venue_profile(name: str) -> VenueProfile:
    """Return the profile that the entry point `name` names.

    Parameters
    ----------
    name : str
        Of an installed venue, or `package.module:OBJECT` for a profile that no distribution announces.

    Raises
    ------
    ConfigError
        If no such venue is installed, or it cannot be imported.
    """
    if ":" in name:
        return _load(EntryPoint(name, name, GROUP))
    found = plugins(GROUP)
    if name not in found:
        near = get_close_matches(name, found, n=1)
        advice = (
            f"did you mean {near[0]}?" if near else f"installed are {', '.join(sorted(found))}."
        )
        raise ConfigError(f"no venue {name!r} is installed; {advice}")
    return _load(found[name])


def _load(entry: EntryPoint) -> VenueProfile:
    try:
        profile = entry.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the venue {entry.name!r} cannot be loaded: {error}.") from error
    if not isinstance(profile, VenueProfile):
        raise ConfigError(f"{entry.value} is a {type(profile).__name__}, not a VenueProfile.")
    return profile
