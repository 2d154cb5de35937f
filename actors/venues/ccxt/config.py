"""What `[venues.<name>]` may say of an exchange behind ccxt."""

from typing import Any, Literal

import msgspec

ONE_WEEK = 7


class CcxtOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of one connection.

    Attributes
    ----------
    exchange : str
        Id of the exchange in ccxt; by default the name of the venue in the cluster.
    default_type : str
        `spot`, or `swap` for perpetual futures that settle in their quote currency.
    quote_currency : str
        What counts as cash; by default the currency of the first configured instrument, else USDT.
    sandbox : bool or None
        Talk to the exchange's test environment; by default yes unless the account is live.
    base_url : str
        Reach every host of the exchange at `<base_url>/<host>`, for example through a proxy.
    request_timeout_s : float
        Longest wait for one answer, the wait for the rate limit not counted.
    stream_timeout_s : float
        A stream of orders that says nothing at all for so long, not even an answer to a ping, is cut.
    data_timeout_s : float
        The same for streams of market data.
    book_depth : int
        Levels per side of order books.
    history_days : int
        How far back executions are asked for when everything is wanted.
    rate_limit_ms : float
        Milliseconds per unit of request cost; 0 takes the number that ccxt knows. Smaller ones need a
        higher tier at the exchange.
    options : mapping
        Further `options` of the ccxt exchange, as its documentation names them.
    """

    exchange: str = ""
    default_type: Literal["spot", "swap"] = "spot"
    quote_currency: str = ""
    sandbox: bool | None = None
    base_url: str = ""
    request_timeout_s: float = 5.0
    stream_timeout_s: float = 20.0
    data_timeout_s: float = 60.0
    book_depth: int = 50
    history_days: int = ONE_WEEK
    rate_limit_ms: float = 0.0
    options: dict[str, Any] = {}
