"""The kinds of networks that can be trained, and settings with which each trains in minutes on a CPU.

Sources: Challu et al. (2023), "NHITS: Neural Hierarchical Interpolation for Time Series Forecasting", AAAI 37;
Hochreiter and Schmidhuber (1997), "Long Short-Term Memory", Neural Computation 9; Nie et al. (2023), "A Time Series is
Worth 64 Words", ICLR (PatchTST); Vaswani et al. (2017), "Attention Is All You Need", NeurIPS 30; Lim et al. (2021),
"Temporal Fusion Transformers", International Journal of Forecasting 37; Zeng et al. (2023), "Are Transformers
Effective for Time Series Forecasting?", AAAI 37 (NLinear). The implementations are those of neuralforecast.

This module needs no torch: a plan can be checked where nothing can be trained.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trading.errors import UsageError


@dataclass(frozen=True, slots=True)
class Kind:
    """One architecture.

    Attributes
    ----------
    model : str
        Its class in `neuralforecast.models`.
    reads_features : bool
        It takes the history of other numbers beside the prices.
    network : mapping of name to value
        Its architecture parameters (those of the class) with our defaults; a plan may change these alone.
    fixed : mapping of name to value
        Parameters of the class that a plan may not change.
    training : mapping of name to value
        Defaults of the plan that differ from `TrainingPlan`'s own.
    is_sequential : bool
        Each step of its output reads the input up to that step: it gets blank bars for the steps ahead.
    """

    model: str
    reads_features: bool
    network: Mapping[str, Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    is_sequential: bool = False


KINDS: Mapping[str, Kind] = {
    "nhits": Kind(
        model="NHITS",
        reads_features=True,
        network={
            "stack_types": ["identity", "identity", "identity"],
            "n_blocks": [1, 1, 1],
            "mlp_units": [[128, 128], [128, 128]],
            "n_pool_kernel_size": [8, 4, 1],
            "n_freq_downsample": [5, 2, 1],
            "pooling_mode": "AvgPool1d",
            "interpolation_mode": "linear",
            "dropout_prob_theta": 0.1,
            "activation": "ReLU",
        },
        training={"features": ("volatility",)},
    ),
    "lstm": Kind(
        model="LSTM",
        reads_features=True,
        network={
            "encoder_n_layers": 1,
            "encoder_hidden_size": 32,
            "encoder_dropout": 0.0,
            "decoder_hidden_size": 32,
            "decoder_layers": 2,
        },
        fixed={"recurrent": False, "decoder_activation": "ReLU"},
        training={"features": ("volatility",), "batch_size": 128},
        is_sequential=True,
    ),
    "patchtst": Kind(
        model="PatchTST",
        reads_features=False,
        network={
            "encoder_layers": 2,
            "n_heads": 4,
            "hidden_size": 32,
            "linear_hidden_size": 64,
            "dropout": 0.1,
            "fc_dropout": 0.1,
            "patch_len": 8,
            "stride": 4,
            "revin": False,  # prices come in scaled already; twice costs precision
        },
    ),
    "transformer": Kind(
        model="VanillaTransformer",
        reads_features=False,
        network={
            "hidden_size": 32,
            "n_head": 4,
            "conv_hidden_size": 32,
            "encoder_layers": 2,
            "decoder_layers": 1,
            "dropout": 0.0,  # of attention: makes a step on a CPU twice as long
            "decoder_input_size_multiplier": 0.25,
        },
        training={"batch_size": 128, "max_steps": 1000},
    ),
    "tft": Kind(
        model="TFT",
        reads_features=True,
        network={"hidden_size": 32, "n_head": 4, "dropout": 0.1, "attn_dropout": 0.0},
        training={"features": ("volatility",), "batch_size": 128, "max_steps": 1000},
    ),
    "linear": Kind(
        model="NLinear", reads_features=False, network={}, training={"learning_rate": 0.03}
    ),
}


def kind_of(name: str) -> Kind:
    """Return a kind.

    Raises
    ------
    UsageError
        If there is none of that name.
    """
    if name not in KINDS:
        raise UsageError(f"There is no kind of model {name!r}; there are {', '.join(KINDS)}.")
    return KINDS[name]
