"""From the configuration to the door of the front desk."""

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from cluster.config import Config
from serve.auth.settings import AccessSettings, is_loopback
from trading.errors import AuthError, ConfigError

if TYPE_CHECKING:
    from serve.auth.access import Access

ENABLED, USERNAME, PASSWORD = "AUTH_ENABLED", "AUTH_USERNAME", "AUTH_PASSWORD"  # their names
BY_ENVIRONMENT = "environment"
_WORDS = {"1": True, "true": True, "yes": True, "on": True}
_WORDS |= {"0": False, "false": False, "no": False, "off": False}


def prepare_access(
    config: Config, environment: MutableMapping[str, str] | None = None
) -> AccessSettings:
    """Return the settings of the door; when it guards, with its secret kept and the first user let in.

    `AUTH_ENABLED`, `JWT_SECRET_KEY`, `AUTH_USERNAME` and `AUTH_PASSWORD` are read here and taken out of the
    environment, so that no process that is started later inherits them.

    Raises
    ------
    ConfigError
        If `AUTH_ENABLED` is no word for yes or no.
    AuthError
        If others could reach the server and nobody would be asked, or nobody could come in; if the secret or the
        password of the environment is too weak.
    """
    from serve.auth.secret_file import VARIABLE, from_environment, keep_secret
    from serve.auth.start_rule import require_protected

    found = os.environ if environment is None else environment
    settings = access_settings(config, found)
    user, password = from_environment(USERNAME, found), from_environment(PASSWORD, found)
    if not settings.is_on:
        from_environment(VARIABLE, found)
        require_protected(settings.host, settings, None)
        return settings
    keep_secret(Path(settings.secret_file), found)
    with open_for(settings) as access:
        if user or password:
            _let_in(access, user, password)
        require_protected(settings.host, settings, access)
    return settings


def access_settings(config: Config, environment: MutableMapping[str, str]) -> AccessSettings:
    """Return what the configuration says about the door. Raises `ConfigError`."""
    auth, host = config.auth, config.serve.host
    is_on = auth.enabled == "on" or (auth.enabled == "auto" and not is_loopback(host))
    said = environment.get(ENABLED)
    if said is not None:
        if said.strip().lower() not in _WORDS:
            raise ConfigError(f"{ENABLED} is {said!r}; write true or false.")
        is_on = _WORDS[said.strip().lower()]
    return AccessSettings(
        is_on=is_on,
        cluster=config.cluster.name,
        journal=record_of(config),
        secret_file=str(config.cluster.secret_file.with_name("jwt-secret")),
        host=host,
        max_body_bytes=config.serve.max_body_bytes,
        **auth.model_dump(exclude={"enabled", "record"}),
    )


@contextmanager
def open_for(settings: AccessSettings) -> "Iterator[Access]":
    """Open the users and keys for a moment."""
    from serve.auth.opening import open_access

    access = open_access(settings)
    try:
        yield access
    finally:
        access.close()


@contextmanager
def opened_access(config: Config) -> "Iterator[Access]":
    """Open the users and keys of a configuration, for a command; its secret is made if there is none."""
    from serve.auth.secret_file import keep_secret

    settings = access_settings(config, {})
    keep_secret(Path(settings.secret_file), {})
    with open_for(settings) as access:
        yield access


def record_of(config: Config) -> str:
    """Return where users and keys are: beside the ladder, which outlives single runs as they do."""
    if config.auth.record:
        return config.auth.record
    parts = urlsplit(config.cluster.ladder)
    if parts.scheme != "sqlite":
        return config.cluster.ladder
    return f"sqlite://{quote(str(Path(unquote(parts.path)).with_name('access')))}"


def _let_in(access: "Access", user: str | None, password: str | None) -> None:
    """Make the user of the environment, with every permission; its password is what the environment says now."""
    from serve.desk.principal import Permission

    if not user or not password:
        raise AuthError(f"{USERNAME} and {PASSWORD} belong together; set both, or none.")
    _require_good(password, user)
    if user not in access.book().users:
        access.add_user(user, password, Permission, BY_ENVIRONMENT)
    elif not access.has_password(user, password):
        access.change_password(user, password, BY_ENVIRONMENT)


def _require_good(password: str, user: str) -> None:
    from serve.auth.passwords import require_strong
    from trading.errors import UsageError

    try:
        require_strong(password, user)
    except UsageError as error:
        raise AuthError(f"{PASSWORD}: {error}") from None
