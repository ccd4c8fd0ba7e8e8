"""Numbers as a person reads them in a verdict."""

from autoresearch.verdict.evidence import Effect


def runs(count: int, kind: str = "run") -> str:
    """`1 run`, `3 runs`, and likewise for another `kind` of run."""
    return f"{count} {kind}" if count == 1 else f"{count} {kind}s"


def gain(effect: Effect, kind: str = "run") -> str:
    """`+0.004 [-0.011, +0.019] over 3 runs`: gain, 90 % interval, how many runs of which `kind` the candidate has."""
    low, high = effect.low, effect.high
    interval = "(noise not measured)" if low is None or high is None else f"[{low:+.3g}, {high:+.3g}]"
    pairs = " on common seeds" if effect.paired else ""
    part = " (validation noise only; nothing was repeated)" if effect.error is not None and not effect.freedom else ""
    return f"{effect.gain:+.3g} {interval} over {runs(effect.runs, kind)}{pairs}{part}"
