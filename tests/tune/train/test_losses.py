"""Losses and quantiles against scipy, neuralforecast and numbers by hand."""

import numpy as np
import pytest
import torch
from neuralforecast.losses.pytorch import MQLoss
from scipy import stats

from trading.forecasting.prediction import LEVELS
from tune.train.losses import head_of, pinball_loss
from tune.train.plan import plan_of

RANDOM = np.random.default_rng(5)
OUTCOMES = torch.tensor(RANDOM.normal(size=(6, 3)))


def test_pinball_loss_is_that_of_neuralforecast() -> None:
    """Which adds up the levels; ours is their mean."""
    quantiles = torch.tensor(RANDOM.normal(size=(6, 3, len(LEVELS))), dtype=torch.float32)
    outcomes = OUTCOMES.to(torch.float32)
    theirs = MQLoss(quantiles=list(LEVELS))(y=outcomes[..., None], y_hat=quantiles[:, :, None])
    assert float(pinball_loss(quantiles, outcomes)) == pytest.approx(float(theirs) / len(LEVELS))


def test_pinball_loss_by_hand() -> None:
    quantiles = torch.zeros(1, 1, len(LEVELS), dtype=torch.float64)
    above = pinball_loss(quantiles, torch.tensor([[2.0]], dtype=torch.float64))
    below = pinball_loss(quantiles, torch.tensor([[-2.0]], dtype=torch.float64))
    assert float(above) == pytest.approx(2.0 * sum(LEVELS) / 9)
    assert float(below) == pytest.approx(2.0 * sum(1 - level for level in LEVELS) / 9)


@pytest.mark.parametrize(
    ("loss", "law"), [("normal", stats.norm), ("student_t", stats.t(5.0))], ids=["normal", "t"]
)
def test_distribution_is_that_of_scipy(loss: str, law: object) -> None:
    head = head_of(plan_of("linear", loss=loss, degrees_of_freedom=5.0))
    outputs = torch.tensor(RANDOM.normal(size=(6, 3, 2)))
    place = outputs[..., 0].numpy()
    spread = np.log1p(np.exp(outputs[..., 1].numpy() + np.log(np.e - 1))) + 1e-3
    standard = (OUTCOMES.numpy() - place) / spread
    expected = -(law.logpdf(standard) - np.log(spread)).mean()  # type: ignore[attr-defined]
    assert float(head.loss(outputs, OUTCOMES)) == pytest.approx(expected, rel=1e-9)
    points = law.ppf(LEVELS)  # type: ignore[attr-defined]
    assert head.quantiles(outputs).numpy() == pytest.approx(
        place[..., None] + spread[..., None] * points, rel=1e-9
    )


def test_untrained_distribution_is_one_deviation_wide() -> None:
    head = head_of(plan_of("linear", loss="normal"))
    quantiles = head.quantiles(torch.zeros(1, 1, 2))[0, 0]
    assert float(quantiles[6]) == pytest.approx(1.2815 * 1.001, rel=1e-3)
