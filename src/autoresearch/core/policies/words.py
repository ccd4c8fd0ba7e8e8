"""Numbers as a person reads them in a verdict."""

from autoresearch.core.policies.evidence import Effect


def runs(count: int) -> str:
    """`1 run`, `3 runs`."""
    return f"{count} run" if count == 1 else f"{count} runs"


def gain(effect: Effect) -> str:
    """`+0.004 [-0.011, +0.019] over 3 runs`: gain, 90 % interval, runs of the candidate."""
    low, high = effect.low, effect.high
    interval = "(noise not measured)" if low is None or high is None else f"[{low:+.3g}, {high:+.3g}]"
    pairs = " on common seeds" if effect.paired else ""
    part = " (validation noise only; nothing was repeated)" if effect.error is not None and not effect.freedom else ""
    return f"{effect.gain:+.3g} {interval} over {runs(effect.runs)}{pairs}{part}"
