"""Verbs that read create nothing: no worktree, no git write, no lock, no file but the report itself."""

import contextlib
import json
import os
import re
import shutil
import signal
import sys
from pathlib import Path

import pytest
from tests.scheduling.test_budget import left

from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.cli.main import main

VERBS = [
    ("status",), ("show", "1"), ("log", "1"), ("diff", "1"), ("ledger",), ("ledger", "check"), ("report",),
    ("session", "show"), ("watch",), ("experiment", "list"),
]  # fmt: skip
REPORT = {"report.md", "report.html", "progress.svg", "progress.png"}


def everything(root: Path) -> dict[str, bytes | None]:
    """Every file below a folder, git's own included, byte by byte; folders too."""
    found = {}
    for path in root.rglob("*"):
        found[str(path.relative_to(root))] = path.read_bytes() if path.is_file() else None
    return found


def changed(lab, *words: str) -> set[str]:
    """Names of what a verb made, changed or took away; the verb itself has to succeed."""
    before = everything(lab.root)
    with contextlib.chdir(lab.root):
        assert main(words) == 0
    after = everything(lab.root)
    return {name for name in before.keys() | after.keys() if before.get(name, b"?") != after.get(name, b"?")}


def names(lab, found: set[str]) -> set[str]:
    """Those names without the campaign's folder."""
    folder = lab.folder.relative_to(lab.root)
    return {str(Path(name).relative_to(folder)) if Path(name).is_relative_to(folder) else name for name in found}


def as_written_before(lab, run_git) -> None:
    """Make the journal one of the previous version: nothing of the base is frozen, no line is linked, git has no copy."""
    path = lab.folder / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    frozen = {"lineage": ["config.json"], "minutes": None, "gpus": 0, "protected": False, "environment": None}
    assert events[0].pop("survey") == frozen
    assert all(event.pop("n") and "prev" in event for event in events)
    for event in events:
        del event["prev"]
    path.write_text("".join(json.dumps(event) + "\n" for event in events))
    for ref in run_git(lab.root, "for-each-ref", "--format=%(refname)", "refs/autoresearch/").split():
        run_git(lab.root, "update-ref", "-d", ref)


@pytest.fixture(params=["this version", "the previous one"])
def past(finished, request, run_git):
    """A campaign that has ended, with the journal of this version or of the one before."""
    if request.param == "the previous one":
        as_written_before(finished, run_git)
    return finished


@pytest.mark.parametrize("words", VERBS, ids=" ".join)
def test_reading_changes_no_byte(past, words):
    """Not in the checkout, not in `.git`, not beside the records; a report is all that `report` writes."""
    assert names(past, changed(past, *words)) <= (REPORT if words == ("report",) else set())


def test_reading_asks_git_and_orders_nothing(past, monkeypatch):
    """Every call of git is a question."""
    folder, calls = past.root.parent / "bin", past.root.parent / "calls"
    folder.mkdir()
    real = shutil.which("git")
    wrapper = folder / "git"
    wrapper.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        f"open({str(calls)!r}, 'a').write('\\t'.join(sys.argv[1:]) + '\\n')\n"
        f"os.execv({real!r}, ['git', *sys.argv[1:]])\n"
    )
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    for words in VERBS:
        changed(past, *words)
    verbs = {_verb(line.split("\t")) for line in calls.read_text().splitlines()}
    assert verbs <= {"version", "rev-parse", "diff-tree", "cat-file", "notes"}
    assert verbs


def _verb(words: list[str]) -> str:
    """The subcommand of a call of git."""
    place = 0
    while words[place].startswith("-"):
        place += 2 if words[place] in {"-c", "-C"} else 1
    return words[place]


def test_a_checkpoint_writes_the_session_folder_and_nothing_else(past):
    """Four files in the campaign's session, whatever version began it."""
    found = {Path(name) for name in changed(past, "session", "checkpoint")}
    (session,) = {Path(*path.parts[:2]) for path in found}
    assert session.parent == Path("session")


def test_a_journal_of_the_version_before_gives_the_same_report(finished, run_git):
    """What was not frozen is taken from the runs; the session's page says the same too. Protection was not told of."""
    unprotected = re.compile(rb"(?:- |<p>)nothing was protected[^\n<]*(?:\n|</p>)")

    def told() -> tuple[list[bytes], str]:
        night = Campaign(where=finished.root, clock=lambda: 2e9)
        return [unprotected.sub(b"", path.read_bytes()) for path in night.report()], night.memory()

    fresh = told()
    as_written_before(finished, run_git)
    assert told() == fresh


def test_beside_a_controller_reading_changes_no_byte(lab):
    """The controller holds still meanwhile; only its run goes on printing."""
    lab.local(stop="1 experiment")
    child = lab.start()
    lab.until(lab.pids, "the run to start")
    os.kill(child.pid, signal.SIGSTOP)
    try:
        found = {name for words in VERBS if words != ("watch",) for name in names(lab, changed(lab, *words))}
    finally:
        os.kill(child.pid, signal.SIGCONT)
        lab.gate.touch()
    child.communicate(timeout=200)
    assert child.returncode == 0
    assert {name for name in found - REPORT if not name.startswith("baseline/run")} == set()


def test_status_counts_as_the_controller_does(finished):
    """Where the longest run so far does not fit any more, `status` and the session's page say that the end has come."""
    path = finished.folder / "journal.jsonl"
    events = [json.loads(line) for line in path.read_text().splitlines()]
    events = [event for event in events if event["kind"] not in {"campaign_ended", "controller_stopped"}]
    end = events[-1]["at"]
    events[0]["limits"] |= {"target_experiment_count": None, "campaign_deadline": end + 400, "asks": True}
    first = next(event for event in events if event["kind"] == "run_ended")
    first["status"] |= {"started_at": first["at"] - 60, "ended_at": first["at"]}
    for seconds, met in ((61, False), (59, True)):
        events[0]["limits"]["campaign_deadline"] = end + seconds
        path.write_text("".join(json.dumps(event) + "\n" for event in events))
        night = Campaign(where=finished.root, clock=lambda: end)
        stop = night.status().stop
        assert stop.startswith("stop condition met") is met
        night.checkpoint()
        assert stop in night.memory()


def test_a_plan_counts_runs_as_they_are_scheduled(lab):
    """Runs of 12 s with a cap of 20 s: in 31 s one round of two starts, in 32 s a second one."""
    target = {"type": "command", "config": "config.json", "minutes": 0.2, "gpus": 0}
    for seconds, runs in ((20, 2), (31, 2), (32, 4)):
        settings = {
            "target": target, "command": ["python3", "train.py"], "objective": {"metric": "score"},
            "launcher": {"type": "local", "parallel": 2}, "researcher": {"type": "file", "path": "ideas.yaml"},
        }  # fmt: skip
        request = PlanRequest("", f"9 experiments or {seconds}s total, 20s each", "short", settings)
        plan = Campaign(where=lab.root).draft(request)
        assert plan.runs_that_fit == runs == left(seconds)
        assert f"the stop rule allows about {runs} runs" in plan.text()
