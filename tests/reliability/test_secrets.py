"""Twenty secrets in every channel, and a search through everything we keep and print."""

import json
import os
import subprocess
import sys

import pytest
import yaml

A = "Ab3dEf6hIj9k"
SHAPES = (
    f"hf_{A * 3}",
    f"api_org_{A * 3}",
    f"sk-proj-{A * 3}",
    f"sk-ant-api03-{A * 3}",
    f"nvapi-{A * 3}",
    f"wandb_v1_{A * 3}",
    f"ghp_{A * 3}",
    f"github_pat_{A * 3}",
    f"glpat-{A * 2}",
    "AKIA" + "QWERTY7890ASDFGH",
    f"AIza{A * 3}",
    f"ya29.{A * 3}",
    f"xoxb-1234567890-{A}",
    f"sk_live_{A * 2}",
    f"npm_{A * 3}",
    f"pypi-{A * 5}",
    f"lsv2_{A * 3}",
    f"eyJ{A}.eyJ{A}.{A}",
)
"""Told by their looks, wherever they stand."""

KNOWN = "plain-words-but-ours-77"
DOTENV = "dot.env.value.with.dots.42"
"""Told by nothing but the environment and the repository's `.env`."""

ALL = (*SHAPES, KNOWN, DOTENV)
SAID = " ".join(ALL)
NOISY = f"""
import sys
for secret in {ALL!r}:
    print("value is", secret, flush=True)
    print("url https://user:" + secret + "@example.org/x", file=sys.stderr)
sys.stdout.write({SAID!r}[:100]); sys.stdout.flush()
sys.stdout.write({SAID!r}[100:] + "\\nscore: 1\\n")
"""
MARK = "[redacted]"
OURS = ("reports", "session", ".autoresearch")


def found_in(text):
    return [secret for secret in ALL if secret in text]


