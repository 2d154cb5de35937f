"""Smaller graphs of a trained model, with what they lose: half precision, and 8 bit weights.

What cannot be built here, does not run, or loses too much is reported with its reason and left out. The work on prices before and
behind the network stays in float64 in all of them.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import msgspec
import onnx

from actors.models.manifest import VARIANTS
from trading.forecasting.scores import pinball
from tune.train.baselines import Predict
from tune.train.evaluation import predict_all
from tune.train.export import difference
from tune.train.graph import plain_bytes, predictor_of, quiet
from tune.train.plan import TrainingPlan
from tune.train.windows import Windows

_PREPARED = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells the quantiser that constants are folded, as the exporter does; it would ask for it aloud."""
LOSS_MAX = 0.01
"""A variant whose pinball loss is higher than that of the full graph by more than this part is no use."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One smaller graph, or why there is none.

    Attributes
    ----------
    precision : str
        "fp16" or "int8".
    file : str
        Name in the registry.
    graph : bytes
        Empty when there is none.
    max_error : float
        Largest difference of a quantile from that of the full graph (deviations of the window).
    pinball_loss : float
        On the windows of the evaluation, before calibration (log returns).
    reason : str
        Why there is none; "" when there is one.
    """

    precision: str
    file: str
    graph: bytes = b""
    max_error: float = 0.0
    pinball_loss: float = 0.0
    reason: str = ""


def variants_of(graph: bytes, plan: TrainingPlan, windows: Windows) -> tuple[Variant, ...]:
    """Return the smaller graphs of a graph.

    Parameters
    ----------
    windows : Windows
        Those of the evaluation, at least one.
    """
    judge = _Judge(plan, windows, predictor_of(graph))
    return tuple(
        _variant(precision, make, graph, judge)
        for precision, make in (("fp16", half_precision), ("int8", eight_bit))
    )


def half_precision(graph: bytes) -> bytes:
    """Return the graph with its float32 part, which is the network, in float16."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with quiet():
        made = convert_float_to_float16(
            onnx.load_from_string(graph), keep_io_types=True, disable_shape_infer=True
        )
    return plain_bytes(made)


def eight_bit(graph: bytes) -> bytes:
    """Return the graph with 8 bit weights; activations are rounded as they come."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = onnx.load_from_string(graph)
    onnx.helper.set_model_props(model, _PREPARED)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "int8.onnx"
        quantize_dynamic(model, target, weight_type=QuantType.QInt8)
        made = onnx.load(target)
    return plain_bytes(made)


def pinball_of(predict: Predict, windows: Windows) -> float:
    """Return the mean pinball loss of a forecast (log returns)."""
    return float(pinball(predict_all(predict, windows.inputs), windows.outcomes).mean())


class _Judge:
    """The full graph, and the windows on which smaller ones are compared with it."""

    def __init__(self, plan: TrainingPlan, windows: Windows, full: Predict) -> None:
        self._plan, self._windows, self._full = plan, windows, full
        self._loss = pinball_of(full, windows)

    def judged(self, variant: Variant) -> Variant:
        predict = predictor_of(variant.graph)
        loss = pinball_of(predict, self._windows)
        error = difference(self._full, predict, self._plan, self._windows.inputs).absolute
        if not loss <= self._loss * (1.0 + LOSS_MAX):
            reason = f"its pinball loss is {loss:.3g}, that of the full graph {self._loss:.3g}"
            return msgspec.structs.replace(variant, graph=b"", reason=reason)
        return msgspec.structs.replace(variant, max_error=error, pinball_loss=loss)


def _variant(
    precision: str, make: Callable[[bytes], bytes], graph: bytes, judge: _Judge
) -> Variant:
    variant = Variant(precision=precision, file=VARIANTS[precision])
    try:
        return judge.judged(msgspec.structs.replace(variant, graph=make(graph)))
    except Exception as error:  # converters and onnxruntime raise what they like
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        return msgspec.structs.replace(variant, reason=reason)
