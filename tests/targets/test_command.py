"""Any script as a target, run for real."""

import json
import math
import re
import sys
from pathlib import Path

import pytest

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.machine.processes import run
from autoresearch.ports import plugins
from autoresearch.ports.target import RunRequest
from autoresearch.run.job import JobState, JobStatus, Resources
from autoresearch.run.measurement import Completion, Readings, Series
from autoresearch.run.symptom import Severity
from autoresearch.targets.command import CommandTarget

OBJECTIVE = {"goal": "raise it", "metric": "accuracy", "direction": "auto"}
OK = JobStatus(state=JobState.SUCCEEDED, exit_code=0)

SCRIPT = """
import json, os, sys
import yaml
config = yaml.safe_load(open("config.yaml"))
folder, seed = sys.argv[1], int(sys.argv[2])
assert folder == os.environ["AUTORESEARCH_RUN_FOLDER"] and seed == int(os.environ["SEED"])
with open(os.path.join(folder, "metrics.jsonl"), "w") as out:
    for step in (1, 2, 3):
        print(f"step {step}\\n  accuracy: {step * config['optimizer']['lr'] + seed}")
        print(json.dumps({"step": step, "accuracy": step * config["optimizer"]["lr"] + seed}), file=out)
"""


def target(*command: str, objective=OBJECTIVE, recipe="", **options: object):
    return CommandTarget(recipe=recipe, command=command or ("true",), objective=objective, options=options)


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "train.py").write_text(SCRIPT)
    (folder / "config.yaml").write_text("optimizer:\n  lr: 0.1  # small\n  name: adam\n")
    return folder


def request(tree, overrides=()):
    folder = tree.parent / "run"
    folder.mkdir(exist_ok=True)
    return RunRequest(
        run_id="r1",
        tree=tree,
        folder=folder,
        log=folder / "run.log",
        seed=7,
        limit_s=60.0,
        commit="c" * 40,
        overrides=overrides,
    )


def carried_out(made, tree):
    """Run the job as a launcher would and measure it."""
    job = made.job(request(tree))
    done = run(job.argv, cwd=Path(job.directory), env={**job.env}, check=False)
    Path(job.log).write_bytes(done.stdout + done.stderr)
    sources = {spec.name: plugins.load("metrics", spec.name)(options=spec.options) for spec in made.sources()}
    readings = {name: source.read(Path(job.folder)) for name, source in sources.items()}
    status = JobStatus(
        state=JobState.FAILED if done.code else JobState.SUCCEEDED, exit_code=done.code, peak_memory_gb=0.5
    )
    return made.measure(Path(job.folder), Path(job.log).read_text(), readings, status)


@pytest.mark.parametrize(
    ("source", "step"),
    [
        ({"type": "stdout"}, 3),
        ({"type": "stdout", "step": r"^step (\d+)$"}, 3),
        ({"type": "jsonl"}, 3),
        ({"type": "jsonl", "path": "metrics.*", "tags": {"accuracy": "accuracy"}}, 3),
    ],
)
def test_a_real_script_is_run_and_measured(tree, source, step):
    """Seed and folder reach the script, its number comes back, printed or written."""
    found = carried_out(target(sys.executable, "train.py", "{folder}", "{seed}", source=source), tree)
    assert (found.value, found.step, found.completion) == (pytest.approx(7.3), step, Completion.DONE)
    assert (len(found.curve), found.peak_memory_gb, found.note) == (3, 0.5, "")


@pytest.mark.parametrize(("source", "counted"), [
    ({"type": "stdout"}, True), ({"type": "stdout", "step": r"^step (\d+)$"}, False), ({"type": "jsonl"}, False),
])  # fmt: skip
def test_numbers_without_steps_are_counted_and_said_to_be(tree, source, counted):
    """The third number that was printed is no third step: only a run that says its steps has any."""
    found = carried_out(target(sys.executable, "train.py", "{folder}", "{seed}", source=source), tree)
    assert (found.step, found.counted, found.unit) == (3, counted, "value" if counted else "step")


