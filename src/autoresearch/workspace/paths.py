"""Where things lie on disk. No other module joins these names."""

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
        """Worktrees and locks; nothing that cannot be rebuilt."""
        return self.root / ".autoresearch"

    def campaign(self, name: str) -> "CampaignPaths":
        """The places of one campaign."""
        return CampaignPaths(self.root, name)


@dataclass(frozen=True)
class CampaignPaths(Layout):
    """The places of one campaign."""

    name: str

    @property
    def folder(self) -> Path:
        """Everything the campaign leaves for people to read."""
        return self.campaigns / self.name

    @property
    def campaign_file(self) -> Path:
        """The plan; frozen once `run` has started."""
        return self.folder / "campaign.yaml"

    @property
    def journal(self) -> Path:
        """Append-only events; the state is their replay."""
        return self.folder / "journal.jsonl"

    @property
    def report(self) -> Path:
        """The report in Markdown; `report.html` and the plots lie beside it."""
        return self.folder / "report.md"

    @property
    def lock(self) -> Path:
        """Held by the campaign's one controller."""
        return self.private / "locks" / f"{self.name}.lock"

    def experiment(self, name: str) -> Path:
        """Evidence of one experiment."""
        return self.folder / name

    def run(self, experiment: str, number: int) -> Path:
        """One run of an experiment: its log, submission, environment and measurement."""
        return self.folder / experiment / f"run-{number}"

    def worktree(self, label: str) -> Path:
        """Working tree of one experiment, or of one attempt that has no name yet."""
        return self.private / "worktrees" / self.name / label

    def scratch(self, researcher: str) -> Path:
        """A researcher's own folder; survives a resume."""
        return self.folder / ".researchers" / researcher

    def relative(self, path: Path) -> str:
        """A path as rows show it: relative to the repository when inside, else absolute."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
