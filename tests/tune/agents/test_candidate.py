"""What a file declares is read, never run."""

from pathlib import Path

import pytest

from tests.tune.agents.in_process import TREND
from trading.errors import ConfigError, UsageError
from tune.agents.candidate import SOURCE_BYTES_MAX, candidate_of, name_of, read_candidate

BODY = "\ndef targets(bars): ...\n"


def test_file_gives_name_lookback_parameters_and_digest(tmp_path: Path) -> None:
    path = tmp_path / "My_Trend.py"
    path.write_text(TREND + 'PARAMETERS = {"size": 0.2}\nTEMPLATE = "base"\n')

    found = read_candidate(path, {"days": 3})

    assert (found.name, found.lookback, found.template) == ("my-trend", 5, "base")
    assert found.parameters == {"days": 3, "size": 0.2}
    assert found.terms == '{"days":3,"size":0.2}'
    assert len(found.source.sha256) == 64
    assert found.source.text == path.read_text()


def test_parameters_in_any_order_are_the_same_terms() -> None:
    one = candidate_of('LOOKBACK = 1\nPARAMETERS = {"a": 1, "b": 2}' + BODY, "x")
    other = candidate_of('LOOKBACK = 1\nPARAMETERS = {"b": 2, "a": 1}' + BODY, "x")

    assert one.terms == other.terms


def test_nothing_of_a_file_is_run(tmp_path: Path) -> None:
    place = tmp_path / "seen"
    text = f"open({str(place)!r}, 'w')\nLOOKBACK = 1{BODY}"

    candidate_of(text, "x")

    assert not place.exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("LOOKBACK = 1", "has no function"),
        ("LOOKBACK = 1\ndef targets(): ...", "has no function"),
        ("LOOKBACK = 1\ndef targets(bars:", "line 2"),
        ("LOOKBACK = 1\nPARAMETERS = dict(a=1)" + BODY, "plain value"),
        ("LOOKBACK = 1\nPARAMETERS = [1]" + BODY, "must map"),
        ("LOOKBACK = 1\nPARAMETERS = {'a': [1]}" + BODY, "must map"),
        ("LOOKBACK = 1\ndef targets(bars, *, n=len('a')): ...", "plain value"),
    ],
)
def test_file_that_cannot_be_used_is_refused_in_a_sentence(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        candidate_of(text, "x")


@pytest.mark.parametrize("text", ["", "LOOKBACK = 0", "LOOKBACK = n", "LOOKBACK = 1\nLOOKBACK = 2"])
def test_lookback_must_be_said_once_and_plainly(text: str) -> None:
    with pytest.raises(ConfigError, match="LOOKBACK"):
        candidate_of(text + BODY, "x")


def test_unknown_parameter_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="no parameter 'dayz'; it has days, size"):
        candidate_of(TREND, "x", {"dayz": 1})


def test_file_that_is_missing_too_long_or_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    with pytest.raises(UsageError, match="cannot be read"):
        read_candidate(path)
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="UTF-8"):
        read_candidate(path)
    path.write_text("#" * (SOURCE_BYTES_MAX + 1))
    with pytest.raises(UsageError, match="are taken"):
        read_candidate(path)


@pytest.mark.parametrize("name", ["Ünique.py", "_.py", ".py"])
def test_file_whose_name_gives_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="gives no name"):
        name_of(Path(name))


def test_name_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(TREND)

    with pytest.raises(UsageError, match="is no name"):
        read_candidate(tmp_path / "own.py", name="agents:own")
