"""Damaged and disagreeing records: told by name and line, and mended without losing anything."""

import shutil
import subprocess
from dataclasses import replace

import pytest
from tests.conftest import Lab

from autoresearch.records import mirror
from autoresearch.records.journal import Journal
from autoresearch.records.paths import Layout


def journal_of(lab):
    return lab.folder / "journal.jsonl"


def test_a_torn_last_line_of_the_journal_is_what_a_crash_leaves(finished):
    """It is passed over by readers and mended by the next writer; every whole line stays."""
    whole = journal_of(finished).read_bytes()
    journal_of(finished).write_bytes(whole + b'{"v":1,"kind":"not')
    assert "night: ended" in finished.cli("status").stdout
    assert finished.cli("steer", "go on").returncode == 0
    assert journal_of(finished).read_bytes().startswith(whole)
    assert finished.journal()[-1]["kind"] == "steered"


def test_a_damaged_line_in_the_journals_middle_is_named_with_the_way_out(finished):
    """Line number and command; `ledger rebuild` sets it aside with a backup, and the campaign reads again."""
    lines = journal_of(finished).read_text().splitlines(keepends=True)
    journal_of(finished).write_text("".join([*lines[:5], "garbage\n", *lines[5:]]))
    told = finished.refused("run", "--yes", "--plain")
    assert "journal.jsonl line 6 is damaged" in told
    assert "autoresearch ledger rebuild" in told
    before = finished.said()
    assert "aside" in finished.cli("ledger", "rebuild").stdout
    assert finished.run().returncode == 0
    assert finished.said() == before
    assert any(
        "garbage" in path.read_text() for path in finished.folder.glob("journal.jsonl*") if path != journal_of(finished)
    )


def test_a_line_missing_from_the_journal_is_told_and_no_bug(finished):
    """Somebody deleted a line: which event speaks of the unknown, exit code 1."""
    lines = journal_of(finished).read_text().splitlines(keepends=True)
    journal_of(finished).write_text("".join(line for line in lines if "experiment_opened" not in line))
    assert "a line is missing before it" in finished.refused("status")


@pytest.mark.parametrize("how", ["an older one", "a forged end", "a forged number"])
def test_a_journal_that_parted_from_its_copy_in_git_is_told_and_nothing_is_run_by_it(finished, how):
    """Its chain is whole, for whoever can write it can forge that; the copy knows better, stays, and comes back."""
    whole, journal = journal_of(finished).read_bytes(), Journal(journal_of(finished))
    events = journal.read()
    measured = [at for at, event in enumerate(events) if event.kind == "run_measured"][-1]
    journal.path.unlink()
    if how == "an older one":
        journal.path.write_bytes(b"".join(whole.splitlines(keepends=True)[:measured]))
    else:
        better = replace(events[measured], measurement=replace(events[measured].measurement, value=0.99))
        events = [*events[:measured], better, *(events[measured + 1 :] if how.endswith("number") else ())]
        for event in events:
            Journal(journal.path).append(event)
    assert "journal line" in finished.cli("ledger", "check").stdout
    told = finished.refused("run", "--yes", "--plain")
    assert "journal.jsonl was rewritten: line" in told
    assert "autoresearch ledger rebuild --campaign night" in told
    assert told.splitlines()[-1].partition(": ")[2] in finished.cli("ledger", "check").stdout
    assert "in git" in finished.cli("ledger", "check").stdout
    assert "from its copy in git" in finished.cli("ledger", "rebuild").stdout
    assert journal_of(finished).read_bytes().startswith(whole[:-1])
    assert finished.run().returncode == 0


def doubted(lab, *words: str):
    """All that a reading command says, which succeeds all the same."""
    told = lab.cli(*words)
    assert told.returncode == 0, told.stderr
    return " ".join((told.stdout + told.stderr).split())


