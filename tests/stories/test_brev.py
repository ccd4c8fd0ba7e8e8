"""Campaigns on a machine laid out like Brev's: records in the checkout, everything heavy on a volume of its own."""

import itertools
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.conftest import Lab, commit_all, make_repository
from tests.launchers.clusters import why_no_kubernetes

from autoresearch.campaign import beginning, opening
from autoresearch.campaign.campaign import Campaign
from autoresearch.config import campaign_file
from autoresearch.engine.loop import Loop
from autoresearch.errors import AutoresearchError, CampaignError
from autoresearch.git import refs
from autoresearch.machine.lock import CampaignLock
from autoresearch.records.paths import KINDS, CampaignPaths, Volume, short
from autoresearch.records.row import PLACES

TRAIN = """\
import json, os, pathlib, tempfile
print("score:", json.load(open("config.json"))["lr"])
print("login", os.environ.get("HF_TOKEN"))
(pathlib.Path(os.environ["AUTORESEARCH_ARTIFACTS"]) / "samples.txt").write_text("four")
pathlib.Path(tempfile.mkdtemp(), "scrap").write_text("x" * 100)
pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"], "checkpoints", "step_1").mkdir()
pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"], "seen.json").write_text(json.dumps(
    {name: value for name, value in os.environ.items() if "TOKEN" not in name}))
"""
POLICY = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
PLAN = ("--target", "command", "--command", "python3 train.py", "--metric", "score", "--direction", "maximize",
        "--set", "target.source.type=stdout", "--launcher", "local", "--ideas", "ideas.yaml",
        "--set", "target.config=config.json")  # fmt: skip
SECRET = "hf_" + "aZ3kQ9xLm2Tn7Rb5Vc8Wd1Ye"


@dataclass
class Brev:
    """A laboratory whose campaign keeps its heavy files on a volume beside it."""

    lab: Lab

    def __post_init__(self) -> None:
        self.volume = self.lab.root.parent / "ephemeral"
        self.volume.mkdir()
        self.paths = CampaignPaths(self.lab.root, self.lab.name, Volume(self.volume, "ada"))

    @property
    def site(self):
        """As a campaign file has it."""
        return {"type": "brev", "volume": str(self.volume), "user": "ada", "min_free_gb": 0}

    def write(self, **settings: object):
        """Write the campaign file; one idea is enough."""
        return self.lab.write(**{"site": self.site, "stop": "2 experiments", "verdict": POLICY, **settings})

    def run(self, **env: str):
        """Work on the campaign as the user ada, from the command line."""
        return self.lab.run(USER="ada", **env)

    def work(self):
        """The same in this process."""
        Campaign(where=self.lab.root).run(approved_by="Ada", poll_s=0.01)

    def refused(self):
        """What is said when that is refused."""
        with pytest.raises(AutoresearchError) as refusal:
            self.work()
        return str(refusal.value)


@pytest.fixture
def brev(lab):
    """A fresh machine of that kind with a scripted campaign."""
    made = Brev(lab)
    made.write()
    return made


@pytest.fixture(scope="module")
def night(make_lab):
    """A campaign of real processes that has come to its end; to be looked at, not changed."""
    made = Brev(make_lab())
    root = made.lab.root
    (root / "train.py").write_text(TRAIN)
    (root / ".env").write_text(f"# logins\nexport HF_TOKEN='{SECRET}'\n")
    (root / ".gitignore").write_text(".env\n")
    commit_all(root)
    made.write(launcher="local", run={"grace": 0.5})
    made.done = made.run()
    assert made.done.returncode == 0, made.done.stderr
    return made


