"""What the outputs of a network mean, and how wrong they are: quantiles, or the parameters of a distribution.

Sources: Koenker and Bassett (1978), "Regression Quantiles", Econometrica 46 (pinball loss); Salinas et al. (2020),
"DeepAR", International Journal of Forecasting 36 (likelihood of a distribution whose parameters a network gives).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Normal, StudentT
from torch.nn.functional import softplus

from trading.forecasting.prediction import LEVELS
from tune.train.plan import TrainingPlan

_SPREAD_MIN = 1e-3
"""Smallest spread of a distribution, in deviations of the window: the likelihood of a point is infinite."""
_SPREAD_AT_0 = math.log(math.e - 1.0)
"""softplus of it is 1: an untrained network says one deviation."""


@dataclass(frozen=True, slots=True)
class Head:
    """How to read the outputs of a network.

    Attributes
    ----------
    width : int
        Numbers per step.
    loss : callable
        Outputs (window, step, width) and outcomes (window, step), both in deviations of the window -> mean loss.
    quantiles : callable
        Outputs (window, step, width) -> (window, step, level), in their order only if the network keeps it.
    """

    width: int
    loss: Callable[[Tensor, Tensor], Tensor]
    quantiles: Callable[[Tensor], Tensor]


def head_of(plan: TrainingPlan) -> Head:
    """Return the head that a plan asks for."""
    if plan.loss == "quantile":
        return Head(len(LEVELS), pinball_loss, lambda outputs: outputs)
    if plan.loss == "normal":
        plain = partial(Normal, validate_args=False)
        return _location_scale(stats.norm.ppf(LEVELS).tolist(), plain)
    freedom = plan.degrees_of_freedom
    fat = partial(StudentT, freedom, validate_args=False)
    return _location_scale(stats.t.ppf(LEVELS, freedom).tolist(), fat)


def pinball_loss(quantiles: Tensor, outcomes: Tensor) -> Tensor:
    """Return the mean pinball loss of `prediction.LEVELS` over windows, steps and levels."""
    levels = torch.tensor(LEVELS, dtype=quantiles.dtype, device=quantiles.device)
    short = outcomes[..., None] - quantiles
    return torch.maximum(levels * short, (levels - 1.0) * short).mean()


def _location_scale(
    standard: list[float],
    distribution: Callable[[Tensor, Tensor], torch.distributions.Distribution],
) -> Head:
    """A distribution that is moved and stretched; `standard` are the quantiles of the plain one."""

    def loss(outputs: Tensor, outcomes: Tensor) -> Tensor:
        log_likelihood: Tensor = distribution(*_place_and_spread(outputs)).log_prob(outcomes)
        return -log_likelihood.mean()

    def quantiles(outputs: Tensor) -> Tensor:
        place, spread = _place_and_spread(outputs)
        points = torch.tensor(standard, dtype=outputs.dtype, device=outputs.device)
        return place[..., None] + spread[..., None] * points

    return Head(2, loss, quantiles)


def _place_and_spread(outputs: Tensor) -> tuple[Tensor, Tensor]:
    return outputs[..., 0], softplus(outputs[..., 1] + _SPREAD_AT_0) + _SPREAD_MIN
