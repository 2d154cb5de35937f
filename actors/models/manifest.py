"""What is known of one version of a model: all that it was made of, and how well it did."""

from typing import Any

import msgspec

from trading.forecasting.conformal import Calibration

ONNX = "model.onnx"
"""The full precision graph; every version has it."""
VARIANTS = {"fp32": ONNX, "fp16": "model.fp16.onnx", "int8": "model.int8.onnx"}
"""File by precision."""


class TrainingData(msgspec.Struct, frozen=True, kw_only=True):
    """What a model was trained on.

    Attributes
    ----------
    digest : str
        `tune.manifest.digest_of` the bars.
    first_ts, last_ts : int
        Close of the first and of the last bar that training, its early stopping or its calibration saw (ns UTC).
    """

    source: str
    digest: str
    symbols: tuple[str, ...]
    first_ts: int
    last_ts: int


class ModelFile(msgspec.Struct, frozen=True, kw_only=True):
    """One file of a version.

    Attributes
    ----------
    sha256 : str
        Of its content (hexadecimal).
    max_error : float
        Largest deviation of a quantile from the trained network's, in units of the window's scale.
    pinball_loss : float or None
        On the windows of the evaluation.
    """

    name: str
    sha256: str
    size_bytes: int
    max_error: float = 0.0
    pinball_loss: float | None = None


class InputBins(msgspec.Struct, frozen=True, kw_only=True):
    """How an input was distributed in training: equally filled bins.

    Attributes
    ----------
    edges : tuple of float
        Rising, one fewer than the bins.
    shares : tuple of float
        Part of the training windows in each bin; adds up to 1.
    """

    edges: tuple[float, ...]
    shares: tuple[float, ...]


class ModelManifest(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable version.

    Attributes
    ----------
    kind : str
        Architecture: "nhits", "lstm", "patchtst", "transformer", "tft" or "linear".
    horizon : int
        Steps of the output (bars).
    input_size : int
        Closes in a window.
    features : tuple of str
        Inputs of the graph beside "close": of "volume", "time" and "sentiment".
    bar : str
        Length of a bar: "1d", "1h", ...
    data : TrainingData
    code : str
        Version of the package, and the commit where there is one.
    parameters : dict
        All settings of the training, its seed included.
    metrics : dict of name to number
        Out of sample, see `tune.train.evaluation`.
    baselines : dict of baseline to metrics
        The same windows.
    beats_naive : bool
        Its CRPS is below that of the naive forecast.
    calibration : Calibration or None
        Conformal scores on windows after those of the training.
    inputs : dict of name to InputBins
        Reference of the input drift.
    parent : str
        `name@version` that it was fine-tuned from, or "".
    created_at : int
        ns UTC.
    """

    name: str
    version: int
    kind: str
    horizon: int
    input_size: int
    features: tuple[str, ...] = ()
    bar: str = "1d"
    data: TrainingData
    code: str
    parameters: dict[str, Any]
    metrics: dict[str, float]
    baselines: dict[str, dict[str, float]]
    beats_naive: bool
    calibration: Calibration | None = None
    inputs: dict[str, InputBins] = {}
    files: tuple[ModelFile, ...]
    parent: str = ""
    created_at: int

    @property
    def reference(self) -> str:
        """`name@version`."""
        return f"{self.name}@{self.version}"

    def file(self, name: str) -> ModelFile | None:
        """Return one of its files, None when it has none of that name."""
        return next((file for file in self.files if file.name == name), None)
