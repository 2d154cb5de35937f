"""Credentials: from the environment of the launcher to the one process that needs them, by a private file.

The values never enter the configuration, a plan, the journal or the environment of Ray's workers: only the
path of the file travels. Every process that has read some hides them in whatever it logs.
"""

import os
from collections.abc import Iterable, Mapping, MutableMapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import msgspec

from actors.venues.profile import VenueProfile
from trading.errors import AuthError
from trading.messages import Message

HIDDEN = "[hidden]"
HIDDEN_LENGTH_MIN = 6
"""Shorter values (a port, a demo user) would blank out half of a log and protect nothing."""

_known: set[str] = set()
"""Values that this process has seen."""


def collect_credentials(
    profile: VenueProfile, venue: str, variables: Mapping[str, str | None]
) -> dict[str, str]:
    """Return the credentials of `venue` that `variables` hold.

    Raises
    ------
    AuthError
        If one that the venue cannot do without is missing; the sentence names it.
    """
    missing = missing_variables(profile, venue, variables)
    if missing:
        are = "is" if len(missing) == 1 else "are"
        raise AuthError(
            f"{profile.title}: {' and '.join(missing)} {are} not set; export the value, or write it "
            "to .env (chmod 600)."
        )
    found = {name: variables.get(name) or "" for name in profile.variables(venue)}
    values = {name: value for name, value in found.items() if value}
    hide(values.values())
    return values


def missing_variables(
    profile: VenueProfile, venue: str, variables: Mapping[str, str | None]
) -> tuple[str, ...]:
    """Return the names of required credentials that are not set."""
    return tuple(name for name in profile.required_variables(venue) if not variables.get(name))


def forget_variables(names: Iterable[str], environment: MutableMapping[str, str]) -> None:
    """Take credentials out of an environment, so that no child process inherits them."""
    for name in names:
        environment.pop(name, None)


def write_credentials(folder: Path, venue: str, values: Mapping[str, str]) -> Path:
    """Write one venue's credentials to a file that its owner alone can read; return its path.

    Raises
    ------
    AuthError
        If the file cannot be written.
    """
    path = folder / venue
    own = folder / f"{venue}.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        own.unlink(missing_ok=True)
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(dict(values)))
        own.replace(path)
    except OSError as error:
        raise AuthError(
            f"{path} cannot be written ({error.strerror}); check the owner of {folder}."
        ) from None
    return path


def read_credentials(path: str) -> dict[str, str]:
    """Return the credentials in a file; none for an empty path.

    Raises
    ------
    AuthError
        If the file is not there, can be read by others, or is damaged.
    """
    if not path:
        return {}
    file = Path(path)
    try:
        if file.stat().st_mode & 0o077:
            raise AuthError(f"{path} can be read by others; stop the cluster and start it again.")
        values = msgspec.json.decode(file.read_bytes(), type=dict[str, str])
    except OSError as error:
        raise AuthError(
            f"{path} cannot be read ({error.strerror}); stop the cluster and start it again."
        ) from None
    except msgspec.DecodeError:
        raise AuthError(f"{path} is damaged; stop the cluster and start it again.") from None
    hide(values.values())
    return values


def remove_credentials(paths: Iterable[str]) -> None:
    """Remove credential files, and their folder when nothing else is in it."""
    for path in paths:
        if not path:
            continue
        file = Path(path)
        file.unlink(missing_ok=True)
        if file.parent.is_dir() and not any(file.parent.iterdir()):
            file.parent.rmdir()


def hide(values: Iterable[str]) -> None:
    """Let `masked` replace these values from now on, in this process."""
    for value in values:
        if len(value) >= HIDDEN_LENGTH_MIN:
            _known.update((value, quote(value, safe=""), quote_plus(value)))


def masked(text: str) -> str:
    """Return `text` without any credential that this process has seen, as it is or quoted for an address."""
    for value in _known:
        if value in text:
            text = text.replace(value, HIDDEN)
    return text


def without_credentials(message: Message) -> Message:
    """Return a message of a venue; should its reason show a credential, without it."""
    reason = getattr(message, "reason", "")
    clean = masked(reason)
    return message if clean == reason else msgspec.structs.replace(message, reason=clean)
