"""Where things lie on disk. No other module joins these names."""

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

EXCLUDED = ("/reports/auto_research_results.tsv*", "/reports/auto_research/", "/session/", "/.autoresearch/")
"""Patterns for `.git/info/exclude`: everything we leave in the user's checkout."""


@dataclass(frozen=True)
class Layout:
    """The places that all campaigns of one repository share."""

    root: Path

    @property
    def ledger(self) -> Path:
        """The TSV with one row per attempted experiment."""
        return self.root / "reports" / "auto_research_results.tsv"

    @property
    def campaigns(self) -> Path:
        """One folder per campaign."""
        return self.root / "reports" / "auto_research"

    @property
    def sessions(self) -> Path:
        """Session memory."""
        return self.root / "session"

    @property
    def private(self) -> Path:
        """Worktrees and locks; nothing that cannot be rebuilt, but edits by hand that were not handed in."""
        return self.root / ".autoresearch"

    @property
    def schema(self) -> Path:
        """What editors know of campaign files, written with each of them."""
        return self.private / "campaign.schema.json"

    def campaign(self, name: str) -> "CampaignPaths":
        """The places of one campaign."""
        return CampaignPaths(self.root, name)

    def folders(self) -> "tuple[CampaignPaths, ...]":
        """What lies where campaigns do, whether there is a campaign in it or not."""
        return tuple(self.campaign(found.name) for found in self.campaigns.glob("*"))


KINDS = ("logs", "checkpoints", "artifacts", "ray", "tmp", "wandb")
"""Folders that every experiment has on a volume (R193), each with one entry per run."""

BESIDE = ("ray", "tmp", "wandb")
"""Those of them that no number is ever read from: they lie beside the runs' own folders, the others inside."""

SUBMISSION, ENVIRONMENT, MEASUREMENT = KEPT = ("submission.txt", "environment.json", "measurement.json")
"""What we keep of every run, in the repository."""

PINNED = "pinned"
"""A file in an experiment's folder that keeps what its runs saved; a person makes it."""

RUN_LOG = "run.log"
"""What a run, or its evaluation, prints."""

_CACHES = {
    "HF_HOME": "huggingface",
    "HF_HUB_CACHE": "huggingface/hub",
    "HF_DATASETS_CACHE": "huggingface/datasets",
    # The same folder under its old name: with another one, models would be fetched and kept twice.
    "TRANSFORMERS_CACHE": "huggingface/hub",
    "TORCH_HOME": "torch",
    "TRITON_CACHE_DIR": "triton",
    "UV_CACHE_DIR": "uv",
    "PIP_CACHE_DIR": "pip",
    "XDG_CACHE_HOME": "xdg",
    "WANDB_CACHE_DIR": "wandb",
}


@dataclass(frozen=True)
class Volume:
    """A disk for everything heavy that is not the checkout's, as Brev machines have it (R186-R196).

    Attributes:
        root: Where it is mounted.
        user: The folder on it that is ours.
    """

    root: Path
    user: str

    @property
    def own(self) -> Path:
        """Everything of this user."""
        return self.root / "nemo-rl" / self.user

    @property
    def caches(self) -> Path:
        """Models, data sets, wheels: shared by all campaigns of this user, never cleaned by us."""
        return self.own / "cache"

    @property
    def cache_variables(self) -> dict[str, str]:
        """The variables that lead tools to the shared caches (R195)."""
        return {name: str(self.caches / folder) for name, folder in _CACHES.items()}

    def campaign(self, name: str) -> Path:
        """One folder per experiment, one per run in it (R191)."""
        return self.own / "nemo-rl-auto-research" / name


def short(experiment: Path) -> Path:
    """A link with a short name to an experiment's folder: Ray, vLLM and others keep sockets below it (107 bytes)."""
    return Path(f"/tmp/arv-{hashlib.sha256(str(experiment).encode()).hexdigest()[:12]}")  # noqa: S108


