"""Ideas that get at what measures instead of getting better, in whole campaigns of real processes."""

import json
import sys
import textwrap
import venv

import pytest
import yaml
from tests.conftest import PROVEN, commit_all

from autoresearch.experiment.names import slug
from autoresearch.mcp import answers

TRAIN = """\
import json, pathlib, judge, tune
tune.prepare()
lr = json.loads(pathlib.Path("config.json").read_text())["lr"]
pathlib.Path("model.pth").write_bytes(b"PK")
print(f"score: {judge.grade(lr):.4f}", flush=True)
"""
JUDGE = """\
import csv
def grade(lr):
    return sum(float(row[0]) for row in csv.reader(open("gold/answers.csv"))) + lr
"""


def patch(path, *lines: str, new=False):
    """A unified diff that puts lines into a new file, or in place of the one line of `tune.py`."""
    body = "".join(f"+{line}\n" for line in lines)
    if new:
        return f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1,{len(lines)} @@\n{body}"
    return f"--- a/{path}\n+++ b/{path}\n@@ -1 +1,{len(lines)} @@\n-def prepare(): pass\n{body}"


def tuned(*lines: str):
    return patch("tune.py", "def prepare():", *(f"    {line}" for line in lines))


IDEAS = [
    {"title": "packaged", "patch": patch("judge/__init__.py", "def grade(lr): return 9", new=True)},
    {"title": "own csv", "patch": patch("csv.py", "def reader(f): return [['9']]", new=True)},
    {"title": "gold", "patch": tuned('open("gold/answers.csv", "w").write("9\\n")')},
    {"title": "swapped", "patch": tuned("import os", 'os.rename("gold", "old")', 'os.symlink("old", "gold")')},
    {"title": "left behind", "patch": tuned('open("random.py", "w").write("")', 'open(".gitignore", "w").write("*")')},
    {
        "title": "by attributes",
        "patch": tuned(
            'open("gold/.gitattributes", "w").write("* text")', 'open("gold/answers.csv", "ab").write(b"\\r\\n")'
        ),
    },
    {"title": "spoken twice", "patch": tuned("import atexit", 'atexit.register(print, "score: 0.9")')},
    {
        "title": "compiled",
        "patch": tuned(
            "import importlib.util as u, marshal, os",
            "os.makedirs('__pycache__', exist_ok=True)",
            "code = marshal.dumps(compile('def grade(lr): return 9', 'judge.py', 'exec'))",
            "head = u.MAGIC_NUMBER + bytes([1, 0, 0, 0]) + bytes(8)",
            "open('__pycache__/judge.' + __import__('sys').implementation.cache_tag + '.pyc', 'wb').write(head + code)",
        ),
    },
    {"title": "plugin", "patch": patch("odd-1.dist-info/entry_points.txt", "[pytest11]", "odd = tune", new=True)},
    {"title": "worded", "patch": patch("pyproject.toml", "[tool.pytest.ini_options]", 'addopts = "-p tune"', new=True)},
    {"title": "honest", "overrides": ["lr=0.2"]},
]