def test_overrides_change_the_config_and_the_result(tree):
    """An override edits the file in the tree, comments stay, and the next run feels it."""
    made = target(sys.executable, "train.py", "{folder}", "{seed}", config="config.yaml")
    assert made.apply(tree, ["optimizer.lr=0.5"]) == ("config.yaml",)
    assert "lr: 0.5  # small" in (tree / "config.yaml").read_text()
    assert carried_out(made, tree).value == pytest.approx(8.5)
    assert made.apply(tree, ["optimizer.lr=0.5"]) == ()


def test_json_configs_can_be_edited(tree):
    """The same for JSON: set, add, and refuse what does not exist."""
    (tree / "c.json").write_text('{"a": {"b": 1}}')
    made = target(config="c.json")
    assert made.apply(tree, ["a.b=2", "+a.c=[1, x]", "+d.e=true"]) == ("c.json",)
    assert json.loads((tree / "c.json").read_text()) == {"a": {"b": 2, "c": [1, "x"]}, "d": {"e": True}}
    for wrong in ("a.x=1", "x.y=1", "a.b", "a.b={"):
        with pytest.raises(RecipeError):
            made.apply(tree, [wrong])
    assert made.apply(tree, ["a.b=2"]) == ()


def test_without_a_config_overrides_are_refused(tree):
    """Silence would be a run that tests nothing."""
    assert target().apply(tree, []) == ()
    with pytest.raises(RecipeError, match="no configuration file"):
        target().apply(tree, ["a=1"])


@pytest.mark.parametrize(
    ("word", "near"), [("{sede}", "{seed}"), ("--out={fodler}", "{folder}"), ("{override}", "{overrides}")]
)
def test_a_misspelt_place_in_the_command_is_refused(tree, word, near):
    """It would pass as it is, and every run would have the same seed; what only looks like one is left alone."""
    with pytest.raises(RecipeError, match=f"did you mean {re.escape(near)}"):
        target(sys.executable, "train.py", word).survey(tree)
    assert target(sys.executable, "train.py", "{seed}", "${seeds}", "{print}", '{"seed": 1}').survey(tree).command


@pytest.mark.parametrize("value", ["NaN", "nan", "inf", "-Infinity", "[1, nan]", ".nan"])
def test_json_holds_no_nan_and_no_text_in_its_place(tree, value):
    """A bare NaN would become a text, and the run would test another thing; in quotes it is the text that is meant."""
    (tree / "c.json").write_text('{"a": 1}')
    with pytest.raises(RecipeError, match=r"JSON has no .*give a finite number"):
        target(config="c.json").apply(tree, [f"a={value}"])
    assert target(config="c.json").apply(tree, ["a='NaN'"]) == ("c.json",)


def test_a_script_that_dies_is_a_crash_with_a_cause(tree):
    """The cause and the end of the log are told; what it had printed is no value."""
    (tree / "train.py").write_text("print('accuracy: 0.5')\nimport nonsense_module\n")
    found = carried_out(target(sys.executable, "train.py"), tree)
    assert (found.value, found.completion) == (None, Completion.CRASHED)
    assert (found.symptoms[0].name, found.symptoms[0].severity) == ("trivial-code-error", Severity.FATAL)
    assert found.note == "the run crashed with exit code 1; its last accuracy was 0.5 at value 1"


