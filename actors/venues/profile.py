"""What a venue brings along: a table that costs nothing to read, and functions that open connections.

A module that holds a profile imports no client library; the functions do, when they are called.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, TypeVar

import msgspec

from trading.capabilities import VenueCapabilities
from trading.errors import ConfigError
from trading.identifiers import AccountId, Venue
from trading.instruments import Instrument
from trading.ports import MarketDataPort, VenuePort

_T = TypeVar("_T", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """What a connection is opened with.

    Attributes
    ----------
    venue : Venue
        Its name in this cluster: that of `[venues.<name>]`, by default that of the profile.
    secret : bytes
        The cluster secret; the paper venue derives its keys from it.
    is_live : bool
        Real money: every gate was passed. Adapters talk to the paper or sandbox side of a venue otherwise.
    options : mapping
        `[venues.<name>]` of the configuration; each venue reads it with `read_options`.
    credentials : mapping of name to value
        As named by the profile. Never in a repr, an error or a log.
    instruments : tuple of Instrument
        What is traded; ids of anything else are derived from what the venue calls it.
    """

    venue: Venue
    account_id: AccountId
    secret: bytes = field(default=b"", repr=False)
    is_live: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    instruments: tuple[Instrument, ...] = ()

    def credential(self, name: str) -> str:
        """Return a credential; `{VENUE}` in its name stands for the venue, as in a profile.

        Raises
        ------
        ConfigError
            If it is not there; the sentence names the variable to set.
        """
        name = variable_name(name, self.venue)
        value = self.credentials.get(name, "")
        if not value:
            raise ConfigError(f"{name} is not set; export it, or write it to .env (chmod 600).")
        return value

    def read_options(self, kind: type[_T]) -> _T:
        """Return the options as the venue's own struct.

        Raises
        ------
        ConfigError
            If a key is unknown or a value is of the wrong type.
        """
        try:
            return msgspec.convert(dict(self.options), kind, strict=False)
        except msgspec.ValidationError as error:
            raise ConfigError(f"the options of the venue are wrong: {error}.") from None


def variable_name(pattern: str, venue: str) -> str:
    """Return the environment variable of a credential: `{VENUE}` becomes the venue's name in capitals."""
    return pattern.replace("{VENUE}", re.sub(r"[^A-Za-z0-9]", "_", venue).upper())


@dataclass(frozen=True, slots=True)
class VenueProfile:
    """One venue.

    Attributes
    ----------
    credentials : tuple of str
        Environment variables, for example `ALPACA_API_KEY`; `{VENUE}` stands for the name of the venue in capitals.
        The optional ones stand in `optional_credentials`.
    options : type or None
        Struct of `[venues.<name>]`, every field with a default and a line in its docstring.
    library, extra : str
        Import name of the client library, and the extra of this distribution that installs it; empty: none.
    open_market_data : function or None
        None: orders only.
    """

    name: str
    title: str
    capabilities: VenueCapabilities
    open_execution: Callable[[VenueSettings], VenuePort]
    open_market_data: Callable[[VenueSettings], MarketDataPort] | None = None
    credentials: tuple[str, ...] = ()
    optional_credentials: tuple[str, ...] = ()
    options: type[msgspec.Struct] | None = None
    library: str = ""
    extra: str = ""
    is_simulated: bool = False

    def required_variables(self, venue: str) -> tuple[str, ...]:
        """Return the environment variables that `venue`, of this kind, cannot do without."""
        return tuple(variable_name(each, venue) for each in self.credentials)

    def variables(self, venue: str) -> tuple[str, ...]:
        """Return all environment variables that `venue`, of this kind, reads."""
        optional = (variable_name(each, venue) for each in self.optional_credentials)
        return (*self.required_variables(venue), *optional)

    @property
    def is_installed(self) -> bool:
        """Whether the client library is there; it is not imported to find out."""
        return not self.library or find_spec(self.library.partition(".")[0]) is not None

    def require_library(self) -> None:
        """Refuse to go on without the client library.

        Raises
        ------
        ConfigError
            If it is not installed; the sentence names the extra.
        """
        if not self.is_installed:
            raise ConfigError(
                f"{self.title} needs the package {self.library}, which is not installed; "
                f'run: pip install "neural-trader[{self.extra}]".'
            )