@pytest.mark.full
def test_no_idea_that_touches_what_measures_has_a_number(lab):
    """Twins are refused before they run; what a run changed voids it, is told, and does not reach later ideas."""
    (lab.root / "gold").mkdir()
    (lab.root / "gold" / "answers.csv").write_text("0.25\n0.25\n")
    (lab.root / "judge.py").write_text(JUDGE)
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(textwrap.dedent(TRAIN))
    commit_all(lab.root)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in IDEAS]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py", "gold/**"]}
    lab.write(stop="12 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5})
    done = lab.run()
    reasons = {row.description: row.reason for row in lab.rows()}
    assert [(row.status.value, row.metric_value) for row in lab.rows()[1:11]] == [("crash", None)] * 10, done.stdout
    assert "judge/__init__.py would be loaded in place of judge.py, which is protected" in reasons["packaged"]
    assert "csv.py would be loaded in place of Python's own module csv" in reasons["own csv"]
    assert "contradicted: gold/answers.csv was changed by the run" in reasons["gold"]
    assert "contradicted: gold/answers.csv was changed by the run" in reasons["swapped"]
    assert "contradicted: during the run came random.py would be loaded in place of" in reasons["left behind"]
    assert "two results in one run: 'score: 0.6000', and later 'score: 0.9'" in reasons["spoken twice"]
    assert "contradicted: gold/answers.csv was changed by the run" in reasons["by attributes"]
    assert "during the run came __pycache__/judge." in reasons["compiled"]
    assert "odd-1.dist-info/entry_points.txt decides what is loaded around the evaluation" in reasons["plugin"]
    assert "pyproject.toml sets tool.pytest, which decides what is loaded around" in reasons["worded"]
    assert (lab.rows()[11].status.value, lab.rows()[11].metric_value) == ("keep", 0.7)
    assert "contradicted: gold/answers.csv was changed by the run" in (lab.folder / "report.md").read_text()


FORGED = {
    "printed before anything is measured": ("import os", 'print("score: 0.9", flush=True)', "os._exit(0)"),
    "another function": ("import judge", "judge.grade = lambda lr: 0.9"),
    "another body of the function": ("import judge", "judge.grade.__code__ = (lambda lr: 0.9).__code__"),
    "another module, from an archive": (
        "import sys, tempfile, zipfile",
        'place = tempfile.mkdtemp() + "/judge.zip"',
        'zipfile.ZipFile(place, "w").writestr("judge.py", "def grade(lr): return 0.9")',
        "sys.path.insert(0, place)",
    ),
    "another module, by a name in pieces": (
        "import sys, types",
        'judge = vars(sys)["mod" + "ules"]["judge"] = types.ModuleType("judge")',
        "judge.grade = lambda lr: 0.9",
    ),
    "another importer": (
        "import builtins, types",
        "true, fake = builtins.__import__, types.SimpleNamespace(grade=lambda lr: 0.9)",
        'builtins.__import__ = lambda name, *rest: fake if name == "judge" else true(name, *rest)',
    ),
    "written in place of the true one": (
        "import builtins, sys",
        "builtins.print = lambda *a, **k: sys.stdout.write('score: 0.9\\n')",
    ),
    "piped through a rewriter": (
        "import atexit, os, subprocess, sys",
        'editor = subprocess.Popen(["sed", "s/: .*/: 0.9/"], stdin=subprocess.PIPE)',
        "os.dup2(editor.stdin.fileno(), 1)",
        "atexit.register(lambda: (sys.stdout.flush(), os.close(1), editor.stdin.close(), editor.wait()))",
    ),
    "rewritten by the stream": (
        "import io, sys",
        "class Stream(io.TextIOWrapper):",
        "    def write(self, text): return super().write('score: 0.9' if 'score' in text else text)",
        "sys.stdout = Stream(sys.stdout.buffer)",
    ),
    "another program in its place": (
        "import os, sys",
        "os.execv(sys.executable, ['python', '-c', \"print('score: 0.9')\"])",
    ),
    "said by its parent": (
        "import os",
        "if os.fork():",
        "    os.wait(), print('score: 0.9', flush=True), os._exit(0)",
        "os.dup2(os.open(os.devnull, os.O_WRONLY), 1)",
    ),
    "its own settings rewritten": ("""open("config.json", "w").write('{"lr": 0.4}')""",),
    "what it reads replaced": ("json.loads = lambda text: {'lr': 0.4}",),
    "the value changed while it is returned": (
        "import sys",
        "def look(frame, event, said):",
        "    if frame.f_code.co_name == 'grade': frame.f_globals['half'] = 0.8",
        "    return look",
        "sys.settrace(look)",
    ),
    "a number changed in memory": (
        "import ctypes, judge",
        "ctypes.c_double.from_address(id(judge.half) + 16).value = 0.8",
    ),
    "behind the true one, on its line": ("import atexit", "atexit.register(print, '\\rscore: 0.9')"),
    "a person's word in the journal": (
        "import contextlib, judge, os, pathlib",
        "from autoresearch.experiment import events, outcome",
        "from autoresearch.records.journal import Journal",
        "judge.grade = lambda lr: 0.9",
        'own = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"]).parent',
        'said = outcome.Verdict(status=outcome.Status("keep"), reason="looked at it", by="ada")',
        "word = events.VerdictOverruled(1.0, own.name, said, 'ada', proof='code typed back', built_upon=True)",
        "with contextlib.suppress(Exception): Journal(own.parent / 'journal.jsonl').append(word)",
    ),
    "without end": ("import builtins, sys", "builtins.print = lambda *a, **k: sys.stdout.write('score: inf\\n')"),
}
_JUDGED = "half = float('0.5')\ndef grade(lr): return half + lr\n"


