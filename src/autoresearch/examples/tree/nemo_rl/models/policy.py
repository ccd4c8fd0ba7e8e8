"""The policy: writes answers, scores them, and learns from what they earned."""

import json
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

import numpy as np

from nemo_rl.algorithms.loss_functions import ClippedPGLoss, TokenTerms
from nemo_rl.data.arithmetic import Problems
from nemo_rl.data.tokenizer import BOS, EOS
from nemo_rl.models import network
from nemo_rl.models.memory import DeviceMemory
from nemo_rl.models.network import Weights
from nemo_rl.models.optimizer import AdamW, clip_gradient
from nemo_rl.utils.safetensors import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
_OPTIMIZERS = {"AdamW": AdamW}


class GenerationConfig(TypedDict):
    """Section `policy.generation` of a recipe."""

    max_new_tokens: int
    temperature: float
    val_temperature: float
    precision: str


class PolicyConfig(TypedDict):
    """Section `policy` of a recipe."""

    model_name: str
    hf_config_overrides: dict[str, Any]
    precision: str
    train_global_batch_size: int
    train_micro_batch_size: int
    max_grad_norm: float | None
    optimizer: dict[str, Any]
    scheduler: list[dict[str, Any]] | None
    generation: GenerationConfig


class Answers(NamedTuple):
    """Generated answers: tokens, which of them count, and their log probabilities when written; all [answers, length]."""

    tokens: np.ndarray
    mask: np.ndarray
    logprobs: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each answer, end token included, of shape [answers]."""
        return self.mask.sum(axis=1)

    @property
    def truncated(self) -> np.ndarray:
        """Which answers ran into the length limit before they ended, of shape [answers]."""
        return ~np.any((self.tokens == EOS) & (self.mask > 0), axis=1)


class Policy:
    """A base model being trained, its frozen reference copy, and its optimizer."""

    def __init__(self, config: PolicyConfig, device_memory_mib: float) -> None:
        self.config = config
        base = load_base_model(config["model_name"], config["hf_config_overrides"])
        self.weights = {name: value.astype(config["precision"]) for name, value in base.items()}
        self.reference = {name: value.copy() for name, value in self.weights.items()}
        kind = config["optimizer"]["name"].rsplit(".", 1)[-1]
        if kind not in _OPTIMIZERS:
            raise ValueError(f"unknown optimizer {kind!r}: known are {', '.join(_OPTIMIZERS)}")
        self.optimizer = _OPTIMIZERS[kind](self.weights, **config["optimizer"]["kwargs"])
        self.memory = DeviceMemory(device_memory_mib)
        self.memory.allocate(3 * sum(value.nbytes for value in self.weights.values()) + self.optimizer.nbytes)

    def generate(self, problems: Problems, rng: np.random.Generator, temperature: float) -> Answers:
        """Sample one answer per problem.

        The generation copy of the weights has the precision the recipe asks for, so the log probabilities here differ
        a little from those of the training copy, as they do between an inference engine and a trainer.
        """
        precision = np.dtype(self.config["generation"]["precision"])
        weights = {name: _rounded(value, precision) for name, value in self.weights.items()}
        digits, count, length = problems.digits(), len(problems), self.config["generation"]["max_new_tokens"]
        tokens = np.full((count, length), EOS)
        mask, logprobs = np.zeros((count, length)), np.zeros((count, length))
        previous, running = np.full(count, BOS), np.ones(count, dtype=bool)
        for position in range(length):
            inputs = network.features(digits, previous, np.full(count, position))
            logits = _rounded(network.forward(weights, inputs).logits, precision)
            scores = network.log_softmax(logits / temperature)
            thresholds = rng.random(count)
            drawn = np.minimum((np.exp(scores).cumsum(axis=1) < thresholds[:, None]).sum(axis=1), EOS)
            tokens[running, position], mask[running, position] = drawn[running], 1.0
            logprobs[:, position] = np.where(running, scores[np.arange(count), drawn], 0.0)
            running &= drawn != EOS
            previous = drawn
        return Answers(tokens, mask, logprobs)

    def logprobs(self, problems: Problems, answers: Answers, *, of_reference: bool = False) -> np.ndarray:
        """Log probabilities of given answers under the current or the reference weights, [answers, length]."""
        weights = self.reference if of_reference else self.weights
        inputs = network.sequence_features(problems.digits(), answers.tokens)
        return self._forward(weights, inputs, answers)[2] * answers.mask

    def train(
        self,
        problems: Problems,
        answers: Answers,
        previous: np.ndarray,
        reference: np.ndarray,
        advantages: np.ndarray,
        loss_fn: ClippedPGLoss,
        lr: float,
    ) -> dict[str, float]:
        """Take one optimizer step per global batch of answers.

        Args:
            problems: The question of each answer.
            answers: What was generated.
            previous: Log probabilities under the weights before this call [answers, length].
            reference: Log probabilities under the reference weights [answers, length].
            advantages: Advantage of each answer [answers].
            loss_fn: The loss.
            lr: Learning rate.

        Returns:
            Training metrics, averaged over the optimizer steps.
        """
        size = self.config["train_global_batch_size"]
        collected = []
        for begin in range(0, len(advantages), size):
            rows = slice(begin, begin + size)
            batch = Answers(*(column[rows] for column in answers))
            metrics, gradient = self._gradient(
                problems.take(rows), batch, previous[rows], reference[rows], advantages[rows], loss_fn
            )
            metrics["grad_norm"] = clip_gradient(gradient, self.config["max_grad_norm"])
            self.optimizer.step(self.weights, gradient, lr)
            collected.append(metrics)
        return {name: float(np.mean([metrics[name] for metrics in collected])) for name in collected[0]}

    def save(self, folder: Path, *, save_optimizer: bool) -> None:
        """Write weights, and the optimizer's state if wanted, into `folder`."""
        parts = {"weights": self.weights} | ({"optimizer": self.optimizer.state()} if save_optimizer else {})
        for name, arrays in parts.items():
            (folder / name).mkdir(parents=True)
            save_file(arrays, folder / name / "model.safetensors")

    def load(self, folder: Path) -> None:
        """Continue from what `save` wrote."""
        self.weights = load_file(folder / "weights" / "model.safetensors")
        if (folder / "optimizer").exists():
            self.optimizer.load_state(load_file(folder / "optimizer" / "model.safetensors"))

    def _gradient(
        self,
        problems: Problems,
        answers: Answers,
        previous: np.ndarray,
        reference: np.ndarray,
        advantages: np.ndarray,
        loss_fn: ClippedPGLoss,
    ) -> tuple[dict[str, float], Weights]:
        """Loss metrics and gradient of one global batch, accumulated over micro batches."""
        token_weights = loss_fn.weights(answers.mask)
        total = {name: np.zeros_like(value) for name, value in self.weights.items()}
        sums: dict[str, float] = {}
        size = self.config["train_micro_batch_size"]
        for begin in range(0, len(advantages), size):
            rows = slice(begin, begin + size)
            batch = Answers(*(column[rows] for column in answers))
            inputs = network.sequence_features(problems.take(rows).digits(), batch.tokens)
            activation_bytes = inputs.nbytes + 4 * len(inputs) * (2 * len(self.weights["model.hidden.bias"]) + 3 * EOS)
            self.memory.allocate(activation_bytes)
            activations, scores, logprobs = self._forward(self.weights, inputs, batch)
            terms = loss_fn.terms(logprobs, previous[rows], reference[rows], advantages[rows])
            slope = np.where(batch.mask > 0, terms.slope * token_weights[rows], 0.0)
            grad_logits = self._logit_gradient(scores, batch.tokens, slope)
            for name, value in network.backward(self.weights, activations, grad_logits).items():
                total[name] += value
            weights = token_weights[rows]
            for name, column in _token_metrics(terms, scores, batch).items():
                sums[name] = sums.get(name, 0.0) + float(np.sum(np.where(batch.mask > 0, column * weights, 0.0)))
            self.memory.free(activation_bytes)
        return sums, total

    def _forward(
        self, weights: Weights, inputs: np.ndarray, answers: Answers
    ) -> tuple[network.Activations, np.ndarray, np.ndarray]:
        """Activations, log probabilities of all tokens [rows, tokens], and of the written ones [answers, length]."""
        activations = network.forward(weights, inputs)
        scores = network.log_softmax(activations.logits / self.config["generation"]["temperature"])
        written = scores[np.arange(len(scores)), answers.tokens.ravel()].reshape(answers.tokens.shape)
        return activations, scores, written

    def _logit_gradient(self, scores: np.ndarray, tokens: np.ndarray, slope: np.ndarray) -> np.ndarray:
        """Derivative of the loss by the logits: of log softmax it is one-hot minus probabilities."""
        gradient = -np.exp(scores) * slope.reshape(-1, 1)
        gradient[np.arange(len(scores)), tokens.ravel()] += slope.ravel()
        return (gradient / self.config["generation"]["temperature"]).astype(np.float32)


