"""Whole campaigns in which something else than the idea ends a run."""

import json
import os
import signal

import pytest
import yaml
from tests.conftest import Lab, commit_all

SCRIPT = """\
import json, os, pathlib, sys
rate = json.load(open("config.json"))["lr"]
count, left = pathlib.Path(os.environ["COUNT"]), int(os.environ["TIMES"])
if rate != 0.1 and len(count.read_text()) < left:
    count.write_text(count.read_text() + ".")
    sys.exit(os.environ["WORDS"])
print("score:", rate)
"""
IDEA = "- {title: raise the rate, area: optimizer, overrides: [lr=0.2]}\n"


@pytest.fixture
def dying(lab):
    """Makes a campaign with one idea, whose run dies so many times with some words."""

    def make(words: str, times: int) -> Lab:
        (lab.root / "train.py").write_text(SCRIPT)
        (lab.root / "ideas.yaml").write_text(IDEA)
        commit_all(lab.root)
        count = lab.root.parent / "count"
        count.write_text("")
        env = {"COUNT": str(count), "TIMES": str(times), "WORDS": words}
        verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
        lab.write(launcher={"type": "local"}, run={"env": env, "grace": 0.5}, stop="2 experiments", verdict=verdict)
        assert lab.run().returncode == 0
        return lab

    return make


def test_what_the_environment_did_once_costs_the_idea_nothing(dying):
    """Its second run judges it, on the seed of the first, and the row rests on one run."""
    lab = dying("torch.distributed.DistBackendError: NCCL error: remote process exited", 1)
    row = lab.rows()[1]
    assert (row.status, row.metric_value, row.runs) == ("keep", 0.2, 1)
    endings = [event["ending"] and event["ending"]["who"] for event in lab.journal("run_measured")]
    assert endings == [None, "environment", None]
    assert len({event["seed"] for event in lab.journal("run_planned")[1:]}) == 1


BROKEN_CACHE = """\
import json, os, pathlib, sys
rate, cache = json.load(open("config.json"))["lr"], os.environ.get("TRITON_CACHE_DIR", "/shared/triton")
pathlib.Path(os.environ["SEEN"]).open("a").write(cache + "\\n")
if rate != 0.1 and cache == "/shared/triton":
    sys.exit("OSError: [Errno 116] Stale file handle: '/shared/.triton/cache/K/a.so'")
pathlib.Path(cache).mkdir(parents=True, exist_ok=True) if rate != 0.1 else None
print("score:", rate)
"""


@pytest.mark.full
def test_a_broken_cache_is_left_for_a_fresh_one(lab):
    """The run that is made again has compile caches of its own, also in place of the person's, and they go with it."""
    (lab.root / "train.py").write_text(BROKEN_CACHE)
    (lab.root / "ideas.yaml").write_text(IDEA)
    commit_all(lab.root)
    seen = lab.root.parent / "seen"
    env = {"SEEN": str(seen), "TRITON_CACHE_DIR": "/shared/triton"}
    lab.write(
        launcher={"type": "local"},
        run={"env": env},
        stop="2 experiments",
        verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0},
    )
    assert lab.run().returncode == 0
    assert [(row.status, row.metric_value) for row in lab.rows()] == [("keep", 0.1), ("keep", 0.2)]
    told = seen.read_text().splitlines()
    assert told[:2] == ["/shared/triton"] * 2
    own = lab.journal("run_planned")[-1]["folder"]
    assert told[2:] == [f"{own}/caches/triton"]
    assert not (lab.root / own / "caches").exists()


@pytest.mark.full
def test_what_the_environment_does_for_ever_leaves_the_idea_untested(dying):
    """Three runs in all, then a look at whether the machine is well; the row says what it was and what a person can do, and no number."""
    lab = dying("OSError: [Errno 116] Stale file handle: '/data/x'", 99)
    row = lab.rows()[1]
    assert (row.status, row.metric_value, row.runs) == ("crash", None, 3)
    assert [event["purpose"] for event in lab.journal("run_planned")][1:] == ["explore"] * 3 + ["canary"]
    assert row.reason.startswith("could not be tested: environment: storage-failed: OSError: [Errno 116]")
    assert "not the idea's doing" in lab.cli("log", "2").stdout or "environment: storage" in lab.cli("show", "2").stdout