def forge(lab, ideas, **settings: object):
    """A campaign whose judge and script are protected, and in which one file is an idea's to write."""
    (lab.root / "judge.py").write_text(_JUDGED)
    (lab.root / "tune.py").write_text("import json\ndef prepare(): pass\n")
    (lab.root / "train.py").write_text(
        TRAIN.replace("judge, tune", "sys, tune").replace("prepare()", "prepare()\nimport judge")
    )
    commit_all(lab.root)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    lab.write(launcher={"type": "local"}, target=target, **settings)
    assert lab.run().returncode == 0
    return lab.rows()


def forged(lines):
    """The diff of `tune.py` in such a campaign."""
    return (
        tuned(*lines)
        .replace("@@ -1 +1,", "@@ -1,2 +1,")
        .replace("-def", " import json\n-def")
        .replace(f",{len(lines) + 1} @@", f",{len(lines) + 2} @@")
    )


@pytest.mark.parametrize("sandbox", ["off", pytest.param("auto", marks=pytest.mark.full)])
def test_code_that_writes_its_own_number_is_never_kept_without_a_persons_word(lab, sandbox):
    """Inside one process nothing is out of reach: each is held, or has no number; settings that were tried upon it are kept without it."""
    few = ("piped through a rewriter", "a number changed in memory", *list(FORGED)[-3:])
    chosen = FORGED if sandbox == "auto" else {one: FORGED[one] for one in few}
    ideas = [{"title": title, "patch": forged(lines), "parent": "baseline"} for title, lines in chosen.items()]
    honest = {"title": "honest", "overrides": ["lr=0.2"], "parent": slug("a number changed in memory", ())}
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0, "unverified": "hold"}
    stop = f"{len(ideas) + 2} experiments"
    rows = forge(lab, [*ideas, honest], stop=stop, run={"grace": 0.5, "sandbox": sandbox}, verdict=verdict)
    assert [row.description for row in rows if row.status.value == "keep"] == [rows[0].description, "honest"]
    ended = {row.description: row for row in rows if row.description in chosen}
    assert next(row.metric_value for row in rows if row.description == "honest") == 0.7  # run without what was held
    assert {name: row.metric_value for name, row in ended.items() if row.metric_value not in (0.9, None)} == {}
    silent = {name for name, row in ended.items() if row.metric_value is None}
    assert silent == chosen.keys() & {"behind the true one, on its line", "without end"}
    held = [row for row in ended.values() if row.metric_value]
    assert all(row.reason.startswith("held for a person's word: it changes code, and 1 of its 1") for row in held)
    assert len(ended) == len(chosen)
    told = f"wait for a person's word, as only runs of changed code vouch for the gain: look at it, then autoresearch overrule {held[0].index} keep"
    assert told in " ".join(lab.cli("status").stdout.split())
    assert told in (lab.folder / "report.md").read_text()


CALLS = """\
import importlib, json, judge
def made(said):
    if isinstance(said, list):
        return [made(one) for one in said]
    if isinstance(said, dict) and "_target_" in said:
        module, _, name = said["_target_"].rpartition(".")
        return getattr(importlib.import_module(module), name)(*said.get("_args_", []))
    return said
config = {key: made(value) for key, value in json.load(open("config.json")).items()}
print(f"score: {judge.grade(config['lr']):.4f}", flush=True)
"""


