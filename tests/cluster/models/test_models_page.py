"""docs/models.md: every code that a person or a client may meet is in its table, with the exit code that it has."""

import re
from pathlib import Path

from trading import errors

ROOT = Path(__file__).parents[3]
ROOMS = ("trading/errors.py", "trading/forecasting", "actors/models", "serve", "tune/train")
INNER = {"FORECAST_REFUSED", "FORECAST_HISTORY"}
"""Of the class, where every refusal has its own; the beginning of three codes."""
DOOR = {"REQUEST_TOO_SLOW", "REQUEST_HEADERS_TOO_LARGE", "REQUEST_HEADER_TWICE"}
"""Of HTTP as a whole: docs/http.md has them."""
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([\d-]+) \|", re.MULTILINE)


def documented() -> dict[str, str]:
    return dict(ROW.findall((ROOT / "docs/models.md").read_text(encoding="utf-8")))


def test_every_code_in_the_source_is_documented() -> None:
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    files += [ROOT / room for room in ROOMS if room.endswith(".py")]
    written = {
        code
        for file in files
        for code in re.findall(r'"((?:FORECAST|MODEL|REQUEST)_[A-Z_]+)"', file.read_text())
    }
    assert len(written) > 15
    assert written - INNER - DOOR == set(documented())


def test_exit_codes_are_those_of_the_errors() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    known = {kind.code: kind.exit_status for kind in kinds if issubclass(kind, errors.TradingError)}
    for code, exit_code in documented().items():
        if code in known:
            assert int(exit_code) == known[code], code
        elif code.startswith("FORECAST_"):
            assert int(exit_code) == errors.ForecastRefused.exit_status, code
    assert known.keys() & documented().keys()
