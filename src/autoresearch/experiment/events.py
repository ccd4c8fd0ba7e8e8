"""The journal's events, in the past tense: a JSON line each, versioned by `v`, only ever extended. Times are UTC.
`proof` says how a person's word was known to be one. A kind of a newer version is an error.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import Field

from autoresearch.experiment.attendance import ResearcherAsked, ResearcherBack, ResearcherDropped, ResearcherOut
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.experiment.outcome import Purpose, Verdict
from autoresearch.run.ending import Ending
from autoresearch.run.job import JobStatus, Resources
from autoresearch.run.measurement import Measurement, Objective
from autoresearch.run.placement import RunEnvironment


@dataclass(frozen=True, kw_only=True)
class BaseSurvey:
    """What was found out about the base commit when the plan was frozen, so that readers need not look at its code.

    `protected`: whether ideas cannot reach all that measures; `environment`: what runs find around them, or unknown.
    """

    lineage: tuple[str, ...] = ()
    minutes: float | None = None
    gpus: int = 0
    protected: bool = True
    environment: RunEnvironment | None = None


@dataclass(frozen=True, kw_only=True)
class CampaignStarted:
    """The plan was frozen; for `limits` see `config.stop_rule.StopLimits.plain`; older journals have no `survey`."""

    at: float
    campaign: str
    base_commit: str
    approved_by: str
    limits: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    objective: Objective | None = None
    survey: BaseSurvey | None = None
    kind: Literal["campaign_started"] = "campaign_started"
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class ControllerStarted:
    """A controller started on the campaign; `resting`: it only judges or drops, an end that was asked for stays."""

    at: float
    host: str
    pid: int
    version: str
    resting: bool = False
    kind: Literal["controller_started"] = "controller_started"


@dataclass(frozen=True)
class ControllerStopped:
    """A controller stopped in an orderly way."""

    at: float
    host: str
    pid: int
    reason: str
    kind: Literal["controller_stopped"] = "controller_stopped"


@dataclass(frozen=True, kw_only=True)
class ExperimentOpened:
    """An attempt got its index; by hand: who in `by`, and name to hypothesis. `crosses`: the line put on the parent."""

    at: float
    index: int
    parent: str
    parent_commit: str
    by: str = ""
    name: str = ""
    branch: str = ""
    hypothesis: Hypothesis | None = None
    crosses: str = ""
    kind: Literal["experiment_opened"] = "experiment_opened"


@dataclass(frozen=True)
class ExperimentAbandoned:
    """An opened attempt has no idea, its index is free again. `soon`: whoever was asked works; `dropped`: overtaken."""

    at: float
    index: int
    reason: str
    exhausted: bool = False
    soon: bool = False
    dropped: bool = False
    kind: Literal["experiment_abandoned"] = "experiment_abandoned"


@dataclass(frozen=True, kw_only=True)
class ExperimentCommitted:
    """A hypothesis was committed on its branch (the baseline as an empty commit)."""

    at: float
    index: int
    name: str
    branch: str
    commit: str
    hypothesis: Hypothesis
    files: tuple[str, ...] = ()
    complexity: int = 0
    keys: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    parent: str = ""
    parent_commit: str = ""
    fingerprint: str = ""
    yardstick: tuple[str, ...] = ()
    own_code: bool = False
    grips: tuple[str, ...] = ()
    kind: Literal["experiment_committed"] = "experiment_committed"


@dataclass(frozen=True, kw_only=True)
class ExperimentRepaired:
    """A follow-up fix commit went onto an experiment's branch."""

    at: float
    name: str
    commit: str
    reason: str
    files: tuple[str, ...] = ()
    own_code: bool = False
    grips: tuple[str, ...] = ()
    kind: Literal["experiment_repaired"] = "experiment_repaired"


@dataclass(frozen=True, kw_only=True)
class BundleMade:
    """Several experiments were merged on one branch, or could not be; or an arm got another idea's `yardstick`."""

    at: float
    name: str
    branch: str
    commit: str
    ideas: tuple[str, ...]
    parent: str
    conflict: str = ""
    yardstick: str = ""
    kind: Literal["bundle_made"] = "bundle_made"


@dataclass(frozen=True, kw_only=True)
class RunPlanned:
    """A run is about to be submitted. Written before the launcher is asked, so that no job is ever orphaned."""

    at: float
    run_id: str
    experiment: str
    number: int
    seed: int
    purpose: Purpose
    launcher: str
    command: str
    folder: str
    log: str
    resources: Resources
    limit_s: float | None = None
    predicted_s: float | None = None
    plumbing: bool = False
    why: str = ""
    kind: Literal["run_planned"] = "run_planned"


@dataclass(frozen=True)
class RunSubmitted:
    """The launcher took the run and gave it a job id."""

    at: float
    run_id: str
    job_id: str
    adopted: bool = False
    kind: Literal["run_submitted"] = "run_submitted"


@dataclass(frozen=True)
class RunWaits:
    """Why the run is not begun, as its launcher says; `stuck`: what it waits for cannot come by itself."""

    at: float
    run_id: str
    reason: str
    stuck: bool = False
    kind: Literal["run_waits"] = "run_waits"