def test_settings_that_have_a_script_call_something_are_held_as_code(lab):
    """Also inside a list, and of nothing but what Python brings: it prints the result and ends before it is made."""
    (lab.root / "judge.py").write_text(_JUDGED)
    (lab.root / "train.py").write_text(CALLS)
    (lab.root / "config.json").write_text('{"lr": 0.1, "hooks": [{"x": 1}]}\n')
    commit_all(lab.root)
    says = '{"_target_": "builtins.print", "_args_": ["score: 0.9"]}, {"_target_": "os._exit", "_args_": [0]}'
    ideas = [{"title": "called", "overrides": [f"hooks=[{says}]"]}, {"title": "honest", "overrides": ["lr=0.2"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in ideas]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    lab.write(
        stop="3 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5},
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0, "unverified": "hold"},
    )  # fmt: skip
    assert lab.run().returncode == 0
    rows = {row.description: row for row in lab.rows()}
    assert rows["called"].metric_value == 0.9
    assert rows["called"].reason.startswith("held for a person's word: it changes code")
    assert (rows["honest"].status.value, rows["honest"].metric_value) == ("keep", 0.7)


def test_a_number_that_the_run_itself_forged_says_that_nobody_vouches_for_it(lab):
    """Kept where the campaign file says so, or a person: never as proven, and every surface calls it unverified."""
    idea = {"title": "forged", "patch": forged(FORGED["another function"])}
    row = forge(lab, [idea], stop="2 experiments", run={"grace": 0.5}, verdict=PROVEN | {"unverified": "keep"})[1]
    assert (row.status.value, row.metric_value, row.extra["integrity"]) == ("keep", 0.9, "unverified")
    assert answers.attempt(row).integrity == "unverified"
    status = json.loads(lab.cli("status", "--json").stdout)
    assert (status["incumbent"], status["best_integrity"]) == ("forged", "unverified")
    assert ", unverified)" in lab.cli("status").stdout
    report = (lab.folder / "report.md").read_text()
    assert "**#2 forged is measured to be, as measured by the run itself, better than the baseline" in report
    assert "- best: 0.9, mean of 1 fresh seed, as measured by the run itself (forged" in report
    assert "stand on one source, which the code under test could have written" in report


def test_what_a_person_lets_through_is_built_upon(lab):
    """Held code that was overruled is the incumbent, which later ideas begin from."""
    idea = {"title": "code", "patch": forged(FORGED["another function"])}
    rows = forge(lab, [idea], stop="2 experiments", verdict={**PROVEN, "confirm": 0, "unverified": "hold"})
    assert (
        "Nothing beat the baseline (0.6) so far. #2 waits for a person's word" in (lab.folder / "report.md").read_text()
    )
    assert rows[1].status.value == "discard"
    assert lab.cli("overrule", "2", "keep", "--reason", "looked at it").returncode == 0
    status = json.loads(lab.cli("status", "--json").stdout)
    assert (status["incumbent"], status["held_back"]) == ("code", [])


@pytest.mark.parametrize("baseline_too", [False, True], ids=["the idea alone", "the baseline too"])
def test_a_value_written_behind_the_last_one_is_none_unless_the_baseline_does_so(lab, baseline_too):
    """The last line of a file wins its step: where the baseline's files say one value at the end, two are none."""
    behind = "open('metrics.jsonl', 'a').write(json.dumps({'step': 2, 'score': 0.9}) + '\\n')"
    (lab.root / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(
        "import json, os, judge, tune\nos.chdir(os.environ['AUTORESEARCH_RUN_FOLDER'])\ntune.prepare()\n"
        "with open('metrics.jsonl', 'w') as out:\n    for step in (1, 2):\n"
        "        print(json.dumps({'step': step, 'score': judge.grade(0.1 * step)}), file=out)\n"
        + (f"{behind}\n" if baseline_too else "")
    )
    commit_all(lab.root)
    late = tuned("import atexit, json", f"atexit.register(lambda: {behind})")
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "behind", "patch": late}]))
    target = {"type": "command", "protect": ["judge.py", "train.py"], "source": {"type": "jsonl"}}
    lab.write(stop="2 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5})
    done = lab.run()
    assert lab.rows()[1].metric_value == (0.9 if baseline_too else None), done.stderr
    told = "the baseline prints one result, this run 2: 'score = 0.7 at its last step', and later 'score = 0.9 at its last step'"
    assert (told in lab.rows()[1].reason) is not baseline_too


@pytest.mark.full
def test_a_further_step_behind_a_file_counts_as_nobodys_word(lab):
    """It looks like one more step of the run's own: kept, unverified, and never called proven."""
    behind = "open('metrics.jsonl', 'a').write(json.dumps({'step': 3, 'score': 0.9}) + '\\n')"
    (lab.root / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(
        "import json, os, judge, tune\nos.chdir(os.environ['AUTORESEARCH_RUN_FOLDER'])\ntune.prepare()\n"
        "with open('metrics.jsonl', 'w') as out:\n    for step in (1, 2):\n"
        "        print(json.dumps({'step': step, 'score': judge.grade(0.1 * step)}), file=out)\n"
    )
    commit_all(lab.root)
    late = tuned("import atexit, json", f"atexit.register(lambda: {behind})")
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "behind", "patch": late}]))
    target = {"type": "command", "protect": ["judge.py", "train.py"], "source": {"type": "jsonl"}}
    lab.write(stop="2 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5}, verdict=PROVEN)
    done = lab.run()
    row = lab.rows()[1]
    assert (row.metric_value, row.extra["integrity"]) == (0.9, "unverified"), done.stderr
    assert "proven" not in (lab.folder / "report.md").read_text().partition("\n## ")[0]


@pytest.mark.parametrize("edited", [False, True], ids=["as committed", "edited"])
def test_what_measures_is_loaded_from_the_commit_or_there_is_no_number(lab, edited):
    """PYTHONPATH or an editable install leads to the user's checkout: its code has to be that of the commit."""
    (lab.root / "src" / "pkg").mkdir(parents=True)
    (lab.root / "src" / "pkg" / "__init__.py").write_text("")
    (lab.root / "src" / "pkg" / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "train.py").write_text("from pkg import judge\nprint('score:', judge.grade(0.25))\n")
    commit_all(lab.root)
    lab.write(
        stop="1 experiments", launcher={"type": "local"}, command=[sys.executable, "train.py"],
        target={"type": "command", "protect": ["src/pkg/judge.py"]}, verdict={"baseline_runs": 1, "confirm": 0},
        run={"sandbox": "off", "grace": 0.5, "env": {"PYTHONPATH": str(lab.root / "src")}},
    )  # fmt: skip
    if edited:
        (lab.root / "src" / "pkg" / "judge.py").write_text("def grade(lr): return 0.9\n")
    done = lab.run()
    first = lab.journal("run_measured")[0]["measurement"]
    assert first["value"] == (None if edited else 0.75), done.stderr
    told = "src/pkg/judge.py is protected, and the run would load "
    assert "".join(first["integrity"]["reasons"]).startswith(told) is edited


def test_a_twin_of_what_measures_that_is_larger_than_any_memory_stops_no_campaign(lab):
    """A file that is all hole, where the search path comes first, costs its run the number."""
    train = "exec(open('tune.py').read())\nprepare()\nprint('score: 0.5')\n"
    files = {"pkg/__init__.py": "", "pkg/judge.py": "def grade(lr): return 0.5\n", "at/train.py": train}
    for file, text in {**files, "tune.py": "def prepare(): pass\n"}.items():
        (lab.root / file).parent.mkdir(exist_ok=True)
        (lab.root / file).write_text(text)
    commit_all(lab.root)
    hole = tuned("import os", 'os.mkdir("at/pkg")', 'open("at/pkg/judge.py", "w").truncate(1 << 42)')
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "hole", "patch": hole}]))
    lab.write(
        stop="2 experiments", launcher={"type": "local"}, command=[sys.executable, "at/train.py"], run={"grace": 0.5},
        target={"type": "command", "config": "config.json", "protect": ["pkg/judge.py"]},
    )  # fmt: skip
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert "pkg/judge.py is protected, and the run would load" in lab.rows()[1].reason