def test_whoever_reads_by_a_rewritten_journal_is_told_and_how_to_get_it_back(finished):
    """One line beside what is shown, by every command that shows what the journal says, and in the report itself."""
    whole = journal_of(finished).read_text()
    journal_of(finished).write_text(whole.replace('"value":0.7', '"value":0.9'))
    for words in (["status"], ["show", "2"], ["ledger", "--json"], ["report"]):
        assert "was rewritten: line" in (told := doubted(finished, *words)), words
        assert "autoresearch ledger rebuild --campaign night" in told
    assert "was rewritten" in (finished.folder / "report.md").read_text()
    assert finished.cli("ledger", "rebuild").returncode == 0
    assert "rewritten" not in doubted(finished, "status") + doubted(finished, "show", "2")


def test_a_journal_that_lacks_only_what_git_has_no_copy_of_is_told_by_what_ledger_and_folders_know(finished):
    """Rows and runs that it does not know are named; once that is written down the campaign goes on without them."""
    cut(finished, before="experiment_opened")
    drop_copy(finished)
    row = finished.rows()[-1].branch
    for words in (["status"], ["show", "1"], ["ledger", "check"]):
        told = finished.cli(*words)
        assert f"the row of {row}, run 2 of baseline" in " ".join((told.stdout + told.stderr).split())
    assert f"the row of {row}" in finished.cli("ledger", "rebuild").stdout
    assert row in [one.branch for one in finished.rows()]
    assert "lacks what came last" not in doubted(finished, "status")
    assert finished.cli("ledger", "check").returncode == 0


def test_a_copy_of_a_runs_folder_is_no_run_that_the_journal_lacks(finished):
    """Somebody keeps the folder of an experiment or run beside it: nothing is doubted, refused or a bug."""
    one = finished.folder / "baseline"
    shutil.copytree(one, finished.folder / "baseline.kept")
    for name in ("run-1-copy2", "run-1.3", "run-00001", "run-9"):
        shutil.copytree(one / "run-1", one / name)
    assert "lacks what came last" not in doubted(finished, "status")
    assert finished.cli("steer", "go on").returncode == 0


def cut(lab, before="experiment_judged") -> bytes:
    """The journal ends before the last event of a kind; what it was before that is returned."""
    whole = journal_of(lab).read_bytes()
    lines = whole.splitlines(keepends=True)
    last = max(at for at, line in enumerate(lines) if f'"kind":"{before}"'.encode() in line)
    journal_of(lab).write_bytes(b"".join(lines[:last]))
    return whole


ACTS = (
    ("run", "--yes", "--plain"), ("steer", "go on"), ("pause",), ("resume",), ("stop", "--now"), ("approve", "2/1"),
    ("overrule", "2", "keep", "--reason", "it is good"), ("extend", "3 experiments"), ("cancel", "2/1"),
    ("experiment", "new", "a further idea"), ("experiment", "judge", "2"), ("reproduce", "2"),
)  # fmt: skip


@pytest.mark.parametrize("how", ["older than its copy", "rewritten", "older than its rows"])
def test_nobody_acts_by_a_journal_in_doubt_and_nothing_is_lost_by_trying(finished, how):
    """Each verb that would write into it names the one command that mends it; then what was there before is there."""
    whole = cut(finished)
    if how == "older than its rows":
        drop_copy(finished)
    elif how == "rewritten":
        journal_of(finished).write_bytes(whole.replace(b'"value":0.7', b'"value":0.9'))
    doubtful, rows = journal_of(finished).read_bytes(), finished.rows()
    for words in ACTS:
        told = " ".join(finished.refused(*words).split())
        assert "with: autoresearch ledger rebuild --campaign night" in told, (words, told)
    assert (journal_of(finished).read_bytes(), finished.rows()) == (doubtful, rows)
    assert finished.cli("ledger", "rebuild").returncode == 0
    if how != "older than its rows":
        assert journal_of(finished).read_bytes().startswith(whole)
    assert finished.cli("steer", "go on").returncode == 0


def test_a_journal_that_goes_on_from_its_copy_is_what_a_crash_leaves_and_in_no_doubt(finished):
    """Its writer died before git had the newest lines, or before their row was written: whoever comes next goes on."""
    whole = cut(finished)
    drop_copy(finished)
    mirror.save(Layout(finished.root).campaign("night"))
    journal_of(finished).write_bytes(whole)
    finished.ledger.write_text("".join(finished.ledger.read_text().splitlines(keepends=True)[:-1]))
    assert finished.cli("steer", "go on").returncode == 0
    assert finished.run().returncode == 0
    assert "doubt" not in doubted(finished, "status")


