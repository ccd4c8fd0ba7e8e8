"""The clipped policy gradient loss with a penalty for leaving the reference policy, and its derivative."""

from typing import NamedTuple, TypedDict

import numpy as np


class ClippedPGLossConfig(TypedDict):
    """Section `loss_fn` of a recipe."""

    reference_policy_kl_penalty: float
    reference_policy_kl_type: str
    kl_input_clamp_value: float | None
    kl_output_clamp_value: float | None
    ratio_clip_min: float
    ratio_clip_max: float
    ratio_clip_c: float | None
    token_level_loss: bool


class TokenTerms(NamedTuple):
    """Per token, shape [answers, length]: loss, its derivative by the log probability, ratio, and KL estimate."""

    loss: np.ndarray
    slope: np.ndarray
    ratio: np.ndarray
    kl: np.ndarray


class ClippedPGLoss:
    """PPO's clipped surrogate (https://arxiv.org/abs/1707.06347, equation 7) plus a KL penalty."""

    def __init__(self, config: ClippedPGLossConfig) -> None:
        self.config = config

    def terms(
        self, logprobs: np.ndarray, previous: np.ndarray, reference: np.ndarray, advantages: np.ndarray
    ) -> TokenTerms:
        """Loss of each token, not yet averaged.

        Args:
            logprobs: Log probability of each token under the policy being trained [answers, length].
            previous: The same under the policy that wrote the answers.
            reference: The same under the frozen base model.
            advantages: Advantage of each answer [answers].
        """
        surrogate, surrogate_slope, ratio = self._surrogate(logprobs - previous, advantages[:, None])
        kl, kl_slope = self._kl(reference - logprobs)
        penalty = self.config["reference_policy_kl_penalty"]
        return TokenTerms(surrogate + penalty * kl, surrogate_slope + penalty * kl_slope, ratio, kl)

    def weights(self, mask: np.ndarray) -> np.ndarray:
        """Weight of each token in the mean: equal over tokens, or equal over answers."""
        if self.config["token_level_loss"]:
            return mask / max(mask.sum(), 1)
        return mask / np.maximum(mask.sum(axis=1, keepdims=True), 1) / len(mask)

    def _surrogate(self, log_ratio: np.ndarray, advantage: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        ratio = np.exp(log_ratio)
        clipped = np.clip(ratio, 1 - self.config["ratio_clip_min"], 1 + self.config["ratio_clip_max"])
        plain, held = -advantage * ratio, -advantage * clipped
        loss = np.maximum(plain, held)
        slope = np.where(plain >= held, plain, 0.0)
        if (ceiling := self.config["ratio_clip_c"]) is not None:
            bound = -advantage * ceiling
            beyond = (advantage < 0) & (loss > bound)
            loss, slope = np.where(beyond, bound, loss), np.where(beyond, 0.0, slope)
        return loss, slope, ratio

    def _kl(self, log_ratio: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Estimate of KL(policy, reference) and its slope; kinds k1 to k3 of http://joschu.net/blog/kl-approx.html."""
        limit = self.config["kl_input_clamp_value"] or np.inf
        inside = np.abs(log_ratio) <= limit
        log_ratio = np.clip(log_ratio, -limit, limit)
        match self.config["reference_policy_kl_type"]:
            case "k1":
                kl, slope = -log_ratio, np.ones_like(log_ratio)
            case "k2":
                kl, slope = log_ratio**2 / 2, -log_ratio
            case "k3":
                kl, slope = np.exp(log_ratio) - log_ratio - 1, 1 - np.exp(log_ratio)
            case unknown:
                raise ValueError(f"unknown reference_policy_kl_type {unknown!r}: k1, k2 and k3 are known")
        most = self.config["kl_output_clamp_value"] or np.inf
        return np.clip(kl, -most, most), np.where(inside & (np.abs(kl) <= most), slope, 0.0)
