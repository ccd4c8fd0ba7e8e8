"""How long a large campaign takes to be taken up again: `python benchmarks/resume.py [--experiments 10000]`.

A real campaign is run up to its second experiment and killed there. What journal, ledger, notes and branches say of
that experiment is then repeated under new names until there are as many as asked for, and `--missing` of the newest
are left out of ledger and notes, as a crash between verdict and row would. Measured, each from the start of the process
to its end: `run`, which takes the campaign up, publishes what is missing and finds its stop rule met; the same once
more with nothing missing; and `status`. Seconds are those of the wall clock and, in brackets, of the processor, git
included; on a busy machine only the latter mean much. Afterwards `ledger check` must find no disagreement.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

CAMPAIGN = "large"
FOLDER = Path("reports") / "auto_research" / CAMPAIGN
LEDGER = Path("reports") / "auto_research_results.tsv"
NOTES = "refs/notes/autoresearch"
NAME = "the-idea"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, nargs="+", default=[100, 1000, 10_000], help="sizes of campaigns")
    parser.add_argument("--missing", type=int, default=1, help="newest experiments without row and note (default: 1)")
    args = parser.parse_args()
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}\n")
    print("| experiments | journal MB | taken up, s | once more, s | `status`, s |\n| --- | --- | --- | --- | --- |")
    for size in args.experiments:
        with tempfile.TemporaryDirectory(prefix="resume-") as place:
            print(_line(grown(Path(place) / "repo", size, args.missing), size), flush=True)


def _line(root: Path, size: int) -> str:
    journal = (root / FOLDER / "journal.jsonl").stat().st_size / 1e6
    times = [
        _seconds(root, *words) for words in (("run", "--yes", "--plain"), ("run", "--yes", "--plain"), ("status",))
    ]
    subprocess.run((*_OURS, "ledger", "check"), cwd=root, check=True, stdout=subprocess.DEVNULL)
    return f"| {size} | {journal:.1f} | " + " | ".join(times) + " |"


_OURS = (sys.executable, "-m", "autoresearch")


def _seconds(root: Path, *words: str) -> str:
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run((*_OURS, *words), cwd=root, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return f"{time.perf_counter() - began:.1f} ({worked:.1f})"


def grown(root: Path, size: int, missing: int) -> Path:
    """A campaign of so many experiments, all judged."""
    _begun(root, size)
    journal = root / FOLDER / "journal.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    first = next(n for n, line in enumerate(lines) if '"kind":"experiment_opened"' in line and '"index":2' in line)
    model = "".join(lines[first:])
    old = next(event["commit"] for event in map(json.loads, lines[first:]) if event["kind"] == "experiment_committed")
    ledger = (root / LEDGER).read_text().splitlines(keepends=True)
    numbers = range(3, size + 1)
    commits = _commits(root, old, numbers, _git(root, "notes", f"--ref={NOTES}", "show", old), missing)
    journal.write_text("".join([*lines, *(_renamed(model, n, old, commits[n]) for n in numbers)]))
    rows = (_renamed(ledger[-1], n, old, commits[n]) for n in numbers[: max(0, len(numbers) - missing)])
    (root / LEDGER).write_text("".join([*ledger, *rows]))
    return root


def _begun(root: Path, size: int) -> None:
    """A real campaign, killed when its second experiment had row and note."""
    (root / FOLDER).mkdir(parents=True)
    (root / "train.py").write_text("print('score: 0')\n")
    (root / "config.json").write_text('{"lr": 0.1}\n')
    (root / "ideas.yaml").write_text(yaml.safe_dump([{"title": NAME, "overrides": ["lr=0.2"]}]))
    _git(root, "init", "-q", "-b", "main")
    for setting in (("user.name", "Ada"), ("user.email", "ada@example.org"), ("gc.auto", "0")):
        _git(root, "config", *setting)
    _git(root, "add", "train.py", "config.json", "ideas.yaml")
    _git(root, "commit", "-q", "-m", "start")
    document = {
        "campaign": CAMPAIGN,
        "objective": {"metric": "score"},
        "target": {"type": "command", "config": "config.json", "source": {"type": "stdout"}},
        "command": ["python3", "train.py"],
        "stop": f"{size} experiments",
        "launcher": {"type": "scripted", "script": {"*": {"value": [0.5]}}},
        "researcher": {"type": "file", "path": "ideas.yaml"},
        "approval": {"by": "anyone"},
        "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    }
    (root / FOLDER / "campaign.yaml").write_text(yaml.safe_dump(document))
    env = {**os.environ, "AUTORESEARCH_FAULT": "settle.noted#2=kill"}
    words = (*_OURS, "run", "--yes", "--plain", "--poll", "0.001")
    subprocess.run(words, cwd=root, env=env, check=False, stdout=subprocess.DEVNULL)


def _commits(root: Path, old: str, numbers: range, note: str, missing: int) -> dict[int, str]:
    """A commit and a branch for every number, and notes on all but the last `missing`."""
    tree, base = _git(root, "rev-parse", f"{old}^{{tree}}"), _git(root, "rev-parse", f"{old}^")
    who = _git(root, "log", "-1", "--format=%an <%ae> %ct +0000", old)
    text = "".join(
        f"commit refs/heads/autoresearch/{CAMPAIGN}/{_name(n)}\nmark :{n}\ncommitter {who}\ndata <<END\n{n}\nEND\n"
        f"from {base}\nM 040000 {tree} \n\n"
        for n in numbers
    )
    marks = root / ".git" / "marks"
    _import(root, text, f"--export-marks={marks}")
    commits = {int(mark[1:]): commit for mark, commit in map(str.split, marks.read_text().splitlines())}
    text = f"commit {NOTES}\ncommitter {who}\ndata <<END\nmany\nEND\nfrom {NOTES}^0\n"
    for n in numbers[: max(0, len(numbers) - missing)]:
        text += f"N inline {commits[n]}\ndata <<END\n{_renamed(note, n, old, commits[n])}\nEND\n"
    _import(root, text)
    return commits


def _import(root: Path, text: str, *words: str) -> None:
    subprocess.run(("git", "fast-import", "--quiet", *words), cwd=root, input=text, text=True, check=True)


def _renamed(text: str, n: int, old: str, commit: str) -> str:
    """What is said of experiment 2, of experiment `n`."""
    for before, after in ((NAME, _name(n)), (old, commit), (old[:7], commit[:7]), ('"index":2', f'"index":{n}')):
        text = text.replace(before, after)
    return f"{n}{text[1:]}" if text.startswith("2\t") else text.replace('"index":"2"', f'"index":"{n}"')


def _name(n: int) -> str:
    return f"idea-{n:05}"


def _git(root: Path, *words: str) -> str:
    return subprocess.run(("git", *words), cwd=root, check=True, capture_output=True, text=True).stdout.rstrip("\n")


if __name__ == "__main__":
    main()
