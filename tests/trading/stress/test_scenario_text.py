from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import UsageError
from trading.stress.scenario_text import parse_scenario

GOOD = """
name = "squeeze"
title = "Rates up, stocks down"
start = 2022-01-03
end = 2022-10-12

[[shocks]]
factor = "equity.us"
change = -0.10
source = "our desk"

[[shocks]]
factor = "rates.us_10y"
change_bp = 75

[[shocks]]
factor = "volatility.vix"
change_points = 12.5

[instruments]
AAPL = -0.35
"""


def test_when_well_written_everything_is_read() -> None:
    scenario = parse_scenario(GOOD, "squeeze.toml")
    assert (scenario.name, scenario.title) == ("squeeze", "Rates up, stocks down")
    assert (scenario.start, scenario.end) == (date(2022, 1, 3), date(2022, 10, 12))
    assert scenario.moves == pytest.approx(
        {"equity.us": -0.1, "rates.us_10y": 0.0075, "volatility.vix": 0.125}
    )
    assert [shock.source for shock in scenario.shocks] == ["our desk", "", ""]
    assert scenario.instruments == {"AAPL": -0.35}


@pytest.mark.parametrize(
    ("broken", "by", "message"),
    [
        ('name = "squeeze"', 'name = "squeeze', "is no TOML"),
        ('name = "squeeze"', "", "needs a name"),
        ('name = "squeeze"', "name = 3", "name must be a text, got 3"),
        ('title = "Rates', 'titel = "Rates', "did you mean title"),
        ("start = 2022-01-03", 'start = "2022"', "start must be a date such as"),
        ("start = 2022-01-03", "start = 2022-01-03T00:00:00", "start must be a date such as"),
        ("start = 2022-01-03", "start = 2023-01-03", "start must lie before its end"),
        ('factor = "equity.us"', 'factor = "equty.us"', "did you mean equity.us"),
        ('factor = "equity.us"', "", "there is no factor ''"),
        ("change = -0.10", "change = -10", "more than everything"),
        ("change = -0.10", 'change = "-10 %"', "must be a number"),
        ("change = -0.10", "change = true", "must be a number"),
        ("change = -0.10", "change = nan", "finite number"),
        ("change = -0.10", "change = 1" + 400 * "0", "finite number, got one too large"),
        ("change = -0.10", "change = 1" + 5000 * "0", "is no TOML"),
        ("change = -0.10", "chnge = -0.10", "did you mean change"),
        ("change = -0.10", "", "equity.us has no move; write change ="),
        ("change_bp = 75", "change = 0.75", "has change; write change_bp ="),
        ("change_bp = 75", "change_bp = 75\nchange = 1", "has change and change_bp"),
        ('factor = "rates.us_10y"\nchange_bp = 75', 'factor = "equity.us"\nchange = 0', "twice"),
        ("AAPL = -0.35", "AAPL = -35", "AAPL: a move of -3500 %"),
        ("AAPL = -0.35", 'AAPL = "x"', "AAPL must be a number"),
    ],
)
def test_when_something_is_wrong_one_sentence_says_what(broken: str, by: str, message: str) -> None:
    assert GOOD.count(broken) == 1
    with pytest.raises(UsageError, match=message) as caught:
        parse_scenario(GOOD.replace(broken, by), "squeeze.toml")
    assert str(caught.value).startswith("squeeze.toml")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ['name = "x"\nshocks = 3', 'name = "x"\nshocks = [1]', 'name = "x"\ninstruments = 3'],
)
def test_when_tables_are_of_the_wrong_kind_error_shows_how(text: str) -> None:
    with pytest.raises(UsageError, match=r"x.toml: (shocks|instruments) must be"):
        parse_scenario(text, "x.toml")


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=60), st.integers(0, len(GOOD)))
def test_when_any_text_is_slipped_in_nothing_but_a_usage_error_comes_out(
    noise: str, at: int
) -> None:
    with suppress(UsageError):
        parse_scenario(GOOD[:at] + noise + GOOD[at:], "x.toml")