def texts(folder):
    """Every file below a folder that is no link, with its content."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and not path.is_symlink()}


def test_everything_heavy_lies_on_the_volume_and_records_in_the_repository(night):
    """R187, R188, R191, R193: six folders per experiment with one entry per run; in the checkout only small records."""
    home = night.volume / "nemo-rl" / "ada" / "nemo-rl-auto-research" / "night" / "raise-the-learning-rate"
    for kind in KINDS:
        assert (home / kind).is_dir(), kind
    assert (home / "logs" / "run.log").read_text().startswith("score: 0.2")
    assert (home / "artifacts" / "run-1" / "samples.txt").read_text() == "four"
    assert (home / "checkpoints" / "run-1" / "step_1").is_dir()
    records = night.lab.folder / "raise-the-learning-rate" / "run-1"
    assert {"submission.txt", "environment.json", "measurement.json"} <= {path.name for path in records.iterdir()}
    assert not any(path.is_dir() for path in records.iterdir())
    assert json.loads((night.lab.folder / "volume.json").read_text())["files"] == str(home.parent), "R203: a pointer"


def test_the_row_records_absolute_paths_on_the_volume(night):
    """R202: log, checkpoints, artifacts, cache root and the command."""
    row = night.lab.rows()[1]
    home = night.paths.heavy / "raise-the-learning-rate"
    assert row.log_path == str(home / "logs" / "run.log")
    assert [row.extra[column] for column in PLACES] == [
        str(home / "checkpoints"),
        str(home / "artifacts"),
        str(night.volume / "nemo-rl" / "ada" / "cache"),
    ]
    assert row.command == "python3 train.py"
    assert Campaign(where=night.lab.root).check() == []


def test_runs_are_told_where_to_write_and_to_find_what_is_shared(night):
    """R189, R195, R196, R275: caches below one root, the rest below the experiment; all of it is there."""
    for name in ("baseline", "raise-the-learning-rate"):
        home = night.paths.heavy / name
        seen = json.loads((home / "run-1" / "seen.json").read_text())
        for variable, folder in Volume(night.volume, "ada").cache_variables.items():
            assert seen[variable] == folder
            assert Path(folder).is_dir()
        assert seen["WANDB_DIR"] == str(home / "wandb" / "run-1")
        near = str(short(home))
        assert (seen["RAY_TMPDIR"], seen["TMPDIR"]) == (f"{near}/ray/run-1", f"{near}/tmp/run-1")
        assert (
            len(seen["RAY_TMPDIR"]) + len("/ray/session_2026-11-23_22-15-00_123456_1234567/sockets/plasma_store") <= 107
        )


def test_secrets_of_the_store_reach_the_run_and_nothing_else(night):
    """R197-R199: exported, never written: not to the log, a row, the journal, a session, a report, the screen."""
    log = night.paths.heavy / "raise-the-learning-rate" / "logs" / "run.log"
    assert "login [redacted]" in log.read_text()
    assert SECRET not in night.done.stdout + night.done.stderr
    written = texts(night.lab.root) | texts(night.volume)
    assert [path for path, content in written.items() if SECRET.encode() in content] == [night.lab.root / ".env"]


def test_temporary_files_of_good_runs_are_cleared_and_nothing_else(night):
    """R210, R211: the run's own ray and tmp; its results, the caches and the short link's name stay or go as they should."""
    home = night.paths.heavy / "raise-the-learning-rate"
    assert not (home / "tmp" / "run-1").exists()
    assert (home / "run-1" / "seen.json").exists()
    assert (night.volume / "nemo-rl" / "ada" / "cache" / "huggingface").is_dir()
    assert not short(home).is_symlink()


def test_a_wiped_volume_leaves_enough_to_read_and_to_reproduce(night):
    """R212: report, rows, commit, command, environment and number are in the repository; what is gone is said."""
    lab, away = night.lab, night.volume.rename(night.volume.with_name("wiped"))
    try:
        assert lab.cli("report").returncode == 0
        told = (lab.folder / "report.md").read_text()
        assert f"the files of 2 of 2 runs on {night.volume} are gone (logs, checkpoints, artifacts)" in told
        assert "is gone with the files on" in lab.refused("log", "2")
        assert Campaign(where=lab.root).check() == []
        night.volume.mkdir()
        made = lab.cli("reproduce", "2", USER="ada")
        assert (made.returncode, "0.2" in made.stdout) == (0, True), made.stdout + made.stderr
    finally:
        shutil.rmtree(night.volume, ignore_errors=True)
        away.rename(night.volume)
    kept = lab.folder / "raise-the-learning-rate" / "run-1"
    assert json.loads((kept / "measurement.json").read_text())["value"] == 0.2
    assert json.loads((kept / "environment.json").read_text())["argv"] == ["python3", "train.py"]
    assert json.loads((kept / "seen.json").read_text())["WANDB_DIR"]
    assert refs.branches(lab.root, "autoresearch/night/raise-the-learning-rate")


@pytest.mark.parametrize("spoil", ["gone", "full"])
def test_nothing_begins_on_a_volume_that_is_gone_or_nearly_full(brev, spoil):
    """R190: one line that names the volume; no branch, no event, and it can be mended and begun."""
    if spoil == "gone":
        brev.volume.rmdir()
    else:
        brev.write(site={**brev.site, "min_free_gb": 10_000_000})
    line = brev.refused()
    assert str(brev.volume) in line
    assert {"gone": "is gone", "full": "site.min_free_gb asks for 1e+07: free some space"}[spoil] in line
    assert brev.lab.journal() == []
    brev.volume.mkdir(exist_ok=True)
    brev.write()
    brev.work()
    assert len(brev.lab.rows()) == 2


def test_a_volume_that_fills_up_is_waited_for(brev):
    """R208: checked all the time; nothing new is begun, two lines say so, and the campaign ends as it would have."""
    brev.write(site={**brev.site, "min_free_gb": 3})
    opened = opening.open_campaign(brev.lab.root)
    beginning.begin_campaign(opened, "Ada", lambda: 1_800_000_000.0)
    context = beginning.make_context(opened, lambda: 1_800_000_000.0)
    room = itertools.chain([5.0] * 3, [2.5] * 20, itertools.repeat(5.0))
    context.free_gb = lambda path: next(room) if path.is_relative_to(brev.volume) else 5.0
    loop = Loop(ctx=context, poll_s=0.0, sleep=lambda _s: None)
    with CampaignLock(context.paths.lock):
        loop.run()
    notes = [event["text"] for event in brev.lab.journal("noted")]
    assert f"the volume {brev.volume} has 2.50 GB free and site.min_free_gb asks for 3: free some space" in notes[0]
    assert notes[1] == "there is enough disk space again"
    assert [row.status.value for row in brev.lab.rows()] == ["keep", "keep"]


def test_another_campaign_of_the_name_keeps_its_folder(brev, make_lab):
    """R204: two repositories, one volume, one name: the second is refused before anything of it exists."""
    brev.work()
    other = make_lab()
    other.write(site=brev.site)
    before = texts(brev.volume)
    with pytest.raises(CampaignError) as refusal:
        Campaign(where=other.root).run(approved_by="Ada")
    line = str(refusal.value)
    assert f"holds files of another campaign 'night' (of {brev.lab.root}); give this one another name" in line
    assert (texts(brev.volume), other.journal()) == (before, [])


def test_an_earlier_campaigns_files_are_never_taken_for_new_ones(brev):
    """R204: the repository was made anew in its old place; the old runs on the volume are not its own."""
    brev.work()
    shutil.rmtree(brev.lab.root)
    make_repository(brev.lab.root)
    brev.write()
    assert "holds files of another campaign 'night'" in brev.refused()


def test_what_others_have_on_the_volume_is_never_touched(brev):
    """R210, R211: another user's folder, another campaign's, and the shared caches are the same afterwards."""
    user = brev.volume / "nemo-rl"
    for place in ("bob/cache/torch", "bob/nemo-rl-auto-research/night/baseline/tmp/run-1", "ada/cache/huggingface",
                  "ada/nemo-rl-auto-research/earlier/baseline/ray/run-1"):  # fmt: skip
        (user / place).mkdir(parents=True)
        (user / place / "kept").write_text(place)
    before = texts(brev.volume)
    brev.work()
    assert before.items() <= texts(brev.volume).items()


def test_a_killed_campaign_goes_on_where_its_volume_is(brev):
    """The plan froze site and user: another USER changes nothing, and no row is lost or doubled."""
    brev.write(site={**brev.site, "user": ""})
    assert brev.run(fault="run.submitted#2=kill").returncode == -9
    assert brev.lab.run(USER="bob").returncode == 0
    assert [row.index for row in brev.lab.rows()] == [1, 2]
    assert not (brev.volume / "nemo-rl" / "bob").exists()


def test_a_volume_wiped_in_the_night_is_gone_on_with(brev):
    """The folders are made again; runs that were measured keep their numbers."""
    assert brev.run(fault="settle.noted=kill").returncode == -9
    shutil.rmtree(brev.volume / "nemo-rl")
    brev.work()
    assert [row.status.value for row in brev.lab.rows()] == ["keep", "keep"]


def test_work_on_a_begun_campaign_needs_its_volume(brev):
    """Not mounted after a restart: one line, and nothing is judged from missing files."""
    assert brev.run(fault="run.submitted#2=kill").returncode == -9
    hidden = brev.volume.rename(brev.volume.with_name("unmounted"))
    events = len(brev.lab.journal())
    assert f"the volume {brev.volume} is gone: mount it again" in brev.refused()
    assert len(brev.lab.journal()) == events
    hidden.rename(brev.volume)
    brev.work()
    assert [row.status.value for row in brev.lab.rows()] == ["keep", "keep"]


def test_a_dry_run_shows_the_layout_and_makes_nothing(brev):
    """The submission names the folders and variables; the volume stays empty."""
    plan = brev.lab.cli("plan", *PLAN, "--site", "brev", "--set", f"site.volume={brev.volume}", "--dry-run", USER="ada")
    home = f"{brev.volume}/nemo-rl/ada"
    assert f"{home}/nemo-rl-auto-research/" in plan.stdout
    assert f"shared caches in {home}/cache" in plan.stdout
    assert f"HF_HOME={home}/cache/huggingface" in plan.stdout
    assert list(brev.volume.iterdir()) == []


def test_a_missing_store_is_reminded_of_before_and_at_the_start(brev):
    """R200: in the plan and as a note; the campaign goes on."""
    line = f"{brev.lab.root}/.env does not exist: whatever needs a login has to find it in the environment"
    assert line in Campaign(where=brev.lab.root).plan().warnings
    brev.work()
    assert line in [event["text"] for event in brev.lab.journal("noted")]


@pytest.mark.parametrize("half", ["checkout only", "volume only", "a folder that is no volume"])
def test_a_laptop_with_half_of_it_is_left_alone(lab, half):
    """R213: nothing on the would-be volume, no variable, no column, no secret exported."""
    volume = lab.root.parent / "ephemeral"
    if half != "checkout only":
        volume.mkdir()
    checkout = lab.root if half != "volume only" else lab.root.parent / "RL"
    (lab.root / ".env").write_text(f"HF_TOKEN={SECRET}\n")
    (lab.root / "train.py").write_text("import os\nprint('score: 1')\nprint(sorted(os.environ))\n")
    commit_all(lab.root)
    lab.write(site={"checkout": str(checkout), "volume": str(volume)}, launcher="local", stop="1 experiment")
    Campaign(where=lab.root).run(approved_by="Ada", poll_s=0.01)
    log = (lab.folder / "baseline" / "run-1" / "run.log").read_text()
    assert not any(name in log for name in ("WANDB_DIR", "HF_HOME", "HF_TOKEN", "AUTORESEARCH_ARTIFACTS"))
    assert "checkpoint_path" not in lab.ledger.read_text()
    assert not volume.exists() or list(volume.iterdir()) == []
    assert lab.journal("campaign_started")[0]["plan"]["site"]["type"] == "plain"


@pytest.fixture
def machine(lab, tmp_path):
    """Both halves: a checkout, and a volume that really is another disk."""
    if lab.root.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two disks: /dev/shm and the one of pytest's temporary folders are the same here")
    return {"checkout": str(lab.root), "volume": str(tmp_path), "min_free_gb": 0}


def test_a_brev_machine_is_found_shown_and_written_into_the_plan(lab, machine):
    """R36: checkout and volume together; the plan says so before anything is made, and the run follows it."""
    sets = [word for key, value in machine.items() for word in ("--set", f"site.{key}={value}")]
    told = lab.cli("plan", *PLAN, *sets, "--name", "second", "--stop", "1 experiment", USER="ada").stdout
    assert f"{machine['volume']}/nemo-rl/ada/nemo-rl-auto-research/second" in told
    assert "a Brev machine" in told
    written = campaign_file.read(lab.folder.parent / "second" / "campaign.yaml")
    assert written.site.type == "brev"
    assert list(os.scandir(machine["volume"])) == []


ELSEWHERE = {
    "kubernetes": {"image": "nemo-rl:1", "volumes": [{"claim": "work", "mount": "/"}]},
    "slurm": {},
    "ray": {"address": "http://127.0.0.1:8265"},
}


@pytest.mark.parametrize("launcher", ELSEWHERE)
def test_a_launcher_elsewhere_gets_no_layout_on_a_brev_machine(lab, machine, launcher):
    """R213: both halves are here and the runs are not: their submission is the one of any other machine."""
    if launcher == "kubernetes" and (reason := why_no_kubernetes()):
        pytest.skip(reason)
    chosen = {"type": launcher, **ELSEWHERE[launcher]}
    lab.write(launcher=chosen, site=machine)
    session = Campaign(where=lab.root)
    told = session.dry_run(session.plan()).text
    assert "train.py" in told
    assert str(machine["volume"]) not in told
    assert not any(name in told for name in ("HF_HOME", "WANDB_DIR", "UV_CACHE_DIR"))
    lab.write(launcher=chosen, site={**machine, "type": "brev"})
    with pytest.raises(CampaignError, match="use launcher local, or site plain"):
        session.run(approved_by="Ada")
