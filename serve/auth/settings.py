"""What the door is told, by whoever composes the front desk."""

from ipaddress import ip_address

import msgspec

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class AccessSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Settings of the door; the same in every replica. No secret is among them, only the path of one.

    Attributes
    ----------
    is_on : bool
        Whether anybody is asked who they are.
    cluster : str
        Name of the cluster.
    journal : str
        URL of the journal that holds users, keys and logins; it outlives single runs.
    secret_file : str
        See `serve.auth.secret_file`.
    host : str
        Where HTTP listens.
    hosts : tuple of str
        Further names under which people reach it; without any, and with authentication, every name will do.
    origins : tuple of str
        Foreign web pages that may ask from a browser (CORS), such as `https://desk.example`.
    trusted_proxies : tuple of str
        Addresses whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.
    requests_per_s, trades_per_s : float
        Of one principal or address at one replica; 0 is no limit.
    logins_per_min : float
        Of one address at one replica.
    body_timeout_s : float
        How long a request may take to arrive.
    public_url : str
        How the outside calls this server; for MCP clients, which need it when they log in.
    """

    is_on: bool = False
    cluster: str = "demo"
    journal: str = ""
    secret_file: str = ""
    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    requests_per_s: float = 200.0
    trades_per_s: float = 10.0
    logins_per_min: float = 20.0
    token_hours: float = 24.0
    session_days: float = 30.0
    max_body_bytes: int = 1_048_576
    body_timeout_s: float = 10.0
    public_url: str = ""


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on can be reached from this machine alone."""
    try:
        return host == "localhost" or ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
