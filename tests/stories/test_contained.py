"""What a run reaches beyond its own: tried by a real run of a real campaign, in a sandbox.

One run makes every attempt and prints what came of it, so that forty of them cost little more than one.
"""

import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest
from tests.conftest import commit_all

from autoresearch.machine import sandbox

needs_sandbox = pytest.mark.skipif(bool(sandbox.why_not()), reason=f"no sandbox on this machine: {sandbox.why_not()}")

SECRET = "hunter2-5Tz8kWqYr20"

PLAN = ("--target", "command", "--metric", "score", "--command", "python3 train.py", "--set", "researcher=[]")
REFUSED = {
    "write to a protected file": 'open("judge.py", "a").write("#")',
    "replace a protected file": 'open("x.py", "w").close(); os.replace("x.py", "judge.py")',
    "remove a protected file": 'os.remove("judge.py")',
    "write to protected data": 'open("gold/answers.csv", "w").write("9")',
    "write to it through a link": 'os.symlink("gold", "way"); open("way/answers.csv", "w").write("9")',
    "write to it through a hard link": 'os.link("gold/answers.csv", "twin"); open("twin", "w").write("9")',
    "write to it through /proc": 'open(f"/proc/{os.getpid()}/cwd/gold/answers.csv", "w").write("9")',
    "swap the folder of protected data": 'os.rename("gold", "old")',
    "swap a folder above a protected file": 'os.rename("deep", "old")',
    "swap it and swap it back": 'os.rename("deep/er", "deep/old"); os.rename("deep/old", "deep/er")',
    "change it and change it back": 'b = open("gold/answers.csv").read(); open("gold/answers.csv", "w").write(b)',
    "add a file to protected data": 'open("gold/more.csv", "w").write("9")',
    "plant a compiled twin": 'open("__pycache__/judge.cpython-311.pyc", "wb").write(b"")',
    "unmount what is in the way": 'subprocess.run(["umount", "judge.py"], check=True, stderr=-3)',
    "mount something over it": 'subprocess.run(["mount", "--bind", "train.py", "judge.py"], check=True, stderr=-3)',
    "mount in a namespace of its own": 'subprocess.run(["unshare", "-rm", "umount", "judge.py"], check=True, stderr=-3)',
    "rewrite the worktree's .git": 'open(".git", "w").write("gitdir: /tmp/x")',
    "install a hook": 'open(common + "/hooks/post-commit", "w").write("#!/bin/sh")',
    "change git's configuration": 'subprocess.run(["git", "config", "core.fsmonitor", "x"], check=True, stderr=-3)',
    "move a branch": 'subprocess.run(["git", "update-ref", "refs/heads/main", "HEAD^{tree}"], check=True, stderr=-3)',
    "delete a ref": 'os.remove(common + "/HEAD")',
    "commit": 'subprocess.run(["git", "commit", "--allow-empty", "-m", "x"], check=True, stderr=-3, stdout=-3)',
    "append to the journal": 'open(top + "/reports/auto_research/night/journal.jsonl", "a").write("{}")',
    "read the journal": 'open(top + "/reports/auto_research/night/journal.jsonl").read()',
    "change the plan": 'open(top + "/reports/auto_research/night/campaign.yaml", "a").write("#")',
    "make a row": 'open(top + "/reports/auto_research_results.tsv", "a").write("x").real or 1 / 0',
    "edit another worktree": 'open(top + "/.autoresearch/worktrees/night/2/train.py", "w")',
    "take a lock": 'open(top + "/.autoresearch/locks/night.lock", "w")',
    "write session memory": 'open(top + "/session/x", "w")',
    "edit the user's checkout": 'open(top + "/train.py", "a").write("#")',
    "rewrite its own specification": 'open(folder + "/spec.json", "w")',
    "rewrite what was submitted": 'open(folder + "/submission.txt", "w")',
    "write to the system": 'open("/usr/local/bin/python3", "w")',
    "a start-up file in the home": 'open(os.path.expanduser("~/.bashrc"), "a").write("#")',
    "a module for every Python": 'os.makedirs(site.getusersitepackages()); open(site.getusersitepackages() + "/a.pth", "w")',
    "a module in the environment": 'open(os.path.join(json.__path__[0], "x.py"), "w")',
    "read branches and notes of other ideas": 'assert b"other/idea" in subprocess.check_output(["git", "for-each-ref"])',
    "read a key": 'open(os.path.expanduser("~/.ssh/id_ed25519")).read()',
    "read a login": 'open(os.path.expanduser("~/.netrc")).read()[0]',
    "read the repository's .env": 'open(top + "/.env").read()[0]',
    "read the system's passwords": 'open("/etc/shadow").read()[0]',
    "use a daemon's socket": 'os.stat("/run/docker.sock")',
    "find the supervisor": '[p for p in os.listdir("/proc") if p.isdigit() and b"supervisor" in open(f"/proc/{p}/cmdline", "rb").read()][0]',
    "write to its memory": '[open(f"/proc/{p}/mem", "r+b") for p in os.listdir("/proc") if p.isdigit() and b"supervisor" in open(f"/proc/{p}/cmdline", "rb").read()][0]',
    "signal whoever sees it": "os.kill(-1, signal.SIGSTOP); os.kill(1, signal.SIGKILL); 1 / 0",
    "put a wrapper before a program": 'open(os.environ["PATH"].split(":")[0] + "/git", "w")',
    "leave words for pytest": 'open(os.path.join(json.__path__[0], "..", "conftest.py"), "w")',
    "hand work to cron": 'open("/var/spool/cron/crontabs/root", "w")',
    "hand work to tmux": 'subprocess.run(["tmux", "-S", glob.glob("/tmp/tmux-*/default")[0], "ls"], check=True)',
    "lower the kernel's bound on processes": 'open("/proc/sys/kernel/pid_max", "w").write("301")',
    "name a program for the kernel to run": 'open("/proc/sys/kernel/core_pattern", "w").write("|/tmp/x")',
    "press the machine's off switch": 'open("/proc/sysrq-trigger", "w").write("h")',
    "set the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "raise its own priority": "os.nice(-5)",
    "leave its control group": '[open(p, "w").write("0") for p in glob.glob("/sys/fs/cgroup/**/cgroup.procs", recursive=True)][0]',
}
"""What must fail with an exception, by what it is."""

