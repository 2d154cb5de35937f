import inspect
import pickle

import pytest

from trading import errors
from trading.errors import TradingError

CLASSES = [
    cls
    for _, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, TradingError) and cls.__module__ == errors.__name__
]


def test_exit_statuses_are_those_that_scripts_rely_on() -> None:
    assert {cls.__name__: cls.exit_status for cls in CLASSES} == {
        "TradingError": 1,
        "UsageError": 2,
        "DataError": 2,
        "ConfigError": 3,
        "AuthError": 4,
        "PermissionMissing": 4,
        "NotFound": 2,
        "Conflict": 6,
        "ForecastError": 1,
        "ForecastRefused": 2,
        "ForecastInvalid": 1,
        "ForecastLate": 5,
        "ModelError": 1,
        "ModelUnknown": 2,
        "ModelCorrupt": 1,
        "ModelRefused": 6,
        "VenueError": 5,
        "VenueUnreachable": 5,
        "VenueRefused": 6,
        "OrderRefused": 6,
        "OutcomeUnknown": 7,
        "ClusterUnreachable": 8,
        "JournalError": 1,
        "JournalUnavailable": 1,
        "JournalCorrupt": 1,
        "StaleEpoch": 1,
        "InvalidTransition": 1,
    }


def test_every_class_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in CLASSES]
    assert len(set(codes)) == len(codes)
    assert all(code == code.upper() and " " not in code for code in codes)


@pytest.mark.parametrize("cls", CLASSES)
def test_drawn_tree_shows_every_class(cls: type[TradingError]) -> None:
    assert cls.__name__ in (errors.__doc__ or "")


def test_messages_say_what_happened_and_keep_the_facts() -> None:
    refused = errors.VenueRefused("42", "price too far")
    assert str(refused) == "42: price too far"
    assert (refused.venue_code, refused.reason) == ("42", "price too far")
    short = errors.ForecastRefused("FORECAST_HISTORY_SHORT", "KO has 3 bars")
    again = pickle.loads(pickle.dumps(short))
    assert (short.code, str(short)) == ("FORECAST_HISTORY_SHORT", "KO has 3 bars")
    assert (again.code, str(again)) == (short.code, str(short))
    corrupt = errors.JournalCorrupt("account:paper:DEMO", 7, "hash of record 8 does not fit")
    assert corrupt.last_good == 7
    assert str(corrupt) == (
        "journal stream account:paper:DEMO: hash of record 8 does not fit; "
        "the last good record is 7. Nothing after it was applied."
    )
    stale = errors.StaleEpoch("risk:DEMO", 3, 4)
    assert str(stale) == "lease of risk:DEMO moved on: epoch 3 is stale, 4 rules"
    assert (stale.stream, stale.held, stale.current) == ("risk:DEMO", 3, 4)
    illegal = errors.InvalidTransition("abc", "FILLED", "OrderSubmitted", ("Submitted", "Filled"))
    assert str(illegal) == (
        "order abc: OrderSubmitted is not legal in FILLED; story: Submitted > Filled"
    )