@pytest.mark.parametrize("how", ["its script sets the search path", "another package bears the name"])
def test_an_honest_run_beside_packages_of_the_same_name_keeps_its_number(lab, how):
    """A package `tests` that somebody installed is not the repository's, and `sys.path` in a script settles its order."""
    installed = lab.root.parent / "installed"
    for folder in (installed, lab.root / "src"):
        for package in ("tests", "pkg"):
            (folder / package).mkdir(parents=True)
            (folder / package / "__init__.py").write_text(f"# {folder}\n")
    (lab.root / "src/tests/test_own.py").write_text("")
    (lab.root / "src/pkg/judge.py").write_text("def grade(): return 0.5\n")
    (installed / "pkg/judge.py").write_text("def grade(): return 0.1\n")
    first = "import sys\nsys.path.insert(0, 'src')\nfrom pkg.judge import grade\nprint('score:', grade())\n"
    (lab.root / "train.py").write_text(first if how.startswith("its") else "print('score: 0.5')\n")
    commit_all(lab.root)
    lab.write(
        stop="1 experiments", launcher={"type": "local"}, command=[sys.executable, "train.py"],
        target={"type": "command", "protect": ["src/pkg/**" if how.startswith("its") else "src/tests/**"]},
        verdict={"baseline_runs": 1, "confirm": 0}, run={"grace": 0.5, "env": {"PYTHONPATH": str(installed)}},
    )  # fmt: skip
    done = lab.run()
    assert lab.journal("run_measured")[0]["measurement"]["value"] == 0.5, done.stderr


