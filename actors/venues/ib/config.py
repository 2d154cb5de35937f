"""Options of `[venues.ib]`."""

from enum import IntEnum

import msgspec

from trading.errors import ConfigError


class MarketDataType(IntEnum):
    """As IB numbers them: DELAYED is what an account without a subscription gets."""

    LIVE = 1
    FROZEN = 2
    DELAYED = 3
    DELAYED_FROZEN = 4


class IbOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How TWS or IB Gateway is reached, and how patient we are.

    Attributes
    ----------
    host : str
        Where TWS or IB Gateway listens; its API settings must trust our address.
    port : int
        TWS: 7497 for paper, 7496 for real money; IB Gateway: 4002 and 4001.
    client_id : int
        Ours alone at that TWS (>= 0). Orders belong to the client id that sent them, so it must never change.
    market_data_client_id : int
        Of the connection for market data; -1 is `client_id` + 1.
    account : str
        IB's code of the account (`DU1234567`); empty when `account_id` is the code itself.
    market_data_type : int
        1 live, 2 frozen, 3 delayed, 4 delayed and frozen.
    currency : str
        In which symbols without a currency are looked up.
    connect_timeout_s, request_timeout_s : float
        For how long TWS may be silent before an attempt, or one request, counts as failed.
    history_timeout_s : float
        The same for one request for bars or ticks of the past.
    heartbeat_s : float
        Pause between two questions for the time; one that is not answered for as long cuts the connection.
    commission_wait_s : float
        For how long an execution waits for its commission before it is reported with none.
    client_id_wait_s : float
        For how long an older session of ours may still hold our client id before we give up.
    messages_per_s : int
        So many requests at most reach TWS in any second, per connection, even when some are half a second late: a
        third of them may leave at once, two thirds in a second. TWS cuts connections that send more than 50.
    """

    host: str = "127.0.0.1"
    port: int = 7497
    client_id: int = 1
    market_data_client_id: int = -1
    account: str = ""
    market_data_type: int = MarketDataType.LIVE
    currency: str = "USD"
    connect_timeout_s: float = 10.0
    request_timeout_s: float = 10.0
    history_timeout_s: float = 60.0
    heartbeat_s: float = 10.0
    commission_wait_s: float = 1.0
    client_id_wait_s: float = 15.0
    messages_per_s: int = 45

    @property
    def feed_client_id(self) -> int:
        """The client id of the market data connection."""
        if self.market_data_client_id < 0:
            return self.client_id + 1
        return self.market_data_client_id


def check_options(options: IbOptions) -> IbOptions:
    """Return `options` when they make sense.

    Raises
    ------
    ConfigError
        If one does not.
    """
    if not 0 < options.messages_per_s <= 50:
        raise ConfigError("messages_per_s must be from 1 to 50: TWS cuts faster connections.")
    if options.client_id < 0 or options.feed_client_id == options.client_id:
        raise ConfigError(
            "client_id must not be negative, and market_data_client_id must differ from it."
        )
    waits = (
        options.connect_timeout_s,
        options.request_timeout_s,
        options.history_timeout_s,
        options.heartbeat_s,
    )
    if min(waits) <= 0 or min(options.commission_wait_s, options.client_id_wait_s) < 0:
        raise ConfigError("the times of the venue must be positive.")
    if options.market_data_type not in list(MarketDataType):
        raise ConfigError("market_data_type must be 1, 2, 3 or 4.")
    return options
