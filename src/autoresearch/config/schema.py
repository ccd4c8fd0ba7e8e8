"""The campaign file: every knob, documented where it is declared.

A campaign is written by `autoresearch plan`, edited by a person if they like, and frozen by `autoresearch run`.
Unknown keys are refused with the nearest valid one named.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from autoresearch.config.line_rules import LineagesConfig
from autoresearch.config.stop_phrase import parse
from autoresearch.config.stop_rule import DEFAULT, StopRule
from autoresearch.errors import CampaignError, mistakes
from autoresearch.experiment.board import PolicySettings

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?")
FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")
UPSTREAM = "upstream"
"""What `plan` takes in place of the keys of `evaluate`: the target writes them, for a program of its own project."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Adapter(BaseModel):
    """An adapter by `type`; every other key is an option that the adapter itself checks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    type: str
    """Name of the adapter."""

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    def options(self) -> dict[str, Any]:
        """The adapter's own options, without ours."""
        return dict(self.model_extra or {})


class ObjectiveConfig(_Part):
    """What to improve."""

    goal: str = "improve the recipe's own metric"
    """The goal in words; fixed for the whole campaign."""
    metric: str = "auto"
    """Metric to judge by, in any spelling of the target; `auto`: what the recipe's `checkpointing.metric_name` says."""
    direction: Literal["auto", "maximize", "minimize"] = "auto"
    """`maximize` or `minimize`; `auto`: as recipe or metric name say, found once, when the campaign begins."""


class TargetConfig(_Adapter):
    """What is being trained: `nemo-rl`, `command` or an installed one."""

    type: str = "nemo-rl"
    """Name of the adapter."""


class LauncherConfig(_Adapter):
    """Where runs happen; further keys are the launcher's own options."""

    type: str = "local"
    parallel: int = Field(default=1, ge=1, le=10_000)
    """Runs in flight at the same time."""


class ResearcherConfig(_Adapter):
    """Who proposes; further keys are the researcher's own options."""

    share: float | None = Field(default=None, gt=0)
    """Its weight among the researchers that have one: they take turns in this proportion. None: asked in order."""
    limit: int | None = Field(default=None, ge=1)
    """Most experiments it may propose; None: no limit."""
    patience: int | None = Field(default=None, ge=1)
    """Rejected proposals in a row after which it rests; None: 3; a list such as `file` never rests."""
    at_once: int | None = Field(default=None, ge=1, le=1000)
    """Most calls of it under way together, where it thinks beside the runs, as an agent does; None: as needed."""


class TrackerConfig(_Adapter):
    """Who else is told what happens; further keys are the tracker's own options."""


class VerdictConfig(_Part):
    """How experiments are judged."""

    policy: str = "auto"
    """`auto`, `doubles`, `greedy`, `sequential`, `strict`, `screening` or installed; `simulate` compares them."""
    worth: float | None = Field(default=None, gt=0)
    """The smallest gain worth having, in the metric's own unit."""
    max_runs_per_experiment: int = Field(default=8, ge=1)
    """Most runs one experiment may get before it is judged."""
    confirm: float = Field(default=0.15, ge=0, le=0.9)
    """Largest share of the budget reserved for fresh seeds at the end; what they do not need goes into ideas."""
    baseline_runs: int | None = Field(default=None, ge=1)
    """Runs of the baseline before the first idea; None: the policy's own number."""
    unverified: Literal["hold", "keep"] = "hold"
    """An idea that changes code, and whose numbers nothing but its own runs vouches for: `hold` discards it until a
    person overrules that, `keep` lets later ideas build on it. Under `evaluate.when: proof` it is `keep`."""
    insights: int = Field(default=5, ge=0)
    """What was learned (`insights.md`, and in every brief) is written anew after so many verdicts; 0: never."""


class ScopeConfig(_Part):
    """What an experiment may change; checked on the commit itself."""

    allow: tuple[str, ...] = ("**",)
    """Globs of files an experiment may change."""
    protect: tuple[str, ...] = ()
    """Globs of files it may not change, in addition to the target's own list of files that belong to the evaluation."""
    protect_keys: tuple[str, ...] = ()
    """Recipe keys (globs) an experiment may not change, in addition to the target's own."""
    subject: tuple[str, ...] = ()
    """Globs of protected files or keys that are this campaign's subject and therefore allowed. An idea that changes one
    is compared with its parent and the baseline measured again with it, and never becomes the incumbent."""
    max_files: int = Field(default=20, ge=1)
    """Most files one hypothesis may change."""
    max_lines: int = Field(default=1000, ge=1)
    """Most lines one hypothesis may add and delete together."""