def test_code_that_does_not_run_is_a_crash_without_a_number(lab):
    """A syntax error in a patch is no discard, and nobody reads its zeros as a value."""
    patch = "--- a/train.py\n+++ b/train.py\n@@ -1 +1,2 @@\n print('score: 0')\n+def bonus(:\n"
    idea = {"title": "a bonus", "area": "reward", "patch": patch}
    (lab.root / "ideas.yaml").write_text(repr([idea]))
    lab.write(launcher={"type": "local"}, stop="2 experiments", verdict={"policy": "auto", "baseline_runs": 1})
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert (row.status, row.metric_value) == ("crash", None)
    assert "SyntaxError" in row.reason


STRICT = """\
import json
rate = json.load(open("config.json"))["lr"]
if rate > 0.5:
    raise ValueError("loss is nan")
print("score:", rate)
"""
PRETENDS = """\
--- a/train.py
+++ b/train.py
@@ -1,3 +1,7 @@
 import json
-rate = json.load(open("config.json"))["lr"]
+import atexit
+print('Traceback (most recent call last):\\n  File "/v/site-packages/torch/x.py", line 3, in f\\n    f()')
+print("RuntimeError: No CUDA GPUs are available")
+atexit.register(print, "CUDA error: no CUDA-capable device is detected\\nKilled")
+rate = {}["bonus"]
 if rate > 0.5:
"""


def test_what_a_run_prints_beside_its_own_slip_excuses_nothing(lab):
    """A foreign traceback before it, and the words of a sick machine: one run, and a crash of its own; a NaN that a script raises is the discard that a NaN is."""
    (lab.root / "train.py").write_text(STRICT)
    ideas = [{"title": "pretends", "patch": PRETENDS}, {"title": "too fast", "overrides": ["lr=2.0"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    lab.write(
        launcher={"type": "local"}, stop="3 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    )
    assert lab.run().returncode == 0
    slip, nan = sorted(lab.rows()[1:], key=lambda row: row.description)
    assert (slip.status, slip.metric_value, slip.runs, nan.status, nan.metric_value) == (
        "crash",
        None,
        1,
        "discard",
        None,
    )
    assert slip.reason.startswith("no valid metric in 1 run: trivial-code-error: KeyError: 'bonus'")
    assert "nan-raised: ValueError: loss is nan" in nan.reason


HANDLES = """\
import logging, os
try:
    raise MemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
except MemoryError:
    logging.exception("no room for a second buffer, one will do")
print("score:", 0.5)
"""
SLIPS = """\
--- a/train.py
+++ b/train.py
@@ -4,3 +4,3 @@
 except MemoryError:
     logging.exception("no room for a second buffer, one will do")
-print("score:", 0.5)
+print("score:", os.entropy)
"""
ENDS = SLIPS.replace('print("score:", os.entropy)', "raise SystemExit(3)")


@pytest.mark.full
def test_an_error_that_the_script_handles_is_no_idea_s_end(lab):
    """Every run prints a memory error and goes on: a slip behind it is a crash of its own, and an exit without words is nobody's."""
    (lab.root / "train.py").write_text(HANDLES)
    ideas = [{"title": "slips", "patch": SLIPS}, {"title": "ends", "patch": ENDS}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    lab.write(
        launcher={"type": "local"}, stop="3 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    )
    assert lab.run().returncode == 0
    ends, slips = sorted(lab.rows()[1:], key=lambda row: row.description)
    assert (slips.status, slips.runs, ends.status, ends.runs) == ("crash", 1, "crash", 2)
    assert "trivial-code-error: AttributeError: module 'os' has no attribute 'entropy'" in slips.reason
    assert ends.reason.startswith(
        "could not be tested: unknown: unexplained-crash: exited with code 3, nothing of its own"
    )


GROWS = """\
import json, time
lr = json.load(open("config.json"))["lr"]
held = bytearray(400_000_000 if lr != 0.1 else 1000)
time.sleep(0 if lr == 0.1 else 300)
print("score:", lr)
"""


@pytest.mark.full
def test_an_idea_that_took_no_memory_is_not_judged_by_a_limit_of_memory(lab):
    """Run again once, and then a row that holds nothing against it and says what a person may do."""
    (lab.root / "train.py").write_text(GROWS)
    (lab.root / "ideas.yaml").write_text(IDEA)
    commit_all(lab.root)
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, run={"memory_gb": 0.2}, stop="2 experiments", verdict=verdict)
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert (row.status, row.metric_value, row.runs) == ("crash", None, 2)
    assert row.reason.startswith("could not be tested: unknown: oom-host: over its memory limit of 0.2 GB")
    assert "the idea changed nothing that takes memory" in row.reason


PICKY = """\
import os, pathlib
seed, count = int(os.environ["SEED"]), pathlib.Path(os.environ["COUNT"])
print("score:", 0.5 + seed / 1000)
"""
THROWS = """\
--- a/train.py
+++ b/train.py
@@ -1,3 +1,6 @@
 import os, pathlib
 seed, count = int(os.environ["SEED"]), pathlib.Path(os.environ["COUNT"])
-print("score:", 0.5 + seed / 1000)
+if len(count.read_text()) < int(os.environ["TIMES"]):
+    count.write_text(count.read_text() + ".")
+    raise RuntimeError("CUDA error: no CUDA-capable device is detected")
+print("score:", 0.6 + seed / 1000)
"""


@pytest.mark.full
@pytest.mark.parametrize(("times", "status"), [(1, "keep"), pytest.param(2, "discard", marks=pytest.mark.full)])
def test_a_draw_that_an_idea_takes_back_is_drawn_again_and_told(lab, times, status):
    """The same seed, and the row says how many were taken back; twice in three is more than the baseline's none, and waits for a person."""
    (lab.root / "train.py").write_text(PICKY)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"title": "throws bad draws away", "patch": THROWS}]))
    commit_all(lab.root)
    count = lab.root.parent / "count"
    count.write_text("")
    env = {"COUNT": str(count), "TIMES": str(times)}
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, run={"env": env}, stop="2 experiments", verdict=verdict)
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert (row.status, row.extra["integrity"]) == (status, "unverified")
    assert f"{times} of {times + 1} runs ended early, excused in their own words" in row.reason
    assert len({event["seed"] for event in lab.journal("run_planned")[1:]}) == 1


