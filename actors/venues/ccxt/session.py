"""One ccxt exchange, made for one purpose and one key; every call of it passes here."""

import asyncio
import decimal
import difflib
import importlib
import logging
from collections.abc import Mapping
from typing import Any, cast

from actors.venues.ccxt.config import CcxtOptions
from actors.venues.ccxt.dialects import Dialect, dialect_of
from actors.venues.ccxt.failures import INVALID_NONCE, Call, TooFast, failure
from actors.venues.ccxt.hooks import CURRENT, Hooks, hooked
from actors.venues.pacing import Pacing, Priority
from actors.venues.profile import VenueSettings, variable_name
from trading.errors import ConfigError, VenueRefused

SHORTEST_PAUSE_S = 2.0
LONGEST_PAUSE_S = 60.0
WINDOW_S = 5.0


class CcxtSession:
    """Calls an exchange; a call raises `VenueError`s and nothing else.

    Parameters
    ----------
    with_key : bool
        For orders: with credentials, exact numbers, and the test environment unless the account is live.

    Raises
    ------
    ConfigError
        If the exchange is unknown, has no test environment, or a credential is missing.
    """

    def __init__(self, settings: VenueSettings, *, with_key: bool) -> None:
        self.options = settings.read_options(CcxtOptions)
        self.name = self.options.exchange or str(settings.venue)
        self.dialect: Dialect = dialect_of(self.name)
        self._secrets: tuple[str, ...] = ()
        self._pauses = 0
        kind = exchange_class(self.name)
        self.hooks = Hooks(
            pacing=Pacing(1.0, WINDOW_S), base_url=self.options.base_url, is_exact=with_key
        )
        if self.dialect.has_nonces:
            self.hooks.one_by_one = asyncio.Lock()
        self.exchange = hooked(kind, self.hooks, self._settings(settings, with_key=with_key))
        self.hooks.pacing = Pacing(*self._budget())
        self.exchange.has["fetchCurrencies"] = False
        self.exchange.logger.setLevel(logging.INFO)  # in detail it writes keys and signatures
        self._choose_side(settings, with_key=with_key)
        if self.options.base_url:
            self.exchange.urls["api"] = _routed_streams(self.exchange.urls["api"], self.hooks)

    @property
    def is_loaded(self) -> bool:
        """True when the exchange's markets are known."""
        return bool(self.exchange.markets)

    async def load_markets(self) -> None:
        """Read what the exchange trades, once."""
        if not self.is_loaded:
            await self.call("load_markets", priority=Priority.DATA)

    async def call(
        self, name: str, *args: Any, priority: Priority = Priority.QUERY, **details: Any
    ) -> Any:
        """Call a method of the exchange.

        A number that a later one overtook on the way is refused, and nothing was done: such a call is repeated
        once, with nobody beside it.

        Raises
        ------
        VenueError
            What became of it; secrets are not in the text.
        """
        call = Call(priority=priority)
        try:
            return await self._once(call, name, args, details)
        except VenueRefused as refusal:
            is_numbered = self.hooks.one_by_one is not None and call.requests == 1
            if not is_numbered or refusal.venue_code != INVALID_NONCE:
                raise
        return await self._once(Call(priority=priority, is_repeated=True), name, args, details)

    async def _once(
        self, call: Call, name: str, args: tuple[Any, ...], details: Mapping[str, Any]
    ) -> Any:
        token = CURRENT.set(call)
        try:
            # ccxt changes the decimal context that it finds; here it finds one of its own.
            with decimal.localcontext():
                answer = await getattr(self.exchange, name)(*args, **details)
        except Exception as error:
            raise self._failure(error, call) from None
        finally:
            CURRENT.reset(token)
        self._pauses = 0
        return answer

    def has(self, name: str) -> bool:
        """Say whether ccxt offers a call here; what it emulates counts as offered."""
        return bool(self.exchange.has.get(name))

    def failure_of(self, error: Exception) -> Exception:
        """Return what an exception of a stream means."""
        return failure(error, Call(), self.dialect, self._clean)

    async def cut_streams(self) -> None:
        """Close every connection of a stream; the next `watch` opens new ones."""
        clients, self.exchange.clients = self.exchange.clients or {}, {}
        self.exchange.ws_dial_backoff = {}  # we have pauses of our own
        for client in clients.values():
            if client.connecting:
                await asyncio.wait({client.connected}, timeout=self.options.request_timeout_s)
            await client.close()

    async def close(self) -> None:
        await self.cut_streams()
        await self.exchange.close()

    # -- making

    def _settings(self, settings: VenueSettings, *, with_key: bool) -> dict[str, Any]:
        options = self.options
        made: dict[str, Any] = {
            "enableRateLimit": True,
            "timeout": int(options.request_timeout_s * 1000),
            "options": {
                **self.dialect.options,
                "defaultType": options.default_type,
                **_market_types(self.dialect, options.default_type),
                **options.options,
                "maxRetriesOnFailure": 0,
            },
        }
        if options.rate_limit_ms:
            made["rateLimit"] = options.rate_limit_ms
        if with_key:
            made |= {
                "number": str,
                **self._credentials(settings),
            }  # ccxt drops fees that are Decimals
        return made

    def _credentials(self, settings: VenueSettings) -> dict[str, str]:
        found = {
            "apiKey": settings.credential("{VENUE}_API_KEY"),
            "secret": settings.credential("{VENUE}_SECRET"),
        }
        password = settings.credentials.get(
            variable_name("{VENUE}_PASSWORD", str(settings.venue)), ""
        )
        if password:
            found["password"] = password
        self._secrets = tuple(found.values())
        return found

    def _choose_side(self, settings: VenueSettings, *, with_key: bool) -> None:
        wanted = self.options.sandbox
        if with_key and wanted is False and not settings.is_live:
            raise ConfigError(
                f"sandbox = false would trade real money at {self.name}, and the account is not live."
            )
        if not (not settings.is_live if wanted is None else wanted):
            return
        if self.options.default_type == "swap" and self.dialect.demo_for_swaps:
            self.exchange.enable_demo_trading(True)
        elif self.exchange.urls.get("test"):
            self.exchange.set_sandbox_mode(True)
        elif with_key or wanted:
            raise ConfigError(
                f"{self.name} has no test environment; practise with the paper venue, or go live."
            )

    def _budget(self) -> tuple[float, float]:
        amount, per_s = self.dialect.budget
        rate_ms = float(self.exchange.rateLimit)
        if self.options.rate_limit_ms or not amount:
            per_s = per_s or WINDOW_S
            amount = per_s * 1000 / rate_ms
        return max(amount, 1.0), per_s

    # -- failures

    def _failure(self, error: Exception, call: Call) -> Exception:
        found = failure(error, call, self.dialect, self._clean)
        if isinstance(found, TooFast):
            pause = found.pause_s or min(SHORTEST_PAUSE_S * 2**self._pauses, LONGEST_PAUSE_S)
            self._pauses += 1
            self.hooks.pacing.pause(pause)
        return found

    def _clean(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, "...")
        return text