class EvaluateConfig(_Part):
    """A program of the base commit that measures anew what a run left, in a process that the run cannot reach."""

    command: tuple[str, ...] = Field(min_length=1)
    """Its words. It runs in a worktree of the base commit and prints `<metric>: <number>`; `{folder}` is the run's
    folder (also AUTORESEARCH_EVALUATED_FOLDER), `{evaluation}` its own, `{seed}` the run's seed, `{step}` the step of
    the run's own number, or `latest` where it gave none."""
    reads: tuple[str, ...] = ()
    """Globs below the run's folder; a run that leaves nothing under one of them has no number, nor has one that leaves
    a pipe, a socket, a device, or a link or a second name of what lies elsewhere."""
    metric: str = ""
    """Name that it prints the number under; empty: the objective's, whole or after its last `/` or `:`."""
    when: Literal["always", "proof"] = "always"
    """`always`, or `proof` for a dear one: only the runs on fresh seeds that a claim rests on."""
    tolerance: float | Literal["any"] | None = None
    """By how much the run's own number may differ, in the metric's unit; None: rounding only; `any`: the two measure
    different things and are not compared, so that the evaluation's alone is a run's number (needs `when: always`)."""
    minutes: float = Field(default=30.0, gt=0)
    """Minutes after which it is ended; the number is then missing, and the run is made again."""
    gpus: int = Field(default=0, ge=0)
    """GPUs that it needs."""

    @field_validator("command", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"write it as a list of words, for example {value.split() or ['python', 'evaluate.py']}")  # noqa: TRY004 - pydantic's way
        return value

    @model_validator(mode="after")
    def _measures_all_alike(self) -> "EvaluateConfig":
        if isinstance(self.tolerance, float) and not self.tolerance >= 0:
            raise ValueError(f"tolerance: {self.tolerance} is not understood; write a number of at least 0, or any")
        if self.alone and self.when != "always":
            raise ValueError("tolerance: any needs when: always, for numbers of two measures cannot be compared")
        return self

    @property
    def alone(self) -> bool:
        """Whether it measures something else than the run says of itself, so that its number alone counts."""
        return self.tolerance == "any"


class ApprovalConfig(_Part):
    """What needs a person's approval."""

    plan: Literal["ask", "auto"] = "ask"
    """`ask` or `auto`: whether `run` asks for approval of the plan; `--yes` gives it."""
    launch: Literal["ask", "auto"] = "auto"
    """`ask` or `auto`: whether every launch waits for `autoresearch approve`."""
    ask_above_gpu_hours: float | None = Field(default=None, ge=0)
    """A launch predicted to cost more than this waits for `autoresearch approve`, whatever `launch` says."""
    by: Literal["auto", "terminal", "client", "anyone"] = "auto"
    """Who may approve, overrule, extend, steer, resume and stop. `terminal`: who types a code back at a terminal of
    their own; `client`: also, for launches, who answers in an MCP client's form; `anyone`: every process here;
    `auto`: `terminal` for what grants (plan, launch, verdict, budget), else where launches ask or agents propose."""
    seal: str = ""
    """What `plan --passphrase` made of a passphrase. With it they type that instead of a code, and for the plan too."""

    @model_validator(mode="after")
    def _seals_something(self) -> "ApprovalConfig":
        if self.seal and not re.fullmatch(r"scrypt-[0-9a-f]{32}-[0-9a-f]{64}", self.seal):
            raise ValueError("seal is made of a passphrase by autoresearch plan --passphrase; never write one here")
        if self.seal and self.by in {"anyone", "client"}:
            raise ValueError(f"by: {self.by} asks nobody for the passphrase of the seal; leave one of the two out")
        return self


