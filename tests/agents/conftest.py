"""A bench for agents: a repository with records worth attacking, one worktree, and agents that are shell scripts."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.repositories import copied

from autoresearch.errors import ResearcherError
from autoresearch.experiment import events
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.git import contents, refs, worktree
from autoresearch.machine import sandbox
from autoresearch.records.journal import Journal
from autoresearch.researchers.agent.researcher import AgentResearcher
from autoresearch.run.measurement import Objective

SECRET = "hunter2-7Qx9vLmZp41"
ANSWER = """cat > "$AUTORESEARCH_ANSWER" <<'END'
{"title": "double the learning rate", "area": "Optimizer", "expected": "+0.02 points", "rationale": "it is slow"}
END
"""
EDIT = "sed -i 's/0.1/0.2/' config.json\n" + ANSWER
HEADER = "index\tbranch\n"


def call(root: Path, *words: str, check: bool = True) -> str:
    """Git as the user runs it."""
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    return subprocess.run(
        ("git", *identity, *words), cwd=root, check=check, capture_output=True, text=True
    ).stdout.strip()


@dataclass
class Bench:
    """One attempt of one campaign, without the engine around it."""

    EDIT = EDIT
    ANSWER = ANSWER
    SECRET = SECRET

    root: Path
    options: dict[str, object] = field(default_factory=dict)
    made: AgentResearcher | None = None

    @property
    def tree(self) -> Path:
        return self.root / ".autoresearch" / "worktrees" / "night" / "attempt-2"

    @property
    def folder(self) -> Path:
        return self.root / "reports" / "auto_research" / "night"

    @property
    def journal(self) -> Path:
        return self.folder / "journal.jsonl"

    @property
    def ledger(self) -> Path:
        return self.root / "reports" / "auto_research_results.tsv"

    @property
    def commit(self) -> str:
        return call(self.root, "rev-parse", "HEAD")

    def researcher(self, script: str, **options: object) -> AgentResearcher:
        """An agent that is a shell script."""
        said = {"root": str(self.root), "agent": "command", "command": ["bash", "-c", script], "tries": 1, "grace": 0.3}
        folder = self.folder / ".researchers" / "0-agent"
        self.made = AgentResearcher(options=said | self.options | options, folder=folder)
        return self.made

    def ask(self, script: str, **options: object) -> Hypothesis | None:
        """Have it propose."""
        return self.researcher(script, **options).propose(self.brief(), self.tree)

    def fail(self, script: str, **options: object) -> str:
        """Have it propose in vain; why there is no idea."""
        with pytest.raises(ResearcherError) as raised:
            self.ask(script, **options)
        return str(raised.value)

    def brief(self) -> Brief:
        return Brief(
            campaign="night",
            index=2,
            objective=Objective("raise the score", "score"),
            stop_sentence="3 of 4 attempted",
            recipe="config.json",
        )

    def notes(self) -> str:
        """What a person would read."""
        assert self.made is not None
        return "\n".join(self.made.notes())

    def evidence(self, name: str = "agent.json") -> str:
        assert self.made is not None
        return (self.made.evidence(2) / name).read_text()

    def last_call(self) -> dict[str, object]:
        """What `agent.json` says about the last call."""
        found: dict[str, object] = json.loads(self.evidence())["calls"][-1]
        return found

    def git(self, *words: str) -> str:
        """Git as the user runs it."""
        return call(self.root, *words)

    def alive(self, mark: str) -> list[str]:
        """Processes `sleep MARK`; a mark that nobody else uses tells ours."""
        return alive(mark)

    def edited(self) -> tuple[str, ...]:
        return contents.edited_paths(self.tree, self.commit)


def alive(mark: str) -> list[str]:
    """Processes whose command line holds a word nobody else uses."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().decode("utf-8", "replace")
            except OSError:
                continue
            if line.split("\0")[:2] == ["sleep", mark]:
                found.append(entry.name)
    return found


@pytest.fixture(scope="session")
def first_bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository that every bench has a copy of."""
    root = tmp_path_factory.mktemp("bench") / "my repo"
    root.mkdir()
    (root / "config.json").write_text('{"lr": 0.1}\n')
    (root / "notes.txt").write_text("one\n")
    (root / ".gitignore").write_text(".env\n")
    (root / ".env").write_text(f"WANDB_API_KEY={SECRET}\n")
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "start")):
        call(root, *words)
    call(root, "branch", "autoresearch/night/baseline")
    call(root, "branch", "precious")
    refs.exclude(root, ("/reports/", "/session/", "/.autoresearch/"))
    made = Bench(root)
    made.folder.mkdir(parents=True)
    Journal(made.journal).append(
        events.CampaignStarted(at=1.0, campaign="night", base_commit=made.commit, approved_by="Ada")
    )
    (made.folder / "campaign.yaml").write_text("campaign: night\n")
    made.ledger.write_text(HEADER + "1\tautoresearch/night/baseline\n")
    (root / "notes.txt").write_text("one\nunsaved thoughts\n")
    return root


@pytest.fixture
def bench(tmp_path: Path, first_bench: Path) -> Bench:
    """A repository with a campaign in progress: branches, ledger, journal, a `.env`, a dirty file, a hook."""
    made = Bench(copied(first_bench, tmp_path / "my repo"))
    worktree.add(made.root, made.tree, made.commit)
    return made


needs_acp = pytest.mark.skipif(
    find_spec("acp") is None and not os.environ.get("CI"),
    reason="install it with: pip install -e '.[acp]'",
)
WHY_NOT = sandbox.why_not()
needs_bwrap = pytest.mark.skipif(bool(WHY_NOT) and not os.environ.get("CI"), reason=WHY_NOT or "bubblewrap works")


@pytest.fixture(params=[pytest.param("bwrap", marks=pytest.mark.full), "none"])
def either(request: pytest.FixtureRequest, bench: Bench) -> Bench:
    """The bench with and without the sandbox, which not every machine has; the second for everybody."""
    if request.param == "bwrap" and WHY_NOT and not os.environ.get("CI"):
        pytest.skip(WHY_NOT)
    bench.options["sandbox"] = request.param
    return bench