def test_a_script_that_says_nothing_is_diagnosed(tree):
    """Exit code 0 without a number: done, no value, and where it was looked for."""
    (tree / "train.py").write_text("print('acuracy: 0.5')\n")
    found = carried_out(target(sys.executable, "train.py"), tree)
    assert (found.value, found.completion) == (None, Completion.DONE)
    assert "looked at logs: run.log" in found.note
    assert found.note.endswith("The log ends:\nacuracy: 0.5")


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("accuracy: 0.5", 0.5),
        ("final accuracy=1e-3 (ok)", 1e-3),
        ("{'accuracy': 0.25}", 0.25),
        ('{"accuracy": -3}', -3.0),
        ("val/accuracy: 0.9", None),
        ("test_accuracy: 0.9", None),
        ("accuracy is high", None),
        ("accuracy=.75", 0.75),
        ("accuracy: 75.5%", 75.5),
        ("step 20 accuracy=0.5 test_accuracy=0.9", 0.5),
        ("10:31:07,250 INFO eval accuracy: 0.5, loss: 2", 0.5),
        ("accuracy: 0.5±0.01", 0.5),
        ("accuracy: 12,345.6", None),
        ("accuracy: 0,75", None),
        ("accuracy: 12_000", None),
        ("accuracy: 3/4", None),
        ("accuracy: 0.5-0.7", None),
        ("accuracy: 12k", None),
        ("accuracy: 1\u202f234", None),
        ("earlier work reported accuracy: 0.97", None),
        ("accuracy: 0.97 is what earlier work reached", None),
    ],
)
def test_the_default_pattern(tmp_path, line, value):
    """`name: number` and `name=number` are understood, whole or not at all; sentences about numbers are not."""
    (spec,) = target().sources()
    (tmp_path / "run.log").write_text(line + "\n")
    series = plugins.load("metrics", spec.name)(options=spec.options).read(tmp_path).series
    assert ([*series["accuracy"].values] if series else [None]) == [value]


@pytest.mark.parametrize(("line", "value", "note"), [
    ("accuracy: 12,345.6", None, "ambiguous number '12,345.6' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 1 234.5", None, "ambiguous number '1 234.5' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: -12 345", None, "ambiguous number '-12 345' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 3 / 4", None, "ambiguous number '3 / 4' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 8 out of 10", None, "ambiguous number '8 out of 10' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 1..5", None, "ambiguous number '1..5' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 3 x 10^2", None, "ambiguous number '3 x 10' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 1.5 k", None, "ambiguous number '1.5 k' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 0.warning: x", None, "ambiguous number '0.warning:' after accuracy: print it without separators, as 1234.5"),
    ("accuracy: 75.5. Done", 75.5, ""),
    ("accuracy: run\u20133", 0.5, ""),
    ("accuracy: \u22120.4994", None, "'\u22120.4994' after accuracy: '\u2212' (U+2212) is no minus sign; print '-' where one is meant"),
    ("accuracy: 75.5 100 1e-3", 75.5, ""),
    ("accuracy: 1e-3 100", 0.001, ""),
    ("accuracy: 2 500/1000", 2.0, ""),
    ("accuracy: 1 2 3", 1.0, ""),
    ("accuracy: 75.5%", 75.5, "accuracy is printed as percent and taken as it stands"),
    ("accuracy: 75.5 %", 75.5, "accuracy is printed as percent and taken as it stands"),
    ("accuracy: 75.5", 75.5, ""),
])  # fmt: skip
def test_a_number_that_may_mean_two_things_is_refused_by_name(tmp_path, line, value, note):
    """Also when an earlier line of the run was clear: the last one is what it came to. Percent is noted."""
    made = target()
    (spec,) = made.sources()
    log = f"step 1 accuracy: 0.5\n{line}\n"
    (tmp_path / "run.log").write_text(log)
    readings = {spec.name: plugins.load("metrics", spec.name)(options=spec.options).read(tmp_path)}
    found = made.measure(tmp_path, log, readings, JobStatus(state=JobState.SUCCEEDED))
    assert (found.value, found.note) == (value, note)


def test_a_flat_result_file_counts(tmp_path):
    """A result without steps is step 0 and counts all the same."""
    readings = {"files": Readings({"accuracy": Series.of("accuracy", [(0, 0.8)])})}
    found = target(source={"type": "json"}).measure(tmp_path, "", readings, OK)
    assert (found.value, found.step) == (0.8, 0)