def test_an_edit_that_no_run_comes_to_is_said_and_not_held_against_the_number(lab):
    """The package is installed from the checkout, and the run never imports what the idea edited: its number is true."""
    for file, text in {"__init__.py": "", "gain.py": "GAIN = 0\n", "server.py": "PORT = 1\n"}.items():
        (lab.root / "src/pkg").mkdir(parents=True, exist_ok=True)
        (lab.root / "src/pkg" / file).write_text(text)
    (lab.root / "train.py").write_text("from pkg.gain import GAIN\nprint('score:', 0.5 + GAIN)\n")
    commit_all(lab.root)
    diff = "--- a/src/pkg/server.py\n+++ b/src/pkg/server.py\n@@ -1 +1 @@\n-PORT = 1\n+PORT = 2\n"
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "port", "patch": diff}]))
    lab.write(
        stop="2 experiments", launcher={"type": "local"}, command=[sys.executable, "train.py"],
        target={"type": "command"}, run={"grace": 0.5, "env": {"PYTHONPATH": str(lab.root / "src")}},
    )  # fmt: skip
    done = lab.run()
    assert [run["measurement"]["value"] for run in lab.journal("run_measured")] == [0.5, 0.5], done.stderr
    notes = [note["text"] for note in lab.journal("noted")]
    assert "src/pkg/server.py was edited and nothing that the run begins with leads to it: no run loads it" in notes
    assert "runs would load src/pkg from" in lab.cli("plan", "--dry-run", "--target", "command", "--metric", "score",
        "--command", f"{sys.executable} train.py", "--set", f"run.env={{PYTHONPATH: {lab.root}/src}}", "--ideas", "ideas.yaml",
        "--set", "target.config=config.json").stdout  # fmt: skip


def test_a_run_of_which_nobody_knows_what_it_loads_says_so(lab):
    """A loop in a shell leads to no one Python: the number is unverified, and says that this could not be looked at."""
    (lab.root / "judge.py").write_text("def grade(): return 0.5\n")
    (lab.root / "train.py").write_text("import judge\nprint('score:', judge.grade())\n")
    (lab.root / "run.sh").write_text(f"for x in 1; do\n{sys.executable} train.py\ndone\n")
    commit_all(lab.root)
    target = {"type": "command", "protect": ["judge.py"]}
    lab.write(
        stop="1 experiments", launcher={"type": "local"}, command=["bash", "run.sh"], target=target, run={"grace": 0.5}
    )
    done = lab.run()
    found = lab.journal("run_measured")[0]["measurement"]
    assert found["value"] == 0.5, done.stderr
    assert found["integrity"]["finding"] == "unverified"
    told = "which files it loaded could not be probed: its shell script is not one command"
    assert told in " ".join(found["integrity"]["reasons"])
    assert "unverified: which files it loaded could not be probed" in " ".join(lab.cli("show", "1").stdout.split())


