"""Weights of a network as a file: what a later training goes on from."""

from safetensors import SafetensorError
from safetensors.torch import load, save

from trading.errors import ModelCorrupt
from tune.train.learner import Weights

WEIGHTS = "weights.safetensors"
"""File of a registered version."""


def encode_weights(weights: Weights) -> bytes:
    """Return weights as the content of a safetensors file, which holds numbers and no code."""
    apart = {name: each.detach().cpu().contiguous().clone() for name, each in weights.items()}
    content: bytes = save(apart)
    return content


def decode_weights(content: bytes) -> Weights:
    """Return the weights that `encode_weights` wrote.

    Raises
    ------
    ModelCorrupt
        If it did not.
    """
    try:
        weights: Weights = load(content)
    except SafetensorError as error:
        raise ModelCorrupt(f"The weights of the model cannot be read ({error}).") from error
    return weights
