"""From somebody's own script to a finished campaign, by `init` alone: three scripts of different kinds."""

import os
import shutil
import signal
from pathlib import Path

import psutil
import pytest
import yaml
from tests.conftest import Lab, commit_all

pytest.importorskip("numpy")

SCRIPTS = Path(__file__).with_name("own_scripts")
INIT = ("init", "--yes", "--run", "--plain", "--poll", "0.02", "--name", "night", "--stop", "3 experiments, 30s each")
QUICK = ("--parallel", "2", "--set", "verdict.confirm=0", "--set", "verdict.baseline_runs=1")


@pytest.fixture
def clone(tmp_path, run_git):
    """Makes a stranger's repository of a folder of scripts."""

    def make(kind: str, **more: str) -> Lab:
        root = tmp_path / "a stranger's répo"
        shutil.copytree(SCRIPTS / kind, root)
        for name, text in more.items():
            (root / name.replace("__", ".")).write_text(text)
        run_git(root, "init", "-q", "-b", "main")
        run_git(root, "config", "user.name", "Ada")
        run_git(root, "config", "user.email", "ada@example.org")
        run_git(root, "add", ".")
        run_git(root, "commit", "-q", "-m", "The script as it was")
        return Lab(root)

    return make


def finished(lab, run_git, *command: str):
    """What `init` said of a command, and the campaign file it wrote; the campaign ended and the checkout is clean."""
    done = lab.cli(*INIT, *QUICK, "--", *command)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3/3 attempted" in done.stdout
    rows = lab.rows()
    assert [row.status for row in rows] != []
    assert all(row.metric_value is not None and row.status != "crash" for row in rows), done.stdout
    assert run_git(lab.root, "status", "--short") == ""
    assert run_git(lab.root, "worktree", "list").count("\n") <= len(rows)
    written = yaml.safe_load((lab.folder / "campaign.yaml").read_text())
    assert written["launcher"]["parallel"] == 2
    return done.stdout, written


def changed(lab, run_git):
    """Files that the ideas of a campaign changed."""
    named = [row.branch for row in lab.rows()[1:]]
    return {path for branch in named for path in run_git(lab.root, "diff", "--name-only", "main", branch).split()}


def test_flags_and_a_printed_accuracy(clone, run_git):
    """Flags become knobs, the seed's flag is filled in, the held-out number is the metric, and larger is better."""
    lab = clone("flags")
    said, written = finished(lab, run_git, "python3", "train.py", "--lr", "0.05")
    assert written["objective"] == {"goal": "raise Test accuracy", "metric": "Test accuracy", "direction": "maximize"}
    assert written["command"] == ["python3", "train.py", "--lr", "0.05", "--seed", "{seed}"]
    assert written["target"]["knobs"]["lr"] == {"flag": "--lr", "type": "float", "default": 0.05}
    assert set(written["target"]["space"]) == {"lr", "power", "shuffle"}
    assert "two runs with one seed agree; another seed gave" in said
    assert changed(lab, run_git) == {"autoresearch.knobs"}
    assert "no script reads it" in " ".join(lab.cli("adopt", "2").stdout.split())


@pytest.mark.full
def test_constants_and_lines_of_json_beside_the_script(clone, run_git):
    """Constants are edited where they stand, and what each run writes beside the script is its own."""
    lab = clone("constants")
    _, written = finished(lab, run_git, "python3", "reinforce.py")
    assert written["objective"]["metric"] == "mean_reward"
    assert written["target"]["source"] == {"type": "jsonl", "path": "metrics.jsonl"}
    assert (written["target"]["start_in"], set(written["target"]["space"])) == ("folder", {"LR", "GAMMA"})
    assert changed(lab, run_git) == {"reinforce.py"}
    edits = run_git(lab.root, "diff", "--numstat", "main", lab.rows()[1].branch).split()
    assert int(edits[0]) == int(edits[1]) <= 2


