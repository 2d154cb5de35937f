"""Venues of a configuration: which profile each has, and what is wrong with them, sentence by sentence."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from cluster.config.accounts import accounts_of, linked_config
from cluster.config.model import Config
from cluster.config.wording import misplaced_secret, origin_of, unknown_key
from trading.errors import ConfigError
from trading.values import DataKind

if TYPE_CHECKING:
    from actors.venues.profile import VenueProfile
    from trading.capabilities import VenueCapabilities

PAPER = "paper"


def profile_of(config: Config, venue: str) -> "VenueProfile":
    """Return the profile of a venue by its name in this configuration.

    Raises
    ------
    ConfigError
        If no such venue is installed.
    """
    from actors.venues.opening import venue_profile

    return venue_profile(adapter_of(config, venue))


def adapter_of(config: Config, venue: str) -> str:
    """Return which installed venue a name stands for."""
    table = config.venues.get(venue)
    return venue if table is None else table.adapter or venue


def is_simulated(config: Config) -> bool:
    """Say whether the account is a paper account at our own exchange."""
    if config.account.venue == PAPER and PAPER not in config.venues:
        return True  # the usual case: no venue has to be looked up
    return profile_of(config, config.account.venue).is_simulated


def feed_venue(config: Config) -> str:
    """Return the name of the venue that market data comes from."""
    return config.feed.venue or config.account.venue


def require_venues(config: Config, origins: Mapping[str, str]) -> None:
    """Refuse venues that do not exist, options that they do not have, and accounts that say too little.

    Raises
    ------
    ConfigError
        One sentence for each mistake.
    """
    problems = [*_tables(config, origins), *_names(config)]
    for name in config.accounts:
        problems += (_of_account(name, each) for each in _names(linked_config(config, name)))
    if not problems:
        problems = [*_at_venue(config), *_linked(config), *_traders(config)]
    if problems:
        raise ConfigError("\n".join(problems))


def _tables(config: Config, origins: Mapping[str, str]) -> Iterator[str]:
    for name, table in config.venues.items():
        try:
            profile = profile_of(config, name)
        except ConfigError as error:
            yield f"venues.{name}: {error}"
            continue
        yield from _options(name, table.options, profile, origins)


def _options(
    name: str, options: Mapping[str, object], profile: "VenueProfile", origins: Mapping[str, str]
) -> Iterator[str]:
    known = () if profile.options is None else profile.options.__struct_fields__
    unknown = [key for key in options if key not in known]
    for key in unknown:
        path = f"venues.{name}.{key}"
        where = origin_of(path, origins)
        secret = misplaced_secret(path, where, profile.variables(name))
        wanted = [f"venues.{name}.{field}" for field in (*known, "adapter")]
        yield secret or unknown_key(path, where, path, wanted)
    for path in _below(f"venues.{name}", options):
        secret = misplaced_secret(path, origin_of(path, origins), profile.variables(name))
        if secret:
            yield secret
    if unknown or profile.options is None:
        return
    try:
        msgspec.convert(options, profile.options, strict=False)
    except msgspec.ValidationError as error:
        yield f"venues.{name} in {origin_of(f'venues.{name}', origins)}: {_plain(error)}."


def _below(path: str, values: Mapping[str, object]) -> Iterator[str]:
    """Yield the dotted keys inside of options that are tables themselves."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from (f"{path}.{key}.{inner}" for inner in value)
            yield from _below(f"{path}.{key}", value)


def _plain(error: msgspec.ValidationError) -> str:
    text, _, path = str(error).partition(" - at `$.")
    return f"{path.removesuffix('`')} is wrong: {text}" if path else text


def _names(config: Config) -> Iterator[str]:
    for key, venue in (("account.venue", config.account.venue), ("feed.venue", config.feed.venue)):
        if venue in ("", PAPER) or venue in config.venues:
            continue
        try:
            profile_of(config, venue)
        except ConfigError as error:
            yield f"{key}: {error}"


def _at_venue(config: Config) -> Iterator[str]:
    if not is_simulated(config):
        yield from _account(config)
        yield from _market_data(config)


def _linked(config: Config) -> Iterator[str]:
    if not config.accounts:
        return
    if is_simulated(config):
        yield (
            f"[accounts] needs a real venue in [account] too; {config.account.venue} is a simulation, "
            "whose replay feeds one account."
        )
    if config.execution.desk is None:
        yield "execution.desk is missing; only a desk trades with [accounts], so give it a name."
    for name in config.accounts:
        alone = linked_config(config, name)
        if is_simulated(alone):
            yield f"accounts.{name}.venue is {alone.account.venue}, a simulation; name a real venue."
        yield from (_of_account(name, each) for each in _at_venue(alone))
    for key in ("venue", "account_id"):
        counts = Counter(getattr(each.account, key) for each in accounts_of(config))
        for value in (value for value, count in counts.items() if count > 1):
            yield f"two accounts have the {key} {value}; every account needs one of its own."


def _traders(config: Config) -> Iterator[str]:
    traders = config.execution.strategies
    if traders and is_simulated(config):
        yield "execution.strategies is for real venues; in a replay trade for a strategy of [strategies]."
    for name in traders:
        if name in config.strategies:
            yield f"execution.strategies names {name}, which is in [strategies]; take another id."


def _of_account(name: str, sentence: str) -> str:
    """Let a sentence about [account] and [feed] name the keys of [accounts.<name>]."""
    sentence = sentence.replace("feed.venue", f"accounts.{name}.feed_venue")
    sentence = sentence.replace("[[instruments]]", f"[[accounts.{name}.instruments]]")
    return re.sub(r"\b(?:account|feed)\.(?=[a-z])", f"accounts.{name}.", sentence)


def _account(config: Config) -> Iterator[str]:
    account = config.account
    if "account_id" not in account.model_fields_set:
        yield f"account.account_id is missing; name the account at {account.venue}."
    if account.capital is None:
        yield (
            "account.capital is missing; say how much of the account, in its currency, the strategies "
            "may trade with."
        )
    if not config.feed.symbols and not config.instruments:
        yield "feed.symbols is missing; name what is to be traded, or describe it in [[instruments]]."


def _market_data(config: Config) -> Iterator[str]:
    feed = config.feed
    if feed.bars_from is DataKind.BOOKS:
        yield "feed.bars_from is books; bars are made of bars, trades or quotes."
    if not feed.streamed & {DataKind.QUOTES, DataKind.BOOKS}:
        yield "feed.kinds must hold quotes or books: risk prices every order by them."
    venue = feed_venue(config)
    profile = profile_of(config, venue)
    if profile.open_market_data is None:
        yield f"{profile.title} has no market data; name another venue in feed.venue."
        return
    problem = not_streamed(config, profile.title, profile.capabilities)
    if problem:
        yield problem


def not_streamed(config: Config, title: str, capabilities: "VenueCapabilities") -> str:
    """Return the sentence about data that a venue does not stream; empty when it does, or does not say."""
    missing = sorted(config.feed.streamed - capabilities.streams)
    if not missing or not capabilities.streams:
        return ""
    return (
        f"{title} does not stream {' and '.join(missing)} but {', '.join(sorted(capabilities.streams))}; "
        "correct feed.kinds and feed.bars_from."
    )