@dataclass(frozen=True)
class RunStarted:
    """The run left the queue."""

    at: float
    run_id: str
    node: str = ""
    kind: Literal["run_started"] = "run_started"


@dataclass(frozen=True)
class RunCancelled:
    """The controller ended the run, or a person (`by`) had it ended, and why."""

    at: float
    run_id: str
    reason: str
    by: str = ""
    proof: str = ""
    kind: Literal["run_cancelled"] = "run_cancelled"


@dataclass(frozen=True)
class RunEnded:
    """The run is over as far as its launcher is concerned."""

    at: float
    run_id: str
    status: JobStatus
    leftovers: tuple[str, ...] = ()
    kind: Literal["run_ended"] = "run_ended"


@dataclass(frozen=True)
class RunMeasured:
    """The harness read the run's own files; a run without a number has an ending that says why (not in old lines)."""

    at: float
    run_id: str
    measurement: Measurement
    ending: Ending | None = None
    kind: Literal["run_measured"] = "run_measured"


@dataclass(frozen=True, kw_only=True)
class ExperimentJudged:
    """The verdict is final; `row` is the ledger's line, cell by cell, as it was (or is about to be) written."""

    at: float
    name: str
    verdict: Verdict
    row: Mapping[str, str]
    incumbent: str | None = None
    watched: tuple[str, ...] = ()
    kind: Literal["experiment_judged"] = "experiment_judged"


@dataclass(frozen=True)
class VerdictOverruled:
    """A person changed a verdict, with a reason that is recorded as theirs; the ledger's row stays as it was."""

    at: float
    name: str
    verdict: Verdict
    by: str
    kind: Literal["verdict_overruled"] = "verdict_overruled"
    proof: str = ""
    built_upon: bool = False


@dataclass(frozen=True)
class IncumbentDemoted:
    """Further runs of the incumbent did not confirm its gain: ideas start from `incumbent` again; its row stays."""

    at: float
    name: str
    incumbent: str
    reason: str
    kind: Literal["incumbent_demoted"] = "incumbent_demoted"


@dataclass(frozen=True)
class Steered:
    """A person gave the researchers an instruction; always additive."""

    at: float
    text: str
    by: str
    kind: Literal["steered"] = "steered"
    proof: str = ""


@dataclass(frozen=True)
class Paused:
    """No new run is started until `Resumed`; runs in flight continue."""

    at: float
    reason: str
    by: str
    kind: Literal["paused"] = "paused"


@dataclass(frozen=True)
class Resumed:
    """Work continues; with `limits`, under these from now on: a person granted more, in `words`."""

    at: float
    by: str
    kind: Literal["resumed"] = "resumed"
    proof: str = ""
    words: str = ""
    limits: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StopRequested:
    """A person asked for the end: after the runs in flight, or `now`, cancelling them."""

    at: float
    by: str
    now: bool = False
    reason: str = ""
    kind: Literal["stop_requested"] = "stop_requested"
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class ApprovalAsked:
    """A launch waits for a person."""

    at: float
    request: str
    experiment: str
    question: str
    gpu_hours: float | None = None
    kind: Literal["approval_asked"] = "approval_asked"


@dataclass(frozen=True, kw_only=True)
class ApprovalGiven:
    """A person answered."""

    at: float
    request: str
    granted: bool
    by: str
    reason: str = ""
    kind: Literal["approval_given"] = "approval_given"
    proof: str = ""


@dataclass(frozen=True, kw_only=True)
class AllocationEnded:
    """Capacity that was held between runs, such as a warm allocation of Slurm, was released or lost."""

    at: float
    job_id: str
    nodes: int
    gpus: int
    started_at: float
    ended_at: float
    kind: Literal["allocation_ended"] = "allocation_ended"


@dataclass(frozen=True)
class Noted:
    """Something worth reading later: an outage, a repair of the campaign's own files, a warning."""

    at: float
    text: str
    details: Mapping[str, str] = field(default_factory=dict)
    kind: Literal["noted"] = "noted"


@dataclass(frozen=True)
class PlateauReached:
    """The last ideas of an area were not kept: researchers are pointed elsewhere."""

    at: float
    area: str
    ideas: tuple[str, ...]
    next_area: str = ""
    kind: Literal["plateau_reached"] = "plateau_reached"


@dataclass(frozen=True)
class CampaignEnded:
    """The stop rule was met, or nothing was left to do."""

    at: float
    reason: str
    kind: Literal["campaign_ended"] = "campaign_ended"


Event = Annotated[
    CampaignStarted | CampaignEnded | ControllerStarted | ControllerStopped | ExperimentOpened | ExperimentAbandoned
    | ExperimentCommitted | ExperimentRepaired | BundleMade | RunPlanned | RunSubmitted | RunWaits | RunStarted
    | RunCancelled | RunEnded | RunMeasured | ExperimentJudged | VerdictOverruled | IncumbentDemoted | Steered | Paused
    | Resumed | StopRequested | ApprovalAsked | ApprovalGiven | AllocationEnded | Noted | PlateauReached
    | ResearcherAsked | ResearcherOut | ResearcherBack | ResearcherDropped,
    Field(discriminator="kind"),
]  # fmt: skip
