"""Whatever a person gets wrong: one clear line, the documented exit code, and nothing lost or begun."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from autoresearch import errors
from autoresearch.config import campaign_file
from autoresearch.config.schema import CampaignConfig

EDITS = {
    "no YAML": ("stop: 4 experiments", "stop: [4", r"campaign\.yaml line \d+, column \d+"),
    "a key twice": ("recipe: x", "stop: 3 experiments", r"line \d+.*'stop' is given twice"),
    "unknown key": ("recipe: x", "laucher: local", "'laucher': did you mean 'launcher'"),
    "unknown nested key": ("policy: greedy", "polcy: greedy", r"'verdict\.polcy': did you mean 'policy'"),
    "unknown key below run": ("\nrun:\n", "\nrun:\n  frist_seed: 1\n", r"'run\.frist_seed': did you mean 'first_seed'"),
    "unknown key below scope": ("recipe: x", "scope: {alow: []}", r"'scope\.alow': did you mean 'allow'"),
    "unknown key below approval": ("by: anyone", "plam: ask", r"'approval\.plam': did you mean 'plan'"),
    "wrong type": ("\nrun:\n", "\nrun:\n  grace: soon\n", r"run\.grace: 'soon' is not understood; write a number of at least 0"),
    "a misspelt word": ("\nrun:\n", "\nrun:\n  early_kill: rce\n", "run.early_kill: 'rce' is not understood; write true, false or race; did you mean race"),
    "too small a number": ("type: scripted", "type: scripted\n  parallel: 0", "launcher.parallel: 0 is not understood; write a whole number of at least 1"),
    "a number for text": ("\nrun:\n", "\nrun:\n  env: {A: 5}\n", "run.env.A: 5 is not understood; write text, in quotes"),
    "a word for an evaluation": ("recipe: x", "evaluate: upstream", "evaluate: write its keys, command and reads first"),
    "a tolerance below nothing": ("recipe: x", "evaluate: {command: [a], tolerance: -1}", "tolerance: -1.0 is not understood; write a number of at least 0, or any"),
    "two measures in one campaign": ("recipe: x", "evaluate: {command: [a], when: proof, tolerance: any}", "any needs when: always"),
    "a key that is missing": ("recipe: x", "evaluate: {when: proof}", "evaluate.command: it is missing; write a list such as .a, b. of at least 1"),
    "a word for a list": ("recipe: x", "scope: {allow: src}", "scope.allow: 'src' is not understood; write a list such as"),
    "a number for words": ("stop: 4 experiments", "stop: 4", "stop: write it in words, for example '4 experiments"),
    "stop words": ("stop: 4 experiments", "stop: a few tries", "'a few tries' is not understood"),
    "policy": ("policy: greedy", "policy: greddy", "no verdict policy 'greddy'; choose one of: .*greedy"),
    "target": ("type: command", "type: comand", "no target 'comand'; choose one of: command"),
    "target option": ("config: config.json", "cofig: config.json", "no option 'cofig'; it knows: config"),
    "launcher": ("type: scripted", "type: slrum", "no launcher 'slrum'; choose one of: kubernetes, local"),
    "launcher option": ("type: scripted", "type: local\n  grce_s: 1", "local launcher has no option"),
    "researcher": ("type: file", "type: flie", "no researcher 'flie'; choose one of: .*file"),
    "researcher option": ("path: ideas.yaml", "pth: ideas.yaml", "needs the key `path`"),
    "list of ideas": ("path: ideas.yaml", "path: nope.yaml", "list of ideas .*nope.yaml cannot be read"),
    "name": ("campaign: night", "campaign: Last Night", "campaign: use lower-case letters"),
    "another name": ("campaign: night", "campaign: day", "calls itself 'day'; rename"),
    "base": ("recipe: x", "base: nosuch", "'nosuch' names no commit"),
}  # fmt: skip


@pytest.mark.parametrize("what", EDITS)
def test_a_campaign_file_with_a_mistake_is_refused_and_can_be_mended(lab, what):
    """The line names the place; nothing has begun, so the corrected file is not called edited."""
    old, new, told = EDITS[what]
    path = lab.folder / "campaign.yaml"
    good = path.read_text() + "recipe: x\n"
    assert old in good
    path.write_text(good.replace(old, new, 1).replace("recipe: x", "recipe: ''"))
    assert re.search(told, lab.refused("run", "--yes", "--plain"))
    assert not lab.journal()
    assert not lab.rows()


@pytest.mark.parametrize(
    "text", ["- a\n", "", "a: &a [*a]\n", "? [1]\n: 2\n", "a: *b\n", "on: 1\n", "a: \0\n", "{", "\t"]
)
def test_any_text_in_place_of_a_campaign_file_is_refused_in_words(tmp_path, text):
    """No document a person could save there ends in a traceback."""
    path = tmp_path / "campaign.yaml"
    path.write_text(text)
    with pytest.raises(errors.CampaignError, match=r"campaign\.yaml"):
        campaign_file.read(path)


def test_a_campaign_file_that_is_no_text_is_refused(tmp_path):
    """Bytes that are no UTF-8 are named as such."""
    (tmp_path / "campaign.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.CampaignError, match="cannot be read"):
        campaign_file.read(tmp_path / "campaign.yaml")


def test_a_written_campaign_file_reads_back_equal(tmp_path):
    """What `plan` writes is what `run` will read, options of adapters and odd characters included."""
    made = CampaignConfig.of(
        {"campaign": "a", "stop": "2 experiments: ü", "launcher": {"type": "local", "gpus": [0, 1]}, "command": ["a b", "#c"],
         "researcher": [{"type": "file", "path": "x: y"}, "search"], "verdict": {"worth": 1e-9}}
    )  # fmt: skip
    campaign_file.write(tmp_path / "c.yaml", made)
    assert campaign_file.read(tmp_path / "c.yaml") == made


COMMAND_LINES = {
    "unknown flag": (("plan", "--nosuch"), 2),
    "unknown command": (("rn",), 2),
    "no command": ((), 2),
    "recipe outside the repository": (("plan", "/etc/hostname"), 2),
    "no recipe": (("plan",), 1),
    "a setting without value": (("plan", "--set", "verdict"), 2),
    "a setting that is no YAML": (("plan", "--set", "verdict.policy=[1"), 2),
    "an unknown setting": (("plan", "--set", "verdct.policy=x"), 1),
    "an open quote": (("plan", "--command", "python 'x"), 2),
    "unknown campaign": (("status", "--campaign", "nigt"), 1),
    "unknown experiment": (("show", "7"), 1),
    "resume what is not paused": (("resume",), 1),
    "stop what does not run": (("stop",), 1),
    "steer with nothing": (("steer", " "), 2),
    "overrule without reason": (("overrule", "1", "keep", "--reason", " "), 2),
    "less than no time": (("run", "--poll", "-1"), 2),
    "no runs in parallel": (("plan", "--target", "command", "--command", "x", "--metric", "m", "--parallel", "0"), 1),
    "no such folder": (("status", "--repo", "/nonexistent/place"), 1),
    "unknown target": (("plan", "--target", "comand"), 1),
    "a word for a number": (("plan", "--worth", "much"), 2),
    "a misspelt choice": (("plan", "--direction", "maximise"), 2),
    "unknown policy": (("plan", "--target", "command", "--command", "x", "--metric", "m", "--policy", "best"), 1),
}


@pytest.mark.parametrize("what", COMMAND_LINES)
def test_a_command_line_that_cannot_be_carried_out_says_why(ended, what):
    """One line on stderr, the exit code of its kind, and no record changes."""
    words, code = COMMAND_LINES[what]
    before = (ended.ledger.read_bytes(), ended.journal())
    done = ended.cli(*words)
    lines = done.stderr.splitlines()
    assert (done.returncode, len(lines)) == (code, 1), done.stderr
    assert lines[0].startswith("autoresearch: ")
    assert "internal error" not in lines[0]
    assert (ended.ledger.read_bytes(), ended.journal()) == before


@pytest.mark.parametrize(("words", "told"), [
    (("plan", "--worth", "much"), "--worth: 'much' is not understood; write a number; see: autoresearch plan --help"),
    (("plan", "--direction", "maximise"), "write maximize or minimize; did you mean 'maximize'?"),
    (("plan", "--worht", "1"), "--worht; did you mean '--worth'?"),
    (("overrule", "1", "kep", "--reason", "x"), "verdict: 'kep' is not understood; write keep, discard or crash; did you mean 'keep'?"),
    (("plan", "train.py"), "train.py is a program, not a recipe: autoresearch init -- python train.py"),
    (("statsu",), "there is no command 'statsu'; did you mean 'status'?"),
    (("plan", "--policy", "greddy", "--target", "command", "--command", "x", "--metric", "accuracy"), "did you mean 'greedy'?"),
])  # fmt: skip
def test_a_misspelt_word_is_answered_with_the_nearest_and_what_is_allowed(lab, words, told):
    """Flags, choices, commands and names of adapters alike."""
    assert told in lab.refused(*words, code=1 if "--policy" in words else 2)


@pytest.mark.parametrize("verb", ["status", "run", "plan"])
def test_a_folder_that_is_gone_is_no_fault_of_the_program(tmp_path, verb):
    """A terminal that stands where a worktree was: one line, with what to do."""
    (tmp_path / "gone").mkdir()
    line = f"rmdir ../gone; exec {shlex.quote(sys.executable)} -m autoresearch {verb}"
    done = subprocess.run(["sh", "-c", line], cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    said = "autoresearch: the folder in which this was started is gone; change to the repository and run it again\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_run_without_terminal_and_without_yes_shows_the_plan_and_refuses(lab):
    """Nobody can have approved it, so nothing begins (exit code 2); the plan is there to be read."""
    done = lab.cli("run")
    assert (done.returncode, lab.journal()) == (2, [])
    assert "approve it with --yes" in done.stderr
    assert "repository:" in done.stdout


@pytest.mark.parametrize(
    "words", [("pause",), ("steer", "x"), ("stop",), ("report",), ("session",), ("ledger", "check")]
)
def test_a_campaign_that_has_not_begun_has_nothing_to_steer(lab, words):
    """The line says how to start it."""
    assert "has not started; start it with: autoresearch run" in lab.refused(*words)


def test_beside_a_campaign_that_has_not_begun_one_that_has_is_named(finished):
    """Whoever planned the next night already still finds the result of the last."""
    planned = finished.cli("plan", "--from", "night", "--campaign", "next", "--base", "HEAD", "--stop", "2 experiments")
    assert "by which it goes on from night" in planned.stdout
    assert "next: planned (start it with: autoresearch run)" in finished.cli("status").stdout
    assert "one that has begun is named like this: --campaign night" in finished.refused("adopt")


def test_a_misspelt_recipe_is_answered_with_the_nearest(lab):
    """The likeliest recipes of the repository are named."""
    recipe = lab.root / "examples" / "configs" / "grpo_math_1B.yaml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("grpo: {}\n")
    assert "did you mean examples/configs/grpo_math_1B.yaml?" in lab.refused(
        "plan", "examples/configs/grpo_mth_1b.yaml"
    )


@pytest.mark.parametrize(("kind", "told"), [
    ("plain", "not inside a git repository"), ("unborn", "no commit yet"), ("bare", "bare repository"),
])  # fmt: skip
def test_a_folder_to_work_from_must_be_a_checkout_with_a_commit(lab, tmp_path, kind, told):
    """Each says what is missing, and nothing is left in the folder."""
    if kind != "plain":
        subprocess.run(("git", "init", "-q", *(("--bare",) if kind == "bare" else ())), cwd=tmp_path, check=True)
    before = sorted(tmp_path.rglob("*"))
    lab.root = tmp_path
    words = ("plan", "--target", "command", "--command", "true", "--metric", "score")
    assert told in lab.refused(*words)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_second_controller_is_told_who_holds_the_campaign(lab):
    """Host, process and since when; the first goes on undisturbed."""
    lab.local()
    first = lab.start()
    lab.until(lambda: lab.journal("run_started"), "the first run")
    told = lab.refused("run", "--yes", "--plain")
    assert f"campaign night is held by process {first.pid} on {os.uname().nodename} since " in told
    assert "UTC" in told
    lab.gate.touch()
    assert first.communicate(timeout=200)[1] == ""
    assert [row.index for row in lab.rows()] == [1, 2, 3, 4]


def test_a_bug_of_ours_ends_with_code_three_and_a_log(finished, run_git):
    """A damaged record of a kind we did not foresee is told as a bug, in one line, with the whole story in a file."""
    records = min((finished.folder / ".scripted").iterdir())
    records.write_text('{"at": "not a number"}')
    lines = (finished.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    name = records.stem
    kept = [line for line in lines if not (name in line and ("run_ended" in line or "run_measured" in line))]
    (finished.folder / "journal.jsonl").write_text("".join(kept))
    run_git(finished.root, "update-ref", "-d", "refs/autoresearch/night")  # or the copy says that it was rewritten
    told = finished.refused(*("run", "--yes", "--plain"), code=3)
    log = re.search(r"report it with (\S+\.log)", told)[1]
    assert "Traceback" in Path(log).read_text()
    Path(log).unlink()


def test_a_full_standard_output_is_no_bug(ended):
    """A full disk below a redirection is told as what it is."""
    done = ended.shell("> /dev/full")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in done.stderr


def test_a_reader_that_goes_away_is_no_failure(ended):
    """`autoresearch ledger | head -1` ends quietly."""
    assert ended.shell("| true").stderr == ""


def test_a_recipe_of_endless_length_is_refused_in_one_line(lab):
    """Text pasted in place of a path is no bug of ours: exit 1 and one line."""
    done = lab.cli("plan", "x" * 5000)
    assert done.returncode == 1
    assert "is not a path of a recipe" in done.stderr


def test_the_help_of_plan_lists_every_word_that_a_source_may_be(lab):
    """The page on scripts sends people there: `json` is as good as the source that reads it."""
    listed = next(line for line in lab.cli("plan", "--help").stdout.splitlines() if line.startswith("  metrics "))
    assert {"csv", "json", "jsonl", "stdout", "tensorboard", "tsv"} <= {*listed.replace(",", " ").split()}