@pytest.mark.parametrize(
    ("status", "completion"),
    [
        (JobStatus(state=JobState.TIMED_OUT), Completion.TIMED_OUT),
        (JobStatus(state=JobState.CANCELLED), Completion.CANCELLED),
        (JobStatus(state=JobState.CANCELLED, reason="stalled: nothing printed"), Completion.STALLED),
        (JobStatus(state=JobState.VANISHED), Completion.CRASHED),
        (JobStatus(state=JobState.RUNNING), Completion.UNKNOWN),
    ],
)
def test_how_it_ended(tmp_path, status, completion):
    """The launcher's word decides, since a general script has no step to reach."""
    readings = {"logs": Readings({"accuracy": Series.of("accuracy", [(1, 0.8)])})}
    assert target().measure(tmp_path, "", readings, status).completion is completion


def test_nan_is_no_value(tmp_path):
    """A metric that ends in NaN has no value; three of them justify an early end."""
    readings = {"logs": Readings({"accuracy": Series.of("accuracy", enumerate([0.1, math.nan, math.nan, math.nan]))})}
    found = target().measure(tmp_path, "", readings, OK)
    assert (found.value, found.completion) == (None, Completion.DIVERGED)
    assert (found.symptoms[0].name, found.symptoms[0].severity) == ("nan-metric", Severity.FATAL)


def test_the_job_is_exact(tree):
    """Placeholders, environment, limits; braces that mean something else are left alone."""
    made = target("python", "{seed}", "--out={folder}/x", "{config}", "{other}", "{overrides}", recipe="c.yaml", gpus=2)
    job = made.job(request(tree, overrides=("a=1", "b=2")))
    assert job.argv == ("python", "7", f"--out={tree.parent}/run/x", "c.yaml", "{other}", "a=1", "b=2")
    assert (job.env["SEED"], job.limit_s, job.resources) == ("7", 60.0, Resources(gpus_per_node=2))
    with pytest.raises(RecipeError, match="cannot reach the run"):
        target("python").job(request(tree, overrides=("a=1",)))


def test_the_survey_tells_what_is_known(tree):
    """Declared numbers, the flattened config, and a warning where seeds may not reach the script."""
    made = target(sys.executable, "train.py", config="config.yaml", steps=3, minutes=1.5, protect=["eval/**"])
    found = made.survey(tree)
    assert found.facts.values == {"optimizer.lr": 0.1, "optimizer.name": "adam"}
    assert (found.steps, found.minutes, found.protect, found.lineage) == (3, 1.5, ("eval/**",), ("config.yaml",))
    assert "no {seed}" in found.warnings[0]
    with pytest.raises(RecipeError, match="which is not in the repository"):
        target("python", "nowhere.py").survey(tree)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sorce": {}}, "no option 'sorce'"),
        ({"source": {"type": "xml"}}, "needs a type, one of"),
        ({"validations": "median"}, "mean-last-N"),
    ],
)
def test_wrong_options_are_refused(options, message):
    """At once, with what would be right."""
    with pytest.raises(CampaignError, match=message):
        target(**options)


def test_what_cannot_be_guessed_is_asked_for():
    """No command or no metric: said so before anything runs."""
    with pytest.raises(CampaignError, match="needs a command"):
        CommandTarget(objective=OBJECTIVE)
    with pytest.raises(CampaignError, match="cannot guess the metric"):
        target(objective=OBJECTIVE | {"metric": "auto", "direction": "minimize"})


def test_a_goal_against_the_direction_is_a_question_or_a_warning(tree):
    """`lower` against a maximize that the name alone said stops the plan; where both were said, it warns."""
    objective = {"goal": "lower the accuracy", "metric": "accuracy", "direction": "auto"}
    guessed = target(objective=objective).survey(tree)
    assert "says 'lower', but the direction of accuracy is maximize, by its name: say --direction" in guessed.unsaid
    said = target(objective=objective | {"direction": "maximize"}).survey(tree)
    assert said.unsaid == ""
    assert any("says 'lower', but the direction of accuracy is maximize, as was said" in one for one in said.warnings)
    assert not target(objective=objective | {"direction": "minimize"}).survey(tree).unsaid
