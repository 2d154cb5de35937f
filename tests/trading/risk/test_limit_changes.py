from decimal import Decimal

import msgspec
import pytest

from trading.errors import UsageError
from trading.events import LimitChanged
from trading.risk.limit_changes import changed, limits_stream
from trading.risk.limits import RiskLimits, SymbolLimits

LIMITS = RiskLimits(max_group_exposure={"sector:energy": Decimal(500)})


def after(name: str, value: str, limits: RiskLimits = LIMITS) -> RiskLimits:
    change = LimitChanged(actor="ann", name=name, value=value, reason="why")
    return changed(limits, LIMITS, change)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("max_total_exposure", "80000", {"max_total_exposure": Decimal(80_000)}),
        ("max_open_positions", "7", {"max_open_positions": 7}),
        ("max_data_age_s", "2.5", {"max_data_age_s": 2.5}),
        ("max_order_value", "100", {"max_order_value": Decimal(100)}),
        ("stop_loss", "off", {"stop_loss": None}),
        ("require_locate", "on", {"require_locate": True}),
        ("require_locate", "off", {"require_locate": False}),
        ("restricted", "A.X, B.X", {"restricted": ("A.X", "B.X")}),
        (
            "max_group_exposure.currency:EUR",
            "7",
            {
                "max_group_exposure": {
                    "sector:energy": Decimal(500),
                    "currency:EUR": Decimal(7),
                }
            },
        ),
        ("max_strategy_exposure.one", "7", {"max_strategy_exposure": {"one": Decimal(7)}}),
        (
            "symbols.BRK.B.X.located",
            "100",
            {"symbols": {"BRK.B.X": SymbolLimits(located=Decimal(100))}},
        ),
    ],
)
def test_change_sets_one_limit_and_nothing_else(
    name: str, value: str, expected: dict[str, object]
) -> None:
    assert after(name, value) == msgspec.structs.replace(LIMITS, **expected)


def test_empty_value_goes_back_to_the_configuration() -> None:
    assert after("max_total_exposure", "", after("max_total_exposure", "1")) == LIMITS
    grown = after("max_group_exposure.currency:EUR", "7")
    assert after("max_group_exposure.currency:EUR", "", grown) == LIMITS
    lowered = after("max_group_exposure.sector:energy", "1")
    assert after("max_group_exposure.sector:energy", "", lowered) == LIMITS


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_totl", "1", "there is no limit 'max_totl'; did you mean"),
        ("heat", "1", "there is no limit 'heat'; `trader risk limits` shows all"),
        ("max_total_exposure", "abc", "max_total_exposure = 'abc': Invalid decimal"),
        ("max_total_exposure", "-1", "must be a positive number"),
        ("max_total_exposure", "NaN", "must be a positive number"),
        ("max_total_exposure", "off", "cannot be switched off"),
        ("max_total_exposure.one", "1", "one value"),
        ("max_open_positions", "7.5", "Expected `int`"),
        ("max_drawdown", "1.5", "fraction of 1"),
        ("symbols.BRK", "1", "write symbols.SYMBOL.VENUE.LIMIT"),
    ],
)
def test_wrong_change_is_one_sentence_and_changes_nothing(
    name: str, value: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        after(name, value)


def test_every_limit_can_be_set_to_what_it_is() -> None:
    for name in RiskLimits.__struct_fields__:
        value = getattr(LIMITS, name)
        if isinstance(value, dict | tuple):
            continue
        text = {None: "off", True: "on", False: "off"}.get(value, str(value))
        assert after(name, text) == LIMITS, name


def test_each_account_has_its_own_stream() -> None:
    assert limits_stream("DEMO") == "limits:DEMO"  # type: ignore[arg-type]
