"""What fresh seeds say: comparisons by runs that chose nothing, and by no others."""

from autoresearch.experiment.board import Trial
from autoresearch.experiment.outcome import BASELINE
from autoresearch.verdict.arms import sort
from autoresearch.verdict.evidence import FRESH, Effect, Evidence


def confirmed(evidence: Evidence, arm: str, against: str) -> Effect | None:
    """Gain of `arm` over `against` from fresh seeds alone, None without a fresh run of both.

    Each side's mean is over its fresh runs; common seeds are paired when their correlation is real.
    """
    chosen = tuple(trial for trial in evidence.board.trials if trial.purpose in FRESH)
    if not any(trial.arm == arm for trial in chosen):
        return None
    alone = _FreshEvidence(evidence, chosen)
    return alone.compare(arm, against, credit=False)


class _FreshEvidence(Evidence):
    """The same board seen through its fresh runs, with the noise of the whole campaign."""

    def __init__(self, whole: Evidence, chosen: tuple[Trial, ...]) -> None:
        super().__init__(whole.board)
        self.whole_runs_exist = whole.whole_runs_exist
        self.arms = sort(chosen, self.sign, partial_judges=not self.whole_runs_exist)
        self.noise = whole.noise


def left_out(evidence: Evidence, idea: str) -> str:
    """Name of the bundle that holds every kept change but `idea`; empty when there is none."""
    rest = frozenset(evidence.held) - {idea}
    return next(
        (
            bundle.name
            for bundle in evidence.board.bundles
            if bundle.parent == BASELINE and frozenset(bundle.ideas) == rest and not bundle.conflict
        ),
        "",
    )
