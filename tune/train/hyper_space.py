"""Which settings of a training are searched, and where they may lie.

A name is a field of `TrainingPlan`, or `network.` and an architecture parameter of the kind. The horizon, the features and
the shares of the data are no hyperparameters: they say what is forecast, and on what it is judged. Neither is the seed,
whose best value is luck.
"""

from collections.abc import Mapping

import msgspec

from trading.errors import ConfigError, UsageError
from trading.strategies.search_space import Choice, SearchSpace, Span
from tune.train.plan import TrainingPlan, plan_of

NETWORK = "network."
SETTINGS = (
    *("input_size", "target", "loss", "degrees_of_freedom", "batch_size", "accumulate"),
    *("learning_rate", "schedule", "warmup_steps", "weight_decay", "clip"),
)
"""Fields of a plan that can be searched."""
LIVE = ("learning_rate", "weight_decay", "clip", "batch_size", "accumulate")
"""Settings that can change while a network is trained: those of population-based training."""

_COMMON: SearchSpace = {
    "learning_rate": Span(1e-4, 1e-2, is_log=True),
    "batch_size": Choice((64, 128, 256, 512)),
    "weight_decay": Span(1e-6, 1e-2, is_log=True),
    "input_size": Choice((32, 64, 128)),
    "target": Choice(("log_price", "return")),
    "loss": Choice(("quantile", "student_t")),
}
_WIDTHS = tuple(((width, width), (width, width)) for width in (64, 128, 256))
SPACES: Mapping[str, SearchSpace] = {
    "nhits": {
        **_COMMON,
        "network.mlp_units": Choice(_WIDTHS),
        "network.dropout_prob_theta": Span(0.0, 0.3),
    },
    "lstm": {
        **_COMMON,
        "network.encoder_hidden_size": Choice((32, 64, 128)),
        "network.encoder_n_layers": Choice((1, 2)),
    },
    "patchtst": {
        **_COMMON,
        "network.hidden_size": Choice((16, 32, 64)),
        "network.encoder_layers": Choice((1, 2, 3)),
        "network.patch_len": Choice((8, 16)),
        "network.dropout": Span(0.0, 0.3),
    },
    "transformer": {
        **_COMMON,
        "network.hidden_size": Choice((16, 32, 64)),
        "network.encoder_layers": Choice((1, 2)),
    },
    "tft": {
        **_COMMON,
        "network.hidden_size": Choice((16, 32, 64)),
        "network.dropout": Span(0.0, 0.3),
    },
    "linear": _COMMON,
}
"""By kind."""


def space_for(base: TrainingPlan, *, is_live: bool = False) -> SearchSpace:
    """Return the search space of a kind, or the part of it that can change while a network is trained."""
    space = SPACES[base.kind]
    return {name: where for name, where in space.items() if not is_live or name in LIVE}


def require_space(base: TrainingPlan, space: SearchSpace, *, is_live: bool = False) -> None:
    """Check that a space can be searched.

    Raises
    ------
    UsageError
        Naming the setting that cannot.
    """
    known = {*SETTINGS, *(f"{NETWORK}{name}" for name in base.architecture)}
    unknown = sorted(set(space) - known)
    if unknown or not space:
        what = unknown[0] if unknown else "nothing"
        raise UsageError(
            f"{what!r} cannot be searched for {base.kind}; these can: {', '.join(sorted(known))}."
        )
    fixed = sorted(set(space) - set(LIVE))
    if is_live and fixed:
        raise UsageError(
            f"{fixed[0]!r} cannot change while a network is trained; a population searches {', '.join(LIVE)}."
        )


def plan_at(base: TrainingPlan, params: Mapping[str, object]) -> TrainingPlan:
    """Return the plan at one point of a space.

    Raises
    ------
    ConfigError
        If the kind refuses it.
    """
    plain = msgspec.json.decode(msgspec.json.encode(params))
    settings = msgspec.to_builtins(base)
    for name, value in plain.items():
        if name.startswith(NETWORK):
            settings["network"] = {**settings["network"], name.removeprefix(NETWORK): value}
        else:
            settings[name] = value
    try:
        return plan_of(**settings)
    except UsageError as error:
        raise ConfigError(str(error)) from error


def input_sizes(base: TrainingPlan, space: SearchSpace) -> tuple[int, int]:
    """Return the least and the largest number of closes that a plan of the space reads."""
    where = space.get("input_size")
    if where is None:
        return base.input_size, base.input_size
    values = where.values if isinstance(where, Choice) else (where.low, where.high)
    sizes = [int(str(value)) for value in values]
    return min(sizes), max(sizes)
