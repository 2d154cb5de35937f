"""Stress scenarios on disk: those that come with the program, and users' own."""

from importlib.resources import files
from pathlib import Path

from trading.errors import UsageError
from trading.stress.scenario import Scenario, scenario_named
from trading.stress.scenario_text import parse_scenario


def shipped_scenarios() -> tuple[Scenario, ...]:
    """Return the scenarios that come with the program, in the order of their names."""
    folder = files("trading.stress") / "scenarios"
    found = [
        parse_scenario(file.read_text(encoding="utf-8"), file.name)
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    ]
    return tuple(sorted(found, key=lambda scenario: scenario.name))


def read_scenario(path: str) -> Scenario:
    """Return the scenario in a TOML file.

    Raises
    ------
    UsageError
        If the file cannot be read, or what it says is wrong.
    """
    place = Path(path).expanduser()
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"the scenario {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"the scenario {path} is no UTF-8 text.") from None
    return parse_scenario(text, place.name)


def find_scenario(asked: str) -> Scenario:
    """Return a scenario by its name, by the beginning of its name, or from a file whose name ends in `.toml`.

    Raises
    ------
    UsageError
        If there is no such scenario (all names are listed) or the file is wrong.
    """
    return (
        read_scenario(asked)
        if asked.endswith(".toml")
        else scenario_named(shipped_scenarios(), asked)
    )