ALLOWED = {
    "write where it works": 'open("notes.txt", "w").write("x")',
    "make folders there": 'os.makedirs("out/a/b")',
    "write to its own folder": 'open(folder + "/metrics.jsonl", "w").write("")',
    "write to /tmp": 'open("/tmp/x", "w").write("x")',
    "write to /dev/shm": 'open("/dev/shm/x", "w").write("x")',
    "write to a cache": 'open(os.path.expanduser("~/.cache/x"), "w").write("x")',
    "ask git": 'subprocess.run(["git", "rev-parse", "HEAD"], check=True, stdout=-3)',
    "import a protected module": "__import__('judge')",
    "fork and wait": 'subprocess.run(["sleep", "0"], check=True)',
    "use semaphores": "__import__('multiprocessing').Semaphore()",
    "listen and connect": "socket.create_server(('127.0.0.1', 0)).getsockname()",
    "read what it was given": 'open(os.environ["GIVEN"]).read()[0]',
    "find commits of other ideas among git's objects": 'subprocess.run(["git", "cat-file", "--batch-all-objects", "--batch-check"], check=True, stdout=-3)',
    "read its own variables": 'os.environ["AUTORESEARCH_RUN_FOLDER"][0]',
    "lead its own git elsewhere": 'os.environ["GIT_DIR"] = "/nowhere"; os.environ["PYTHONINSPECT"] = "1"',
}
"""What ordinary scripts do."""

DAEMONS = "8765432.1"
"""How long daemons sleep: by that they are found again."""

TRAIN = """\
import glob, json, os, pathlib, shutil, signal, site, socket, subprocess, sys, time
folder = os.environ["AUTORESEARCH_RUN_FOLDER"]
top = folder.split("/reports/")[0]
common = top + "/.git"
for name, code in json.load(open("attempts.json")).items():
    try:
        exec(code)
        print(f"{name}: done", flush=True)
    except BaseException as error:
        print(f"{name}: {error!r}", flush=True)
for number, how in enumerate(("plain", "setsid", "forked", "bare", "titled")):
    sleep = ["sleep", f"{number}DAEMONS"]
    if how == "titled":
        sleep = ["bash", "-c", f"exec -a [kworker/u9] sleep {number}DAEMONS"]
    if how == "forked" and not os.fork():
        os.setsid()
        if not os.fork():
            os.execvp("sleep", sleep)
        os._exit(0)
    if how != "forked":
        env, own = ({} if how == "bare" else None), how != "plain"
        subprocess.Popen([shutil.which(sleep[0]), *sleep[1:]], stdout=-3, stderr=-3, env=env, start_new_session=own)
print("score: 0.5")
""".replace("DAEMONS", DAEMONS)


def bare(folder) -> str:
    """A PATH without bubblewrap."""
    for program in ("git", "sh", "env"):
        (folder / program).symlink_to(str(shutil.which(program)))
    return str(folder)


def test_without_a_sandbox_runs_go_on_and_everything_says_so(lab, tmp_path):
    """`auto`: plan, report and doctor tell that runs are not contained, and why; the number counts."""
    command = [sys.executable, "train.py"]
    lab.write(stop="1 experiments, 200s each", launcher={"type": "local"}, run={"sandbox": "auto"}, command=command)
    path = bare(tmp_path)
    assert "runs are not contained" in lab.cli("plan", "--dry-run", *PLAN, PATH=path).stdout
    done = lab.run(PATH=path)
    assert done.returncode == 0, done.stderr
    assert (
        "- not contained: 1 of 1 run had no sandbox (bubblewrap (the program `bwrap`) is not installed)"
        in (lab.folder / "report.md").read_text()
    )
    assert "runs and agents can reach" in lab.cli("doctor", PATH=path).stdout
    assert [row.metric_value for row in lab.rows()] == [0]


