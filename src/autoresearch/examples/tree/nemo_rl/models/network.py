"""The policy as a function: problem digits and the answer so far in, logits of the next token out.

One hidden layer. Weights are a dictionary of arrays of one precision, and gradients, optimizer states and checkpoints
are dictionaries with the same names, shapes and precision. Products are summed in float32 whatever that precision is.
"""

from typing import NamedTuple

import numpy as np

from nemo_rl.data.tokenizer import BOS, NUM_INPUTS, NUM_OUTPUTS

Weights = dict[str, np.ndarray]

MAX_POSITIONS = 6
NUM_FEATURES = 4 * 10 + MAX_POSITIONS + NUM_INPUTS
_DIGIT_OFFSETS = np.arange(4) * 10


class Activations(NamedTuple):
    """What the backward pass needs again: inputs [rows, features], hidden units [rows, hidden], logits [rows, tokens]."""

    inputs: np.ndarray
    hidden: np.ndarray
    logits: np.ndarray


def shapes(hidden_size: int) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight."""
    return {
        "model.hidden.weight": (NUM_FEATURES, hidden_size),
        "model.hidden.bias": (hidden_size,),
        "lm_head.weight": (hidden_size, NUM_OUTPUTS),
        "lm_head.bias": (NUM_OUTPUTS,),
    }


def features(digits: np.ndarray, previous: np.ndarray, position: np.ndarray) -> np.ndarray:
    """One-hot inputs of shape [rows, NUM_FEATURES].

    Args:
        digits: Problem digits [rows, 4].
        previous: Token written before this one [rows].
        position: Its place in the answer, from 0 [rows].
    """
    inputs = np.zeros((len(digits), NUM_FEATURES), dtype=np.float32)
    rows = np.arange(len(digits))
    inputs[rows[:, None], digits + _DIGIT_OFFSETS] = 1.0
    inputs[rows, 40 + position] = 1.0
    inputs[rows, 40 + MAX_POSITIONS + previous] = 1.0
    return inputs


def sequence_features(digits: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Inputs of every position of given answers, of shape [answers * length, NUM_FEATURES]."""
    count, length = tokens.shape
    previous = np.concatenate([np.full((count, 1), BOS), tokens[:, :-1]], axis=1)
    return features(np.repeat(digits, length, axis=0), previous.ravel(), np.tile(np.arange(length), count))


def forward(weights: Weights, inputs: np.ndarray) -> Activations:
    """Run the network on inputs [rows, NUM_FEATURES]."""
    hidden = np.maximum(inputs @ _wide(weights["model.hidden.weight"]) + weights["model.hidden.bias"], 0.0)
    return Activations(inputs, hidden, hidden @ _wide(weights["lm_head.weight"]) + weights["lm_head.bias"])


def backward(weights: Weights, done: Activations, grad_logits: np.ndarray) -> Weights:
    """Gradient of a loss by the weights, from its gradient by the logits [rows, tokens]."""
    grad_hidden = (grad_logits @ _wide(weights["lm_head.weight"]).T) * (done.hidden > 0)
    gradient = {
        "model.hidden.weight": done.inputs.T @ grad_hidden,
        "model.hidden.bias": grad_hidden.sum(axis=0),
        "lm_head.weight": done.hidden.T @ grad_logits,
        "lm_head.bias": grad_logits.sum(axis=0),
    }
    return {name: value.astype(weights[name].dtype) for name, value in gradient.items()}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logarithm of the softmax along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def _wide(weight: np.ndarray) -> np.ndarray:
    return weight.astype(np.float32, copy=False)
