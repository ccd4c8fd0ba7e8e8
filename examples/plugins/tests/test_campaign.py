"""One campaign from the command line with a plug-in of every kind, as the README of this folder types it."""

import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

pytest.importorskip("autoresearch_examples", reason="install them with: pip install -e examples/plugins")

PLUGINS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def repo(tmp_path_factory):
    """The repository after the campaign; what was printed is in `said` beside it."""
    place = tmp_path_factory.mktemp("campaign") / "mine"
    shutil.copytree(PLUGINS / "campaign", place)
    [block] = re.findall(r"^```sh run\n(.*?)^```$", (PLUGINS / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    home = place.parent
    (home / ".gitconfig").write_text("[user]\n\tname = Ada\n\temail = ada@example.invalid\n")
    path = f"{sysconfig.get_path('scripts')}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "HOME": str(home), "XDG_CONFIG_HOME": str(home), "PYTHONWARNINGS": ""}
    done = subprocess.run(
        ("sh", "-eu", "-c", block), cwd=place, env=environ, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    (home / "said").write_text(done.stdout)
    return place


def records(repo):
    return repo / "reports" / "auto_research" / "six"


def test_the_campaign_file_names_all_six(repo):
    """One file, each by its name."""
    text = (records(repo) / "campaign.yaml").read_text()
    assert all(name in text for name in ("toml-script", "nice", "csv-ideas", "diary", "two-runs"))


def test_the_plan_takes_the_launcher_as_it_is(repo):
    """One that runs on this machine is not advised against in favour of the built-in one."""
    said = (repo.parent / "said").read_text()
    assert "launcher:         nice" in said
    assert "would suit better" not in said


def test_the_ideas_of_the_table_are_judged_by_two_runs_each(repo):
    """Researcher, target and policy: every row of the table was tried, and no verdict rests on one run."""
    rows = [line.split("\t") for line in (repo / "reports" / "auto_research_results.tsv").read_text().splitlines()]
    table = [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]
    assert [row["runs"] for row in table] == ["2", "2", "2", "2"], "an error that nobody explains is tried once more"
    assert [row["status"] for row in table[1:]][-1] == "crash"
    assert "mean" in table[1]["reason"]


def test_the_runs_were_nice(repo):
    """The launcher's request is kept with the run, and its option has reached it; a canary went before the crash."""
    kept = sorted(records(repo).rglob("submission.txt"))
    assert len(kept) == 9
    assert all("nice -n 15 python3 train.py" in path.read_text() for path in kept)


def test_the_numbers_are_those_of_the_long_table(repo):
    """The metric source's last value of a run is the value that was judged."""
    measured = next(records(repo).joinpath("baseline").rglob("measurement.json")).read_text()
    assert '"source": "long-csv"' in measured


def test_the_diary_tells_the_night(repo):
    """The tracker was told of every verdict, in order, and of the end."""
    [diary] = records(repo).rglob("diary.md")
    told = [line.split("  ", 1)[1] for line in diary.read_text().splitlines() if "note:" not in line]
    assert told[0] == "# six"
    assert [line.split(":")[0] for line in told[1:3]] == ["**keep** baseline", "**keep** raise-the-learning-rate"]
    assert told[-1].startswith("ended:")