def test_a_campaign_that_comes_back_from_git_goes_on_though_the_ledger_knows_more(finished):
    """What was lost with its folder is said once, in the journal, by whoever brings it back; nobody is refused for it."""
    lost = finished.rows()[-1].branch
    cut(finished, before="experiment_opened")
    drop_copy(finished)
    mirror.save(Layout(finished.root).campaign("night"))
    shutil.rmtree(finished.folder)
    assert finished.run().returncode == 0
    said = next(
        event["text"] for event in finished.journal() if "written anew from their copy" in event.get("text", "")
    )
    assert f"the row of {lost}" in said


def test_a_row_edited_by_hand_is_found_and_rebuilt_with_a_backup(finished):
    """`ledger check` names branch, column and both values; `rebuild` restores and keeps the edited file."""
    good = finished.ledger.read_text()
    edited = good.replace("0.700000", "0.900000", 1)
    assert edited != good
    finished.ledger.write_text(edited)
    check = finished.cli("ledger", "check")
    assert check.returncode == 1
    assert (
        "raise-the-learning-rate: ledger: metric_value is '0.900000' in the ledger, '0.700000' in the journal"
        in check.stdout
    )
    assert finished.cli("ledger", "rebuild").returncode == 0
    assert finished.ledger.read_text() == good
    assert edited in [
        path.read_text()
        for path in finished.ledger.parent.glob("auto_research_results.tsv*")
        if path != finished.ledger
    ]
    assert finished.cli("ledger", "check").stdout == "ledger, journals and notes agree\n"


@pytest.mark.parametrize("damage", ["row gone", "ledger gone"])
def test_what_the_ledger_lost_comes_back_with_the_next_run(finished, damage):
    """The journal knows every row; `check` says what is missing until then."""
    good, lines = finished.said(), finished.ledger.read_text().splitlines(keepends=True)
    finished.ledger.unlink() if damage == "ledger gone" else finished.ledger.write_text("".join([lines[0], *lines[2:]]))
    assert "its result is missing in the ledger; it is in the journal" in finished.cli("ledger", "check").stdout
    assert finished.run().returncode == 0
    assert sorted(finished.said()) == sorted(good)


def test_a_line_that_is_no_row_is_left_alone_and_told(finished):
    """Other people's lines are theirs; `check` names the line, every row still counts."""
    good, lines = finished.said(), finished.ledger.read_text().splitlines(keepends=True)
    finished.ledger.write_text("".join([lines[0], "rubbish\n", *lines[1:]]))
    assert finished.said() == good
    check = finished.cli("ledger", "check")
    assert check.returncode == 1
    assert "ledger line 2" in check.stdout


def test_a_torn_last_row_is_recovered(finished):
    """Half a row, as a crash leaves it: readers pass over it and the whole row is written by the next run."""
    good, text = finished.said(), finished.ledger.read_text()
    finished.ledger.write_text(text[:-40])
    assert finished.run().returncode == 0
    assert finished.said() == good


@pytest.mark.parametrize(("log", "told"), [("nothing to see\n", "score"), ("score: nan\n", "nan")])
def test_a_metric_that_never_comes_or_is_no_number_is_a_crash_with_its_reason(lab, log, told):
    """The campaign goes on; the row says what was looked for (R72), and the value stays empty."""
    script = {"*raise*": {"log": log}, "*": {"value": [0.5]}}
    lab.write(launcher={"type": "scripted", "script": script}, stop="2 experiments")
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert (row.status.value, row.metric_value) == ("crash", None)
    assert told in row.reason.lower()


def notes_of(lab):
    """What git shows on every branch of the campaign."""
    argv = ("git", "log", "--no-walk", "--branches=autoresearch/*", "--notes=autoresearch", "--format=%H %N")
    return subprocess.run(argv, cwd=lab.root, capture_output=True, text=True, check=True).stdout


def drop_notes(lab):
    subprocess.run(("git", "update-ref", "-d", "refs/notes/autoresearch"), cwd=lab.root, check=True)


