"""What one venue does differently, read from a TOML file: tags, codes, texts, and which requests it answers."""

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from trading.capabilities import OrderCapabilities, VenueCapabilities
from trading.errors import ConfigError
from trading.values import AssetClass, OrderType, TimeInForce

_FOLDER = Path(__file__).parent / "dialects"
ID_LENGTH = 41
"""Of the id of a cancel that begins with the id of its order, see `order_ids`."""


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the tables: a key that nobody reads is a mistake."""


class RequestKinds(_Table, frozen=True, kw_only=True):
    """Requests that the venue answers, besides new orders and cancels."""

    replace: bool = True
    order_status: bool = True
    mass_status: bool = True
    mass_cancel: bool = False
    positions: bool = False
    collateral: bool = False


class IdRules(_Table, frozen=True, kw_only=True):
    """See `order_ids`."""

    length_max: int = 64
    echo_tag: int = 0
    execution_ids: Literal["for_ever", "day"] = "for_ever"


class Throttle(_Table, frozen=True, kw_only=True):
    """At most `count` messages in any `per_s` seconds."""

    count: int = 50
    per_s: float = 1.0


class Symbols(_Table, frozen=True, kw_only=True):
    """How the venue writes an instrument: Symbol (55), and perhaps a tag with the listing exchange."""

    exchange_tag: int = 0
    exchanges: dict[str, str] = {}


class ExtraTags(_Table, frozen=True, kw_only=True):
    """Tags and values that go into every message of a kind."""

    order: dict[int, str] = {}
    replace: dict[int, str] = {}
    cancel: dict[int, str] = {}


class OrderRules(_Table, frozen=True, kw_only=True):
    """Which orders the venue takes."""

    pairs: dict[OrderType, frozenset[TimeInForce]]
    post_only: str = ""


class Executions(_Table, frozen=True, kw_only=True):
    """How the venue reports fills."""

    commission: Literal["per_fill", "none"] = "per_fill"
    fills: frozenset[str] = frozenset({"F"})


class Texts(_Table, frozen=True, kw_only=True):
    """Parts of Text (58), in small letters."""

    credentials: tuple[str, ...] = ()
    sequence: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    throttled: tuple[str, ...] = ()
    duplicate: tuple[str, ...] = ()


class Dialect(_Table, frozen=True, kw_only=True):
    """One venue's FIX 4.4.

    `groups` are repeating groups of its own: the tag that counts, and the tags of one member. A group that
    nobody has declared makes the engine reject the message, and the execution in it is lost.
    """

    name: str
    requests: RequestKinds = RequestKinds()
    ids: IdRules = IdRules()
    throttle: Throttle = Throttle()
    symbols: Symbols = Symbols()
    tags: ExtraTags = ExtraTags()
    orders: OrderRules
    order_types: dict[OrderType, str]
    times_in_force: dict[TimeInForce, str]
    executions: Executions = Executions()
    texts: Texts = Texts()
    groups: dict[int, tuple[int, ...]] = {}

    def __post_init__(self) -> None:
        pairs = self.orders.pairs
        nameless: list[str] = [kind for kind in pairs if kind not in self.order_types]
        nameless += [
            time for times in pairs.values() for time in times - self.times_in_force.keys()
        ]
        if nameless:
            raise ValueError(f"no code is given for {', '.join(sorted(set(nameless)))}")
        if self.ids.length_max < ID_LENGTH and not self.ids.echo_tag:
            raise ValueError(f"ids.length_max below {ID_LENGTH} needs ids.echo_tag")


def load_dialect(name: str) -> Dialect:
    """Return a dialect of this package by name, or the one in a file.

    Raises
    ------
    ConfigError
        If there is no such file, or it is not a dialect.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else _FOLDER / f"{name}.toml"
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        return msgspec.convert(values, Dialect, strict=False)
    except OSError:
        known = ", ".join(sorted(each.stem for each in _FOLDER.glob("*.toml")))
        raise ConfigError(
            f"there is no FIX dialect {name!r}; known are {known}, or name a .toml file."
        ) from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"the FIX dialect {path} is wrong: {error}.") from None


def capabilities(dialect: Dialect, *, replays_missed: bool = True) -> VenueCapabilities:
    """Return what a venue that speaks `dialect` takes."""
    orders = OrderCapabilities(
        pairs=dialect.orders.pairs,
        can_post_only=bool(dialect.orders.post_only),
        can_replace=dialect.requests.replace,
    )
    return VenueCapabilities(
        orders={AssetClass.EQUITY: orders},
        can_cancel_all=dialect.requests.mass_cancel,
        replays_missed=replays_missed,
    )