@pytest.fixture
def told(lab):
    """A campaign with secrets in the log, ideas, steering, reasons, environment and `.env`; all it said."""
    (lab.root / "train.py").write_text(NOISY)
    (lab.root / ".env").write_text(f"SERVICE_PASSWORD={DOTENV}\n")
    ideas = [
        {"title": f"try {SHAPES[0]}", "area": "data", "rationale": SAID, "watch": [SAID], "overrides": ["lr=0.2"]},
        {"title": "second", "rationale": f"as {KNOWN} said", "overrides": ["lr=0.3"]},
    ]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    git = ("git", "-c", "user.name=Ada", "-c", "user.email=ada@example.invalid", "commit", "-qam", "noisy")
    subprocess.run(git, cwd=lab.root, check=True)
    lab.write(
        command=[sys.executable, "train.py"],
        launcher={"type": "local"},
        stop="4 experiments",
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    env = {"SERVICE_TOKEN": KNOWN}
    said = [lab.run(fault="run.planned#2=kill", **env)]
    said += [lab.cli(*words, SAID, **env) for words in (("steer",), ("pause",))]
    said += [lab.cli("resume", **env), lab.run(**env)]
    assert said[-1].returncode == 0, said[-1].stderr
    said += [lab.cli("overrule", "2", "discard", "--reason", SAID, **env)]
    said += [lab.cli(*words, **env) for words in (("status",), ("show", "2"), ("log", "2"), ("report",), ("session",))]
    said += [lab.cli("show", SAID, **env), lab.cli("plan", SAID, **env), lab.cli("status", "--campaign", SAID, **env)]
    said += [lab.cli("experiment", "new", f"as {KNOWN} said", "--why", SAID, "--watch", SAID, **env)]
    assert said[-1].returncode == 0, said[-1].stderr
    return [done.stdout + done.stderr for done in said]


def assert_they_came_by(lab, told) -> None:
    """Every channel was gone through and has its words with the marks of what was taken out, or the test shows nothing."""
    log = next(lab.folder.glob("baseline/run-*/run.log")).read_text()
    assert log.count("value is") == log.count("url https://user:") == 20
    assert {len(event["text"]) > 20 for event in lab.journal("steered")} == {True}
    assert {len(event["reason"]) > 20 for event in lab.journal("paused")} == {True}
    assert len(next(event for event in lab.journal("verdict_overruled"))["verdict"]["reason"]) > 20
    assert all(MARK in text for text in (log, json.dumps(lab.journal()), lab.ledger.read_text(), "".join(told)))


@pytest.mark.full
def test_no_secret_is_kept_or_shown(lab, told):
    """Nothing below our folders, no note, no commit message, and nothing on the terminal holds any of the twenty."""
    assert len(ALL) == 20
    assert_they_came_by(lab, told)
    spoilt = {
        str(path.relative_to(lab.root)): found_in(path.read_bytes().decode("utf-8", "replace"))
        for top in OURS
        for path in (lab.root / top).rglob("*")
        if path.is_file() and path.name not in {"ideas.yaml", "train.py"}  # the person's own, kept as they wrote it
    }
    assert {name: found for name, found in spoilt.items() if found} == {}
    log = ("git", "log", "--all", "--notes=autoresearch", "--format=%D%n%B%N", "--not", "main")
    assert found_in(subprocess.run(log, cwd=lab.root, capture_output=True, text=True, check=True).stdout) == []
    assert found_in("".join(told)) == []


def test_the_environment_is_written_nowhere(lab):
    """A variable with a harmless name and value is inherited by the run, and by no file of ours."""
    lab.write(stop="1 experiment", launcher={"type": "local"}, command=[sys.executable, "train.py"])
    lab.run(HARMLESS_NAME="harmless-value-4711")
    kept = [path for top in OURS for path in (lab.root / top).rglob("*") if path.is_file()]
    assert kept
    assert [path for path in kept if b"harmless-value-4711" in path.read_bytes()] == []


def test_a_secret_in_the_plan_is_refused_before_the_start(lab):
    """The plan goes into the journal: `run.env` is for settings, and the line says where a secret belongs."""
    lab.write(run={"env": {"HF_TOKEN": SHAPES[0]}})
    said = lab.refused("run", "--yes", "--plain")
    assert "run.env.HF_TOKEN" in said
    assert "looks like a secret" in said
    assert SHAPES[0] not in said
    assert lab.journal() == []


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (("--goal", f"beat {SHAPES[0]}"), "objective.goal"),
        (("--command", "python3 train.py --api-key hunter2 {seed}"), "command"),
        (("--set", f"run.env={{'X': '{SHAPES[4]}'}}"), "run.env.X"),
        (("--set", f"researcher={{'type': 'file', 'path': '{SHAPES[6]}'}}"), "researcher"),
    ],
)
def test_plan_refuses_a_secret_before_anything_is_written_or_shown(lab, words, where):
    """In whichever words it comes: the goal, an option of the command, a variable, an option of an adapter."""
    asked = ("plan", "--name", "c", "--target", "command", "--command", "python3 train.py", "--metric", "score")
    done = lab.cli(*asked, *words)
    assert (done.returncode, "looks like a secret" in done.stderr, where in done.stderr) == (1, True, True)
    assert found_in(done.stdout + done.stderr) == []
    assert "hunter2" not in done.stdout + done.stderr
    assert list(lab.root.glob("reports/auto_research/c/*")) == []


def test_a_file_where_a_folder_must_be_is_told_by_plan(lab):
    """And not by an internal error, or by `run` alone."""
    (lab.root / "session").write_text("notes")
    said = lab.refused(
        "plan", "--name", "c", "--target", "command", "--command", "python3 train.py", "--metric", "score"
    )
    assert "session is a file" in said


def test_a_bug_report_holds_no_secret(tmp_path):
    """Also the story of an internal error, which is kept in the temporary folder."""
    code = f"from autoresearch.cli import main; print(main._hide({SAID!r}))"
    env = {**os.environ, "SERVICE_TOKEN": KNOWN, "OTHER_PASSWORD": DOTENV}
    done = subprocess.run((sys.executable, "-c", code), env=env, capture_output=True, text=True, check=True)
    assert found_in(done.stdout) == []
