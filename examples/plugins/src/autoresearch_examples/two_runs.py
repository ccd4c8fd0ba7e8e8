"""Two runs each, the mean decides: a policy that one can explain in a sentence."""

from statistics import fmean

from autoresearch.experiment.board import (
    Advice,
    Board,
    Done,
    Idea,
    Measure,
    PolicySettings,
    Propose,
    Rest,
    Settle,
    Trial,
)
from autoresearch.experiment.outcome import BASELINE, Purpose, Status, Verdict

RUNS = 2


class TwoRuns:
    """Keeps an idea when the mean of its two runs is better than the incumbent's mean."""

    name = "two-runs"

    def baseline_runs(self, settings: PolicySettings) -> int:
        """Two, or what the campaign file says."""
        return settings.baseline_runs or RUNS

    def advise(self, board: Board) -> Advice:
        """The baseline, then open ideas, then new ones; a pure function of the board."""
        return self._baseline(board) or self._judge(board) or _explore(board)

    def _baseline(self, board: Board) -> Advice | None:
        runs = _runs(board, BASELINE)
        if len(runs) < self.baseline_runs(board.settings) and _affordable(board) and not _crashed(runs):
            return Measure(BASELINE, board.settings.first_seed + len(runs), Purpose.BASELINE, "what an idea must beat")
        if _values(runs):
            return None
        if any(run.pending for run in runs):
            return Rest("waiting for the baseline")
        return Done("the baseline gave no value; nothing can be judged without one")

    def _judge(self, board: Board) -> Advice | None:
        """What the first open idea needs that needs anything; None while all wait for their runs."""
        open_ideas = [idea for idea in board.ideas if idea.verdict is None]
        return next((advice for idea in open_ideas if (advice := self._next(board, idea))), None)

    def _next(self, board: Board, idea: Idea) -> Measure | Settle | None:
        runs = _runs(board, idea.name)
        if idea.broken:
            return self._settle(board, idea, Status.CRASH, f"no run was possible: {idea.broken}")
        if len(runs) < min(RUNS, board.settings.max_runs) and _affordable(board) and not _crashed(runs):
            purpose = Purpose.REPEAT if runs else Purpose.EXPLORE
            return Measure(idea.name, board.settings.first_seed + len(runs), purpose, "two runs each")
        if any(run.pending for run in runs):
            return None
        if not _values(runs):
            return self._settle(board, idea, Status.CRASH, "no run gave a value")
        if any(run.plumbing for run in runs):
            return self._settle(board, idea, Status.KEEP, "it runs, but too short to be judged; the incumbent stays")
        return self._compare(board, idea)

    def _compare(self, board: Board, idea: Idea) -> Settle:
        ours, bar = _mean(board, idea.name), _mean(board, board.incumbent)
        gain = board.objective.gain(ours, bar)
        status = Status.KEEP if gain > 0 else Status.DISCARD
        reason = f"mean {ours:.6g} against {bar:.6g} of {board.incumbent}"
        return self._settle(board, idea, status, reason, gain)

    def _settle(self, board: Board, idea: Idea, status: Status, reason: str, gain: float | None = None) -> Settle:
        values = _values(_runs(board, idea.name))
        value = fmean(values) if values else None
        verdict = Verdict(status=status, reason=reason, value=value, effect=gain, runs=len(values), by=self.name)
        return Settle(idea.name, verdict, incumbent=idea.name if gain is not None and gain > 0 else None)


def _explore(board: Board) -> Advice:
    if board.may_explore and not board.no_more_ideas and _affordable(board):
        return Propose(board.incumbent, "two-runs: one idea at a time, two runs each")
    if any(trial.pending for trial in board.trials):
        return Rest("waiting for runs")
    return Done("every idea is judged")


def _affordable(board: Board) -> bool:
    return board.runs_left is None or board.runs_left > 0


def _runs(board: Board, arm: str) -> list[Trial]:
    return [trial for trial in board.trials if trial.arm == arm]


def _crashed(runs: list[Trial]) -> bool:
    return any(run.value is None and not run.pending for run in runs)


def _values(runs: list[Trial]) -> list[float]:
    return [run.value for run in runs if run.value is not None]


def _mean(board: Board, arm: str) -> float:
    return fmean(_values(_runs(board, arm)))
