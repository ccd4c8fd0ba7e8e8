"""A laboratory: a small repository, a scripted launcher, and campaigns run through the real command line."""

import gc
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, settings
from tests.preloaded import Forked, preloaded
from tests.repositories import copied, first_repo, home, repo, run_git

from autoresearch.git import refs
from autoresearch.machine.disk import delete
from autoresearch.records.row import Row, parse_table

__all__ = ["first_repo", "home", "repo", "run_git"]  # fixtures for every room

# Property tests draw the same examples in every run, so that nobody's first run is red by luck: what once failed is
# stored beside its test with `@example`. CI draws twice as many new ones besides (`--hypothesis-profile=fresh`, see `.ci/run`).
_PATIENT = {"database": None, "deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("same", derandomize=True, max_examples=50, **_PATIENT)
settings.register_profile("fresh", derandomize=False, **_PATIENT)
settings.load_profile("same")

# A run's `python3` is the interpreter of the tests, as in an activated environment: the shim of a version manager in its
# place is a shell script that runs for eight times as long as Python takes to start.
os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))

# Commands keep their bytecode, as on anybody's machine: without it each of them compiles the program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

IDEAS = [
    {"title": "raise the learning rate", "area": "optimizer", "overrides": ["lr=0.2"]},
    {"title": "weight decay", "area": "optimizer", "overrides": ["wd=0.1"]},
    {"title": "far too high", "area": "optimizer", "overrides": ["lr=5"]},
]
SCRIPT = {
    "*baseline*": {"value": [0.50, 0.51, 0.49, 0.50]},
    "*raise-the*": {"value": [0.70, 0.71, 0.69, 0.70]},
    "*weight*": {"value": [0.50]},
    "*far-too*": {"states": ["running", "failed"], "log": "RuntimeError: lr is too high\n", "exit_code": 1},
}
_WAITING = """\
import json, os, pathlib, time
config = json.load(open("config.json"))
print("pid", os.getpid(), flush=True)
gate = pathlib.Path(os.environ["GATE"])
for step in range(30000):
    if step % 10 == 0:
        print(f"step {step} score: {0.1 + step / 1000000}", flush=True)
    if gate.exists():
        break
    time.sleep(0.02)
print(f"score: {config['lr']}")
"""
PROVEN = {"policy": "greedy", "baseline_runs": 1}
WORK = ("run", "--yes", "--plain", "--poll", "0.01")