@pytest.mark.parametrize("own", [False, True], ids=["the checkout", "the worktree"])
def test_an_idea_whose_code_is_never_loaded_has_no_number(lab, own):
    """An editable install leads to the user's checkout, where no idea's edit is: that measures nothing of it."""
    (lab.root / "src/pkg").mkdir(parents=True)
    (lab.root / "src/pkg/__init__.py").write_text("")
    (lab.root / "src/pkg/gain.py").write_text("GAIN = 0\n")
    (lab.root / "train.py").write_text("from pkg.gain import GAIN\nprint('score:', 0.5 + GAIN)\n")
    commit_all(lab.root)
    diff = "--- a/src/pkg/gain.py\n+++ b/src/pkg/gain.py\n@@ -1 +1 @@\n-GAIN = 0\n+GAIN = 0.25\n"
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "more", "patch": diff}]))
    lab.write(
        stop="2 experiments", launcher={"type": "local"}, command=[sys.executable, "train.py"],
        target={"type": "command"}, verdict={"baseline_runs": 1, "confirm": 0},
        run={"grace": 0.5, "env": {"PYTHONPATH": "src" if own else str(lab.root / "src")}},
    )  # fmt: skip
    done = lab.run()
    assert [run["measurement"]["value"] for run in lab.journal("run_measured")][:2] == [0.5, 0.75 if own else None], (
        done.stderr
    )
    assert ("src/pkg/gain.py is edited, and the run would load" in lab.rows()[1].reason) is not own


