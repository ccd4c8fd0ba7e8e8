"""The session memory of a real campaign: begun before the first branch, true at every moment, enough to go on."""

import json

from autoresearch.records.session_memory import header_of


def texts(lab) -> dict[str, str]:
    """The four files of the lab's only session, by name."""
    (folder,) = (lab.root / "session").iterdir()
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_record_stands_before_the_first_branch(lab):
    """Goal, subtask, skills, repository, constraints, and what was decided, though no branch exists yet (R153, R164)."""
    lab.run(fault="propose.baseline.branch=kill")
    found = texts(lab)
    assert sorted(found) == ["files.md", "handoff.md", "session_state.md", "timeline.md"]
    state = found["session_state.md"]
    assert "## Goal\nraise the score (maximize score)\n" in state
    assert header_of(state)["repo"] == str(lab.root)
    assert "- `autoresearch` - " in state
    assert "Known constraint: every branch is kept" in state
    assert "- User asked: raise the score\n- Context gathered: read config.json" in found["timeline.md"]
    assert "stop: 4 experiments" in found["timeline.md"]


def test_edits_and_launches_are_on_the_timeline_before_and_after(ended):
    """Opened, committed, launched, measured, judged, in this order (R154, R172)."""
    timeline = texts(ended)["timeline.md"]
    found = [
        timeline.index(part)
        for part in (
            "attempt 2 starts from baseline",
            "on autoresearch/night/raise-the-learning-rate",
            "launch ar-night--raise-the-learning-rate--1",
            "ar-night--raise-the-learning-rate--1: score 0.7",
            "raise-the-learning-rate: keep",
            "the campaign ended: ",
        )
    ]
    assert found == sorted(found)


def test_only_what_was_done_is_ticked(lab):
    """Without fresh seeds the confirmation stays open, however the campaign ended; what was checked is counted."""
    lab.write(verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    lab.run()
    state = texts(lab)["session_state.md"]
    assert "- [x] baseline on the unmodified recipe" in state
    assert "- [ ] confirm the best on fresh seeds" in state
    assert "Verified: 4 of 4 verdicts have their row in the ledger" in state


def test_a_row_that_is_missing_is_not_called_verified(finished):
    """Someone deletes a row: the next checkpoint says that only the others are there (R165)."""
    lines = finished.ledger.read_text().splitlines(keepends=True)
    finished.ledger.write_text("".join(lines[:-1]))
    finished.cli("session", "checkpoint")
    assert "Verified: 3 of 4 verdicts have their row" in texts(finished)["session_state.md"]


def test_a_recovery_is_noted_once_and_nothing_else_is_made_up(lab):
    """After a crash the timeline says what was read and checked; no half hour is claimed to have passed (R185)."""
    lab.run(fault="propose.opened=kill")
    lab.run()
    timeline = texts(lab)["timeline.md"]
    assert timeline.count("recovered; no mismatch with git found") == 1
    assert "half an hour" not in timeline


def test_a_launch_that_waits_for_a_person_is_a_blocker_at_once(lab):
    """Whoever takes over reads what is waited for, and for whom (R154: before pausing for input)."""
    lab.write(approval={"launch": "ask", "by": "anyone"})
    controller = lab.start()
    lab.until(lambda: lab.journal("approval_asked"), "the question")
    lab.until(lambda: "wait for a person" in texts(lab)["timeline.md"], "the checkpoint")
    lab.until(lambda: "## Blockers\n- launch baseline/1" in texts(lab)["session_state.md"], "the blocker")
    controller.terminate()
    controller.communicate(timeout=200)


def test_the_handoff_reads_as_sentences(ended):
    """One paragraph to resume from: goal, branch, subtask, latest result, stop rule."""
    paragraph = texts(ended)["handoff.md"].partition("## Resume From Here\n")[2].partition("\n\n")[0]
    assert paragraph.startswith("Goal: raise the score (maximize score). On branch autoresearch/night/far-too-high of ")
    assert "Now: the campaign has ended. Latest result: #4 far-too-high: crash" in paragraph
    assert paragraph.endswith("Stop condition met: 4/4 attempted.")


def test_the_page_is_there_for_machines_too(ended):
    """`session --json` has the page that `session` prints."""
    told = json.loads(ended.cli("session", "--json").stdout)
    assert told["page"].strip() == ended.cli("session").stdout.strip()


def test_an_approved_plan_and_edits_by_hand_are_remembered(lab):
    """Approved means begun (R154: the plan has formed); what is edited by hand is in no commit, and whose it is (R177)."""
    assert lab.cli("approve", "plan", "--yes").returncode == 0
    assert "- User asked: raise the score" in texts(lab)["timeline.md"]
    assert lab.cli("experiment", "new", "double the rate").returncode == 0
    lab.cli("session", "checkpoint")
    state = texts(lab)["session_state.md"]
    assert "## Current Subtask\ndriven by hand: #2 double-the-rate\n" in state
    assert "- Uncommitted: edits of #2 by " in state
    assert ".autoresearch/by-hand/night/2" in state