@dataclass
class Lab:
    """A repository with one campaign file."""

    root: Path
    name: str = "night"
    told: str = ""
    nohup: bool = False

    @property
    def folder(self) -> Path:
        """The campaign's folder."""
        return self.root / "reports" / "auto_research" / self.name

    @property
    def ledger(self) -> Path:
        """The TSV."""
        return self.root / "reports" / "auto_research_results.tsv"

    def cli(
        self, *words: str, fault: str = "", prefix: tuple[str, ...] = (), **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Run the program as a user would; a fault makes it fail at a named place."""
        environ = self.environ(fault, env)
        if not prefix and preloaded().fits(environ):
            return preloaded().run(words, self.root, environ, timeout=280)
        argv = (*prefix, sys.executable, "-m", "autoresearch", *words)
        return subprocess.run(
            argv,
            cwd=self.root,
            env=environ,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def run(self, *words: str, fault: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        """Work on the campaign until it ends."""
        return self.cli(*WORK, *words, fault=fault, **env)

    def _signals(self) -> None:
        """As a terminal would start it, whatever the test runner was born with."""
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN if self.nohup else signal.SIG_DFL)

    def start(self, *words: str, fault: str = "", **env: str) -> subprocess.Popen[str] | Forked:
        """Begin to work on the campaign and come back at once."""
        environ = self.environ(fault, env)
        if not self.nohup and preloaded().fits(environ):
            return preloaded().start(words or WORK, self.root, environ)
        argv = (sys.executable, "-m", "autoresearch", *(words or WORK))
        pipe = subprocess.PIPE
        return subprocess.Popen(
            argv,
            cwd=self.root,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=pipe,
            stderr=pipe,
            text=True,
            preexec_fn=self._signals,  # noqa: PLW1509 - the test runner starts no threads
        )

    def shell(self, rest: str) -> subprocess.CompletedProcess[str]:
        """`autoresearch ledger` with something behind it on the shell's line."""
        line = f"{shlex.quote(sys.executable)} -m autoresearch ledger {rest}"
        return subprocess.run(line, shell=True, cwd=self.root, capture_output=True, text=True, timeout=280, check=False)

    def environ(self, fault: str, env: dict[str, str]) -> dict[str, str]:
        """What the program finds in its environment."""
        return {**os.environ, "AUTORESEARCH_FAULT": fault, **env}

    def refused(self, *words: str, code: int = 1, **env: str) -> str:
        """What the program says when it refuses: one line on stderr, the right exit code."""
        done = self.cli(*words, **env)
        lines = done.stderr.strip().splitlines()
        assert (done.returncode, len(lines)) == (code, 1), f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert lines[0].startswith("autoresearch: ")
        return lines[0]

    def until(self, found: Callable[[], object], what: str, patience_s: float = 200.0) -> object:
        """Wait for something to become true, and return it."""
        limit = time.monotonic() + patience_s
        while not (value := found()):
            assert time.monotonic() < limit, f"waited {patience_s:.0f} s in vain for: {what}"
            time.sleep(0.02)
        return value

    def write(self, **settings: object) -> Path:
        """Write a campaign file: the `command` target, a list of ideas, a scripted launcher, no proof at the end.

        A proof on fresh seeds is more than half of the runs of so short a campaign; `PROVEN` has it, for those who look
        at it.
        """
        document = {
            "campaign": self.name,
            "objective": {"metric": "score", "goal": "raise the score"},
            "target": {"type": "command", "config": "config.json", "source": {"type": "stdout"}},
            "command": ["python3", "train.py"],
            "stop": "4 experiments",
            "launcher": {"type": "scripted", "script": SCRIPT},
            "researcher": {"type": "file", "path": "ideas.yaml"},
            "verdict": {**PROVEN, "confirm": 0},
            "approval": {"by": "anyone"},
            **settings,
        }
        # Most stories change code and have no evaluation; what becomes of such ideas else is `test_integrity`'s.
        document["verdict"] = {"unverified": "keep", **document["verdict"]}
        # `LAB_SANDBOX=auto pytest tests/stories`: the same stories, their runs in a sandbox.
        around = {"sandbox": os.environ.get("LAB_SANDBOX", "off"), "writable": [str(self.root.parent)]}
        document["run"] = around | document.get("run", {})
        path = self.folder / "campaign.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(document, sort_keys=False))
        refs.exclude(self.root, ("/reports/", "/session/", "/.autoresearch/"))
        return path

    def rows(self) -> tuple[Row, ...]:
        """The ledger."""
        return parse_table(self.ledger.read_text()).rows if self.ledger.exists() else ()

    def journal(self, kind: str = "") -> list[dict[str, object]]:
        """The journal's events as JSON, all or those of one kind; a line that is being written is left out."""
        path = self.folder / "journal.jsonl"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        events = [json.loads(line) for line in lines if line.endswith("\n")]
        return [event for event in events if kind in {"", event["kind"]}]

    def local(self, parallel: int = 1, **settings: object) -> None:
        """Let runs be real processes that go on until `gate` is opened, or end by themselves after ten minutes."""
        (self.root / "train.py").write_text(_WAITING)
        commit_all(self.root)
        run = {"env": {"GATE": str(self.gate)}, "grace": 0.5}
        self.write(launcher={"type": "local", "parallel": parallel}, run=run, **settings)

    @property
    def gate(self) -> Path:
        """Runs of `local` end as soon as this file is there."""
        return self.root.parent / "gate"

    @property
    def turnstile(self) -> Path:
        """Where a controller of `start_stepwise` waits after each move of its loop."""
        return self.root.parent.with_name(f"{self.root.parent.name}.turnstile")

    def start_stepwise(self, **env: str) -> subprocess.Popen[str] | Forked:
        """Begin to work on the campaign, and stand still after each move until `step` or `let_go` is called."""
        return self.start(fault=f"loop.moved#1+=gate:{self.turnstile}", **env)

    def step(self, controller: subprocess.Popen[str] | Forked, found: Callable[[], object], what: str) -> None:
        """Let a stepwise controller make moves until something is so; it stands at the turnstile afterwards."""
        held = self.turnstile.with_name(f"{self.turnstile.name}.held")
        while not found():
            assert controller.poll() is None, f"the campaign was over before: {what}"
            self.until(lambda: held.exists() or found() or controller.poll() is not None, what)
            if held.exists() and not found():
                self.turnstile.touch()
                self.until(lambda: not self.turnstile.exists() or controller.poll() is not None, what)
        self.until(lambda: held.exists() or controller.poll() is not None, f"the end of the move that brought {what}")

    def let_go(self) -> None:
        """From now on a stepwise controller works on without standing still."""
        self.turnstile.unlink(missing_ok=True)
        self.turnstile.mkdir()

    def pids(self) -> list[int]:
        """The processes of all runs of `local`, one for each time a run was started."""
        logs = self.folder.glob("*/run-*/run.log")
        lines = [line for log in logs for line in log.read_text().splitlines()]
        return [int(line.split()[1]) for line in lines if line.startswith("pid ")]

    def said(self) -> list[tuple[object, ...]]:
        """What the ledger says, without what differs between two runs of one campaign (times and hashes)."""
        return [(r.index, r.branch, r.metric_value, r.status.value, r.description, r.reason) for r in self.rows()]


def make_repository(root: Path) -> Path:
    """A repository with a training script, its configuration and a list of ideas, in one commit."""
    root.mkdir(parents=True)
    (root / "train.py").write_text("print('score: 0')\n")
    (root / "config.json").write_text('{"lr": 0.1, "wd": 0.0}\n')
    (root / "ideas.yaml").write_text(yaml.safe_dump(IDEAS, sort_keys=False))
    commit_all(root, "init", "-q", "-b", "main")
    return root


def commit_all(root: Path, *first: str) -> None:
    """Commit everything that lies in a repository, after one other git command if one is given."""
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.invalid")
    for words in (first, ("add", "."), (*identity, "commit", "-q", "-m", "work")):
        if words:
            subprocess.run(("git", *words), cwd=root, check=True, capture_output=True)


def pytest_collection_finish() -> None:
    """Let no collection of garbage look again and again at ten thousand collected tests."""
    gc.freeze()


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A folder for laboratories: in memory where there is room, for every record is synced to the disk."""
    shared = Path("/dev/shm")
    roomy = shared.is_dir() and os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 1 << 30
    folder = Path(tempfile.mkdtemp(prefix="autoresearch-tests-", dir=shared if roomy else None))
    yield folder
    with suppress(OSError):
        delete(folder)


@pytest.fixture(scope="session")
def make_lab(place: Path) -> Callable[[], Lab]:
    """Makes fresh laboratories with a campaign file: copies of one repository, which git need not make each time."""
    first = make_repository(Path(tempfile.mkdtemp(dir=place)) / "my repo")

    def make() -> Lab:
        made = Lab(copied(first, Path(tempfile.mkdtemp(dir=place)) / "my repo"))
        made.write()
        return made

    return make


@pytest.fixture
def lab(make_lab: Callable[[], Lab]) -> Iterator[Lab]:
    """A fresh laboratory with a campaign file."""
    made = make_lab()
    folder = made.root.parent  # a test may point its laboratory elsewhere
    yield made
    with suppress(OSError):
        delete(folder)


@pytest.fixture(scope="session")
def ended(make_lab: Callable[[], Lab]) -> Lab:
    """A campaign that has come to its end; to be looked at, not changed."""
    made = make_lab()
    made.write(verdict=PROVEN)
    done = made.run()
    assert done.returncode == 0, done.stderr
    made.told = done.stdout
    return made


@pytest.fixture
def finished(ended: Lab, place: Path) -> Iterator[Lab]:
    """The same, in a copy of its own that a test may damage."""
    folder = Path(tempfile.mkdtemp(dir=place))
    yield Lab(copied(ended.root, folder / "my repo"))
    with suppress(OSError):
        delete(folder)
