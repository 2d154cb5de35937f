"""What a venue can do and how it is set up, as rows: for people, and for the reference pages."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from actors.venues.profile import VenueProfile
from trading.capabilities import OrderCapabilities, VenueCapabilities

_FIELD = re.compile(r"^(\w+(?:, \w+)*) : ")


def capability_rows(capabilities: VenueCapabilities) -> list[dict[str, str]]:
    """Return one row per asset class and kind of order, with its times in force, and one for lists and extras."""
    return [
        {"asset_class": str(kind), **row}
        for kind, offered in sorted(capabilities.orders.items())
        for row in _rows(offered)
    ]


def _rows(offered: OrderCapabilities) -> Iterator[dict[str, str]]:
    for order_type, times in offered.pairs.items():
        hours = " (extended hours too)" if order_type in offered.extended_hours else ""
        yield {"order": str(order_type), "time_in_force": " ".join(sorted(times)) + hours}
    extras = {
        "fractions": offered.is_fractional,
        "post-only": offered.can_post_only,
        "reduce-only": offered.can_reduce_only,
        "replace": offered.can_replace,
    }
    words = [*(name for name, is_there in extras.items() if is_there)]
    if offered.order_lists:
        yield {"order": "lists", "time_in_force": " ".join(sorted(offered.order_lists))}
    yield {"order": "also", "time_in_force": ", ".join(words) or "-"}


def option_rows(profile: VenueProfile) -> list[dict[str, str]]:
    """Return the options of `[venues.<name>]`: name, type, default, meaning."""
    if profile.options is None:
        return []
    meanings = _meanings(profile.options)
    return [
        {
            "option": field.name,
            "type": _type_name(field.type),
            "default": _default(field),
            "meaning": meanings.get(field.name, ""),
        }
        for field in msgspec.structs.fields(profile.options)
    ]


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default is not msgspec.NODEFAULT:
        return repr(field.default)
    if field.default_factory is not msgspec.NODEFAULT:
        return repr(field.default_factory())
    return "required"


def _type_name(annotation: Any) -> str:
    if isinstance(annotation, type) and not get_args(annotation):
        return annotation.__name__
    return str(annotation).replace("typing.", "")


def _meanings(options: type[msgspec.Struct]) -> dict[str, str]:
    """Return what the docstring says of each attribute."""
    found: dict[str, list[str]] = {}
    names: tuple[str, ...] = ()
    for line in (inspect.getdoc(options) or "").splitlines():
        heading = _FIELD.match(line)
        if heading:
            names = tuple(heading.group(1).split(", "))
        elif line.startswith("    "):
            for name in names:
                found.setdefault(name, []).append(line.strip())
    return {name: " ".join(lines) for name, lines in found.items()}
