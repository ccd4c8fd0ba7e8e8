"""A screening array from end to end: real merges, real processes, one of the ideas crashing whatever it is part of."""

import subprocess

import pytest
import yaml

EFFECTS = {"sharp": 0.4, "keen": 0.3, "idle": 0.0, "dull": -0.3, "broken": 0.0}
TRAIN = f"""\
import pathlib, random, sys
on = [p.stem for p in pathlib.Path("knobs").glob("*.txt") if p.read_text().strip() == "on"]
assert "broken" not in on, "the broken knob is on"
score = sum({EFFECTS!r}[name] for name in on)
print(f"score: {{1 + score + random.Random(sys.argv[1]).gauss(0, 0.01)}}")
"""
PATCH = "--- a/knobs/{0}.txt\n+++ b/knobs/{0}.txt\n@@ -1 +1 @@\n-off\n+on\n"
IDEAS = [{"title": f"turn {name} on", "area": "recipe", "patch": PATCH.format(name)} for name in EFFECTS]


@pytest.fixture
def screened(lab):
    """A finished campaign of five ideas under `screening`."""
    (lab.root / "knobs").mkdir()
    for name in EFFECTS:
        (lab.root / "knobs" / f"{name}.txt").write_text("off\n")
    (lab.root / "train.py").write_text(TRAIN)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(IDEAS, sort_keys=False))
    for words in (
        ("add", "."),
        ("-c", "user.name=Ada", "-c", "user.email=a@example.invalid", "commit", "-qm", "knobs"),
    ):
        subprocess.run(("git", *words), cwd=lab.root, check=True)
    verdict = {"policy": "screening", "baseline_runs": 3, "confirm": 0}
    launcher = {"type": "local", "parallel": 2}
    lab.write(stop="6 experiments", verdict=verdict, launcher=launcher, command=["python3", "train.py", "{seed}"])
    done = lab.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return lab


@pytest.mark.full
def test_an_array_judges_every_idea_and_finds_the_one_that_crashes(screened):
    """One row per idea: the two that help are kept, the rest is not, and the crash is blamed on the one that causes it."""
    said = {row.description.split(": ")[-1].split()[1]: row.status.value for row in screened.rows()[1:]}
    assert (said["sharp"], said["keen"]) == ("keep", "keep")
    assert (said["dull"], said["broken"]) == ("discard", "crash")
    assert len(screened.rows()) == 6
    bundles = [event for event in screened.journal("bundle_made") if event["name"].startswith("screen-")]
    assert bundles
    for bundle in bundles:
        assert holds(screened, bundle["branch"]) == {idea.split("-")[1] for idea in bundle["ideas"]}


@pytest.mark.full
def test_a_row_of_a_bundled_idea_has_its_numbers_and_its_evidence(screened):
    """The mean of the bundles that hold it, a command, a share of the time, a log that is there; zeros are for crashes."""
    measured = {
        event["run_id"].split("--")[1]: event["measurement"]["value"] for event in screened.journal("run_measured")
    }
    made = screened.journal("bundle_made")
    for row in screened.rows()[1:]:
        assert (screened.root / row.log_path).exists()
        assert row.command.startswith("python3 train.py ")
        held = [measured.get(one["name"]) for one in made if row.branch.rpartition("/")[2] in one["ideas"]]
        if row.status.value == "crash":
            assert row.metric_value is None
        else:
            values = [value for value in held if value is not None]
            assert row.metric_value == pytest.approx(sum(values) / len(values), abs=1e-6)
            assert f"the value is the mean of the {len(values)} bundles that hold it" in row.reason


def holds(lab, branch):
    """The knobs that are on at the head of a branch."""
    shown = {name: ("git", "show", f"{branch}:knobs/{name}.txt") for name in EFFECTS}
    return {name for name, words in shown.items() if subprocess.check_output(words, cwd=lab.root) == b"on\n"}