def test_what_can_be_known_to_be_no_experiment_is_refused_before_a_run_is_paid(lab):
    """A misspelt key, with the nearest one, and what the baseline says already: a row each, for each attempt has one, and no run."""
    (lab.root / "train.py").write_text('import json\nprint("score:", json.load(open("config.json"))["lr"])\n')
    rate = json.loads((lab.root / "config.json").read_text())["lr"]
    ideas = [{"title": "misspelt", "overrides": ["lrr=2"]}, {"title": "the same", "overrides": [f"lr={rate}"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, stop="3 experiments", verdict=verdict)
    assert lab.run().returncode == 0
    misspelt, same = lab.rows()[1:]
    assert (misspelt.status, misspelt.runs, same.status, same.runs) == ("crash", 0, "crash", 0)
    assert misspelt.reason.startswith(
        "no run was possible: 'lrr=2': there is no key 'lrr' in the configuration file; did you mean 'lr'?"
    )
    assert "duplicate" not in misspelt.reason
    assert "duplicate: the same code and configuration as #1 baseline" in same.reason
    assert len(lab.journal("run_planned")) == 1


WAITING = """\
import json, os, pathlib, time
rate = json.load(open("config.json"))["lr"]
print("pid", os.getpid(), flush=True)
while rate != 0.1 and not pathlib.Path(os.environ["GATE"]).exists():
    time.sleep(0.02)
print("score:", rate)
"""


@pytest.mark.full
def test_a_run_that_somebody_kills_is_made_again(lab):
    """KILL from outside is somebody's doing and not the idea's, which its next run judges."""
    (lab.root / "train.py").write_text(WAITING)
    (lab.root / "ideas.yaml").write_text(IDEA)
    commit_all(lab.root)
    run = {"env": {"GATE": str(lab.gate)}, "grace": 0.5}
    lab.write(
        launcher={"type": "local"}, run=run, stop="2 experiments", verdict={"policy": "greedy", "baseline_runs": 1}
    )
    with lab.start() as controller:
        log = lab.folder / "raise-the-rate" / "run-1" / "run.log"
        words = lab.until(lambda: log.exists() and log.read_text().split(), "the idea's run works")
        os.kill(int(words[1]), signal.SIGKILL)
        lab.until(lambda: len(lab.journal("run_measured")) == 2, "its end is told")
        lab.gate.touch()
        controller.communicate(timeout=200)
    ended = [event["ending"] and event["ending"]["what"] for event in lab.journal("run_measured")]
    assert ended[:3] == [None, "killed", None]
    assert [row.status for row in lab.rows()] == ["keep", "keep"]


HUNGRY = """\
import json
batch = json.load(open("config.json"))["micro_batch"]
if batch > 40:
    raise RuntimeError("CUDA out of memory. Tried to allocate %d MiB" % batch)
print("score:", batch)
"""


@pytest.mark.full
def test_what_ran_out_of_memory_is_reduced_before_it_is_given_up(lab):
    """Half of what the idea enlarged, on its own branch (R146): measured where that fits, else both are named."""
    (lab.root / "train.py").write_text(HUNGRY)
    (lab.root / "config.json").write_text('{"micro_batch": 4}\n')
    ideas = [{"title": f"batch {size}", "area": "memory", "overrides": [f"micro_batch={size}"]} for size in (64, 160)]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    lab.write(
        launcher={"type": "local"}, stop="3 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    )
    assert lab.run().returncode == 0
    _, fits, never = lab.rows()
    assert (fits.status, fits.metric_value) == ("keep", 32)
    assert "reduced to micro_batch=32 after oom-gpu" in fits.reason
    assert (never.status, never.metric_value) == ("discard", None)
    assert never.reason.startswith("the idea itself caused the failure: oom-gpu")
    assert (
        "reduced to micro_batch=80 after oom-gpu: RuntimeError: CUDA out of memory. Tried to allocate 160"
        in never.reason
    )


def test_what_an_idea_wrote_into_the_recipe_by_itself_is_reduced_as_well(lab):
    """A patch says as much as an override: the key whose value differs is tied to the memory, and halved."""
    (lab.root / "train.py").write_text(HUNGRY)
    (lab.root / "config.json").write_text('{"micro_batch": 4}\n')
    patch = '--- a/config.json\n+++ b/config.json\n@@ -1 +1 @@\n-{"micro_batch": 4}\n+{"micro_batch": 64}\n'
    (lab.root / "ideas.yaml").write_text(json.dumps([{"title": "batch 64", "area": "memory", "patch": patch}]))
    commit_all(lab.root)
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, stop="2 experiments", verdict=verdict)
    assert lab.run().returncode == 0
    row = lab.rows()[1]
    assert (row.status, row.metric_value) == ("keep", 32)
    assert "reduced to micro_batch=32 after oom-gpu" in row.reason


ENDLESS = """\
import json, os, pathlib, time
rate = json.load(open("config.json"))["lr"]
count = pathlib.Path(os.environ["COUNT"])
started = len(count.read_text())
count.write_text(count.read_text() + ".")
if rate != 0.1 and started < 3:
    raise RuntimeError("No CUDA GPUs are available")
for step in range(600 if started in (3,) else 1):
    print("step", step, flush=True)
    time.sleep(0.5)
print("score:", rate)
"""


@pytest.mark.full
def test_a_canary_does_not_cost_a_whole_run(lab):
    """The incumbent is ended when it has made steps for longer than the ideas lived, and they are run again."""
    (lab.root / "train.py").write_text(ENDLESS)
    (lab.root / "ideas.yaml").write_text(
        json.dumps([{"title": f"rate {n}", "area": "optimizer", "overrides": [f"lr=0.{n}"]} for n in (2, 3)])
    )
    commit_all(lab.root)
    count = lab.root.parent / "count"
    count.write_text("")
    run = {"env": {"COUNT": str(count)}, "grace": 0.5}
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    lab.write(launcher={"type": "local"}, run=run, stop="3 experiments", verdict=verdict)
    assert lab.run().returncode == 0
    (ended,) = lab.journal("run_cancelled")
    assert str(ended["reason"]).startswith("the machine is well: the incumbent made a step")
    assert [row.status for row in lab.rows()] == ["keep", "keep", "keep"]


SICK = """\
import json, os, pathlib
count = pathlib.Path(os.environ["COUNT"])
count.write_text(count.read_text() + ".")
if 2 < len(count.read_text()) <= 6:
    raise RuntimeError("No CUDA GPUs are available")
print("score:", json.load(open("config.json"))["lr"])
"""


@pytest.mark.full
def test_a_machine_that_falls_ill_and_heals_loses_no_idea(lab):
    """Every idea has a measured verdict on runs that the illness did not touch, and people are told of it."""
    (lab.root / "train.py").write_text(SICK)
    ideas = [{"title": f"rate {n}", "area": "optimizer", "overrides": [f"lr=0.{n}"]} for n in range(2, 7)]
    (lab.root / "ideas.yaml").write_text(json.dumps(ideas))
    commit_all(lab.root)
    count = lab.root.parent / "count"
    count.write_text("")
    verdict = {"policy": "greedy", "baseline_runs": 1, "confirm": 0}
    run = {"env": {"COUNT": str(count)}, "grace": 0.5}
    lab.write(launcher={"type": "local"}, run=run, stop="6 experiments", verdict=verdict)
    done = lab.run()
    assert done.returncode == 0
    assert [(row.metric_value, row.runs) for row in lab.rows()] == [(n / 10, 1) for n in range(1, 7)]
    assert len(count.read_text()) > 10
    assert "the machine is suspected, no idea is run" in done.stdout
    assert "No CUDA GPUs are available" in (lab.folder / "report.md").read_text()
