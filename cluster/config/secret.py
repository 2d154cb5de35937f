"""The cluster secret: 32 random bytes in a file that only the owner can read.

It signs risk permits and seeds the CurveZMQ keys. It never enters the configuration, a log, the
journal or Ray's runtime_env: processes read the file themselves.
"""

import os
import secrets

from cluster.config.model import Config
from cluster.config.safety import is_private
from trading.errors import AuthError

SECRET_BYTES = 32


def cluster_secret(config: Config) -> bytes:
    """Return the secret, making the file on first use.

    Raises
    ------
    AuthError
        If the file can be read by others, has the wrong size, or cannot be made or read.
    """
    path = config.cluster.secret_file
    try:
        if not path.exists():
            _create(config)
        if not is_private(path):
            raise AuthError(f"{path} can be read by others; run `chmod 600 {path}`.")
        secret = path.read_bytes()
    except OSError as error:
        raise AuthError(
            f"{path} cannot be used ({error.strerror}); check its owner and folder."
        ) from None
    if len(secret) != SECRET_BYTES:
        raise AuthError(
            f"{path} holds {len(secret)} bytes instead of {SECRET_BYTES}; delete it while the "
            "cluster is down, a new one is made."
        )
    return secret


def _create(config: Config) -> None:
    """Write to a file of our own and link it in place, so that two starters agree on one secret."""
    path = config.cluster.secret_file
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    own = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(own, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(SECRET_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(own, path)
    except FileExistsError:
        pass  # another process was first: its secret is the one
    finally:
        own.unlink()
