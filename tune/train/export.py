"""From a trained network to an ONNX graph that answers the same.

The graph has everything inside, from prices to sorted quantiles, takes any number of windows at once, and says nothing
of the machine that it was made on. A graph that disagrees with the network is refused.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from actors.models.session import LOG_RETURNS, SCALE
from trading.errors import ModelError
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction
from trading.indicators.periods import IntArray
from tune.train.baselines import Predict
from tune.train.features import DAY_NS
from tune.train.graph import plain_bytes, predictor_of, quiet
from tune.train.network import ForecastNetwork, ScaledNetwork
from tune.train.plan import TrainingPlan

TOLERANCE = 1e-5
"""Largest difference of a quantile between graph and network: in deviations of the window, and for quantiles beyond one
deviation as a part of the largest quantile of the batch."""
BATCHES = (1, 7, 64)
_EXAMPLE_BATCH = 3
_SEED = 20


class ExportRefused(ModelError):
    """The graph does not answer what the network does."""

    code = "MODEL_EXPORT_REFUSED"


class Difference(NamedTuple):
    """How far two forecasts of the same model are apart at most; NaN if one answers NaN.

    Attributes
    ----------
    absolute : float
        Of a quantile, in deviations of the window.
    relative : float
        The same, over the largest quantile of its batch where that is above one deviation.
    """

    absolute: float
    relative: float


def export(network: ScaledNetwork, real: Inputs) -> tuple[bytes, Difference]:
    """Return the graph of a network, and how far its quantiles are from the network's.

    The same weights give the same bytes.

    Parameters
    ----------
    real : mapping of name to (window, bar)
        Real windows; those that are compared are drawn from all of them.

    Returns
    -------
    (bytes, Difference)

    Raises
    ------
    ExportRefused
        If the relative difference is above `TOLERANCE`, or an answer is no number.
    """
    served = ForecastNetwork(network).eval()
    graph = _graph(served)
    found = difference(network_predictor(network), predictor_of(graph), network.plan, real)
    if not found.relative <= TOLERANCE:
        raise ExportRefused(
            f"The graph of {network.plan.kind} differs from the network by {found.absolute:.1e} deviations of "
            f"the window, {found.relative:.1e} of its quantiles and more than {TOLERANCE:.0e}; no version is "
            "made of it."
        )
    return graph, found


def network_predictor(network: ScaledNetwork) -> Predict:
    """Return the forecast of a network in torch, without calibration."""
    served = ForecastNetwork(network).eval()

    def predict(inputs: Inputs) -> Prediction:
        with torch.no_grad():
            outputs = served(**_tensors(inputs, network.plan))
        return Prediction(*(each.numpy() for each in outputs))

    return predict


def difference(one: Predict, other: Predict, plan: TrainingPlan, real: Inputs) -> Difference:
    """Return how far two forecasts are apart on random and on real windows, in batches of 1, 7 and 64."""
    random = np.random.default_rng(_SEED)
    found: list[Difference] = []
    for count in BATCHES:
        drawn = random.integers(0, len(real["close"]), count)
        windows = (random_inputs(plan, count, random), _rows(real, plan, drawn))
        found += [_difference(one(inputs), other(inputs)) for inputs in windows]
    return Difference(*np.max(found, axis=0).tolist())


def random_inputs(plan: TrainingPlan, count: int, random: np.random.Generator) -> Inputs:
    """Return windows of random walks with fat tails, from penny stocks to indices, from calm to wild."""
    shape = (count, plan.input_size)
    volatility = 10.0 ** random.uniform(-3.5, -1.0, (count, 1))
    level = 10.0 ** random.uniform(-2.0, 5.0, (count, 1))
    first_day = random.integers(0, 20_000, (count, 1))
    made: dict[str, NDArray[Any]] = {
        "close": level * np.exp(np.cumsum(volatility * random.standard_t(4.0, shape), axis=1)),
        "volume": np.round(10.0 ** random.uniform(0.0, 8.0, shape)),
        "time": DAY_NS * (first_day + np.arange(plan.input_size)),
        "sentiment": random.uniform(-1.0, 1.0, shape),
    }
    return {name: made[name] for name in plan.inputs}


def _difference(one: Prediction, other: Prediction) -> Difference:
    units = one.scale[:, None, None]
    quantiles = one.log_returns / units
    gap = np.abs(other.log_returns / units - quantiles).max()
    absolute = max(float(gap), float(np.abs(other.scale / one.scale - 1.0).max()))
    return Difference(absolute, absolute / max(1.0, float(np.abs(quantiles).max())))


def _graph(served: ForecastNetwork) -> bytes:
    plan = served.scaled.plan
    example = random_inputs(plan, _EXAMPLE_BATCH, np.random.default_rng(_SEED))
    batch = {0: torch.export.Dim.DYNAMIC}
    with quiet(), torch.no_grad():
        program = torch.onnx.export(
            served,
            kwargs=_tensors(example, plan),
            dynamo=True,
            dynamic_shapes=dict.fromkeys(plan.inputs, batch),
            input_names=list(plan.inputs),
            output_names=[LOG_RETURNS, SCALE],
            verbose=False,
        )
    assert program is not None
    return plain_bytes(program.model_proto)


def _tensors(inputs: Inputs, plan: TrainingPlan) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(inputs[name])) for name in plan.inputs}


def _rows(inputs: Inputs, plan: TrainingPlan, rows: IntArray) -> Inputs:
    return {name: inputs[name][rows] for name in plan.inputs}
