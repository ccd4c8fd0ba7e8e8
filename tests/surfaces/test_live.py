"""The live view, drawn on a real pseudo-terminal."""

import fcntl
import io
import os
import pty
import re
import struct
import sys
import termios
import time

import pytest
import yaml
from rich.console import Console

from autoresearch.campaign.campaign import Campaign
from autoresearch.cli.live_view import CampaignView, view_of

IDEA = [{"title": "try [bold red]this[/] and [link=x]", "overrides": ["lr=0.3"]}]


def on_terminal(lab, *words: str, size: tuple[int, int] = (40, 120), **env: str):
    """Start a command with a terminal of so many lines and columns; returns its pid and the terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(lab.root)
        os.execve(
            sys.executable, (sys.executable, "-m", "autoresearch", *words), {**os.environ, "TERM": "xterm", **env}
        )
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    return pid, terminal


def seen(terminal, patience_s=200.0, until=None):
    """What was drawn, without colours and cursor movements, until a pattern or the end."""
    text, limit = "", time.monotonic() + patience_s
    while time.monotonic() < limit:
        try:
            text += os.read(terminal, 65536).decode("utf-8", "replace")
        except OSError:
            break
        plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
        if until and re.search(until, plain):
            return plain
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


def test_run_asks_on_a_terminal_and_draws_what_happens(lab):
    """The plan, the question, then counts, budget, best, the running job with its curve, and at the end the report."""
    lab.local(stop="2 experiments")
    pid, terminal = on_terminal(lab, "run", "--poll", "0.05")
    assert "maximize score" in seen(terminal, until=r"Start this campaign\? \[y/N\]")
    os.write(terminal, b"y\n")
    drawn = seen(terminal, until=r"baseline +baseline +42 +running.*[▁▂▃▄▅▆▇█]{3,} 0\.1\d+ @ \d+")
    assert re.search(r"0 kept, 0 discarded, 0 crashed +baseline - +best -", drawn)
    assert "1/2 attempted" in drawn
    lab.gate.touch()
    assert "Report: " in seen(terminal)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_plan_that_is_not_approved_does_not_begin(lab):
    """Anything but yes: exit code 2, no event."""
    pid, terminal = on_terminal(lab, "run")
    seen(terminal, until=r"\[y/N\]")
    os.write(terminal, b"\n")
    assert "not approved, nothing was started" in seen(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 2
    assert not lab.journal()


@pytest.mark.full
def test_watch_draws_titles_as_they_are(lab):
    """Brackets in a title are text, not markup; verdicts are shown; the view ends with the controller."""
    lab.local(stop="3 experiments", researcher={"type": "file", "path": "ideas.yaml"})
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(IDEA * 1))
    controller = lab.start_stepwise()
    lab.gate.touch()
    lab.step(controller, lambda: len(lab.rows()) == 1, "the baseline's row")
    lab.gate.unlink()
    lab.let_go()
    lab.until(lambda: len(lab.journal("run_started")) > 1, "the idea's job")
    pid, terminal = on_terminal(lab, "watch", "--interval", "0.2")
    drawn = seen(terminal, until=r"1 +keep +0\.1")
    lab.gate.touch()
    controller.communicate(timeout=200)
    drawn += seen(terminal)
    assert "try [bold red]this[" in drawn  # the last status, after a view that may have seen less, cuts it there
    assert os.waitpid(pid, 0)[1] == 0


def test_a_small_terminal_shows_verdicts_whole_and_the_newest_events(ended):
    """Where a row does not fit its title gives way, and old verdicts do before what has just happened."""
    console = Console(width=44, height=18, file=io.StringIO())
    happened = tuple(f"event {number}" for number in range(6))
    console.print(view_of(Campaign(where=ended.root), happened, 18))
    lines = console.file.getvalue().splitlines()
    assert len(lines) <= 18
    assert lines[-1].strip() == "event 5"
    assert any(re.match(r"\d +(keep|discard|crash) +[\d.]+ .*…", line) for line in lines)


@pytest.mark.full
def test_a_campaign_sent_to_the_background_can_be_watched_at_once(lab):
    """What `run --detach` says last, to follow it with `watch`, holds from then on: it is followed to its end."""
    lab.write(stop="2 experiments")
    assert "follow it with: autoresearch watch" in lab.cli("run", "--yes", "--detach", "--poll", "0.05").stdout
    assert "night: ended" in lab.cli("watch", "--plain").stdout
    assert len(lab.rows()) == 2


def test_what_came_of_a_key_is_said_whole(ended):
    """An outcome ends with what to do now; on a small terminal it takes more lines, and the view still fits."""
    console, campaign = Console(width=44, height=18, file=io.StringIO()), Campaign(where=ended.root)
    said = f"nothing was recorded, {'for the code was not typed back; ' * 2}now do this"
    console.print(CampaignView(campaign.status(), campaign.curve, ("event",) * 20, (said, "q quit")))
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert " ".join(lines[-4:-1]) == said
    assert (len(lines), lines[-1]) == (18, "q quit")


@pytest.mark.parametrize("words", [("status",), ("ledger",), ("show", "4"), ("show", "baseline"), ("doctor",)])
def test_nothing_runs_over_the_edge_of_a_terminal(ended, words):
    """At 80 columns the terminal folds no line, but one with a path that is longer than the room beside its label."""
    _, terminal = on_terminal(ended, *words, COLUMNS="80")
    lines = seen(terminal).splitlines()
    assert len(lines) > 3
    assert [line for line in lines if len(line) > 80 and max(map(len, line.split())) <= 60] == []


@pytest.mark.parametrize("verb", ["status", "ledger"])
def test_verdict_number_value_and_effect_are_never_folded(ended, verb):
    """They stand before everything that gives way where a terminal is small."""
    _, terminal = on_terminal(ended, verb, COLUMNS="80")
    assert re.search(r"^2 +keep +0\.7 +\+0\.2\b", seen(terminal), re.MULTILINE)
