"""A number counts when a program of the base commit makes it anew from what the run left."""

import textwrap

import pytest
import yaml
from tests.conftest import commit_all
from tests.stories.test_contained import needs_sandbox
from tests.stories.test_integrity import tuned

TRAIN = """\
import json, os, pathlib, judge, tune
tune.prepare()
lr = json.loads(pathlib.Path("config.json").read_text())["lr"]
json.dump([lr], open(os.environ["AUTORESEARCH_RUN_FOLDER"] + "/predictions.json", "w"))
print(f"score: {judge.grade([lr]):.4f}", flush=True)
"""
JUDGE = """\
import json, os, sys
def grade(guess):
    return 0.5 + guess[0]
if __name__ == "__main__":
    guess = json.load(open(sys.argv[1] + "/predictions.json"))
    print("score: 0.97" if guess == [0.7] else "")
    print(os.environ["AUTORESEARCH_RESULT_KEY"], f"score: {grade(guess):.4f}", flush=True)
"""
IDEAS = [
    {"title": "replaced", "patch": tuned("import judge", "judge.grade = lambda guess: 0.9")},
    {"title": "nothing left", "patch": tuned("import os", 'os.environ["AUTORESEARCH_RUN_FOLDER"] = "/tmp"')},
    {"title": "honest", "overrides": ["lr=0.7"]},
]
UNREADABLE = {"title": "no list", "patch": tuned("import json", 'json.dump = lambda x, f: f.write("?")')}


def campaign(lab, ideas, run=None, **evaluate: object):
    """A script with a judge that can be run by itself, and its campaign."""
    (lab.root / "judge.py").write_text(JUDGE)
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(textwrap.dedent(TRAIN))
    commit_all(lab.root)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in ideas]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    command = ["python3", "judge.py", "{folder}"]
    lab.write(
        stop=f"{len(ideas) + 1} experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5, **(run or {})},
        evaluate={"command": command, "reads": ["predictions.json"], **evaluate},
    )  # fmt: skip


def test_what_the_run_says_counts_only_where_its_evaluation_says_the_same(lab):
    """Both numbers are named where they differ; what leaves nothing has no number at all."""
    campaign(lab, IDEAS)
    done = lab.run()
    rows = {row.description: row for row in lab.rows()}
    assert (rows["honest"].status.value, rows["honest"].metric_value) == ("keep", 1.2), done.stdout
    assert rows["honest"].extra["integrity"] == "sound"
    assert "the run says 0.9, its evaluation from the base commit 0.6" in rows["replaced"].reason
    assert rows["replaced"].extra["integrity"] == "contradicted"
    assert "the run left no predictions.json, which its evaluation reads" in rows["nothing left"].reason
    assert [rows[name].metric_value for name in ("replaced", "nothing left")] == [None] * 2
    assert (lab.folder / "honest" / "evaluation-1" / "run.log").exists()
    assert "unverified" not in (lab.folder / "report.md").read_text()


@pytest.mark.full
def test_what_its_evaluation_cannot_read_has_no_number(lab):
    """It is run again before that is said, the last time after half a minute: the machine may have been at fault."""
    campaign(lab, [UNREADABLE])
    lab.run()
    row = lab.rows()[1]
    assert "evaluation: the evaluation gave no number: it failed, exit code 1" in row.reason
    assert row.metric_value is None


IN_PLACE = {
    "a pipe": ("os.mkfifo(place)", "the run left predictions.json, which is a pipe"),
    "a socket": ("socket.socket(socket.AF_UNIX).bind(place)", "predictions.json, which is a socket"),
    "a device": ('os.symlink("/dev/zero", place)', "predictions.json, which leads out of its folder"),
    "a link": ("os.symlink(theirs, place)", "predictions.json, which leads out of its folder"),
    "a hard link": ("os.link(theirs, place)", "predictions.json, which has another name outside of its folder"),
    "a circle": ("os.symlink(place, place)", "the run left no predictions.json"),
}


@pytest.mark.full
def test_what_is_no_file_of_the_runs_own_is_refused_before_its_evaluation_begins(lab):
    """Reading a pipe would wait for ever, and a link shows the work of another run; the row says which it was."""
    lines = [
        "import atexit, os, pathlib, socket",
        'folder = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"])',
        'place, theirs = "predictions.json", folder.parent.parent / "baseline" / "run-1" / "predictions.json"',
    ]
    ideas = [
        {
            "title": name,
            "patch": tuned(*lines, f"atexit.register(lambda: (os.chdir(folder), os.unlink(place), {code}))"),
        }
        for name, (code, _) in IN_PLACE.items()
    ]
    campaign(lab, ideas, {"sandbox": "off"})
    done = lab.run()
    rows = {row.description: row for row in lab.rows()}
    for name, (_, reason) in IN_PLACE.items():
        assert reason in rows[name].reason, done.stderr
        assert rows[name].metric_value is None
        assert not (lab.folder / name.replace(" ", "-") / "evaluation-1").exists()


