"""How E2B is reached."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from e2b.connection_config import ApiParams

from sandboxes.errors import SandboxRefused

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where E2B is, and the key to it. The key shows in no representation of this.

    Attributes
    ----------
    api_key : str
    domain : str
    api_url, sandbox_url : str
        Addresses of the control plane and of the sandboxes; empty: those of the domain.
    request_timeout_s : float
        For one request to the control plane, retries included.
    network_allowance_s : float
        What the way there and back may add to every deadline.
    """

    api_key: str = field(repr=False)
    domain: str = "e2b.app"
    api_url: str = ""
    sandbox_url: str = ""
    request_timeout_s: float = 30.0
    network_allowance_s: float = 2.0

    def __post_init__(self) -> None:
        if not self.api_key:
            raise SandboxRefused("E2B needs an API key; set E2B_API_KEY")
        for url in (self.api_url, self.sandbox_url):
            parts = urlsplit(url)
            if url and parts.scheme != "https" and parts.hostname not in LOOPBACK:
                raise SandboxRefused(f"{url} would carry the API key in clear; use https")

    def options(self) -> ApiParams:
        """Return what every call of the library is given, so that it looks nothing up in the environment.

        `debug` above all: E2B_DEBUG=true would make it talk to localhost and kill nothing.
        """
        options = ApiParams(
            api_key=self.api_key,
            domain=self.domain,
            api_url=self.api_url or f"https://api.{self.domain}",
            debug=False,
            request_timeout=self.request_timeout_s,
        )
        if self.sandbox_url:
            options["sandbox_url"] = self.sandbox_url
        return options