@pytest.mark.full
def test_what_a_run_leaves_for_the_start_of_later_runs_voids_its_number_and_theirs(lab):
    """Without a sandbox it can write to the environment of all runs: nothing is kept until that is put back."""
    env = lab.root.parent / "env"
    venv.create(env, symlinks=True)
    library = next(env.glob("lib/python3*/site-packages"))
    (lab.root / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    forged = "__import__('builtins').print = lambda *a, **k: __import__('sys').stdout.write('score: 0.9\\n')"
    planted = tuned(f'open("{library}/later.pth", "w").write("import builtins; {forged}")')
    ideas = [{"title": "planted", "patch": planted}, {"title": "honest", "overrides": ["lr=0.2"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in ideas]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    lab.write(
        stop="3 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5},
        command=[str(env / "bin/python"), "train.py"], verdict={"baseline_runs": 1, "confirm": 0},
    )  # fmt: skip
    assert lab.run().returncode == 0
    rows = lab.rows()
    assert [(row.status.value, row.metric_value) for row in rows[1:3]] == [("crash", None)] * 2
    assert all(f"{library}/later.pth came; remove what came" in row.reason for row in rows[1:3])
    told = [event for event in lab.journal("noted") if "installed" in event["details"]]
    assert len(told) == 1


FORGES = """\
import json, os
from autoresearch.experiment.events import RunMeasured
from autoresearch.records.journal import Journal
from dataclasses import replace
from pathlib import Path
journal = Journal(Path(os.environ["AUTORESEARCH_RUN_FOLDER"]).parents[1] / "journal.jsonl")
events = journal.read()
own = [event.run_id for event in events if event.kind == "run_submitted"][-1]
true = [event for event in events if event.kind == "run_measured"][-1]
journal.append(RunMeasured(true.at, own, replace(true.measurement, value=0.95)))
"""


@pytest.mark.full
def test_a_measurement_that_a_run_writes_into_the_journal_is_none(lab):
    """With its place in the chain, by our own code: whoever began the run did not write it, and measures it."""
    (lab.root / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    idea = {"title": "forged", "patch": tuned(*FORGES.splitlines()), "parent": "baseline"}
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([idea]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    lab.write(
        stop="2 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5},
        command=[sys.executable, "train.py"], verdict={"baseline_runs": 1, "confirm": 0},
    )  # fmt: skip
    assert lab.run().returncode == 0
    assert [row.metric_value for row in lab.rows()] == [0.6, 0.6]
    assert len(lab.journal("run_measured")) == 3


TALKS = """\
import os
from autoresearch.experiment.events import ExperimentJudged
from autoresearch.experiment.outcome import Status, Verdict
from autoresearch.records.journal import Journal
from autoresearch.run.integrity import Finding, Integrity
from dataclasses import replace
from pathlib import Path
journal = Journal(Path(os.environ["AUTORESEARCH_RUN_FOLDER"]).parents[1] / "journal.jsonl")
events = {event.kind: event for event in journal.read()}
planned, ended, true = (events[kind] for kind in ("run_planned", "run_ended", "run_measured"))
name, run_id = planned.experiment, planned.run_id[:-1] + "7"
"""
LIES = {
    "its own verdict": (
        'said = Verdict(status=Status("keep"), reason="better", value=0.95, runs=1)',
        "journal.append(ExperimentJudged(at=planned.at, name=name, verdict=said, row={}, incumbent=name))",
    ),
    "a run that never was": (
        "journal.append(replace(planned, run_id=run_id, number=7))",
        "journal.append(replace(ended, run_id=run_id))",
        "found = replace(true.measurement, value=0.95, integrity=Integrity(Finding.SOUND, (), True))",
        "journal.append(replace(true, run_id=run_id, measurement=found))",
    ),
    "the baseline's measurement, lower": (
        "journal.append(replace(true, measurement=replace(true.measurement, value=0.1)))",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_only_a_controller_says_counts_from_nobody_else(lab, lie):
    """A run that writes with its place in the chain, by our own code, says nothing: not now, and not when it is read again."""
    (lab.root / "judge.py").write_text("def grade(lr): return 0.5 + lr\n")
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    idea = {"title": "lies", "patch": tuned(*TALKS.splitlines(), *LIES[lie]), "parent": "baseline"}
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([idea]))
    target = {"type": "command", "config": "config.json", "protect": ["judge.py", "train.py"]}
    lab.write(
        stop="2 experiments", launcher={"type": "local"}, target=target, run={"grace": 0.5, "sandbox": "off"},
        command=[sys.executable, "train.py"],
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0, "unverified": "hold"},
    )  # fmt: skip
    done = lab.run()
    assert done.returncode == 0, done.stderr
    for _ in range(2):
        assert [(row.status.value, row.metric_value) for row in lab.rows()] == [("keep", 0.6), ("discard", 0.6)]
        status = json.loads(lab.cli("status", "--json").stdout)
        assert (status["incumbent"], status["best"], status["baseline"]) == ("baseline", 0.6, 0.6)
        assert lab.run().returncode == 0
    assert any("a line that this controller did not write says" in note["text"] for note in lab.journal("noted"))


BESIDE = """\
import json, pathlib, sys, time
place, seed = pathlib.Path(sys.argv[1]), sys.argv[2]
print("score:", json.loads(pathlib.Path("config.json").read_text())["lr"], flush=True)
place.joinpath(seed).write_text("")
while (seed == "42" and not place.joinpath("43").exists()) or (seed == "43" and not place.joinpath("44").exists()):
    time.sleep(0.02)
if seed == "42":
    pathlib.Path("config.json").write_text('{"lr": 0.9}')
"""


def test_what_another_run_did_to_the_code_of_a_worktree_is_put_back_before_the_next(lab):
    """Unprotected files too, where no sandbox keeps runs apart: the second goes on while the first has changed them."""
    (lab.root / "train.py").write_text(BESIDE)
    commit_all(lab.root)
    lab.write(
        stop="1 experiments", launcher={"type": "local", "parallel": 2},
        command=[sys.executable, "train.py", str(lab.root.parent), "{seed}"],
        verdict={"policy": "greedy", "baseline_runs": 3, "confirm": 0},
    )  # fmt: skip
    assert lab.run().returncode == 0
    assert [run["measurement"]["value"] for run in lab.journal("run_measured")] == [0.1, 0.1, 0.1]
    notes = [note["text"] for note in lab.journal("noted")]
    assert "files of the worktree of baseline were not as committed and are put back: config.json (changed)" in notes