def drop_copy(lab):
    subprocess.run(("git", "update-ref", "-d", "refs/autoresearch/night"), cwd=lab.root, check=True)


@pytest.mark.parametrize("left", ["the campaign file", "a journal made of rows", "nothing"])
def test_a_lost_journal_comes_back_from_its_copy_in_git(finished, left):
    """Whoever only reads is told the one command, not that nothing was begun; after it everything reads as before."""
    good, began = finished.rows(), finished.journal()
    if left == "a journal made of rows":
        copy = subprocess.check_output(("git", "rev-parse", "refs/autoresearch/night"), cwd=finished.root, text=True)
        drop_copy(finished)
        journal_of(finished).unlink()
        assert finished.cli("ledger", "rebuild").returncode == 0
        subprocess.run(("git", "update-ref", "refs/autoresearch/night", copy.strip()), cwd=finished.root, check=True)
    else:
        shutil.rmtree(finished.folder) if left == "nothing" else journal_of(finished).unlink()
    for words in (("status",), ("report",), ("show", "2")):
        assert "autoresearch ledger rebuild --campaign night" in finished.refused(*words)
    told = finished.cli("ledger", "rebuild", "--campaign", "night")
    assert told.returncode == 0, told.stderr
    assert finished.journal()[: len(began)] == began
    assert "night: ended" in finished.cli("status").stdout
    assert finished.rows() == good
    assert finished.cli("run", "--plain").returncode == 0


def test_lost_notes_are_rebuilt_from_the_journal(finished):
    """Somebody deleted the ref: the same notes stand on the same commits again."""
    good = notes_of(finished)
    drop_notes(finished)
    assert "its result is missing in the notes; it is in the journal" in finished.cli("ledger", "check").stdout
    assert "rebuilt the notes on 4 commits" in finished.cli("ledger", "rebuild").stdout
    assert notes_of(finished) == good
    assert finished.cli("ledger", "check").returncode == 0


@pytest.mark.parametrize("source", ["ledger", "notes"])
def test_a_lost_journal_is_rebuilt_from_what_is_left(finished, source):
    """Where git has no copy of it: its experiments can be looked at again, and nothing goes on."""
    drop_copy(finished)
    good, files = finished.rows(), finished.ledger.read_bytes()
    journal_of(finished).unlink()
    finished.ledger.unlink() if source == "notes" else drop_notes(finished)
    assert "has not started" not in finished.cli("ledger", "check").stderr
    told = finished.cli("ledger", "rebuild")
    assert told.returncode == 0, told.stderr
    assert f"from the {source}: 4 experiments" in told.stdout
    assert "cannot go on" in told.stdout
    assert finished.rows() == good
    assert source == "notes" or finished.ledger.read_bytes() == files
    assert "raise-the-learning-rate" in finished.cli("show", "2").stdout


def test_with_nothing_left_nothing_is_invented(finished):
    """No journal, no ledger, no notes, no copy: refused in one line."""
    drop_copy(finished)
    journal_of(finished).unlink()
    finished.ledger.unlink()
    drop_notes(finished)
    for action in ("check", "rebuild"):
        assert "has not started" in finished.refused("ledger", action)


def test_a_campaign_that_only_git_has_keeps_its_name_and_comes_back_in_a_clone(finished, run_git, tmp_path):
    """`list` shows it, nothing new takes its name, and `run` goes on with it."""
    run_git(finished.root, "clone", "-q", str(finished.root), str(tmp_path / "clone"))
    clone = Lab(tmp_path / "clone")
    run_git(clone.root, "fetch", "-q", "origin", "refs/autoresearch/*:refs/autoresearch/*")
    assert "bring it back with: autoresearch run --campaign night" in clone.cli("list").stdout
    for words in (["plan", "config.json"], ["init", "--yes"]):
        told = clone.refused(*words, "--name", "night", *(["--", "true"] if words[0] == "init" else []))
        assert "go on with it: autoresearch run --campaign night, or give the new one another name" in told
    assert clone.cli("run", "--campaign", "night", "--plain").returncode == 0
    assert "in git" not in clone.cli("list").stdout
    assert clone.said() == finished.said()
