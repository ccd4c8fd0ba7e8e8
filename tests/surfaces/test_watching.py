"""`watch` on a real pseudo-terminal: what it shows, and what its keys do."""

import os
import re
import subprocess
import sys

import pytest
from tests.surfaces.test_live import on_terminal, seen

KEYS = "a approve  d deny  p pause  r resume  c cancel  s stop  S stop now  q quit"
SMALL = (24, 80)


def watched(lab, **settings: dict[str, str]):
    """A campaign at work, whose run waits at the gate, and `watch` on a terminal of 80 columns and 24 lines."""
    lab.local(stop="2 experiments", **settings)
    controller = lab.start()
    waits = settings.get("approval", {}).get("launch") == "ask"
    lab.until(lambda: lab.journal("approval_asked" if waits else "run_started"), "something to look at")
    _, terminal = on_terminal(lab, "watch", "--interval", "0.1", size=SMALL)
    seen(terminal, until="q quit")
    return controller, terminal


def press(terminal, keys, until):
    """Type something and wait for what is said to it."""
    os.write(terminal, keys.encode())
    shown = seen(terminal, until=until)
    assert re.search(until, shown), shown
    return shown


def frames(terminal, number):
    """What was drawn so many times."""
    text = ""
    while text.count("\x1b[H") < number:
        text += os.read(terminal, 65536).decode("utf-8", "replace")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def insist(terminal, key, until):
    """Press a key until it was read alone: one that comes together with others looks pasted."""
    shown = ""
    while not re.search(until, shown):
        os.write(terminal, key)
        shown = frames(terminal, 10)


def test_keys_pause_and_resume_and_a_stop_is_asked_back(lab):
    """The journal has what each key stands for; a stop that is not meant is none, and `q` ends the watching alone."""
    controller, terminal = watched(lab)
    press(terminal, "p", "paused: no new runs start")
    press(terminal, "r", "resumed")
    press(terminal, "S", r"Stop night now, and end 1 run in flight\? \[y/N\]")
    press(terminal, "\n", "not stopped")
    assert (len(lab.journal("paused")), len(lab.journal("resumed")), lab.journal("stop_requested")) == (1, 1, [])
    press(terminal, "q", "baseline")
    assert controller.poll() is None
    _, terminal = on_terminal(lab, "watch", size=SMALL)
    seen(terminal, until="q quit")
    press(terminal, "s", r"after the runs in flight\? \[y/N\]")
    press(terminal, "y\n", "asked to stop after the runs in flight")
    lab.gate.touch()
    controller.communicate(timeout=200)
    assert not lab.journal("stop_requested")[0]["now"]


@pytest.mark.full
def test_what_is_pasted_is_no_key(lab):
    """Nor is a key that sends several characters: nothing is asked."""
    controller, terminal = watched(lab)
    os.write(terminal, b"pp")
    frames(terminal, 3)
    os.write(terminal, b"\x1bOS")
    insist(terminal, b"d", "no launch waits, so there is nothing to deny")
    assert not lab.journal("paused")
    press(terminal, "S", r"\[y/N\]")
    press(terminal, "y\n", "asked to stop now")
    controller.communicate(timeout=200)


@pytest.mark.full
def test_a_launch_is_answered_by_a_key_and_a_yes(lab):
    """The question is shown before; no answer is no."""
    controller, terminal = watched(lab, approval={"launch": "ask", "by": "anyone"})
    assert "1  baseline" in press(terminal, "a", r"Approve .*\? \[y/N\]")
    press(terminal, "n\n", "nothing was answered")
    press(terminal, "a", r"\[y/N\]")
    press(terminal, "y\n", "approved ")
    lab.until(lambda: lab.journal("run_started"), "the run that was approved")
    assert [one["granted"] for one in lab.journal("approval_given")] == [True]
    press(terminal, "S", r"\[y/N\]")
    press(terminal, "y\n", "asked to stop now")
    controller.communicate(timeout=200)


def test_it_fills_a_small_terminal_and_folds_no_figure(lab):
    """24 lines of 80: events with their numbers, and in a row number, verdict, value and effect side by side."""
    lab.local(stop="4 experiments")
    controller = lab.start_stepwise()
    lab.gate.touch()
    lab.step(controller, lambda: len(lab.rows()) == 2, "two rows")
    _, terminal = on_terminal(lab, "watch", "--interval", "0.1", size=SMALL)
    lines = frame(terminal)
    assert (len(lines), lines[-1].strip()) == (24, KEYS)
    assert max(map(len, lines)) <= 80
    assert any(re.match(r"2 +(keep|discard) +0\.\d+ +[+-]0\.\d+", line) for line in lines)
    assert any(re.match(r"\d\d:\d\d:\d\d  (KEEP|DISCARD) +#2 0\.\d+ [+-]0\.\d+ ", line) for line in lines)
    lab.let_go()
    controller.communicate(timeout=200)


def frame(terminal):
    """The lines of one whole drawing on an alternate screen."""
    text = ""
    while len(drawn := text.split("\x1b[H")) < 4:
        text += os.read(terminal, 65536).decode("utf-8", "replace")
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", drawn[-2]).replace("\r", "").split("\n")


@pytest.mark.full
def test_without_a_terminal_it_says_lines(lab):
    """One for each event, with nothing that moves a cursor, and at the end the status."""
    lab.local(stop="1 experiments")
    controller = lab.start()
    lab.until(lambda: lab.journal("run_started"), "a run")
    argv = (sys.executable, "-m", "autoresearch", "watch", "--interval", "0.1")
    with subprocess.Popen(argv, cwd=lab.root, stdout=subprocess.PIPE, text=True) as watching:
        first = watching.stdout.readline()
        lab.gate.touch()
        told = watching.stdout.read()
    controller.communicate(timeout=200)
    assert "stop condition met as soon as 1 run in flight ended: 1/1 attempted" in first
    assert re.search(r"^\d\d:\d\d:\d\d  KEEP +#1 0\.\d+ baseline", told, re.MULTILINE)
    assert "\x1b" not in told
    assert told.count("baseline") > 1
