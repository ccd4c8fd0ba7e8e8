"""Symptoms of a NeMo-RL run: the rules of every framework over its tags, and what only it can show. Pure."""

from collections.abc import Mapping

from autoresearch.run.measurement import Readings
from autoresearch.run.post_mortem import crash_symptoms, worst_first
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets import curve_rules
from autoresearch.targets.curve_rules import SPAN, HealthRule, RunCurves, shown_by
from autoresearch.targets.nemo_rl import grammar

ROLES: curve_rules.Roles = {
    "loss": ("train/loss",),
    "gradient": ("train/grad_norm",),
    "reward": ("train/reward",),
    "validation": (r"validation/accuracy", r"validation(?:-[^/]+)?/(?:accuracy|total_reward/mean)"),
    "kl": ("train/kl_penalty",),
    "entropy": ("train/approx_entropy",),
    "length": ("train/mean_gen_tokens_per_sample",),
    "truncation": ("train/truncation_rate",),
    "token_error": ("train/token_mult_prob_error",),
    "kl_error": ("train/gen_kl_error",),
    "none_right": ("train/baseline_reward/pct_0",),
    "all_right": ("train/baseline_reward/pct_1",),
}
"""What NeMo-RL calls its curves."""


def _ratio(curves: RunCurves, part: str, whole: str) -> float:
    share, total = curves.late(part), curves.late(whole)
    return share / total if share is not None and total else 0.0


def _generation_bound(curves: RunCurves) -> str:
    """Synchronous runs log `generation`; asynchronous ones the part of it that training waits for."""
    tags = ("timing/train/exposed_generation", "timing/train/generation")
    tag = next((each for each in tags if curves.finite(each)), tags[-1])
    share = _ratio(curves, tag, "timing/train/total_step_time")
    return f"{tag} takes {share:.0%} of a step" if share > 0.65 else ""


def _low_gpu_use(curves: RunCurves) -> str:
    by_gpu = curves.matching(r"ray/node\.\d+\.gpu\.\d+\.util")
    values = [value for each in by_gpu.values() for value in each]
    used = sum(values) / max(len(values), 1)  # not fmean, which refuses numbers too wild to be a share of anything
    if len(values) < SPAN or used >= 30:
        return ""
    return f"GPUs are used {used:.0f} % on average ({len(by_gpu)} GPUs)"


def _idle_workers(curves: RunCurves) -> str:
    late = curves.late("performance/training_worker_idle_time_ratio")
    return f"training workers idle {late:.0%} of the time" if late is not None and late > 0.3 else ""


def _bad_tool_calls(curves: RunCurves) -> str:
    """Logged where a recipe sets an advantage for either (nemo_rl/algorithms/grpo.py:2087 at 7ea279abf)."""
    tags = ("train/invalid_tool_call_rate", "train/malformed_thinking_rate")
    shares = {tag: late for tag in tags if (late := curves.late(tag)) is not None and late > 0.2}
    return ", ".join(f"{tag} is {late:.0%} of assistant messages" for tag, late in shares.items())


def _more_turns(curves: RunCurves) -> str:
    """NeMo-Gym's name for the number of turns, and that of others (nemo_rl/experience/rollouts.py:2678, 1422)."""
    tags = ("train/turns_per_sample/mean", "train/avg_turns_per_sample")
    tag = next((each for each in tags if curves.finite(each)), tags[0])
    early, late, reward = curves.early(tag), curves.late(tag), curves.tag("reward")
    before, after = curves.early(reward), curves.late(reward)
    if not early or late is None or before is None or after is None or late < 1.5 * early or after > before:
        return ""
    return f"{tag} went from {early:.3g} to {late:.3g} and {reward} did not rise"


RULES: tuple[HealthRule, ...] = (
    *curve_rules.RULES,
    HealthRule(
        "generation-bound",
        _generation_bound,
        "Rollouts take most of a step: shorter answers, asynchronous rollouts, or more generation workers.",
        Severity.INFO,
    ),
    HealthRule(
        "bad-tool-calls",
        _bad_tool_calls,
        "Calls that are written as text are never carried out: raise their penalty, or begin with a model or a chat "
        "template that makes proper ones.",
    ),
    HealthRule(
        "more-turns", _more_turns, "Longer conversations that earn nothing: limit turns in the agent, or price them."
    ),
    HealthRule("idle-workers", _idle_workers, "Balance sequences between workers or pack them.", Severity.INFO),
    HealthRule(
        "low-gpu-use",
        _low_gpu_use,
        "GPUs wait: larger micro batches, fewer off-loads, or rollouts and training in parallel.",
        Severity.INFO,
    ),
)


def health(log_tail: str, readings: Mapping[str, Readings]) -> tuple[Symptom, ...]:
    """Crash signatures and symptoms, worst first."""
    curves = RunCurves(grammar.with_tail(readings, log_tail), ROLES)
    return worst_first([*crash_symptoms(log_tail), *shown_by(RULES, curves)])
