"""The options of `[venues.<name>]`, and the addresses that follow from them."""

from typing import Literal

import msgspec

from trading.errors import ConfigError
from trading.values import AssetClass

_TRADING = {False: "https://paper-api.alpaca.markets", True: "https://api.alpaca.markets"}
_UPDATES = {False: "wss://paper-api.alpaca.markets/stream", True: "wss://api.alpaca.markets/stream"}
_DATA = "https://data.alpaca.markets"
_STREAMS = "wss://stream.data.alpaca.markets"
_LIVE_HOST = "//api.alpaca.markets"


class AlpacaOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An empty address is the venue's own: the paper side, or the live side once every gate was passed.

    Attributes
    ----------
    api_url : str
        Of the trading API, without `/v2`.
    trading_stream_url : str
        Of the stream of order updates, with its path.
    data_url : str
        Of the market data API, without the version.
    stock_stream_url, crypto_stream_url, option_stream_url : str
        Of the market data streams, with their paths.
    feed : str
        Of stocks: `iex` (free), `sip` (all exchanges) or `delayed_sip` (15 minutes late).
    option_feed : str
        `indicative` (free) or `opra`.
    fractional : bool
        Trade stocks in fractions of a share. The venue sells no fraction short and takes fractions as DAY orders alone.
    request_timeout_s : float
        Longest time from sending a request to its whole answer; also to open a stream.
    requests_per_min : int
        Of the trading API, for all calls of one process; the venue allows 200 per account.
    data_requests_per_min : int
        Of the market data API; 200 without a subscription.
    stream_timeout_s : float
        A stream that answers nothing for so long is cut and opened again.
    clock_interval_s : float
        Pause between two readings of the venue's clock.
    """

    api_url: str = ""
    trading_stream_url: str = ""
    data_url: str = ""
    stock_stream_url: str = ""
    crypto_stream_url: str = ""
    option_stream_url: str = ""
    feed: Literal["iex", "sip", "delayed_sip"] = "iex"
    option_feed: Literal["indicative", "opra"] = "indicative"
    fractional: bool = False
    request_timeout_s: float = 5.0
    requests_per_min: int = 200
    data_requests_per_min: int = 200
    stream_timeout_s: float = 30.0
    clock_interval_s: float = 60.0

    def __post_init__(self) -> None:
        times = (self.request_timeout_s, self.stream_timeout_s, self.clock_interval_s)
        if min(*times, self.requests_per_min, self.data_requests_per_min) <= 0:
            raise ValueError("times and rates must be positive")

    def trading_url(self, *, is_live: bool) -> str:
        """Return the address of the trading API."""
        return self._checked(self.api_url, is_live=is_live) or _TRADING[is_live]

    def updates_url(self, *, is_live: bool) -> str:
        """Return the address of the stream of order updates."""
        return self._checked(self.trading_stream_url, is_live=is_live) or _UPDATES[is_live]

    @property
    def market_data_url(self) -> str:
        return self.data_url or _DATA

    def market_stream_url(self, kind: AssetClass) -> str:
        """Return the address of the market data stream of one asset class."""
        match kind:
            case AssetClass.CRYPTO:
                return self.crypto_stream_url or f"{_STREAMS}/v1beta3/crypto/us"
            case AssetClass.OPTION:
                return self.option_stream_url or f"{_STREAMS}/v1beta1/{self.option_feed}"
            case _:
                return self.stock_stream_url or f"{_STREAMS}/v2/{self.feed}"

    def _checked(self, url: str, *, is_live: bool) -> str:
        """An address in the options must not open the live side past the gates."""
        if not is_live and _LIVE_HOST in url:
            raise ConfigError(
                f'{url} trades real money; leave the address empty and set mode = "live" instead.'
            )
        return url