def exchange_class(name: str) -> type:
    """Return the class of an exchange, with streams where ccxt has them.

    Raises
    ------
    ConfigError
        If ccxt is not installed, or does not know the exchange.
    """
    try:
        pro = importlib.import_module("ccxt.pro")
        rest = importlib.import_module("ccxt.async_support")
    except ModuleNotFoundError as error:
        raise ConfigError(
            f'ccxt is not installed ({error.name}); run: pip install "neural-trader[ccxt]".'
        ) from None
    if name not in rest.exchanges:
        near = difflib.get_close_matches(name, rest.exchanges, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(
            f"ccxt has no exchange {name!r}{hint} Set exchange in the venue's options."
        )
    return cast("type", getattr(pro if name in pro.exchanges else rest, name))


def _market_types(dialect: Dialect, default_type: str) -> Mapping[str, Any]:
    """Of an exchange that keeps kinds of markets apart, load those that are traded."""
    if "fetchMarkets" not in dialect.options:
        return {}
    return {"fetchMarkets": {"types": ["spot" if default_type == "spot" else "linear"]}}


def _routed_streams(urls: Any, hooks: Hooks) -> Any:
    """Route the addresses of streams; those of requests are routed when they are sent."""
    if isinstance(urls, dict):
        return {key: _routed_streams(value, hooks) for key, value in urls.items()}
    if isinstance(urls, str) and urls.startswith(("ws://", "wss://")):
        return hooks.routed(urls)
    return urls