class RunConfig(_Part):
    """How every single run is made."""

    first_seed: int = Field(default=42, ge=0)
    """Seed of an experiment's first run; repeats count up from it."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Environment variables for every run. Not for secrets: they come from the environment or `.env`."""
    grace: float = Field(default=10.0, ge=0)
    """Seconds between TERM and KILL when a limit is enforced."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Host memory one run may use before it is killed; None: no limit."""
    max_log_mb: float = Field(default=256.0, gt=0)
    """Largest size of a run's log in MB; beyond it, only head and tail are kept."""
    min_free_gb: float = Field(default=1.0, ge=0)
    """Free disk space in GB below which nothing new is started; the campaign waits until there is enough again."""
    rehearsal: Literal["auto", "always", "off"] = "auto"
    """A run of two steps with a validation before the baseline, judged by nobody. `auto`: where the target can cut a
    run, runs take GPUs and half an hour or more, and launches are not asked for; see `plan --rehearse`."""
    checkpoints: Literal["kept", "all"] = "all"
    """`kept`: weights that a discarded or crashed idea saved are deleted once its row is written, never those of the
    baseline, of a kept idea, or of one with a file `pinned` in its folder; `all`: they stay. `plan` writes `kept`."""
    stall_minutes: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Minutes without a new step after which a run is ended as stalled; None: learned from complete runs; 0: never."""
    stall_floor_minutes: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    """Never fewer minutes without a new step than this where `stall_minutes` is learned."""
    stuck_minutes: float = Field(default=10.0, ge=0)
    """A run that waits this many minutes for what cannot come by itself (a held job) is cancelled, and work stops."""
    early_kill: bool | Literal["race"] = True
    """Kill a run that cannot recover (NaN loss) or is hopelessly behind its parent; `race`: also an idea's first run
    from a fifth of its steps on, where by the campaign's own curves a fresh idea is by far the better use of them."""
    sandbox: Literal["auto", "required", "off"] = "auto"
    """`auto`: runs begin in a sandbox where this machine and the launcher can make one, and what they can reach without
    it is told; `required`: no run begins without one; `off`: none is made."""
    network: Literal["host", "off"] = "host"
    """`host`: a run has the machine's network; `off`: it has none, and does not begin where that cannot be had."""
    writable: tuple[str, ...] = ()
    """Folders that runs write to besides their worktree, their own folder, `/tmp` and caches; `~` is the home."""
    show: tuple[str, ...] = ()
    """Files or folders that runs read although the sandbox hides them: `~/.netrc`, data below `/tmp` or `/run`."""
    check: tuple[str, ...] = ()
    """A command that tells within seconds whether the code runs at all, such as one step of training: an agent's dry
    run executes it in its sandbox. `{seed}` and `{folder}` are filled in."""
    repair_tries: int = Field(default=1, ge=0)
    """Times a trivial crash may be repaired on its branch before the experiment counts as crashed."""

    @field_validator("stall_minutes", mode="before")
    @classmethod
    def _off(cls, value: object) -> object:
        # YAML reads a bare `off` as false.
        return 0.0 if value is False or value == "off" else value

    @field_validator("sandbox", "network", mode="before")
    @classmethod
    def _off_word(cls, value: object) -> object:
        return "off" if value is False else value


