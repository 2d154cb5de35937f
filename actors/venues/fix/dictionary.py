"""The dictionary that the engine reads messages with: it knows repeating groups, and turns nothing away.

Without one, the engine rejects every message with a tag that comes twice, and the execution in it is lost for
good. With a complete one, it rejects what a venue does its own way. So this one has the groups of FIX 4.4 that
come with orders and executions, those that the dialect adds, and no rule at all.
"""

from collections.abc import Iterable, Mapping
from xml.sax.saxutils import quoteattr

Members = tuple["int | tuple[int, Members]", ...]
"""Tags of one group, and groups within it as (count tag, members)."""

_PARTY_SUBS = (802, (523, 803))
_LEG_PARTIES: tuple[int, Members] = (539, (524, 525, 538, (804, (545, 805))))
_GROUPS: dict[int, Members] = {
    136: (137, 138, 139, 891),
    232: (233, 234),
    382: (375, 337, 437, 438, 655),
    384: (372, 385),
    453: (448, 447, 452, _PARTY_SUBS),
    454: (455, 456),
    518: (519, 520, 521),
    534: (41, 535, 536),
    555: (
        *range(600, 604), *range(607, 618), (604, (605, 606)), *range(618, 625), 556, 564, 565, 566, 587,
        588, 637, 654, 675, (683, (688, 689)), 685, 687, 690, 739, 740, 942, 955, 956, 998, _LEG_PARTIES,
    ),
    702: (703, 704, 705, 706, _LEG_PARTIES),
    711: (311, 312, 309, 305, *range(241, 249), (457, (458, 459)), *range(313, 319), 310, 318, 879, 810),
    753: (707, 708),
    768: (769, 770),
    864: (865, 866, 867, 868),
    897: (571, 818),
}  # fmt: skip
_HEADER = (
    8,
    9,
    35,
    49,
    56,
    115,
    128,
    90,
    91,
    34,
    50,
    142,
    57,
    143,
    116,
    144,
    129,
    145,
    43,
    97,
    52,
    122,
)
_TRAILER = (93, 89, 10)
_DATA = {90: 91, 93: 89, 95: 96, 348: 349, 350: 351, 354: 355, 364: 365, 445: 446}
"""Tags of a length, and of the data that may hold any byte."""
_ADMIN = ["0", "1", "2", "3", "4", "5", "A"]
_APPLICATION = [
    "6",
    "7",
    "8",
    "9",
    "B",
    "C",
    "D",
    "E",
    "F",
    "G",
    "H",
    "J",
    "K",
    "L",
    "M",
    "N",
    "P",
    "Q",
    "R",
    "S",
    "T",
    "V",
    "W",
    "X",
    "Y",
    "Z",
    "a",
    "b",
    "c",
    "d",
    "e",
    "f",
    "g",
    "h",
    "i",
    "j",
    "k",
    "l",
    "m",
    "o",
    "p",
    "q",
    "r",
    "s",
    "t",
    "u",
    "v",
    "w",
    "x",
    "y",
    "z",
    "AA",
    "AB",
    "AC",
    "AD",
    "AE",
    "AF",
    "AG",
    "AH",
    "AI",
    "AJ",
    "AK",
    "AL",
    "AM",
    "AN",
    "AO",
    "AP",
    "AQ",
    "AR",
    "AS",
    "AT",
    "AU",
    "AV",
    "AW",
    "AX",
    "AY",
    "AZ",
    "BA",
    "BB",
    "BC",
    "BD",
    "BE",
    "BF",
    "BG",
    "BH",
]
_WITH_GROUPS = ("8", "r", "A", "AO", "AP", "BA")
"""The messages that are read."""


def dictionary(more_groups: Mapping[int, tuple[int, ...]]) -> str:
    """Return the dictionary as XML.

    Parameters
    ----------
    more_groups : mapping of count tag to tags
        Groups that a venue has besides those of the specification.
    """
    groups: dict[int, Members] = {**_GROUPS, **more_groups}
    body = "".join(_group(tag, members) for tag, members in groups.items())
    kinds = [(kind, "admin") for kind in _ADMIN] + [(kind, "app") for kind in _APPLICATION]
    bodies = dict.fromkeys(_WITH_GROUPS, body)
    parts = (
        '<fix type="FIX" major="4" minor="4">',
        f"<header>{_fields(_HEADER)}</header>",
        f"<trailer>{_fields(_TRAILER)}</trailer>",
        "<messages>",
        *(
            f'<message name="M{k}" msgtype="{k}" msgcat="{c}">{_fields((58,))}{bodies.get(k, "")}</message>'
            for k, c in kinds
        ),
        "</messages><components/><fields>",
        *(
            f"<field number={quoteattr(str(tag))} name={_name(tag)} type={_type(tag)}/>"
            for tag in _tags(groups)
        ),
        "</fields></fix>",
    )
    return "".join(parts)


def _tags(groups: Mapping[int, Members]) -> list[int]:
    found = {58, *_HEADER, *_TRAILER, *_DATA, *_DATA.values()}
    for tag, members in groups.items():
        found |= {tag, *_members(members)}
    return sorted(found)


def _members(members: Members) -> Iterable[int]:
    for member in members:
        if isinstance(member, int):
            yield member
        else:
            yield member[0]
            yield from _members(member[1])


def _group(tag: int, members: Members) -> str:
    inner = "".join(
        _fields((member,)) if isinstance(member, int) else _group(*member) for member in members
    )
    return f'<group name={_name(tag)} required="N">{inner}</group>'


def _fields(tags: Iterable[int]) -> str:
    return "".join(f'<field name={_name(tag)} required="N"/>' for tag in tags)


def _name(tag: int) -> str:
    return f'"T{tag}"'


def _type(tag: int) -> str:
    if tag in _DATA:
        return '"LENGTH"'
    return '"DATA"' if tag in _DATA.values() else '"STRING"'
