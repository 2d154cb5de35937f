"""What must hold before anything starts: the gate to live money, and no unprotected server."""

import os
import stat
from pathlib import Path

from cluster.config.accounts import accounts_of
from cluster.config.model import Config
from cluster.config.venue_checks import is_simulated
from serve.auth.settings import is_loopback
from trading.errors import AuthError, ConfigError

LIVE_CONFIRM = "TRADER_LIVE_CONFIRM"


def require_safe(config: Config) -> None:
    """Refuse a configuration that would trade real money unconfirmed, or listen unprotected.

    Raises
    ------
    ConfigError
        If live mode is combined with a simulated venue.
    AuthError
        If a confirmation is missing, `.env` can be read by others in live mode, or a server would
        listen beyond loopback without Ray token authentication.
    """
    _require_protected_bind(config.cluster.bind)
    if config.cluster.mode == "live":
        _require_live_gate(config)


def is_private(path: Path) -> bool:
    """Return whether nobody but the owner may read or write the file."""
    return not stat.S_IMODE(path.stat().st_mode) & 0o077


def _require_protected_bind(bind: str) -> None:
    auth_mode = os.environ.get("RAY_AUTH_MODE", "token")
    if not is_loopback(bind) and auth_mode != "token":
        raise AuthError(
            f"cluster.bind = {bind} can be reached from outside while RAY_AUTH_MODE is "
            f"{auth_mode!r}; unset it (then Ray asks for its token), or bind to 127.0.0.1."
        )


def _require_live_gate(config: Config) -> None:
    if is_simulated(config):
        raise ConfigError(
            f'cluster.mode is "live" but account.venue is "{config.account.venue}", a simulation; '
            'name a real venue or set mode = "paper".'
        )
    accounts = {each.account.account_id for each in accounts_of(config)}
    wanted = ",".join(sorted(accounts))
    if set(config.live.confirm_account) != accounts:
        raise AuthError(
            f"live mode needs live.confirm_account = {wanted!r} in the configuration "
            f"(it is {','.join(config.live.confirm_account)!r})."
        )
    confirmed = os.environ.get(LIVE_CONFIRM, "").split(",")
    if {each.strip() for each in confirmed} != accounts:
        raise AuthError(
            f"live mode needs the environment variable {LIVE_CONFIRM}={wanted}; "
            "set it in the shell that starts the cluster."
        )
    env_file = Path(".env")
    if env_file.is_file() and not is_private(env_file):
        raise AuthError(".env can be read by others; run `chmod 600 .env` before trading live.")