class SiteConfig(_Part):
    """Where large files go: next to the records in the checkout, or to a separate volume, as on Brev."""

    type: Literal["auto", "plain", "brev"] = "auto"
    """`brev`: to `volume`; `plain`: below `reports/`; `auto`: `brev` on a machine with `checkout` and `volume`."""
    checkout: str = "/home/ubuntu/RL"
    """The checkout that a Brev machine comes with; only `auto` looks for it."""
    volume: str = "/ephemeral"
    """Mount point of the volume for heavy files; it may be wiped when the machine stops."""
    user: str = ""
    """Folder to use on the volume; empty: the `USER` of the environment, else `ubuntu`."""
    min_free_gb: float = Field(default=20.0, ge=0)
    """Free space on the volume, in GB, below which no campaign and no run is started."""

    @model_validator(mode="before")
    @classmethod
    def _type_alone(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @field_validator("checkout", "volume")
    @classmethod
    def _is_absolute(cls, value: str) -> str:
        if not value.startswith("/") or ".." in value.split("/"):
            raise ValueError("write an absolute path without '..'")
        return value

    @field_validator("user")
    @classmethod
    def _is_a_folder(cls, value: str) -> str:
        if value and not FOLDER_NAME.fullmatch(value):
            raise ValueError("use letters, digits, '.', '_' and '-' (it becomes the name of a folder)")
        return value


class CampaignConfig(_Part):
    """One campaign, frozen when it starts."""

    campaign: str
    """Name; also the branch prefix: `autoresearch/<campaign>/`."""
    objective: ObjectiveConfig = ObjectiveConfig()
    target: TargetConfig = TargetConfig()
    recipe: str = ""
    """The recipe, relative to the repository; optional for the `command` target."""
    command: tuple[str, ...] | None = None
    """Training command; None: the target's own for this recipe."""
    base: str = "HEAD"
    """Commit the baseline is made from; `run` freezes it to a full hash."""
    follows: str = ""
    """Campaign that this one goes on from (`plan --from`): briefs have what it tried and, at first, its noise."""
    stop: str | None = None
    """Stop rule in words, e.g. `50 experiments or 10h total, 1h each`; None: baseline and three experiments."""
    launcher: LauncherConfig = LauncherConfig()
    site: SiteConfig = SiteConfig()
    researcher: tuple[ResearcherConfig, ...] = (ResearcherConfig(type="playbook"),)
    """Who proposes; several are asked in order until one has an idea."""
    trackers: tuple[TrackerConfig, ...] = ()
    """Who else is told of the start, of runs, verdicts and the end; one that fails or hangs never holds anything up."""
    verdict: VerdictConfig = VerdictConfig()
    lineages: LineagesConfig = LineagesConfig()
    scope: ScopeConfig = ScopeConfig()
    evaluate: EvaluateConfig | None = None
    """An independent evaluation of every run; None: a run's number is what the run itself says."""
    approval: ApprovalConfig = ApprovalConfig()
    run: RunConfig = RunConfig()
    usd_per_gpu_hour: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """What a GPU-hour costs in USD; with it report and status say what was spent in money. None: no price is known."""

    @field_validator("campaign")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if not _NAME.fullmatch(value) or ".." in value or value.endswith(".lock"):
            raise ValueError("use lower-case letters, digits, '.', '_' and '-' (it becomes part of branch names)")
        return value

    @field_validator("command", mode="before")
    @classmethod
    def _is_a_list(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"write it as a list of words, for example {value.split() or ['python', 'train.py']}")  # noqa: TRY004 - pydantic's way
        return value

    @field_validator("evaluate", mode="before")
    @classmethod
    def _is_keys(cls, value: object) -> object:
        if isinstance(value, str):
            raise ValueError(f"write its keys, command and reads first; `plan --set evaluate={UPSTREAM}` does so")  # noqa: TRY004 - pydantic's way
        return value

    @field_validator("stop", mode="before")
    @classmethod
    def _is_words(cls, value: object) -> object:
        if value is not None and not isinstance(value, str):
            raise ValueError(f"write it in words, for example '{value} experiments' or '10h total, 1h each'")
        return value

    @field_validator("researcher", "trackers", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return value if isinstance(value, list | tuple) else (value,)

    @cached_property
    def stop_rule(self) -> StopRule:
        """`stop` as a value, parsed when it is first asked for and never again.

        Raises:
            CampaignError: The words are not understood.
        """
        return parse(self.stop) if self.stop else DEFAULT

    def made_of(self) -> dict[str, Any]:
        """What the target is made of: its name, and what it is given."""
        return {
            "name": self.target.type,
            "recipe": self.recipe,
            "command": self.command,
            "objective": self.objective.model_dump(),
            "options": self.target.options(),
        }

    def settings(self) -> PolicySettings:
        """What the verdict policy needs to know of this file."""
        return PolicySettings(
            worth=self.verdict.worth,
            max_runs=self.verdict.max_runs_per_experiment,
            confirm=self.verdict.confirm,
            baseline_runs=self.verdict.baseline_runs,
            first_seed=self.run.first_seed,
            holds=self.verdict.unverified == "hold" and (self.evaluate is None or self.evaluate.when == "always"),
        )

    @classmethod
    def of(cls, document: object, source: str = "campaign file") -> "CampaignConfig":
        """Validate a parsed campaign file.

        Args:
            document: What the YAML parser returned.
            source: The file's name, for messages.

        Raises:
            CampaignError: Something in it is not understood; the text names the key and what would be valid.
        """
        if not isinstance(document, dict):
            raise CampaignError(f"{source}: expected a mapping of keys at the top, found {type(document).__name__}")
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise CampaignError(f"{source}: {'; '.join(mistakes(cls, error))}") from None
