"""Execution reports as a venue writes them, for tests that need no venue."""

from pathlib import Path

from actors.venues.fix.dialect import Dialect, load_dialect
from actors.venues.fix.instruments import InstrumentNames
from actors.venues.fix.parse import Reading
from trading.identifiers import AccountId, ClientOrderId, InstrumentId, Venue
from trading.instruments import Instrument

OURS = ClientOrderId("0123456789abcdef0123456789abcdef")
AAPL = InstrumentId("AAPL.XNAS")
NOW = 1_700_000_000_000_000_000
STANDARD = load_dialect("standard")


def reading(dialect: Dialect = STANDARD) -> Reading:
    names = InstrumentNames((Instrument(instrument_id=AAPL),), Venue("lime"), dialect)
    return Reading(account_id=AccountId("ACC"), dialect=dialect, names=names)


def report(**changes) -> dict[int, str]:
    """A new order's acknowledgement; keywords `t<tag>` change or (None) drop fields."""
    fields = {
        35: "8",
        37: "V1",
        11: str(OURS),
        17: "E1",
        150: "0",
        39: "0",
        55: "AAPL",
        54: "1",
        38: "100",
        40: "2",
        44: "10.50",
        59: "0",
        14: "0",
        151: "100",
        6: "0",
        60: "20261121-14:30:00.125",
    }
    fields |= {int(name[1:]): value for name, value in changes.items()}
    return {tag: value for tag, value in fields.items() if value is not None}


def fill(**changes) -> dict[int, str]:
    filled = {
        "t150": "F",
        "t39": "1",
        "t17": "X7",
        "t32": "40",
        "t31": "10.49",
        "t14": "40",
        "t151": "60",
    }
    return report(**{**filled, **changes})


def wire(fields: dict[int, str]) -> str:
    return "".join(f"{tag}={value}\x01" for tag, value in {8: "FIX.4.4", **fields}.items())


def dialect_file(folder: Path, old: str, new: str) -> str:
    """Write the standard dialect with one change; return its path."""
    source = Path(load_dialect.__code__.co_filename).parent / "dialects" / "standard.toml"
    text = source.read_text()
    assert old in text
    path = folder / "changed.toml"
    path.write_text(text.replace(old, new))
    return str(path)
