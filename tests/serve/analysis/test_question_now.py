"""Forecasts for those who trade in a replay are made of its past alone."""

import pytest

from serve.desk.analysis.question_now import question_now
from tests.serve.simulated_desk import SimulatedDesk, front_desk
from trading.errors import NotFound


def test_when_the_replay_stands_in_the_past_the_bars_end_there_and_move_with_it(tmp_path):
    trading = SimulatedDesk(tmp_path)
    desk = front_desk(tmp_path, trading=trading)
    question = question_now(desk, "ko", 5, None)
    assert question.symbol == "KO"
    assert question.ts[-1] == trading.snapshot().clock_ns
    assert len(question.ts) == len(question.close) <= 2_000
    trading.advance(3)
    later = question_now(desk, "KO", 5, None)
    assert later.ts[-1] == trading.snapshot().clock_ns > question.ts[-1]
    assert later.close[-4] == question.close[-1]


def test_when_no_cluster_answers_the_service_reads_its_own_bars(tmp_path):
    trading = SimulatedDesk(tmp_path)
    trading.go_down()
    question = question_now(front_desk(tmp_path, trading=trading), "KO", None, "nhits@1")
    assert (question.symbol, question.model, question.close) == ("KO", "nhits@1", None)


def test_when_nobody_knows_the_symbol_the_nearest_is_named(tmp_path):
    desk = front_desk(tmp_path, trading=SimulatedDesk(tmp_path))
    with pytest.raises(NotFound, match="AAPL"):
        question_now(desk, "AAPLE", None, None)
