"""Configuration of the door: who is asked who they are, and how often one may ask."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from cluster.config.sections import Count, Section, Symbols


def _word(value: object) -> object:
    """TOML has true and false for what people call on and off."""
    words = {"true": "on", "false": "off"}
    return words.get(str(value).lower(), value) if isinstance(value, bool | str) else value


Names = Symbols
"""Words separated by commas, or a list."""


class AuthConfig(Section):
    """Who may come in at the front desk. Users and keys: `trader users`, `trader keys`."""

    enabled: Annotated[Literal["auto", "on", "off"], BeforeValidator(_word)] = Field(
        default="auto",
        description="`auto`: off while HTTP listens on loopback, on everywhere else. `AUTH_ENABLED` overrides it.",
    )
    record: str = Field(
        default="",
        repr=False,
        description="Journal of users, keys and logins, which all runs share; as `cluster.journal`.",
        json_schema_extra={"default": "folder `access` beside `cluster.ladder`, or its server"},
    )
    hosts: Names = Field(
        default=(),
        description="Names by which others reach this server, such as `desk.example`; loopback's always count.",
    )
    origins: Names = Field(
        default=(),
        description="Web pages of others that may ask from a browser, such as `https://desk.example`; none by default.",
    )
    trusted_proxies: Names = Field(
        default=(),
        description="Addresses of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
    )
    public_url: str = Field(
        default="",
        description="How the outside calls this server, such as `https://desk.example`; for MCP clients that log in.",
    )
    token_hours: float = Field(
        default=24.0, gt=0, le=168, description="How long an access token is good."
    )
    session_days: float = Field(
        default=30.0, gt=0, le=365, description="How long refresh tokens prolong a login."
    )
    requests_per_s: float = Field(
        default=200.0,
        ge=0,
        description="Requests of one principal at one replica, where authentication is on; 0 is no limit.",
    )
    trades_per_s: float = Field(
        default=10.0,
        ge=0,
        description="Of these, orders and other steps that move money, everywhere; 0 is no limit.",
    )
    logins_per_min: Count = Field(
        default=20, description="Logins tried from one address at one replica."
    )
    body_timeout_s: float = Field(
        default=10.0, gt=0, description="How long the body of a request may take to arrive."
    )
