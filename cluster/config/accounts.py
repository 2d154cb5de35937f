"""The accounts of a configuration, each by itself."""

from cluster.config.account import AccountConfig
from cluster.config.execution import ExecutionConfig
from cluster.config.model import Config


def accounts_of(config: Config) -> tuple[Config, ...]:
    """Return one configuration per account: as it is for [account], then with each of [accounts] in its place.

    The others have no strategies, no forecasts and no desk; limits, folders and venues are the same.
    """
    return (config, *(linked_config(config, name) for name in config.accounts))


def linked_config(config: Config, name: str) -> Config:
    """Return the configuration with the account [accounts.<name>] in the place of [account]."""
    linked = config.accounts[name]
    account = AccountConfig(
        venue=linked.venue or name,
        account_id=linked.account_id,
        capital=linked.capital,
        cash_tolerance=linked.cash_tolerance,
        reconcile_interval_s=config.account.reconcile_interval_s,
    )
    feed = config.feed.model_copy(
        update={
            "venue": linked.feed_venue,
            "symbols": linked.symbols,
            "kinds": config.feed.kinds if linked.kinds is None else linked.kinds,
            "bars_from": linked.bars_from or config.feed.bars_from,
        }
    )
    return config.model_copy(
        update={
            "account": account,
            "accounts": {},
            "feed": feed,
            "instruments": linked.instruments,
            "strategies": {},
            "forecasts": {},
            "execution": ExecutionConfig(maker_bps=linked.maker_bps, taker_bps=linked.taker_bps),
        }
    )
