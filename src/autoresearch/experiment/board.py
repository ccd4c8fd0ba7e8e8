"""What a verdict policy sees, and what it may ask for: values in, values out.

A policy never meets git, a clock or a scheduler. The engine lays out the *board* (every idea, every run), asks
`advise`, and carries the advice out. The simulator does the same with invented runs, so the code that decides over
GPUs is the code that was simulated.
"""

from dataclasses import dataclass

from autoresearch.experiment.outcome import Purpose, Verdict
from autoresearch.run.measurement import Objective


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One run as a policy sees it.

    Attributes:
        arm: Name of the experiment or bundle that ran; `baseline` for the baseline.
        seed: Its training seed. Trials of two arms with one seed are paired.
        purpose: Why it was made.
        pending: Whether it is still queued or running.
        value: The metric, None when there is no valid one (crash, NaN, no metric).
        standard_error: Evaluation noise of `value` (finite validation set), None when unknown.
        plumbing: The run was too small to judge a training idea by; it may show a crash and nothing else (R113).
        partial: It ended before its last step (time-out, early kill).
        order: Position in time among all runs of the campaign, for drift.
        note: Why there is no value, in words.
        samples: Rewards of the single validation samples behind `value`, in the validation set's order; empty when not
            offered.
        prompts: Fingerprint of what those samples asked; runs with different ones are never paired sample by sample.
        excused: Whether its lack of a value says nothing about what was run.
        evaluated: Whether a program that the run could not reach gave the value, or the same value.
        doubt: What is odd about the value beside the run's own curve; empty when nothing is.
        unverified: Whether nothing but the run itself vouches for the value.
    """

    arm: str
    seed: int
    purpose: Purpose = Purpose.EXPLORE
    pending: bool = False
    value: float | None = None
    standard_error: float | None = None
    plumbing: bool = False
    partial: bool = False
    order: int = 0
    note: str = ""
    samples: tuple[float, ...] = ()
    prompts: str = ""
    excused: bool = False
    evaluated: bool = False
    doubt: str = ""
    unverified: bool = False


@dataclass(frozen=True, kw_only=True)
class Idea:
    """One experiment as a policy sees it.

    Attributes:
        name: The experiment's name.
        parent: Name of the arm whose commit it was made from.
        verdict: The judgement, None while open.
        complexity: Lines and keys added minus removed; negative when it simplifies.
        simplifies: Declared to remove more than it adds, and borne out by its commit (R106).
        unlocks: Declared to be needed by later ideas (R107).
        keys: Recipe keys and files it touches; two ideas that share one are never bundled.
        seeds: Number of seeds its hypothesis asked for, None to leave it to the policy.
        broken: Why it can never have a valid run (breach, refused config), empty when it can.
        fatal: Whether its failed run shows that the idea itself is poor, not a trivial bug (R111).
        untested: Whether all its runs were taken away, as often as they were made, so that nothing is known of it.
        vouched: Whether a person gave the verdict.
        own_code: Whether it changes code that its runs carry out, and so could write their number.
        grips: What of that gets hold of what measures.
        crosses: The idea that it puts on top of its parent, nobody having been asked; empty for a new one.
    """

    name: str
    parent: str
    verdict: Verdict | None = None
    complexity: int = 0
    simplifies: bool = False
    unlocks: bool = False
    keys: frozenset[str] = frozenset()
    seeds: int | None = None
    broken: str = ""
    fatal: bool = False
    untested: bool = False
    vouched: bool = False
    own_code: bool = False
    grips: tuple[str, ...] = ()
    crosses: str = ""


@dataclass(frozen=True)
class Bundle:
    """Several ideas merged on one branch from a common parent.

    Attributes:
        name: The bundle's arm name.
        ideas: The experiments merged into it.
        parent: The arm it starts from.
        conflict: Why it could not be merged, empty when it could.
    """

    name: str
    ideas: tuple[str, ...]
    parent: str
    conflict: str = ""


@dataclass(frozen=True)
class TakenBack:
    """Runs of an arm without a number that nothing but what they said or did themselves excuses.

    Attributes:
        arm: What ran.
        runs: How many.
        own_code: How many of them ran code that an idea of the arm wrote, and that can have made it up.
    """

    arm: str
    runs: int
    own_code: int


@dataclass(frozen=True)
class PolicySettings:
    """What the campaign file says about judging.

    Attributes:
        worth: Smallest gain one would care about, in the metric's unit; None when not declared.
        max_runs: Most runs one experiment may get before it is judged.
        confirm: Share of the run budget kept for fresh seeds at the end, at most.
        baseline_runs: Runs of the baseline before the first idea, None for the policy's own number.
        first_seed: Seed of the first run; further ones count up from it.
        holds: Whether code of an idea's own, whose numbers nothing but its runs vouches for, waits for a person.
    """

    worth: float | None = None
    max_runs: int = 8
    confirm: float = 0.15
    baseline_runs: int | None = None
    first_seed: int = 42
    holds: bool = False


@dataclass(frozen=True, kw_only=True)
class Board:
    """The whole campaign as a policy sees it.

    Attributes:
        objective: What better means.
        settings: What the campaign file says about judging.
        ideas: Experiments other than the baseline, in order of attempt.
        trials: Every run so far, oldest first, pending ones included.
        bundles: Bundles made so far.
        incumbent: Arm whose commit is the best kept: `baseline`, an experiment, or a bundle.
        may_explore: Whether the stop rule still allows a new experiment.
        runs_left: Runs that still fit into the budget, None when nothing limits them.
        runs_total: Runs the whole campaign can hold, None when nothing limits them.
        no_more_ideas: Every researcher has said that it has none left.
        ideas_left: New experiments that a count in the stop rule still allows, None without such a count.
        supply: Ideas that researchers have in all, None where nobody can count them.
        taken_back: Runs that are excused in their own words, whether they were made again or not.
        made_again: How many runs are not among the trials, as they were made again.
    """

    objective: Objective
    settings: PolicySettings = PolicySettings()
    ideas: tuple[Idea, ...] = ()
    trials: tuple[Trial, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    incumbent: str = "baseline"
    may_explore: bool = True
    runs_left: int | None = None
    runs_total: int | None = None
    no_more_ideas: bool = False
    ideas_left: int | None = None
    supply: int | None = None
    taken_back: tuple[TakenBack, ...] = ()
    made_again: int = 0


@dataclass(frozen=True)
class Propose:
    """Ask a researcher for a new idea, to start from `parent`; a policy says that it is `free` to start elsewhere.

    Where it `crosses` a line with `parent`, nobody is asked.
    """

    parent: str
    why: str = ""
    free: bool = False
    crosses: str = ""


@dataclass(frozen=True)
class Measure:
    """Run `arm` once more with `seed`."""

    arm: str
    seed: int
    purpose: Purpose
    why: str = ""


@dataclass(frozen=True)
class Combine:
    """Merge `ideas` on top of `parent` as a bundle called `name`; it can then be measured like an experiment."""

    name: str
    ideas: tuple[str, ...]
    parent: str
    why: str = ""


@dataclass(frozen=True)
class Settle:
    """The verdict on `idea` is final; write its row. `incumbent` names the new best arm when it changes."""

    idea: str
    verdict: Verdict
    incumbent: str | None = None


@dataclass(frozen=True)
class Demote:
    """`arm` is no longer the incumbent, for further runs of it do not bear it out; `incumbent` is, once again."""

    arm: str
    incumbent: str
    why: str


@dataclass(frozen=True)
class Rest:
    """Nothing to do until a pending run ends."""

    why: str = ""


@dataclass(frozen=True)
class Done:
    """Nothing is left to do: every idea is settled and every claim confirmed as far as the budget allows."""

    why: str = ""


Advice = Propose | Measure | Combine | Settle | Demote | Rest | Done
