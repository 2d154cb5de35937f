"""All that decides what a trained model is, beside the data."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from trading.errors import UsageError
from trading.strategies.strategy import require_range
from tune.train.kinds import Kind, kind_of
from tune.train.windows import FEATURES as INPUT_FEATURES

VOLATILITY = "volatility"
"""A feature that is made of the closes, inside the graph."""
FEATURES = (*INPUT_FEATURES, VOLATILITY)

Target = Literal["log_price", "return"]
Loss = Literal["quantile", "normal", "student_t"]
Schedule = Literal["cosine", "linear", "constant"]
Precision = Literal["32", "bf16-mixed", "16-mixed"]


class TrainingPlan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Plan of one training. `plan_of` fills in what suits the kind.

    Attributes
    ----------
    kind : str
        One of `kinds.KINDS`.
    name : str
        Under which the model is registered; the kind when empty.
    horizon : int
        Steps of the forecast (bars, 1 to 252).
    input_size : int
        Closes that the model reads (bars, 8 to 2520).
    features : tuple of str
        What it reads beside closes: of "volume", "time" (calendar), "sentiment" and "volatility".
    target : "return" or "log_price"
        What the network reads of the closes: the log returns between them, or their log path. Returns suit prices that
        wander, the path suits series with a season.
    loss : "quantile", "normal" or "student_t"
        Pinball loss of all quantiles, or the likelihood of a distribution at each step.
    degrees_of_freedom : float
        Of the t distribution (2.1 to 100).
    seed : int
        Of the first weights, the batches and the dropout.
    max_steps : int
        Optimiser steps at most.
    batch_size, accumulate : int
        Windows in a batch, and batches whose gradients are added up for a step.
    learning_rate : float
        Highest one (1e-7 to 1).
    schedule, warmup_steps : str, int
        The rate rises linearly for the first steps, then falls along a half cosine or a line towards 0 at `max_steps`,
        or stays.
    weight_decay : float
        Of AdamW (0 to 1).
    clip : float
        Largest norm of the gradient.
    check_every, patience : int
        Steps between two looks at the validation windows, and looks without a better loss after which training
        stops. The weights of the best look are kept.
    precision : "32", "bf16-mixed" or "16-mixed"
        "16-mixed" needs a GPU.
    network : dict
        Changes to the architecture of the kind.
    validation_share, calibration_share, test_share : float
        Parts of the bars, behind each other at the end; the training has what is before. No calibration or no
        test with 0.
    season : int
        Bars after which the seasonal baseline expects a repetition (1 to 2520): 5 for trading days, 12 for months.
    bar : str
        Length of a bar, for the reader: "1d", "1h", ...
    """

    kind: str
    name: str = ""
    horizon: int = 5
    input_size: int = 64
    features: tuple[str, ...] = ()
    target: Target = "return"
    loss: Loss = "quantile"
    degrees_of_freedom: float = 4.0
    seed: int = 1
    max_steps: int = 1500
    batch_size: int = 256
    accumulate: int = 1
    learning_rate: float = 1e-3
    schedule: Schedule = "cosine"
    warmup_steps: int = 50
    weight_decay: float = 1e-4
    clip: float = 1.0
    check_every: int = 100
    patience: int = 5
    precision: Precision = "32"
    network: dict[str, Any] = {}
    validation_share: float = 0.1
    calibration_share: float = 0.1
    test_share: float = 0.2
    season: int = 5
    bar: str = "1d"

    def __post_init__(self) -> None:
        kind = kind_of(self.kind)
        _require_ranges(self)
        _require_features(self.kind, kind, self.features)
        unknown = sorted(set(self.network) - set(kind.network))
        if unknown:
            known = ", ".join(kind.network) or "none"
            raise ValueError(
                f"{self.kind} has no architecture parameter {unknown[0]!r}; it has {known}."
            )
        if self.validation_share + self.calibration_share + self.test_share > 0.9:
            raise ValueError(
                "The shares of validation, calibration and test add up to more than 0.9; too little is "
                "left to train on."
            )

    @property
    def model_name(self) -> str:
        """Name in the registry."""
        return self.name or self.kind

    @property
    def inputs(self) -> tuple[str, ...]:
        """Inputs of the graph, "close" first."""
        return ("close", *self.input_features)

    @property
    def input_features(self) -> tuple[str, ...]:
        """Features that have to be given with the closes."""
        return tuple(name for name in INPUT_FEATURES if name in self.features)

    @property
    def architecture(self) -> dict[str, Any]:
        """All architecture parameters: the kind's, with the changes of this plan."""
        return {**kind_of(self.kind).network, **self.network}


def plan_of(kind: str, **settings: Any) -> TrainingPlan:
    """Return a plan with the defaults of a kind, changed by `settings`.

    Raises
    ------
    UsageError
        If there is no such kind, a setting is unknown or out of its range, or the kind cannot read a feature.
    """
    try:
        return msgspec.convert(
            {"kind": kind, **kind_of(kind).training, **settings}, TrainingPlan, strict=False
        )
    except (msgspec.ValidationError, ValueError) as error:
        raise UsageError(f"Training {kind}: {error}") from error


def recorded_plan(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a plan among the parameters of a manifest, which say more."""
    return {name: parameters[name] for name in TrainingPlan.__struct_fields__ if name in parameters}


def _require_ranges(plan: TrainingPlan) -> None:
    for name, low, high in (
        ("horizon", 1, 252),
        ("input_size", 8, 2520),
        ("degrees_of_freedom", 2.1, 100.0),
        ("seed", 0, 2**31 - 1),
        ("max_steps", 1, 10_000_000),
        ("batch_size", 1, 65_536),
        ("accumulate", 1, 1024),
        ("learning_rate", 1e-7, 1.0),
        ("warmup_steps", 0, 1_000_000),
        ("weight_decay", 0.0, 1.0),
        ("clip", 1e-3, 1e3),
        ("check_every", 1, 1_000_000),
        ("patience", 1, 1_000_000),
        ("validation_share", 0.01, 0.5),
        ("calibration_share", 0.0, 0.5),
        ("test_share", 0.0, 0.5),
        ("season", 1, 2520),
    ):
        require_range(plan, name, low, high)


def _require_features(name: str, kind: Kind, features: tuple[str, ...]) -> None:
    unknown = [feature for feature in features if feature not in FEATURES]
    if unknown:
        raise ValueError(
            f"There is no feature {unknown[0]!r} for a model; there are {', '.join(FEATURES)}."
        )
    if len(set(features)) < len(features):
        raise ValueError("A feature is named twice.")
    if features and not kind.reads_features:
        raise UsageError(
            f"{name} reads closes alone, not {features[0]}; nhits, lstm and tft read features."
        )