@dataclass(frozen=True)
class CampaignPaths(Layout):
    """The places of one campaign.

    Attributes:
        root: The repository.
        name: The campaign.
        volume: Where heavy files go; None for beside the records.
    """

    name: str
    volume: Volume | None = None

    @property
    def folder(self) -> Path:
        """Everything the campaign leaves for people to read."""
        return self.campaigns / self.name

    @property
    def campaign_file(self) -> Path:
        """The plan; frozen once `run` has started."""
        return self.folder / "campaign.yaml"

    @property
    def proposal(self) -> Path:
        """Says who planned it, when that was an agent; a person who approves it names it."""
        return self.folder / "planned_by.txt"

    @property
    def journal(self) -> Path:
        """Append-only events; the state is their replay."""
        return self.folder / "journal.jsonl"

    @property
    def controller_log(self) -> Path:
        """What a controller in the background printed."""
        return self.folder / "controller.log"

    @property
    def insights(self) -> Path:
        """What was learned, in Markdown."""
        return self.folder / "insights.md"

    @property
    def report(self) -> Path:
        """The report in Markdown."""
        return self.folder / "report.md"

    @property
    def pull_request(self) -> Path:
        """The text of a pull request for what was adopted."""
        return self.folder / "pull-request.md"

    def suite_script(self, name: str) -> Path:
        """A test of what was adopted, for the project's own suite."""
        return self.folder / name

    @property
    def report_page(self) -> Path:
        """The same as one self-contained page."""
        return self.folder / "report.html"

    def progress(self, ending: str) -> Path:
        """Its plot, as `svg` or `png`."""
        return self.folder / f"progress.{ending}"

    def tracker(self, label: str) -> Path:
        """Where a tracker may keep files of its own."""
        return self.folder / ".trackers" / label

    def told(self, label: str) -> Path:
        """How far a tracker was told."""
        return self.folder / ".trackers" / f"{label}.json"

    @property
    def lock(self) -> Path:
        """Held by the campaign's one controller."""
        return self.private / "locks" / f"{self.name}.lock"

    @property
    def turns(self) -> Path:
        """Locks of those who drive experiments by hand, one for each."""
        return self.private / "locks" / f"{self.name}.turns"

    def experiment(self, name: str) -> Path:
        """Evidence of one experiment."""
        return self.folder / name

    def brief(self, experiment: str) -> Path:
        """What whoever made an experiment had been told."""
        return self.experiment(experiment) / "brief.md"

    def patch(self, experiment: str) -> Path:
        """What it changes."""
        return self.experiment(experiment) / "diff.patch"

    def hypothesis(self, experiment: str) -> Path:
        """Its idea."""
        return self.experiment(experiment) / "hypothesis.json"

    def repair(self, experiment: str, number: int) -> Path:
        """What its researcher left when it mended it."""
        return self.experiment(experiment) / f"repair-{number}"

    def run_log(self, experiment: str) -> Path:
        """Leads to the log of its newest run (R66)."""
        return self.experiment(experiment) / RUN_LOG

    def attempt(self, index: int) -> Path:
        """A proposal that is still to be committed."""
        return self.folder / ".attempts" / f"{index}.json"

    def attempt_brief(self, index: int) -> Path:
        """The brief of an attempt that has no name yet."""
        return self.folder / ".attempts" / f"{index}.brief.md"

    @property
    def heavy(self) -> Path:
        """What runs write: the campaign's folder itself, or the one on the volume."""
        return self.volume.campaign(self.name) if self.volume else self.folder

    def run(self, experiment: str, number: int) -> Path:
        """What one run of an experiment writes and is measured by."""
        return self.heavy / experiment / _run(number)

    def log(self, experiment: str, number: int) -> Path:
        """What it prints."""
        run = self.run(experiment, number)
        return run / "logs" / RUN_LOG if self.volume else run / RUN_LOG

    def latest_log(self, experiment: str) -> Path:
        """Leads to the log of the experiment's newest run (R66); on a volume where R207 wants it."""
        return self.heavy / experiment / "logs" / RUN_LOG if self.volume else self.run_log(experiment)

    def evidence(self, experiment: str, number: int) -> Path:
        """What we keep of a run, always in the repository: submission, environment, measurement."""
        return self.experiment(experiment) / _run(number)

    def submission(self, experiment: str, number: int) -> Path:
        """The request as it was sent, without secrets."""
        return self.evidence(experiment, number) / SUBMISSION

    def submitted(self, most: int) -> "tuple[tuple[str, int], ...]":
        """Experiment and number of each run of the newest so many experiments whose request lies here.

        A run made again lies deeper, and what somebody put beside a run under a name like its own is none.
        """
        folders: dict[str, float] = {}
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            folders = {entry.path: entry.stat().st_mtime for entry in entries if entry.is_dir(follow_symlinks=False)}
        newest = sorted(folders, key=folders.__getitem__)[-most:]
        found = (file.parent for one in newest for file in Path(one).glob(f"{_run('*')}/{SUBMISSION}"))
        numbers = ((run.parent.name, run.name.removeprefix(_run(""))) for run in found)
        return tuple((experiment, int(number)) for experiment, number in numbers if re.fullmatch("[0-9]{1,9}", number))

    def environment(self, experiment: str, number: int) -> Path:
        """Command, variables and machine it was sent from."""
        return self.evidence(experiment, number) / ENVIRONMENT

    def measurement(self, experiment: str, number: int) -> Path:
        """What the run's own files said."""
        return self.evidence(experiment, number) / MEASUREMENT

    def kind(self, experiment: str, kind: str, number: int | None = None) -> Path:
        """One of `KINDS` of an experiment on a volume, or the entry in it for one run."""
        folder = self.heavy / experiment / kind
        return folder if number is None else folder / _run(number)

    def variables(self, experiment: str, number: int) -> dict[str, str]:
        """What a run is told about where to write (R195, R196); nothing without a volume (R213)."""
        if self.volume is None:
            return {}
        near = short(self.heavy / experiment)
        return {
            **self.volume.cache_variables,
            "RAY_TMPDIR": str(near / "ray" / _run(number)),
            "TMPDIR": str(near / "tmp" / _run(number)),
            "WANDB_DIR": str(self.kind(experiment, "wandb", number)),
            "AUTORESEARCH_ARTIFACTS": str(self.run(experiment, number) / "artifacts"),
        }

    @property
    def worktrees(self) -> Path:
        """Every working tree of the campaign, but those in which somebody edits by hand."""
        return self.private / "worktrees" / self.name

    def worktree(self, label: str) -> Path:
        """Working tree of one experiment, or of one attempt that has no name yet."""
        return self.worktrees / label

    @property
    def hands(self) -> Path:
        """The working trees in which somebody edits by hand."""
        return self.private / "by-hand" / self.name

    def by_hand(self, index: int) -> Path:
        """Working tree in which a person or an agent edits an experiment; its runs have another one."""
        return self.hands / str(index)

    def rehearsal_owner(self, number: int | str) -> Path:
        """Says who waits for the rehearsal of a plan; gone with it, unless that one was killed."""
        return self.folder / f"rehearsal-{number}.owner"

    @property
    def claim(self) -> Path:
        """Says on the volume whose folder that is; see `records/volume.py`."""
        return self.heavy / "campaign.json"

    @property
    def pointer(self) -> Path:
        """Says in the repository where on the volume to look."""
        return self.folder / "volume.json"

    def scratch(self, researcher: str) -> Path:
        """A researcher's own folder; survives a resume."""
        return self.folder / ".researchers" / researcher

    def relative(self, path: Path) -> str:
        """A path as rows show it: relative to the repository when inside, else absolute."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)


def campaign_of(run: Path) -> str:
    """The name of the campaign that a run's folder belongs to."""
    return run.parent.parent.name


def _run(number: int | str) -> str:
    return f"run-{number}"