@pytest.mark.full
def test_a_yaml_file_and_the_state_of_a_trainer(clone, run_git):
    """The configuration that the command names is searched, the Trainer's own file is read, and less loss is better."""
    lab = clone("files")
    _, written = finished(lab, run_git, "python3", "finetune.py", "--config", "sft.yaml")
    assert (written["objective"]["metric"], written["objective"]["direction"]) == ("eval_loss", "minimize")
    assert written["target"]["source"] == {"type": "json", "path": "trainer_state.json"}
    assert set(written["target"]["space"]) == {"optimizer.learning_rate", "optimizer.weight_decay"}
    assert changed(lab, run_git) == {"sft.yaml"}
    assert "# as the paper" in run_git(lab.root, "show", f"{lab.rows()[1].branch}:sft.yaml")


def test_nothing_is_run_without_a_yes(clone):
    """No terminal and no --yes: refused before anything is run, and nothing is left."""
    lab = clone("flags")
    done = lab.cli("init", "--", "python3", "train.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert "say yes with --yes" in done.stderr
    assert not (lab.root / ".autoresearch").exists()


INI = """\
import configparser
settings = configparser.ConfigParser()
settings.read("train.ini")
print("accuracy:", settings.getfloat("optim", "rate"))
"""


def test_settings_that_no_override_can_edit_are_refused_by_their_file(clone):
    """`configparser` reads them: what is named is the file, and what to do with it."""
    lab = clone("constants", fit__py=INI, train__ini="[optim]\nrate = 0.1\n")
    told = lab.cli("init", "--yes", "--name", "night", "--", "python3", "fit.py")
    assert told.returncode == 1
    assert "the settings stand in train.ini, and overrides can edit YAML, JSON and TOML only" in told.stderr


def test_a_direction_is_never_guessed(clone):
    """A metric whose name says nothing is asked for; without a terminal the flag is named, and nothing is written."""
    lab = clone("constants", odd__py="LR = 0.1\nprint('zeal: 3.5')\n")
    done = lab.cli("init", "--yes", "--", "python3", "odd.py")
    assert "say which one with --metric NAME" in done.stderr
    done = lab.cli("init", "--yes", "--metric", "zeal", "--", "python3", "odd.py")
    assert (done.returncode, "--direction maximize" in done.stderr, done.stdout) == (2, True, "")
    assert not lab.folder.parent.exists()


@pytest.mark.parametrize("name", [pytest.param("zeal", marks=pytest.mark.full), "accuracy"])
def test_the_direction_that_somebody_says_is_the_one_that_is_shown(clone, name):
    """Beside the number, and also where its name says the other one; so is the gain that they would care about."""
    lab = clone("constants", odd__py=f"LR = 0.1\nprint('{name}: 3.5')\n")
    said = ("--metric", name, "--direction", "minimize", "--worth", "0.5")
    done = lab.cli("init", "--yes", *said, "--", "python3", "odd.py")
    assert done.returncode == 0, done.stderr
    assert "[proposed, minimize]" in done.stdout
    assert f"a gain of 0.5 in {name}" in done.stdout


@pytest.mark.full
def test_a_file_that_knobs_edit_is_not_offered_for_protection(clone):
    """Who followed the offer had every idea refused; who protects it all the same is told so before the campaign."""
    lab = clone("constants")
    done = lab.cli("init", "--yes", "--", "python3", "reinforce.py")
    assert "nothing is protected" in done.stdout
    assert "target.protect=[reinforce.py]" not in done.stdout
    done = lab.cli("init", "--yes", "--set", "target.protect=[reinforce.py]", "--", "python3", "reinforce.py")
    assert "target.protect (reinforce.py) holds reinforce.py: every idea that turns LR, " in done.stdout


@pytest.mark.parametrize(("printed", "source"), [
    pytest.param(
        "| accuracy | 0.83 |", {"type": "stdout", "patterns": {"accuracy": r"accuracy\ \|\ ([-+.eE0-9]+)"}},
        marks=pytest.mark.full,
    ),
    ("Acc 0.83", {"type": "stdout", "patterns": {"acc": r"Acc\s+([-+.eE0-9]+)"}}),
])  # fmt: skip
def test_a_line_that_comes_near_is_read_by_a_pattern(clone, printed, source):
    """A table's cell, a name without a colon: the file holds the pattern that takes it."""
    lab = clone("constants", table__py=f"LR = 0.1\nprint({printed!r})\n")
    done = lab.cli("init", "--yes", "--name", "night", "--", "python3", "table.py")
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((lab.folder / "campaign.yaml").read_text())["target"]["source"]
    assert list(written["patterns"]) == list(source["patterns"])
    assert "0.83" in done.stdout


@pytest.mark.parametrize("gap", [pytest.param(" | ", marks=pytest.mark.full), "     "])
def test_each_row_of_a_table_is_a_number_of_its_own(clone, gap):
    """Two rewards of one run are no curve of one: every row is shown, and the pattern takes its row alone."""
    rows = [f"{name}{gap}{value}" for name, value in (("mean reward", 0.681), ("late reward", 0.68), ("regret", 328.8))]
    lab = clone("constants", table__py=f"STEP_SIZE = 0.1\nPULLS = 9\nfor row in {rows}:\n    print(row)\n")
    done = lab.cli("init", "--yes", "--name", "night", "--metric", "late reward", "--", "python3", "table.py")
    assert done.returncode == 0, done.stderr
    shown = [line.partition("a row of a table")[0] for line in done.stdout.splitlines() if "a row of a table" in line]
    assert sorted(line.split() for line in shown) == [
        ["late", "reward", "0.68"],
        ["mean", "reward", "0.681"],
        ["regret", "328.8"],
    ]
    written = yaml.safe_load((lab.folder / "campaign.yaml").read_text())
    assert list(written["target"]["source"]["patterns"]) == ["late reward"]
    assert list(written["target"]["space"]) == ["STEP_SIZE"]


@pytest.mark.parametrize(
    "printed",
    ["score: 1,234.5", *(pytest.param(one, marks=pytest.mark.full) for one in ("score: 0,83", "score: 1_234.5"))],
)
def test_a_number_is_whole_or_none(clone, printed):
    """Never 1 or 0: what stands there is quoted, with what would do."""
    lab = clone("constants", odd__py=f"LR = 0.1\nprint({printed!r})\n")
    done = lab.cli("init", "--yes", "--", "python3", "odd.py")
    assert done.returncode == 1
    assert f"ambiguous number '{printed.split()[1]}' after score" in done.stderr


READS = """import os
LR = 0.1
more = open("data/more.csv").read() if os.path.exists("data/more.csv") else ""
print("score:", len(open("data/train.csv").read() + more) * LR)
"""


def ignored(clone, **scripts: str):
    """A repository whose data git ignores."""
    lab = clone("constants", **scripts)
    (lab.root / "data").mkdir()
    (lab.root / "data/train.csv").write_text("1234\n")
    (lab.root / "data/more.csv").write_text("12345\n")
    (lab.root / ".git/info/exclude").write_text("data/\n")
    return lab


@pytest.mark.full
def test_data_that_git_ignores_are_named_and_linked_into_each_run(clone, run_git):
    """What the script asks for, and what lies beside it; the number is that of the checkout, and git has none of it."""
    lab = ignored(clone, read__py=READS)
    said, written = finished(lab, run_git, "python3", "read.py")
    assert "git does not have data/train.csv, data/more.csv; each run gets links" in said
    place = {f"data/{name}.csv": str(lab.root / f"data/{name}.csv") for name in ("train", "more")}
    assert (written["target"]["inputs"], written["target"]["start_in"]) == (place, "folder")
    assert lab.rows()[0].metric_value == pytest.approx(1.1)
    assert (lab.root / "data/train.csv").read_text() == "1234\n"


def test_a_plan_names_data_that_git_ignores_beforehand(clone):
    """By the names in the script, without running it; the words it gives are the cure."""
    lab = ignored(clone, read__py=READS)
    asked = ("plan", "--name", "night", "--target", "command", "--command", "python3 read.py", "--metric", "score")
    told = " ".join(lab.cli(*asked).stdout.split())
    assert "data/more.csv, data/train.csv: named by the script, in your checkout, but not in the commit" in told
    cure = told.partition("--set target.start_in=folder --set '")[2].partition("'")[0]
    told = " ".join(lab.cli(*asked, "--set", "target.start_in=folder", "--set", cure).stdout.split())
    assert "not in the commit" not in told


ASSEMBLED = """\
RATE = 0.1
name = "train"
print("score:", len(open(f"data/{name}.{chr(99)}sv").read()) * RATE)
"""


@pytest.mark.full
def test_a_baseline_that_misses_what_git_ignores_says_what_and_how_to_mend_it(clone):
    """Also where no plan could see it: the row, the status and the report name the file and its cure, after two runs."""
    lab = ignored(clone, read__py=ASSEMBLED)
    command = ("--target", "command", "--command", "python3 read.py", "--metric", "score", "--stop", "3 experiments")
    assert lab.cli("plan", "--name", "night", *command).returncode == 0
    lab.run()
    why = "data/train.csv is in your checkout and not in the commit, so no worktree has it"
    cure = f"target.start_in: folder with target.inputs: {{data/train.csv: {lab.root}/data/train.csv}}"
    (row,) = lab.rows()
    assert (row.status, row.runs) == ("crash", 2)
    for told in (row.reason, lab.cli("status").stdout, (lab.folder / "report.md").read_text()):
        assert why in told
        assert cure in told


@pytest.mark.full
def test_a_file_that_is_nowhere_is_not_guessed_at(clone):
    """What neither the checkout nor the commit has is missing, and no cure is made up."""
    lab = clone("constants", read__py=ASSEMBLED)
    command = ("--target", "command", "--command", "python3 read.py", "--metric", "score", "--stop", "3 experiments")
    lab.cli("plan", "--name", "night", *command)
    lab.run()
    assert "missing-input" in lab.rows()[0].reason
    assert "your checkout" not in lab.rows()[0].reason


def test_a_plan_finds_the_knobs_that_init_finds(clone):
    """Flags of the source, without running it: what overrides may turn, and a search over it; the seed is none."""
    lab = clone("flags")
    asked = ("--target", "command", "--command", "python3 train.py --seed {seed}", "--metric", "accuracy")
    done = lab.cli("plan", "--name", "night", *asked)
    assert done.returncode == 0, done.stderr
    written = yaml.safe_load((lab.folder / "campaign.yaml").read_text())
    assert written["researcher"]["type"] == "search"
    assert set(written["target"]["space"]) == {"lr", "power", "shuffle"}
    assert "seed" not in written["target"]["knobs"]


SWAPS = """import argparse, json
parser = argparse.ArgumentParser()
parser.add_argument("--data", default="data/points.json")
parser.add_argument("--lr", type=float, default=0.1)
asked = parser.parse_args()
print("accuracy:", min(1, json.load(open(asked.data)) + asked.lr))
"""


@pytest.mark.full
def test_no_listed_idea_has_its_number_measured_on_other_data(clone, run_git):
    """By an override with a patch that adds the data, or by a patch of the file that holds what is turned."""
    lab = clone("flags", swap__py=SWAPS)
    (lab.root / "data").mkdir()
    (lab.root / "data/points.json").write_text("0.5\n")
    commit_all(lab.root)
    easy = "--- /dev/null\n+++ b/{}\n@@ -0,0 +1 @@\n+{}\n"
    ideas = [
        {"title": "Easy", "area": "data", "overrides": ["data=easy.json"], "patch": easy.format("easy.json", "1")},
        {"title": "Sly", "area": "data", "patch": easy.format("autoresearch.knobs", "data=easy.json")},
        {
            "title": "Edit",
            "area": "data",
            "patch": "--- a/data/points.json\n+++ b/data/points.json\n@@ -1 +1 @@\n-0.5\n+1\n",
        },
    ]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    done = lab.cli(*INIT[:-1], "4 experiments, 30s each", *QUICK, "--ideas", "ideas.yaml", "--", "python3", "swap.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "not turned, as they name files or folders: data=data/points.json" in done.stdout
    rows = lab.rows()[1:]
    assert [row.metric_value for row in rows] == [None] * 3
    for row, why in zip(
        rows, ("a person may allow it", "recipe key data is protected", "points.json is protected"), strict=True
    ):
        assert why in row.reason


def test_a_taken_name_is_refused_before_anything_is_run(clone):
    """Once run, the command would be refused for printing no number."""
    lab = clone("flags", mute__py="")
    lab.folder.mkdir(parents=True)
    (lab.folder / "campaign.yaml").touch()
    done = lab.cli("init", "--yes", "--name", "night", "--", "python3", "mute.py")
    assert (done.returncode, "exists already; edit it, or give the new one another --name" in done.stderr) == (1, True)


def test_what_a_script_would_write_to_is_no_data(clone):
    """A folder of results that git ignores is refused with the cure: a link would lead into the checkout."""
    lab = ignored(clone, write__py="print('score: 1', file=open('data/train.csv', 'w'))\n")
    done = lab.cli("init", "--yes", "--", "python3", "write.py")
    assert done.returncode == 1
    assert "asks for data/train.csv, which is in your checkout but not in its commit" in done.stderr
    assert (lab.root / "data/train.csv").read_text() == "1234\n"


def test_what_looks_like_a_secret_is_no_knob_and_is_shown_nowhere(clone):
    """Tokens as defaults of flags, as choices and in files: the campaign is written without them, and their names told."""
    token, lab = f"hf_{'aB3d' * 8}XY", clone("flags")
    lines = ["import argparse", "p = argparse.ArgumentParser()", "p.add_argument('--seed', type=int, default=0)"]
    lines += [
        "p.add_argument('--lr', type=float, default=0.1)",
        "p.add_argument('--max-tokens', type=int, default=512)",
    ]
    lines += [
        f"p.add_argument('--hub', default='{token}')",
        f"p.add_argument('--who', default='a', choices=['a', '{token}'])",
    ]
    lines += ["p.add_argument('--config', default='c.yaml')", "a = p.parse_args()", "print('accuracy:', a.lr)"]
    (lab.root / "train.py").write_text("\n".join(lines))
    (lab.root / "c.yaml").write_text(f"beta: 0.1\nwandb: {{api_key: {token}, password: correct-horse-9}}\n")
    commit_all(lab.root)
    done = lab.cli("init", "--yes", "--name", "night", "--", "python3", "train.py", "--config", "c.yaml")
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr + (lab.folder / "campaign.yaml").read_text()
    assert token not in shown
    assert "correct-horse-9" not in shown
    assert "not turned, as they look like secrets: hub, who, wandb.api_key, wandb.password" in done.stdout
    assert "lr=0.1, max_tokens=512" in done.stdout
    assert "beta=0.1" in done.stdout


def _commands() -> list[str]:
    return [" ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"])]


@pytest.mark.full
def test_what_a_killed_init_left_is_gone_after_the_next(clone, run_git):
    """`kill -9` in the middle of a rehearsal: its run, its folder and its worktree go when `init` starts again."""
    lab = clone("flags", slow__py="import os, time\nprint('pid', os.getpid(), flush=True)\ntime.sleep(600)\n")
    first = lab.start("init", "--yes", "--plain", "--", "python3", "slow.py")
    logs = ".autoresearch/rehearsal-*/run-1/run.log"
    lab.until(lambda: [one for one in lab.root.glob(logs) if "pid" in one.read_text()], "a rehearsed run")
    os.kill(first.pid, signal.SIGKILL)
    first.communicate()
    done = lab.cli(*INIT[:2], "--plain", "--name", "night", "--", "python3", "train.py")
    assert done.returncode == 0, done.stdout + done.stderr
    here = str(lab.root / ".autoresearch")
    lab.until(lambda: not [one for one in _commands() if here in one], "what had a part in it to be gone")
    assert list(lab.root.glob(".autoresearch/rehearsal-*")) == []
    assert run_git(lab.root, "worktree", "list").count("\n") <= 1
