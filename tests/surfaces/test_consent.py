"""A person's word takes a person: a terminal of their own, and a code typed back at it."""

import contextlib
import os
import pty
import re
import subprocess
import sys

import pytest

ALONE = ("setsid", "-w")
"""Without the terminal that whoever runs the tests may have."""


@pytest.fixture
def planned(lab):
    """A campaign whose launches ask, before it began."""
    lab.write(approval={"launch": "ask"})
    return lab


def test_without_a_terminal_nobody_is_a_person(planned):
    """Not by another name of the program, nor by a terminal that a program made: nothing is recorded."""
    for prefix in (ALONE, (*ALONE, "env", "X=1")):
        done = planned.cli("approve", "plan", "--yes", prefix=prefix)
        assert (done.returncode, "a person at a terminal" in done.stderr) == (1, True), done.stderr
    shell = f"'{sys.executable}' -m autoresearch approve plan --yes"
    argv = (*ALONE, "script", "-qec", shell, "/dev/null")
    env = planned.environ("", {})
    done = subprocess.run(argv, cwd=planned.root, env=env, input="yes\n", capture_output=True, text=True, check=False)
    assert (done.returncode, "was made by" in done.stdout) == (1, True), done.stdout
    assert planned.journal() == []


def test_a_code_typed_back_is_a_persons_word_and_the_record_says_so(planned):
    """It stands at the terminal alone."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(planned.root)
        os.execve(
            sys.executable, (sys.executable, "-m", "autoresearch", "approve", "plan", "--yes"), planned.environ("", {})
        )
    seen = b""
    while not (code := re.search(rb"type (\d{4}): ", seen)):
        seen += os.read(terminal, 4096)
    os.write(terminal, code[1] + b"\n")
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    os.close(terminal)
    assert "typed back" in planned.journal("campaign_started")[0]["proof"]


def test_the_campaign_file_may_let_anyone(lab):
    """For scripts that run unattended."""
    lab.write(approval={"launch": "ask", "by": "anyone"})
    assert lab.cli("approve", "plan", "--yes", prefix=ALONE).returncode == 0
    assert lab.journal("campaign_started")[0]["proof"] == ""


@pytest.mark.full
def test_what_grants_something_takes_a_person_where_no_agent_is_about_too(lab):
    """A plan, a verdict, more budget, a browser that may act; the refusal tells the word that opts out."""
    lab.write(stop="1 experiments", approval={})
    words = (
        [("approve", "plan", "--yes")],
        [
            ("overrule", "1", "discard", "--reason", "odd"),
            ("extend", "2 more experiments"),
            ("dashboard", "--act", "--port", "0"),
        ],
    )
    for verbs in words:
        for verb in verbs:
            done = lab.cli(*verb, prefix=ALONE)
            assert done.returncode == 1
            assert "takes a person at a terminal" in done.stderr
            assert "approval: {by: anyone}" in done.stderr
        lab.run()
    assert len(lab.journal("run_planned")) == 1
    assert not [*lab.journal("verdict_overruled"), *lab.journal("resumed")]
    assert lab.cli("pause", prefix=ALONE).returncode == 0
    assert lab.cli("resume", prefix=ALONE).returncode == 0


def typed(lab, answers, arguments, prompt=b": "):
    """Type these at the program's own terminal, one for each prompt; its exit code and all that the terminal showed."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(lab.root)
        os.execve(sys.executable, (sys.executable, "-m", "autoresearch", *arguments), lab.environ("", {}))
    shown, left = b"", list(answers)
    with contextlib.suppress(OSError):  # Linux says so when nobody has the other end any more
        while more := os.read(terminal, 4096):
            shown += more
            if left and shown.count(prompt) > len(answers) - len(left):
                os.write(terminal, left.pop(0) + b"\n")
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), shown


APPROVE = ("approve", "plan", "--yes", "--campaign", "sealed")


def test_a_passphrase_is_typed_and_stands_nowhere(lab):
    """Whoever does not know it starts nothing, even with --yes; the terminal, file and journal hold the seal alone."""
    what = (
        "--target",
        "command",
        "--command",
        "python3 train.py",
        "--metric",
        "score",
        "--direction",
        "maximize",
        "--set",
        "target.config=config.json",
        "--ideas",
        "ideas.yaml",
    )
    plan = ("plan", "--passphrase", "--stop", "2 ideas", "--name", "sealed", *what)
    code, shown = typed(lab, (b"open sesame", b"open sesame"), plan)
    assert code == 0, shown
    wrong, told = typed(lab, (b"open",), APPROVE)
    assert b"not the passphrase" in told
    assert (wrong, lab.cli("run", "--yes", "--campaign", "sealed", prefix=ALONE).returncode) == (1, 1)
    right, also = typed(lab, (b"open sesame",), APPROVE)
    assert right == 0, also
    files = [path.read_bytes() for path in lab.root.rglob("*") if path.is_file()]
    assert b"passphrase typed at" in b"".join(files)
    assert b"sesame" not in b"".join((shown, also, *files))


@pytest.mark.full
def test_who_is_asked_for_a_direction_is_asked_until_it_is_one(lab, run_git):
    """Nothing is guessed and no rehearsal is lost for a slip; the words of the flag are understood as well."""
    (lab.root / "odd.py").write_text("LR = 0.1\nprint('zeal: 3.5')\n")
    run_git(lab.root, "add", ".")
    run_git(lab.root, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-qm", "A script")
    init = ("init", "--name", "asked", "--metric", "zeal", "--", "python3", "odd.py")
    code, shown = typed(lab, (b"y", b"sideways", b"minimize"), init, b"] ")
    assert code == 0, shown
    assert b"'sideways' is neither; answer more or less" in shown
    assert b"minimize zeal" in shown
