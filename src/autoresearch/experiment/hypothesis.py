"""What a researcher is told, and what it answers."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from autoresearch.run.measurement import Objective
from autoresearch.run.symptom import Symptom

AREAS = (
    "backend",
    "prompt",
    "batch",
    "precision",
    "optimizer",
    "reward",
    "data",
    "async",
    "stability",
    "code",
)
"""Areas in the order they deserve attention (R115); a researcher may name another one."""

BY_HAND = "hand"
"""Source of a hypothesis that a person or an agent drives by hand."""


@dataclass(frozen=True, kw_only=True)
class Hypothesis:
    """One idea, small enough for one commit.

    Attributes:
        title: The change and its hoped-for effect in one line.
        area: First word of the commit subject, see `AREAS`.
        overrides: Hydra overrides that express it, in the recipe's language (`grpo.seed=1`, `+a.b=2`).
        patch: A unified diff that expresses it, alone or beside overrides.
        parent: Which experiment to start from: `incumbent`, `baseline`, or an experiment's name.
        rationale: Why it should help, for the brief, the commit message and the report.
        expected: Expected gain in the metric's own unit, in the better direction.
        watch: What to look at afterwards to see whether it worked for the reason given.
        symptoms: Names of the symptoms it answers.
        seeds: How many seeds to run before judging; None leaves it to the verdict policy.
        simplifies: Whether it claims to remove more than it adds, so that a tie keeps it (R106); see `guards.scope`.
        unlocks: Whether later ideas need it, so that a tie keeps it (R107).
        source: Name of the researcher that proposed it.
        crosses: The line that the program has put on top of its parent; empty for an idea of a researcher's.
    """

    title: str
    area: str = "recipe"
    overrides: tuple[str, ...] = ()
    patch: str = ""
    parent: str = "incumbent"
    rationale: str = ""
    expected: float | None = None
    watch: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    seeds: int | None = None
    simplifies: bool = False
    unlocks: bool = False
    source: str = ""
    crosses: str = ""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """One earlier experiment as a researcher sees it.

    Attributes:
        index: Its row in the ledger.
        name: Experiment name (branch slug).
        title: The hypothesis in one line.
        area: Its area.
        overrides: Its overrides on top of its parent.
        config: Overrides accumulated from the baseline on, so that two paths to one config compare equal.
        status: `keep`, `discard`, `crash`, `untested` when every run was taken away, empty while it is still running.
        value: Mean of the metric over its runs, None without a valid one.
        effect: Gain against its parent, in the better direction.
        source: The researcher that proposed it.
        reason: The verdict in words.
        low: Lower end of the 90 % interval of `effect`, None without one.
        high: Upper end of it.
        files: Files its commit changed.
        runs: Valid runs behind `value`.
        rationale: Why it was to help, in its researcher's words.
        branch: Its branch.
        failure: Where it crashed: the last traceback, cleaned; empty for none.
        partial: Whether all of its runs ended before their last step, so that `value` is only what they had reached.
    """

    index: int
    name: str
    title: str
    area: str = ""
    overrides: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    status: str = ""
    value: float | None = None
    effect: float | None = None
    source: str = ""
    reason: str = ""
    low: float | None = None
    high: float | None = None
    files: tuple[str, ...] = ()
    runs: int = 0
    rationale: str = ""
    branch: str = ""
    failure: str = ""
    partial: bool = False


@dataclass(frozen=True)
class Level:
    """What the metric of an arm is: its name in the brief, the arm, the mean of its valid runs, and how many."""

    label: str
    arm: str
    value: float
    runs: int


@dataclass(frozen=True)
class Curve:
    """A scalar of a run, thinned: (step, value) in order."""

    tag: str
    points: tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Facts:
    """What the target knows about the recipe at hand, as researchers need it.

    Attributes:
        values: The resolved recipe flattened to dotted keys; scalars and lists only.
        traits: Words a playbook prunes by: `grpo`, `sft`, `dtensor`, `megatron`, `vllm`, `async`, ...
        gpus: Total GPUs of one run, 0 for a CPU recipe.
        space: Declared or derived search space: dotted key to a specification (see `researchers.search`).
        defaults: What holds for keys that a recipe of this kind may leave out, read from the code that reads them.
        spelled: What concepts of plays (`lr`, `kl`, `group`) are called here, where a framework's dialect says it.
    """

    values: Mapping[str, object] = field(default_factory=dict)
    traits: frozenset[str] = frozenset()
    gpus: int = 0
    space: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    spelled: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Brief:
    """Everything a researcher is told for one proposal; bounded, and no raw logs.

    Attributes:
        campaign: Campaign name.
        index: The attempt this proposal will be.
        objective: What is being improved.
        stop_sentence: How much of the budget is left, in words.
        recipe: Path of the recipe inside the repository.
        parent: Name of the experiment the work starts from.
        facts: The recipe at the parent's commit.
        symptoms: Health findings of the parent's runs, worst first.
        tried: Earlier experiments, oldest first.
        noise: Standard deviation of one run's metric when nothing is changed, as measured so far; None before that.
        steering: What the user asked for since the start, oldest first.
        allow: Globs of files an edit may touch.
        protect: Globs of files an edit may not touch.
        protect_keys: Recipe keys an override may not touch.
        subject: Globs of protected files or keys that are this campaign's subject and may be changed all the same.
        lineage: The recipe and its parents, nearest first, repository-relative.
        max_files: Most files one hypothesis may change, None when nothing is said.
        max_lines: Most lines it may add and delete together, None when nothing is said.
        repeats: Repeated runs behind `noise`; 0 when it is the validation set's own noise alone.
        smallest: Smallest gain that one run can tell from none, None while that is not known.
        worn: Areas at a plateau, see `experiment.plateau`.
        next_area: The area to look at instead; empty when there is no plateau, or every area is at one.
        low_risk: Whether only low-risk ideas are wanted, as when nobody gave a stop rule (R93).
        origin: The recipe's values before any change, by dotted key.
        levels: Where the metric stands: baseline, parent, best.
        curves: How the parent's newest valid run went.
        running: What a run is and takes, a phrase each: command, time, limit, memory, hardware.
        read_more: Commands that show more of the campaign, in git alone.
        failure: Of what is to be mended, the traceback.
        beside: Branches of kept ideas that the parent does not hold.
        insights: What the campaign has learned, as Markdown; see `experiment/insights.py`.
        learn: Of how many verdicts an agent is to say what was learned, where that is due; 0: not now.
        belief: What a model of the campaign's runs says, as Markdown: another researcher's, which searches numbers.
        lessons: What earlier campaigns of the repository have confirmed, a line each.
        before: What the campaign that this one goes on from tried: not refused, and nothing to begin with again.
        earlier: The same as Markdown, with how each ended.
        lender: Whose repeats `noise` is from while nothing was repeated here; empty for this campaign's own.
        target: How the target is made, for whoever resolves the recipe once more: `name`, `recipe`, `command`,
            `objective`, `options`; and of its runs `env` and `check`. Empty where nobody is to.
    """

    campaign: str
    index: int
    objective: Objective
    stop_sentence: str = ""
    recipe: str = ""
    parent: str = "baseline"
    facts: Facts = Facts()
    symptoms: tuple[Symptom, ...] = ()
    tried: tuple[Tried, ...] = ()
    noise: float | None = None
    steering: tuple[str, ...] = ()
    allow: tuple[str, ...] = ()
    protect: tuple[str, ...] = ()
    protect_keys: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()
    max_files: int | None = None
    max_lines: int | None = None
    repeats: int = 0
    smallest: float | None = None
    worn: tuple[str, ...] = ()
    next_area: str = ""
    subject: tuple[str, ...] = ()
    low_risk: bool = False
    origin: Mapping[str, object] = field(default_factory=dict)
    levels: tuple[Level, ...] = ()
    curves: tuple[Curve, ...] = ()
    running: tuple[str, ...] = ()
    read_more: tuple[str, ...] = ()
    failure: str = ""
    beside: tuple[str, ...] = ()
    insights: str = ""
    learn: int = 0
    belief: str = ""
    lessons: tuple[str, ...] = ()
    before: tuple[Tried, ...] = ()
    earlier: str = ""
    lender: str = ""
    target: Mapping[str, object] = field(default_factory=dict)

    def repeats_earlier(self, overrides: Iterable[str]) -> bool:
        """Whether just these overrides, in whatever order, were tried in the campaign that this one goes on from."""
        asked = frozenset(one.lstrip("+") for one in overrides)
        return any(frozenset(one.lstrip("+") for one in item.overrides) == asked for item in self.before)