def load_base_model(name: str, overrides: dict[str, Any]) -> Weights:
    """Weights of a base model, a folder with `config.json` and `model.safetensors`.

    Args:
        name: Its path, relative to the repository.
        overrides: Changes to its `config.json`.

    Raises:
        RuntimeError: A weight does not have the shape the configuration asks for.
    """
    config = json.loads((ROOT / name / "config.json").read_text()) | overrides
    weights = load_file(ROOT / name / "model.safetensors")
    wrong = [
        f"size mismatch for {key}: copying a param with shape {weights[key].shape} from checkpoint, "
        f"the shape in current model is {shape}."
        for key, shape in network.shapes(config["hidden_size"]).items()
        if weights[key].shape != shape
    ]
    if wrong:
        raise RuntimeError("Error(s) in loading state_dict for TinyMathModel:\n\t" + "\n\t".join(wrong))
    return weights


def _rounded(values: np.ndarray, precision: np.dtype) -> np.ndarray:
    """Values as they look after a round trip through another precision."""
    with np.errstate(over="ignore"):
        return values.astype(precision).astype(np.float32)


def _token_metrics(terms: TokenTerms, scores: np.ndarray, answers: Answers) -> dict[str, np.ndarray]:
    entropy = -(np.exp(scores) * scores).sum(axis=1).reshape(answers.tokens.shape)
    return {
        "loss": terms.loss,
        "kl_penalty": terms.kl,
        "probs_ratio": terms.ratio,
        "approx_entropy": entropy,
    }
