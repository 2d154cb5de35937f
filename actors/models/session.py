"""A registered model, loaded: windows in, calibrated quantiles out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from actors.models import providers
from actors.models.manifest import VARIANTS, ModelManifest
from actors.models.registry import ModelRegistry
from trading.errors import ForecastInvalid, ModelCorrupt
from trading.forecasting.conformal import calibrated
from trading.forecasting.history import Inputs
from trading.forecasting.prediction import Prediction

LOG_RETURNS = "log_returns"
SCALE = "scale"
_ERRORS_ONLY = 3
_WARM_UP_BATCHES = (1, 8)


class ModelSession:
    """One version on one provider. Safe to call from several threads.

    Attributes
    ----------
    provider : str
        "tensorrt", "cuda" or "cpu": who computes.
    is_fallback : bool
        The provider that was wanted most is not there.
    """

    def __init__(
        self, manifest: ModelManifest, graph: bytes, wanted: Sequence[str], threads: int = 1
    ) -> None:
        self.manifest = manifest
        self._session = _session(manifest, graph, wanted, threads)
        self.provider = providers.name_of(self._session.get_providers()[0])
        self.is_fallback = self.provider != wanted[0] and wanted[0] != "cpu"
        self._inputs = {each.name for each in self._session.get_inputs()}

    def predict(self, inputs: Inputs, miscoverage: Sequence[float] | None = None) -> Prediction:
        """Return calibrated quantiles; those of a model without a calibration are as they are.

        Parameters
        ----------
        inputs : mapping of name to (window, bar)
            As `trading.forecasting.history.inputs_of` makes them.
        miscoverage : sequence of float or None
            What the intervals shall leave out, see `trading.forecasting.conformal.calibrated`.

        Raises
        ------
        ForecastInvalid
            If the model answers what cannot be a forecast, or fails.
        """
        raw = self.predict_raw(inputs)
        calibration = self.manifest.calibration
        return raw if calibration is None else calibrated(raw, calibration, miscoverage)

    def predict_raw(self, inputs: Inputs) -> Prediction:
        """Return the quantiles as the model gives them. See `predict`."""
        try:
            outputs = self._run({name: inputs[name] for name in self._inputs})
        except Exception as error:  # onnxruntime's errors share no class of their own
            raise ForecastInvalid(f"Model {self.manifest.reference} failed: {error}") from error
        log_returns, scale = (np.asarray(each, dtype=np.float64) for each in outputs)
        prediction = Prediction(log_returns, scale)
        prediction.check(self.manifest.reference)
        return prediction

    def warm_up(self) -> None:
        """Run small batches, so that the first request does not pay for what is made at first use."""
        size = self.manifest.input_size
        close = 100.0 * np.exp(0.01 * np.sin(np.arange(size, dtype=np.float64)))
        for batch in _WARM_UP_BATCHES:
            rows: dict[str, Any] = {"close": np.tile(close, (batch, 1))}
            for feature in self.manifest.features:
                is_time = feature == "time"
                filler = np.arange(size) * 86_400_000_000_000 if is_time else np.ones(size)
                rows[feature] = np.tile(filler, (batch, 1))
            self.predict_raw(rows)

    def _run(self, inputs: dict[str, Any]) -> Sequence[Any]:
        if self.provider == "cpu":
            answer: Sequence[Any] = self._session.run([LOG_RETURNS, SCALE], inputs)
            return answer
        binding = self._session.io_binding()
        for name, array in inputs.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
        for name in (LOG_RETURNS, SCALE):
            binding.bind_output(name)
        self._session.run_with_iobinding(binding)
        copied: Sequence[Any] = binding.copy_outputs_to_cpu()
        return copied


def load_session(
    registry: ModelRegistry,
    reference: str,
    wanted: Sequence[str] = ("cpu",),
    *,
    precision: str = "fp32",
    threads: int = 1,
) -> ModelSession:
    """Return a session of a registered version.

    Raises
    ------
    ModelUnknown
        If there is no such version, or it has no graph of that precision.
    ModelCorrupt
        If its graph is not what was registered, or is none.
    """
    manifest = registry.manifest(reference)
    graph = registry.read(manifest, VARIANTS[precision])
    return ModelSession(manifest, graph, wanted, threads)


def _session(manifest: ModelManifest, graph: bytes, wanted: Sequence[str], threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return onnxruntime.InferenceSession(graph, options, providers=providers.ladder(wanted))
    except (
        Exception
    ) as error:  # a graph that onnxruntime cannot read raises classes that it does not export
        raise ModelCorrupt(
            f"{manifest.reference} is no graph that onnxruntime {onnxruntime.__version__} can run: {error}"
        ) from error
