"""Makes `models/tiny-math-base`: a short supervised training that leaves much for reinforcement learning to improve."""

import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np
from nemo_rl.data.arithmetic import Problems, load_arithmetic
from nemo_rl.data.tokenizer import EOS, encode
from nemo_rl.models import network
from nemo_rl.models.optimizer import AdamW
from nemo_rl.utils.safetensors import save_file

HIDDEN_SIZE = 96
UPDATES = 8000
BATCH_SIZE = 256
LEARNING_RATE = 0.003
LONGEST_ANSWER = 4
SLIP = 0.2
"""How often a digit of a demonstration is a random one: the base model learns to doubt what it knows."""

SEED = 0


def main() -> None:
    """Train on correct answers and write the model folder."""
    problems, _ = load_arithmetic(split_validation_size=0.05)
    rng = np.random.default_rng(SEED)
    weights = initial_weights(rng)
    optimizer = AdamW(weights, LEARNING_RATE, weight_decay=0.0, betas=(0.9, 0.99), eps=1e-8)
    for _ in range(UPDATES):
        batch = problems.take(rng.integers(0, len(problems), BATCH_SIZE))
        optimizer.step(weights, gradient(weights, batch, rng), LEARNING_RATE)
    folder = ROOT / "models" / "tiny-math-base"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "model.safetensors")
    config = {"architectures": ["TinyMathModel"], "hidden_size": HIDDEN_SIZE, "torch_dtype": "float32"}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def initial_weights(rng: np.random.Generator) -> network.Weights:
    """Random weights, scaled by the number of inputs that are active at once."""
    active = {"model.hidden.weight": 6, "lm_head.weight": HIDDEN_SIZE}
    return {
        name: (rng.standard_normal(shape) / np.sqrt(active[name]) if name in active else np.zeros(shape)).astype(
            np.float32
        )
        for name, shape in network.shapes(HIDDEN_SIZE).items()
    }


def gradient(weights: network.Weights, batch: Problems, rng: np.random.Generator) -> network.Weights:
    """Gradient of the mean cross entropy of demonstrations, some digits of which are wrong."""
    answers = [encode(str(total)) for total in batch.first + batch.second]
    tokens = np.array([answer + [EOS] * (LONGEST_ANSWER - len(answer)) for answer in answers])
    slips = (rng.random(tokens.shape) < SLIP) & (tokens != EOS)
    tokens = np.where(slips, rng.integers(0, 10, tokens.shape), tokens)
    mask = np.arange(LONGEST_ANSWER) < np.array([len(answer) for answer in answers])[:, None]
    activations = network.forward(weights, network.sequence_features(batch.digits(), tokens))
    slope = np.exp(network.log_softmax(activations.logits))
    slope[np.arange(len(slope)), tokens.ravel()] -= 1.0
    slope *= mask.reshape(-1, 1) / mask.sum()
    return network.backward(weights, activations, slope.astype(np.float32))


if __name__ == "__main__":
    main()
