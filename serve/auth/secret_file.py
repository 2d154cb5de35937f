"""The secret that signs tokens: in a file that its owner alone can read, made on first use.

As with the credentials of venues only the path of the file travels to other processes: never the value, and never
in an environment that children inherit.
"""

import os
import secrets
from collections.abc import MutableMapping
from pathlib import Path

from actors.venues.credentials import hide
from trading.errors import AuthError

VARIABLE = "JWT_SECRET_KEY"
BYTES_MIN = 32
_PLACEHOLDERS = (
    "changeme",
    "change-me",
    "change_me",
    "your-secret",
    "your_secret",
    "secret-key",
    "default",
)


def keep_secret(path: Path, environment: MutableMapping[str, str]) -> None:
    """Put the secret into the file: that of the environment, the one that is there, or a new one.

    `JWT_SECRET_KEY` (or the file that `JWT_SECRET_KEY_FILE` names) rules; it is taken out of the environment.

    Raises
    ------
    AuthError
        If it is shorter than 32 bytes or a placeholder, or the file cannot be used.
    """
    given = from_environment(VARIABLE, environment)
    try:
        if given is not None:
            _write(path, _checked(given.encode(), VARIABLE), replace=True)
        elif not path.exists():
            _write(path, secrets.token_hex(BYTES_MIN).encode(), replace=False)
    except OSError as error:
        raise _unusable(path, error) from None
    read_secret(path)


def read_secret(path: Path) -> bytes:
    """Return the secret.

    Raises
    ------
    AuthError
        If there is none, it can be read by others, or it is too weak.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise AuthError(f"{path} can be read by others; run `chmod 600 {path}`.")
        secret = path.read_bytes().strip()
    except OSError as error:
        raise _unusable(path, error) from None
    hide([secret.decode(errors="replace")])
    return _checked(secret, str(path))


def from_environment(name: str, environment: MutableMapping[str, str]) -> str | None:
    """Take a value out of the environment, or out of the file that `<name>_FILE` names; None when neither is set.

    Raises
    ------
    AuthError
        If the file cannot be read.
    """
    value = environment.pop(name, None)
    file = environment.pop(f"{name}_FILE", None)
    if value is None and file is not None:
        try:
            value = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise AuthError(f"{name}_FILE names {file}, which cannot be read: {error}.") from None
    if value:
        hide([value])
    return value


def _checked(secret: bytes, where: str) -> bytes:
    lowered = secret.lower().decode(errors="replace")
    is_placeholder = any(each in lowered for each in _PLACEHOLDERS) or len(set(secret)) < 8
    if len(secret) < BYTES_MIN or is_placeholder:
        raise AuthError(
            f"{where} is too weak: it needs {BYTES_MIN} random bytes (`openssl rand -hex 32`); "
            "without it a secret is made for you."
        )
    return secret


def _write(path: Path, secret: bytes, *, replace: bool) -> None:
    """Make the file whole, then give it its name; of two that make a new one, the first counts."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = path.with_name(f"{path.name}.{os.getpid()}")
    own.unlink(missing_ok=True)
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            own.replace(path)
        else:
            os.link(own, path)
    except FileExistsError:
        pass  # another process was first
    finally:
        own.unlink(missing_ok=True)


def _unusable(path: Path, error: OSError) -> AuthError:
    return AuthError(f"{path} cannot be used ({error.strerror}); check its owner and folder.")
