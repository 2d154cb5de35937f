"""What the launcher knows of real venues: their credentials, for a moment, and how each is opened."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dotenv import dotenv_values

from actors.venues.credentials import (
    collect_credentials,
    forget_variables,
    remove_credentials,
    write_credentials,
)
from actors.venues.opening import venue_names, venue_profile
from actors.venues.profile import VenueSettings
from cluster.config import Config
from cluster.config.accounts import accounts_of
from cluster.config.loading import ENV_FILE
from cluster.config.safety import is_private
from cluster.config.venue_checks import feed_venue, is_simulated, profile_of
from trading.errors import AuthError, ConfigError
from trading.identifiers import AccountId, Venue
from trading.instruments import Instrument

FOLDER = "credentials"


@dataclass(frozen=True, slots=True)
class VenueAccess:
    """The credentials of the venues that a configuration trades at, by the name of the venue."""

    folder: Path
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)

    def path(self, venue: str) -> str:
        """Return where the process that needs them finds the credentials of a venue; empty: it needs none."""
        return str(self.folder / venue) if self.credentials.get(venue) else ""

    def withhold(self) -> None:
        """Take the credentials of every installed venue out of our environment: no child process inherits one."""
        for values in self.credentials.values():
            forget_variables(values, os.environ)
        for name in venue_names():
            forget_variables(_variables(name), os.environ)

    def write(self) -> tuple[str, ...]:
        """Leave the credentials in private files for the processes that need them; return the paths.

        Raises
        ------
        AuthError
            If a file cannot be written.
        """
        return tuple(
            str(write_credentials(self.folder, venue, values))
            for venue, values in self.credentials.items()
            if values
        )

    def settings(
        self, config: Config, venue: str, instruments: tuple[Instrument, ...] = ()
    ) -> VenueSettings:
        """Return what a connection of the launcher's own is opened with."""
        table = config.venues.get(venue)
        return VenueSettings(
            venue=Venue(venue),
            account_id=AccountId(config.account.account_id),
            is_live=config.cluster.mode == "live",
            options={} if table is None else table.options,
            credentials=self.credentials.get(venue, {}),
            instruments=instruments,
        )


def access_of(config: Config) -> VenueAccess:
    """Return the credentials of the venues that the accounts of `config` trade at and get data from.

    Raises
    ------
    AuthError
        If one is missing, or stands in a `.env` that others can read.
    ConfigError
        If a venue, or its client library, is not installed.
    """
    folder = config.cluster.state_dir / FOLDER
    if is_simulated(config):
        return VenueAccess(folder)
    accounts = accounts_of(config)
    venues = dict.fromkeys(
        venue for each in accounts for venue in (each.account.venue, feed_venue(each))
    )
    return VenueAccess(folder, {venue: credentials_of(config, venue) for venue in venues})


def remove_left_credentials(config: Config) -> None:
    """Remove the credential files of a cluster that does not run any more."""
    folder = config.cluster.state_dir / FOLDER
    remove_credentials(str(path) for path in folder.glob("*"))


def credentials_of(config: Config, venue: str) -> dict[str, str]:
    """Return the credentials of one venue; errors as of `access_of`."""
    profile = profile_of(config, venue)
    profile.require_library()
    return collect_credentials(profile, venue, credential_variables(profile.variables(venue)))


def credential_variables(names: tuple[str, ...]) -> dict[str, str]:
    """Return the variables of that name: of the environment, else of `.env`.

    Raises
    ------
    AuthError
        If one stands in a `.env` that others can read.
    """
    found = {name: os.environ[name] for name in names if os.environ.get(name)}
    if not ENV_FILE.is_file():
        return found
    stored = dotenv_values(ENV_FILE)
    missing = {name: value for name in names if name not in found and (value := stored.get(name))}
    if missing and not is_private(ENV_FILE):
        raise AuthError(
            f"{ENV_FILE} holds credentials and can be read by others; run `chmod 600 {ENV_FILE}`."
        )
    return found | missing


def _variables(name: str) -> Iterator[str]:
    """Yield the variables of an installed venue; one that is broken has none."""
    try:
        yield from venue_profile(name).variables(name)
    except ConfigError:
        return