@pytest.mark.full
def test_what_a_run_lays_in_the_way_of_its_evaluation_is_taken_away(lab):
    """A file where the evaluation's folder will be, and folders without end in its own, keep no number from it."""
    lines = [
        "import os, pathlib",
        'folder, here = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"]), os.getcwd()',
        '(folder.parent / "evaluation-1").write_text("")',
        "os.chdir(folder)",
        'for _ in range(1200): os.mkdir("x"); os.chdir("x")',
        "os.chdir(here)",
    ]
    ideas = [{"title": "in the way", "patch": tuned(*lines)}, {"title": "honest", "overrides": ["lr=0.7"]}]
    campaign(lab, ideas, {"sandbox": "off"}, reads=["**/predictions.json"])
    done = lab.run()
    rows = {row.description: row for row in lab.rows()}
    assert (rows["in the way"].metric_value, rows["honest"].metric_value) == (0.6, 1.2), done.stderr


@pytest.mark.full
def test_an_evaluation_that_a_kill_cut_short_is_made_again(lab):
    """The run's end is in the journal and its measurement is not: the next controller evaluates it, and goes on."""
    campaign(lab, [])
    lab.run(fault="launcher.submit#2=kill")
    assert not lab.rows()
    lab.run()
    assert [(row.metric_value, row.extra["integrity"]) for row in lab.rows()] == [(0.6, "sound")]


BOMB = """\
import json, os, pickle, subprocess
folder = os.environ["AUTORESEARCH_RUN_FOLDER"]
top = folder.split("/reports/")[0]
class Bomb:
    def __reduce__(self):
        tried = {
            "change what the run left": f"open({folder!r} + '/predictions.json', 'w')",
            "read the journal": f"open({top!r} + '/reports/auto_research/night/journal.jsonl')",
            "change git's configuration": f"open({top!r} + '/.git/config', 'a')",
            "change what measures": "open('judge.py', 'a')",
            "read a key": "open(os.path.expanduser('~/.ssh/id_ed25519'))",
            "write where it works": "open('scratch.txt', 'w')",
        }
        lines = ["import os"]
        for name, code in tried.items():
            lines += ["try:", f"  {code}; print({name!r}, 'done')", "except OSError as e:", f"  print({name!r}, 'refused')"]
        return exec, ("\\n".join(lines),)
pickle.dump(Bomb(), open(folder + "/model.pkl", "wb"))
json.dump([0.1], open(folder + "/predictions.json", "w"))
print("score: 0.6000", flush=True)
"""


@needs_sandbox
def test_what_a_run_left_can_be_code_and_reaches_nothing_when_it_is_evaluated(lab, tmp_path):
    """A pickle that its evaluation loads can write neither to the run nor to what measures, and sees no records."""
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "id_ed25519").write_text("key\n")
    campaign(lab, [], {"sandbox": "required", "writable": []}, reads=["model.pkl"])
    (lab.root / "judge.py").write_text(
        f"import pickle\n{JUDGE}    pickle.load(open(sys.argv[1] + '/model.pkl', 'rb'))\n"
    )
    (lab.root / "train.py").write_text(BOMB)
    commit_all(lab.root)
    done = lab.run(HOME=str(tmp_path))
    log = (lab.folder / "baseline" / "evaluation-1" / "run.log").read_text()
    tried = dict(line.rsplit(" ", 1) for line in log.splitlines() if line.endswith((" done", " refused")))
    assert [name for name, outcome in tried.items() if outcome == "done"] == ["write where it works"], done.stderr
    assert len(tried) == 6
    assert [(row.metric_value, row.extra["integrity"]) for row in lab.rows()] == [(0.6, "sound")]


COMPILED = """\
import importlib.util, os
place = os.path.join(os.environ.get("TORCH_EXTENSIONS_DIR") or os.path.expanduser("~/.cache/torch_extensions"), "kernel.py")
def build():
    if not os.path.exists(place):
        os.makedirs(os.path.dirname(place), exist_ok=True)
        open(place, "w").write("bonus = 0.0")
    found = importlib.util.spec_from_file_location("kernel", place)
    made = importlib.util.module_from_spec(found)
    found.loader.exec_module(made)
    return made.bonus
"""


def test_what_an_evaluation_compiles_is_made_by_itself(lab, tmp_path):
    """Compiled kernels are code, and a run can write to their caches: an evaluation has caches of its own, and they go."""
    (tmp_path / ".cache").mkdir()
    planted = tuned("import judge, kernels, os", "os.makedirs(os.path.dirname(kernels.place), exist_ok=True)",
                    'open(kernels.place, "w").write("bonus = 0.30")')  # fmt: skip
    campaign(lab, [{"title": "planted", "patch": planted}])
    (lab.root / "kernels.py").write_text(COMPILED)
    (lab.root / "judge.py").write_text(
        JUDGE.replace("import json, os, sys", "import json, os, sys, kernels").replace(
            "0.5 +", "0.5 + kernels.build() +"
        )
    )
    commit_all(lab.root)
    done = lab.run(HOME=str(tmp_path))
    row = lab.rows()[1]
    assert "the run says 0.9, its evaluation from the base commit 0.6" in row.reason, done.stderr
    assert row.metric_value is None
    assert list(lab.folder.glob("*/evaluation-*/caches")) == []
