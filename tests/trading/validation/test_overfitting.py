import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import DataError, UsageError
from trading.validation import overfitting
from trading.validation.overfitting import overfitting_of


def noise(bars: int, trials: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 0.01, (bars, trials))


@settings(deadline=None, max_examples=15)
@given(
    blocks=st.sampled_from([2, 4, 6]),
    bars=st.integers(20, 50),
    trials=st.integers(2, 6),
    seed=st.integers(0, 999),
)
def test_every_combination_equals_the_procedure_of_the_paper(
    blocks: int, bars: int, trials: int, seed: int
) -> None:
    returns = noise(bars, trials, seed)
    found = overfitting_of(returns, blocks)
    length = bars // blocks
    parts = [
        returns[bars - (blocks - k) * length :][:length] for k in range(blocks)
    ]  # the oldest rows that fill no block are left out
    logits, inside, outside = [], [], []
    for chosen in combinations(range(blocks), blocks // 2):
        train = np.concatenate([parts[k] for k in chosen])
        test = np.concatenate([parts[k] for k in range(blocks) if k not in chosen])
        in_sample = train.mean(axis=0) / train.std(axis=0, ddof=1)
        out_of_sample = test.mean(axis=0) / test.std(axis=0, ddof=1)
        best = int(np.argmax(in_sample))
        share = sum(value <= out_of_sample[best] for value in out_of_sample) / (trials + 1)
        logits.append(math.log(share / (1 - share)))
        inside.append(in_sample[best])
        outside.append(out_of_sample[best])
    assert found.logits == pytest.approx(logits)
    assert found.in_sample == pytest.approx(inside)
    assert found.out_of_sample == pytest.approx(outside)
    assert found.probability == sum(each <= 1e-12 for each in logits) / len(logits)
    assert found.probability_of_loss == sum(each < 0 for each in outside) / len(outside)
    slope, intercept = np.polyfit(inside, outside, 1)
    assert found.slope == pytest.approx(slope)
    assert found.intercept == pytest.approx(intercept)


def test_choosing_the_best_of_noise_is_a_coin() -> None:
    chances = [overfitting_of(noise(400, 30, seed), 8).probability for seed in range(60)]
    assert np.mean(chances) == pytest.approx(0.5, abs=0.06)


def test_a_truly_better_trial_is_no_overfitting() -> None:
    returns = noise(1000, 100)
    returns[:, 7] += 0.005
    found = overfitting_of(returns)
    assert found.probability == 0.0
    assert found.probability_of_loss == 0.0
    assert set(found.selected.tolist()) == {7}
    assert found.logits.size == math.comb(16, 8)


def test_gains_that_turn_into_losses_are_overfitting() -> None:
    # what gained in one block loses the same in all the others, so the best in training loses most
    returns = 0.001 * noise(200, 4)
    for trial in range(4):
        returns[:, trial] -= 0.001
        returns[50 * trial : 50 * (trial + 1), trial] += 0.004
    found = overfitting_of(returns, 4)
    assert found.probability > 0.9
    assert found.probability_of_loss == 1.0


def test_equal_trials_share_their_ranks() -> None:
    found = overfitting_of(np.repeat(noise(100, 1), 5, axis=1), 4)
    assert found.logits == pytest.approx(0.0)  # the middle of five
    assert found.probability == 1.0
    assert set(found.selected.tolist()) == {0}


def test_a_trial_that_does_nothing_is_worth_nothing() -> None:
    returns = np.zeros((40, 2))
    returns[:, 1] = 0.001 * np.sin(np.arange(40.0)) - 0.01
    found = overfitting_of(returns, 4)
    assert set(found.selected.tolist()) == {0}
    assert found.in_sample.tolist() == found.out_of_sample.tolist() == [0.0] * 6
    assert found.probability == 0.0
    assert math.isnan(found.slope)


def test_batches_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    returns = noise(120, 20)
    whole = overfitting_of(returns, 8)
    monkeypatch.setattr(overfitting, "_ELEMENTS_AT_ONCE", 100)
    assert overfitting_of(returns, 8).logits == pytest.approx(whole.logits)


@pytest.mark.parametrize("blocks", [0, 3, 22])
def test_an_odd_number_of_blocks_is_refused(blocks: int) -> None:
    with pytest.raises(UsageError, match="blocks must be even, from 2 to 20"):
        overfitting_of(noise(100, 5), blocks)


def test_unusable_returns_are_refused() -> None:
    with pytest.raises(DataError, match="at least 2 trials and 32 bars"):
        overfitting_of(noise(100, 1))
    with pytest.raises(DataError, match="at least 2 trials and 32 bars"):
        overfitting_of(noise(31, 5))
    holes = noise(100, 5)
    holes[3, 2] = math.nan
    with pytest.raises(DataError, match="not finite"):
        overfitting_of(holes)
