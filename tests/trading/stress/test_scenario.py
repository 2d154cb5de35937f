import math

import pytest

from trading.errors import UsageError
from trading.stress.factors import unit_of, written_move
from trading.stress.scenario import Scenario, Shock, build_scenario, scenario_named


def test_when_built_moves_become_fractions() -> None:
    scenario = build_scenario(
        "squeeze", {"equity.us": -0.1, "rates.us_10y": 75, "volatility.vix": 12, "fx.chf": 0.02}
    )
    assert scenario.moves == pytest.approx(
        {"equity.us": -0.1, "rates.us_10y": 0.0075, "volatility.vix": 0.12, "fx.chf": 0.02}
    )


@pytest.mark.parametrize(
    ("factor", "move", "expected"),
    [
        ("equity.us", -0.5678, "-56.8 %"),
        ("rates.us_10y", -0.0178, "-178 bp"),
        ("volatility.vix", 0.3356, "+33.6 points"),
    ],
)
def test_when_written_moves_have_the_unit_of_their_factor(
    factor: str, move: float, expected: str
) -> None:
    assert written_move(factor, move) == expected


def test_when_family_is_unknown_error_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"'equty.us'.*did you mean equity.us\?"):
        unit_of("equty.us")
    with pytest.raises(UsageError, match="family of equity, sector"):
        unit_of("zzz")
    with pytest.raises(UsageError, match="family"):
        unit_of("rates")


@pytest.mark.parametrize(
    "make",
    [
        lambda: Scenario(""),
        lambda: Scenario("empty"),
        lambda: Scenario("twice", (Shock("equity.us", -0.1), Shock("equity.us", -0.2))),
        lambda: build_scenario("percent", {"equity.us": -10}),
        lambda: build_scenario("nan", {"rates.us_10y": math.nan}),
        lambda: build_scenario("infinite", {"commodity.wti": -math.inf}),
        lambda: build_scenario("below", instruments={"AAPL": -1.1}),
    ],
)
def test_when_impossible_a_scenario_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(UsageError):
        make()


def test_when_price_may_become_negative_a_fall_below_zero_is_allowed() -> None:
    assert build_scenario("oil", {"commodity.wti": -3.0}).moves == {"commodity.wti": -3.0}


def test_when_asked_by_name_or_its_only_beginning_scenario_is_found() -> None:
    known = [
        build_scenario(name, {"equity.us": -0.1}) for name in ("covid_2020", "covid_21", "war")
    ]
    assert scenario_named(known, "covid_2020").name == "covid_2020"
    assert scenario_named(known, "w").name == "war"


@pytest.mark.parametrize("asked", ["covid", "", "nothing"])
def test_when_name_is_unknown_or_ambiguous_error_lists_all(asked: str) -> None:
    known = [build_scenario(name, {"equity.us": -0.1}) for name in ("covid_2020", "covid_21")]
    with pytest.raises(UsageError, match="there are covid_2020, covid_21"):
        scenario_named(known, asked)
