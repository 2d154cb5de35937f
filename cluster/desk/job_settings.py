"""How the jobs of the front desk are run: with the configuration in force, and without the credentials of venues."""

import json
import os
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

from actors.venues.opening import venue_names
from actors.venues.profile import VenueProfile
from cluster.config import Config
from cluster.config.loading import PREFIX
from cluster.config.safety import LIVE_CONFIRM
from cluster.config.venue_checks import profile_of
from serve.desk.job_folder import JobSettings
from trading.errors import ConfigError

FOLDER = "jobs"
_PLAIN = {"NO_COLOR": "1", "TERM": "dumb", "TYPER_USE_RICH": "0"}
"""What is said is read by programs."""


def job_settings(config: Config) -> JobSettings:
    """Return the settings; the configuration is left in the folder of the jobs, for its owner alone.

    Raises
    ------
    ConfigError
        If the folder cannot be written.
    """
    folder = config.cluster.state_dir / FOLDER
    return JobSettings(
        folder=folder,
        program=(str(Path(sys.executable).with_name("trader")),),
        environment=job_environment(config, os.environ),
        options=("--config", str(_leave(config, folder))),
    )


def job_environment(config: Config, environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without Ray's own variables, what `config` says already, and credentials."""
    left_out = credential_names(config)
    kept = {
        name: value
        for name, value in environment.items()
        if name == LIVE_CONFIRM or not (name.startswith(("RAY_", PREFIX)) or name in left_out)
    }
    return kept | _PLAIN


def credential_names(config: Config) -> set[str]:
    """Return the names of the variables that hold credentials of venues, configured or merely installed."""
    return {
        variable
        for venue in {*venue_names(), *config.venues}
        for variable in _variables(config, venue)
    }


def config_text(config: Config) -> str:
    """Return the configuration in force as TOML."""
    values = config.model_dump(mode="json", exclude_none=True)
    return "".join(f"{json.dumps(key)} = {_literal(value)}\n" for key, value in values.items())


def _literal(value: Any) -> str:
    """Return a value as TOML writes it; JSON's strings, numbers and lists are TOML's."""
    if isinstance(value, dict):
        entries = (f"{json.dumps(key)} = {_literal(each)}" for key, each in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    return json.dumps(value)


def _leave(config: Config, folder: Path) -> Path:
    text = config_text(config)
    path = folder / f"config-{blake2b(text.encode(), digest_size=6).hexdigest()}.toml"
    own = path.with_suffix(f".{os.getpid()}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        own.replace(path)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}); set cluster.state_dir to a folder that "
            "you may write to."
        ) from None
    return path


def _variables(config: Config, venue: str) -> tuple[str, ...]:
    try:
        profile: VenueProfile = profile_of(config, venue)
    except ConfigError:  # one that is broken has none
        return ()
    return tuple(profile.variables(venue))
