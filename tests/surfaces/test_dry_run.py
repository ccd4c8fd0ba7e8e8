"""A dry run shows the submission that is sent: the one that is kept with the run, letter by letter."""

import contextlib
import os
from pathlib import Path

import pytest
import yaml
from tests.launchers.clusters import why_no_kubernetes

from autoresearch.campaign import beginning, opening
from autoresearch.campaign.campaign import Campaign
from autoresearch.engine import branches, runs
from autoresearch.errors import LauncherError
from autoresearch.experiment.outcome import BASELINE, Purpose
from autoresearch.testing.user_files import changed, contents

NOW = 1_900_000_000.0
POD = {"spec": {"containers": [{"name": "ray", "env": []}]}}
INFRA = {
    "image": "rl:2",
    "kuberay": {"training": {"name": "mine", "spec": {"headGroupSpec": {"rayStartParams": {}, "template": POD}}}},
}
ELSEWHERE = {
    "local": {},
    "scripted": {"script": {"*": {"value": [0.5]}}},
    "slurm": {"poll_s": 0.1},
    "ray": {"address": "http://127.0.0.1:9", "poll_s": 0.1},
    "kubernetes": {"image": "rl:1", "kind": "job"},
    "nrl-k8s": {"infra": "site.infra.yaml", "tool": ""},
}
RUN = {"grace": 3, "memory_gb": 2, "max_log_mb": 1.5, "env": {"KIND": "night"}, "sandbox": "auto"}


@pytest.fixture(params=ELSEWHERE)
def anywhere(lab, request, monkeypatch):
    """A campaign for one launcher, with every setting of a run changed; whatever stands behind it does not answer."""
    if "k" in request.param and request.param != "local" and why_no_kubernetes():
        pytest.skip(why_no_kubernetes())
    (lab.root / "site.infra.yaml").write_text(yaml.safe_dump(INFRA))
    program = lab.root.parent / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(lab.root)
    target = {"type": "command", "config": "config.json", "source": {"type": "stdout"}, "memory_gb": 7, "cpus": 1}
    launcher = {"type": request.param, **ELSEWHERE[request.param]}
    lab.write(launcher=launcher, run=RUN, target=target, stop="1 experiment or 40m total, 30m each")
    return lab


def dry(root: Path, now: float = NOW) -> str:
    """What a dry run shows."""
    session = Campaign(where=root, clock=lambda: now)
    return session.dry_run(session.plan()).text


def begin(root: Path) -> None:
    """Approve the plan, as `run` does before anything else."""
    beginning.begin_campaign(opening.open_campaign(root), "Ada", lambda: NOW)


def sent(root: Path, now: float = NOW) -> str:
    """What is kept with the baseline's first run, sent at that moment as the loop would."""
    context = beginning.make_context(opening.open_campaign(root), lambda: now, proposing=False)
    branches.open_baseline(context)
    with contextlib.suppress(LauncherError):
        runs.launch(context, BASELINE, context.campaign.run.first_seed, Purpose.BASELINE, "")
    for run in context.history.in_flight():
        if run.job_id:
            context.launcher.cancel(run.job_id)
    return (context.paths.evidence(BASELINE, 1) / "submission.txt").read_text()


def test_what_a_dry_run_shows_is_what_is_sent(anywhere):
    """Grace, memory, log limit, variables and worktree as they will be; the worktree it was read in is gone."""
    shown = dry(anywhere.root)
    assert not list((anywhere.root / ".autoresearch" / "worktrees").glob("*/*"))
    begin(anywhere.root)
    assert sent(anywhere.root) == shown


def test_near_the_deadline_it_shows_what_is_left(anywhere):
    """Twenty minutes of a campaign that has begun are less than the cap of thirty."""
    begin(anywhere.root)
    shown = dry(anywhere.root, NOW + 1200)
    assert (shown == dry(anywhere.root)) is (Campaign(where=anywhere.root).config().launcher.type == "scripted")
    assert sent(anywhere.root, NOW + 1200) == shown


@pytest.mark.parametrize("launcher", ["local", "scripted"])
def test_a_campaign_sends_what_its_dry_run_had_shown(lab, launcher):
    """The same through the command line, from the first look to the end of the campaign."""
    lab.write(launcher={"type": launcher, **ELSEWHERE[launcher]}, run=RUN, stop="1 experiment, 20m each")
    shown = lab.cli("run", "--dry-run").stdout
    assert lab.run().returncode == 0
    stored = (lab.folder / "baseline" / "run-1" / "submission.txt").read_text()
    assert shown.rstrip("\n") == stored.rstrip("\n")


SECRET = "abcdef0123456789abcdef0123456789"
TEMPLATE = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "spec": {
        "template": {
            "spec": {"containers": [{"name": "run", "image": "rl:1", "env": [{"name": "PLACE", "value": SECRET}]}]}
        }
    },
}


def test_a_secret_in_the_plan_is_shown_by_no_dry_run(lab):
    """It is refused, and the refusal says where it stands and not what it is."""
    (lab.root / ".env").write_text(f"WANDB_API_KEY={SECRET}\n")
    lab.write(command=["python3", "train.py", "--key", SECRET])
    done = lab.cli("run", "--dry-run")
    assert (done.returncode, done.stdout) == (1, "")
    assert "command of the campaign looks like a secret" in done.stderr
    assert SECRET[:16] not in done.stderr


@pytest.mark.skipif(bool(why_no_kubernetes()), reason=why_no_kubernetes())
def test_a_secret_is_shown_by_no_dry_run(lab):
    """What is kept is cleaned, so what is shown is too: a file that the plan only names may hold one."""
    (lab.root / ".env").write_text(f"WANDB_API_KEY={SECRET}\n")
    (lab.root / "job.yaml").write_text(yaml.safe_dump(TEMPLATE))
    lab.write(launcher={"type": "kubernetes", "kind": "job", "template": "job.yaml"}, command=["python3", "train.py"])
    told = dry(lab.root)
    assert "PLACE" in told
    assert SECRET[:16] not in told


def test_a_dry_run_leaves_no_byte_behind(lab):
    """A plan that is only looked at makes no folder, no worktree and no line in git's own files."""
    before = contents(lab.root)
    words = (
        "--dry-run",
        "--target",
        "command",
        "--command",
        "python3 train.py",
        "--metric",
        "score",
        "--set",
        "target.config=config.json",
        "--goal",
        "more",
    )
    done = lab.cli("plan", *words, "--direction", "maximize", "--stop", "2 experiments", "--name", "look")
    assert done.returncode == 0, done.stderr
    assert changed(before, contents(lab.root)) == set()


def test_a_dry_run_of_a_campaign_that_has_ended_leaves_no_byte_behind(lab):
    """Its list of ideas is read, and nothing of it is kept where the campaign's things lie."""
    lab.write(stop="1 experiment")
    assert lab.run().returncode == 0
    before = contents(lab.root)
    assert lab.cli("run", "--dry-run").returncode == 0
    assert changed(before, contents(lab.root)) == set()
