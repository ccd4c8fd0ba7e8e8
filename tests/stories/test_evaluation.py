"""A number counts when a program of the base commit makes it anew from what the run left."""

import textwrap

import yaml
from tests.conftest import commit_all
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
    print("score: 0.97, said what the run left" if guess == [0.7] else "")
    print(os.environ["AUTORESEARCH_RESULT_KEY"], f"score: {grade(guess):.4f}", flush=True)
"""
IDEAS = [
    {"title": "replaced", "patch": tuned("import judge", "judge.grade = lambda guess: 0.9")},
    {"title": "nothing left", "patch": tuned("import os", 'os.environ["AUTORESEARCH_RUN_FOLDER"] = "/tmp"')},
    {"title": "no list", "patch": tuned("import json", 'json.dump = lambda x, f: f.write("?")')},
    {"title": "honest", "overrides": ["lr=0.7"]},
]


def campaign(lab, ideas, **evaluate: object):
    """A script with a judge that can be run by itself, and its campaign."""
    (lab.root / "judge.py").write_text(JUDGE)
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(textwrap.dedent(TRAIN))
    commit_all(lab.root)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in ideas]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    command = ["python3", "judge.py", "{folder}"]
    lab.write(
        stop=f"{len(ideas) + 1} experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5},
        evaluate={"command": command, "reads": ["predictions.json"], **evaluate},
    )  # fmt: skip


def test_what_the_run_says_counts_only_where_its_evaluation_says_the_same(lab):
    """Both numbers are named where they differ; what leaves nothing, or nothing readable, has no number at all."""
    campaign(lab, IDEAS)
    done = lab.run()
    rows = {row.description: row for row in lab.rows()}
    assert (rows["honest"].status.value, rows["honest"].metric_value) == ("keep", 1.2), done.stdout
    assert rows["honest"].extra["integrity"] == "sound"
    assert "the run says 0.9, its evaluation from the base commit 0.6" in rows["replaced"].reason
    assert rows["replaced"].extra["integrity"] == "contradicted"
    assert "the run left no predictions.json, which its evaluation reads" in rows["nothing left"].reason
    assert "evaluation: the evaluation gave no number: it failed, exit code 1" in rows["no list"].reason
    assert [rows[name].metric_value for name in ("replaced", "nothing left", "no list")] == [None] * 3
    assert (lab.folder / "honest" / "evaluation-1" / "run.log").exists()
    assert "unverified" not in (lab.folder / "report.md").read_text()


def test_an_evaluation_that_a_kill_cut_short_is_made_again(lab):
    """The run's end is in the journal and its measurement is not: the next controller evaluates it, and goes on."""
    campaign(lab, [])
    lab.run(fault="launcher.submit#2=kill")
    assert not lab.rows()
    lab.run()
    assert [(row.metric_value, row.extra["integrity"]) for row in lab.rows()] == [(0.6, "sound")]