@pytest.mark.parametrize("wish", [{"sandbox": "required"}, {"sandbox": "auto", "network": "off"}])
def test_a_sandbox_that_is_required_and_cannot_be_had_is_a_refusal(lab, tmp_path, wish):
    """Nothing is begun, and one line says what is missing."""
    lab.write(launcher={"type": "local"}, run=wish)
    assert "cannot be had: bubblewrap" in lab.refused("run", "--yes", PATH=bare(tmp_path))
    assert not lab.rows()


@pytest.fixture(scope="module")
def attempts(make_lab, tmp_path_factory):
    """What came of each attempt, and the laboratory it was made in."""
    lab = make_lab()
    home = tmp_path_factory.mktemp("home")
    (home / ".ssh").mkdir()
    (home / ".cache").mkdir()
    (home / ".bashrc").write_text("#\n")
    for secret in (home / ".ssh" / "id_ed25519", home / ".netrc", lab.root / ".env"):
        secret.write_text(f"TOKEN={SECRET}\n")
    given = tmp_path_factory.mktemp("given") / "data.txt"
    given.write_text("data\n")
    for path, text in {
        "train.py": TRAIN, "judge.py": "def grade(): return 1\n", "gold/answers.csv": "0.5\n", "deep/er/judge2.py": "\n",
        "attempts.json": json.dumps(REFUSED | ALLOWED), ".gitignore": ".env\n",
    }.items():  # fmt: skip
        (lab.root / path).parent.mkdir(parents=True, exist_ok=True)
        (lab.root / path).write_text(textwrap.dedent(text))
    commit_all(lab.root)
    subprocess.run(("git", "branch", "autoresearch/other/idea"), cwd=lab.root, check=True)
    before = subprocess.check_output(("git", "rev-parse", "main"), cwd=lab.root)
    lab.write(
        stop="1 experiments, 200s each",
        launcher={"type": "local"},
        target={"type": "command", "config": "config.json", "protect": ["judge.py", "gold/**", "deep/er/*"]},
        run={"sandbox": "required", "writable": [], "show": [str(given.parent)], "env": {"GIVEN": str(given)}},
    )
    done = lab.run(HOME=str(home))
    assert done.returncode == 0, done.stderr
    assert before == subprocess.check_output(("git", "rev-parse", "main"), cwd=lab.root)
    log = next(lab.folder.glob("baseline/run-1/run.log")).read_text()
    return dict(line.split(": ", 1) for line in log.splitlines()), lab, log


@needs_sandbox
@pytest.mark.parametrize("name", REFUSED)
def test_a_run_cannot(attempts, name):
    """It fails, whatever the account may do: nothing of it is left for the run's number, or for any other run."""
    assert attempts[0][name] != "done"


@needs_sandbox
@pytest.mark.parametrize("name", ALLOWED)
def test_a_run_can(attempts, name):
    """A sandbox that stops ordinary scripts would be switched off."""
    assert attempts[0][name] == "done"


@needs_sandbox
def test_the_number_of_a_contained_run_counts_and_nothing_says_otherwise(attempts):
    """Its row is as ever, its status says that there was a sandbox, and the secrets were never printed."""
    _, lab, log = attempts
    assert [(row.status.value, row.metric_value) for row in lab.rows()] == [("keep", 0.5)]
    assert lab.journal("run_ended")[0]["status"]["uncontained"] == ""
    assert "not contained" not in (lab.folder / "report.md").read_text()
    assert SECRET not in log


@needs_sandbox
def test_nothing_that_a_run_started_survives_it(attempts):
    """In sessions of their own, forked twice, without environment, under another title: the namespace ends them."""
    lab = attempts[1]
    assert lab.journal("run_ended")[0]["leftovers"] == []
    commands = [process.info["cmdline"] or [] for process in psutil.process_iter(["cmdline"])]
    assert [words for words in commands if any(word.endswith(DAEMONS) for word in words)] == []


def test_the_page_on_containment_lists_every_attempt():
    """What is claimed there was tried here."""
    page = (Path(__file__).parents[2] / "docs" / "design" / "containment.md").read_text()
    rows = {line.split("|")[1].strip() for line in page.splitlines() if line.startswith("| ")}
    assert sorted(REFUSED.keys() - rows) == []


def test_every_test_that_the_page_names_is_there():
    """Whoever wants to know what an outcome is worth finds what was tried."""
    root = Path(__file__).parents[2]
    named = set(re.findall(r"`(test_\w+)`", (root / "docs" / "design" / "containment.md").read_text()))
    assert len(named) > 20
    assert sorted(named - {path.stem for path in (root / "tests").rglob("test_*.py")}) == []
