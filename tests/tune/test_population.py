import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.strategies.search_space import Choice, Span
from tune.population import Explorer, PopulationPlan

SPACE = {
    "rate": Span(0.01, 1.0, is_log=True),
    "layers": Span(1, 8),
    "width": Span(32, 256, step=32),
    "kind": Choice(("lstm", "nhits", "tft")),
}


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**32 - 1))
def test_parameters_never_leave_their_space_and_the_rest_stays(seed: int) -> None:
    explorer = Explorer(SPACE, seed)
    (config,) = explorer.first(1)
    for _ in range(40):
        config = explorer({**config, "data": "kept"})
        assert 0.01 <= float(str(config["rate"])) <= 1.0
        assert config["layers"] in range(1, 9)
        assert isinstance(config["layers"], int)
        assert config["width"] in range(32, 257, 32)
        assert config["kind"] in ("lstm", "nhits", "tft")
        assert config["data"] == "kept"


def test_parameters_move_to_neighbours_or_are_drawn_anew() -> None:
    explorer = Explorer({"width": SPACE["width"]}, 1)
    moves = [abs(int(explorer({"width": 128})["width"]) - 128) for _ in range(400)]
    assert 0.65 < sum(move == 32 for move in moves) / 400 < 0.95


def test_population_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="members from 2"):
        PopulationPlan(metric="loss", members=1)
