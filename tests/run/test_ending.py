"""Whose doing an end was: facts accuse, words alone do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.run.complaint import held_by_others
from autoresearch.run.crash_signatures import SIGNATURES
from autoresearch.run.ending import Account, Follows, Who, judge
from autoresearch.run.job import JobState, JobStatus, own_caches
from autoresearch.run.measurement import Completion
from autoresearch.run.post_mortem import Change, crash_symptoms, post_mortem, reduced, unusual
from autoresearch.run.symptom import Severity, Symptom

RATE = Change(("optimizer.lr=2.0",), ("recipe.yaml",))
BATCH = Change(("train.micro_batch_size=64",), ("recipe.yaml",))
PATCH = Change((), ("lib/bonus.py",), own_files=True)
TREE = "/repo/.autoresearch/worktrees/idea"
TRACE = "Traceback (most recent call last):\n"
FAILED = JobStatus(state=JobState.FAILED, exit_code=1, reason="exited with code 1")
OOM = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."


def ending(log="", change=RATE, status=FAILED, **known: object):
    symptoms = post_mortem(crash_symptoms(log), status, log)
    plain = {"completion": Completion.CRASHED, "symptoms": symptoms, "log": log, "change": change, "tree": TREE}
    return judge(Account(status=status, **(plain | known)))


def said(log="", change=RATE, status=FAILED, **known: object):
    found = ending(log, change, status, **known)
    return (found.what, found.who, found.follows)


def launcher(state, reason="", code=None):
    return JobStatus(state=state, exit_code=code, reason=reason)


TAKEN = [
    (launcher(JobState.VANISHED), "vanished", Who.ENVIRONMENT),
    (launcher(JobState.NODE_FAILED, "Slurm says NODE_FAIL"), "node-failed", Who.NODE),
    (launcher(JobState.NODE_FAILED, "the supervisor failed: OSError: x"), "supervisor-failed", Who.PROGRAM),
    (launcher(JobState.PREEMPTED, "Slurm says PREEMPTED; the supervisor was asked to stop by SIGTERM"), "preempted", Who.SITE),
    (launcher(JobState.PREEMPTED, "the supervisor was asked to stop by SIGHUP from process 7"), "told-to-stop", Who.OPERATOR),
    (launcher(JobState.CANCELLED, "Slurm says CANCELLED by 1000"), "cancelled", Who.OPERATOR),
    (launcher(JobState.CANCELLED, "STOPPED"), "cancelled", Who.OPERATOR),
    (launcher(JobState.FAILED, "Slurm says FAILED (JobLaunchFailure)", 181), "launch-failed", Who.NODE),
    (launcher(JobState.FAILED, "its script said: no cuda; its command was never reached: the launch failed", 3), "launch-failed", Who.NODE),
    (launcher(JobState.FAILED, "Slurm says COMPLETED, but the run has left no exit file"), "no-exit-file", Who.ENVIRONMENT),
    (launcher(JobState.FAILED, "ended by signal SIGKILL, which autoresearch did not send", 137), "killed", Who.OPERATOR),
    (launcher(JobState.FAILED, "exited with code 143", 143), "killed", Who.OPERATOR),
]  # fmt: skip


@pytest.mark.parametrize(("status", "what", "who"), TAKEN)
def test_what_was_taken_from_a_run_is_run_again(status, what, who):
    """A machine, a person, a site's rule and we ourselves cost the idea nothing, nor the baseline."""
    for change in (RATE, BATCH, PATCH, Change()):
        assert said("step 3\n", change, status) == (what, who, Follows.AGAIN)


def test_a_kill_with_a_cause_in_the_log_has_that_cause():
    """A wrapper that dies by a signal after an error of the run's own hides it from nobody."""
    status = launcher(JobState.FAILED, "exited with code 137", 137)
    assert said(f"{OOM}\n", BATCH, status)[:2] == ("oom-gpu", Who.IDEA)


@pytest.mark.parametrize("line", [
    "[rank1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=7, OpType=BROADCAST)",
    "OSError: [Errno 116] Stale file handle: '/lustre/data'", "requests.exceptions.HTTPError: 429 Client Error",
    "RuntimeError: No CUDA GPUs are available", "RuntimeError: HIP error: no ROCm-capable device is detected",
])  # fmt: skip
def test_what_the_environment_did_is_run_again_for_everybody(line):
    """Whatever the idea changed; and its baseline as well."""
    assert all(said(f"{line}\n", one)[1:] == (Who.ENVIRONMENT, Follows.AGAIN) for one in (RATE, PATCH, Change()))
    assert ending(f"{line}\n").tries == 2


def test_memory_is_the_ideas_where_it_took_memory():
    """A larger batch is held against it, a learning rate is tried once more, and a baseline has nobody to blame."""
    assert said(OOM, BATCH) == ("oom-gpu", Who.IDEA, Follows.DISCARD)
    assert said(OOM, RATE) == ("oom-gpu", Who.UNKNOWN, Follows.AGAIN)
    assert ending(OOM, RATE).tries == 1
    assert said(OOM, Change()) == ("oom-gpu", Who.UNKNOWN, Follows.CRASH)


def test_what_the_parent_shows_too_is_not_the_ideas():
    """The same end of the parent's newest run."""
    assert said(OOM, BATCH, parent="oom-gpu") == ("oom-gpu", Who.ENVIRONMENT, Follows.AGAIN)
    assert said(OOM, BATCH, parent="no-gpu")[1] == Who.IDEA


@pytest.mark.parametrize(("text", "told"), [
    ("Free memory on device (3.1/79.0 GiB) on startup is less than", "only 3.1 of 79 GiB were free before it began: somebody else holds the GPU"),
    ("Free memory on device cuda:0 (10.5/80.0 GiB) on startup", "only 10.5 of 80 GiB were free before it began: somebody else holds the GPU"),
    ("Free memory on device (70.1/79.0 GiB) on startup is less than", ""),
    ("total capacity of 80.00 GiB of which 512.00 MiB is free. Including non-PyTorch memory, this process has 9.50 GiB memory in use.",
     "other processes hold 70.0 of 80.0 GiB of the GPU"),
    ("total capacity of 80.00 GiB of which 512.00 MiB is free. Including non-PyTorch memory, this process has 79.00 GiB memory in use.", ""),
    ("CUDA out of memory.", ""),
])  # fmt: skip
def test_figures_say_who_holds_the_memory(text, told):
    """More than half of a GPU in other hands is what was missing."""
    assert held_by_others(text) == told


def test_a_gpu_in_other_hands_is_the_environments():
    """Unless the idea enlarged what needs memory."""
    line = "ValueError: Free memory on device (3.1/79.0 GiB) on startup is less than desired GPU memory utilization"
    assert said(line, RATE) == ("oom-kv-cache", Who.ENVIRONMENT, Follows.AGAIN)
    assert said(line, BATCH)[1] == Who.IDEA


def frames(*paths: str):
    return TRACE + "".join(f'  File "{path}", line 3, in step\n    x()\n' for path in paths)


@pytest.mark.parametrize(("change", "log", "expected"), [
    (PATCH, frames(f"{TREE}/train.py", f"{TREE}/lib/bonus.py") + "NameError: name 'x' is not defined\n", (Who.IDEA, Follows.MEND)),
    (PATCH, '  File "lib/bonus.py", line 1\n    def bonus(:\nSyntaxError: invalid syntax\n', (Who.IDEA, Follows.MEND)),
    (PATCH, frames(f"{TREE}/lib/bonus.py", "/v/site-packages/torch/x.py") + "KeyError: 'a'\n", (Who.IDEA, Follows.MEND)),
    (RATE, frames(f"{TREE}/train.py", "/v/site-packages/b/x.py") + "TypeError: f() got an unexpected keyword argument 'q'\n", (Who.ENVIRONMENT, Follows.AGAIN)),
    (RATE, frames("train.py") + "KeyError: 'answer'\n", (Who.UNKNOWN, Follows.AGAIN)),
    (PATCH, frames("/v/site-packages/b/x.py", "gone.py") + "KeyError: 'answer'\n", (Who.IDEA, Follows.MEND)),
    (Change(("optimizer.name=lion",), ("r.yaml",)), frames("train.py") + "KeyError: 'lion'\n", (Who.IDEA, Follows.MEND)),
    (RATE, "KeyError: 'x'\n", (Who.UNKNOWN, Follows.AGAIN)),
    (Change(), "KeyError: 'x'\n", (Who.UNKNOWN, Follows.MEND)),
])  # fmt: skip
def test_a_slip_is_the_ideas_where_its_own_code_raised_it(change, log, expected):
    """Never a discard: code that does not run says nothing of the idea, and may be mended."""
    found = ending(log, change)
    assert (found.who, found.follows) == expected


@pytest.mark.parametrize(("change", "log", "expected"), [
    (PATCH, frames("lib/bonus.py") + "ValueError: no reward\n", (Who.IDEA, Follows.CRASH)),
    (RATE, frames("/opt/v/site-packages/b/x.py") + "ValueError: odd\n", (Who.UNKNOWN, Follows.AGAIN)),
    (RATE, "ValueError: odd\n", (Who.UNKNOWN, Follows.AGAIN)),
    (RATE, "", (Who.UNKNOWN, Follows.AGAIN)),
    (Change(), "ValueError: odd\n", (Who.UNKNOWN, Follows.CRASH)),
])  # fmt: skip
def test_an_error_without_a_signature_is_nobodys_unless_its_own_code_raised_it(change, log, expected):
    """And never a discard; what nobody can tell is run once more."""
    found = ending(log, change)
    assert (found.who, found.follows) == expected


def test_a_kind_accuses_nobody_and_excuses_nothing_that_is_tied():
    """An error is of a kind by its words and its place only where nothing ties it to the change."""
    words = "RuntimeError: the ranks disagree and the barrier failed\n"
    own = f'{TRACE}  File "{TREE}/lib/bonus.py", line 4, in bonus\n    x()\n{words}'
    assert said(own, PATCH) == ("unhandled-error", Who.IDEA, Follows.CRASH)
    assert said(words, RATE) == ("collective-failed", Who.ENVIRONMENT, Follows.AGAIN)
    assert said("RuntimeError: optimizer.lr=2.0: nccl failed\n", Change(("lr=2.0",), ("recipe.yaml",)))[1] is Who.IDEA


BONUS = frames(f"{TREE}/train.py", f"{TREE}/lib/bonus.py")
INSTALLED = frames(f"{TREE}/train.py", "/v/site-packages/torch/cuda/__init__.py")


@pytest.mark.parametrize(("log", "expected"), [
    (INSTALLED + "KeyError: 'a'\n" + BONUS + "KeyError: 'a'\n", (Who.IDEA, Follows.MEND)),
    (BONUS + "KeyError: 'a'\n" + INSTALLED + "KeyError: 'a'\n", (Who.IDEA, Follows.MEND)),
    (INSTALLED + "RuntimeError: No CUDA GPUs are available\n" + BONUS + "KeyError: 'a'\n", (Who.IDEA, Follows.MEND)),
    (INSTALLED + "RuntimeError: No CUDA GPUs are available\n" + BONUS + "ValueError: odd\n", (Who.IDEA, Follows.CRASH)),
    (INSTALLED + "RuntimeError: No CUDA GPUs are available\n" + BONUS + "Strange\n", (Who.IDEA, Follows.CRASH)),
    ("Killed\nCUDA error: device lost\n" + BONUS + "ValueError: odd\n", (Who.IDEA, Follows.CRASH)),
    (BONUS + "ValueError: odd\nKilled\nCUDA error: no CUDA-capable device\nNCCL error: x\n", (Who.IDEA, Follows.CRASH)),
    (BONUS + "ValueError: odd\n" + INSTALLED + "RuntimeError: No CUDA GPUs are available\n", (Who.UNKNOWN, Follows.AGAIN)),
    (BONUS + "RuntimeError: No CUDA GPUs are available\n", (Who.UNKNOWN, Follows.AGAIN)),
    (INSTALLED + "RuntimeError: No CUDA GPUs are available\n", (Who.ENVIRONMENT, Follows.AGAIN)),
    (INSTALLED + "RuntimeError: No CUDA GPUs are available\n\nThe above exception was the direct cause of the following exception:\n"
     + BONUS + "RuntimeError: step failed\n", (Who.UNKNOWN, Follows.AGAIN)),
])  # fmt: skip
def test_a_second_traceback_takes_nothing_off_the_ideas_own_slip(log, expected):
    """What its own file raised last is its own, whatever is printed before and behind; what others raised since leaves it open."""
    found = ending(log, PATCH)
    assert (found.who, found.follows) == expected
    assert found.own_word == found.excused
    assert not ending(log, RATE).own_word
    assert ending(log, PATCH, before=(found.what,)).excused == found.excused
    assert ending(log, PATCH, before=(found.what,) * 2).who is Who.IDEA


TOLD = INSTALLED + "RuntimeError: No CUDA GPUs are available\n"


@pytest.mark.parametrize(("log", "status", "what"), [
    (TOLD, FAILED, "no-gpu"), ("OSError: [Errno 28] No space left on device\n", FAILED, "disk-full"), ("Killed\n", FAILED, "killed"), ("step 3\n", launcher(JobState.FAILED, "exited with code 137", 137), "killed"),
])  # fmt: skip
def test_the_third_end_that_only_its_own_words_excuse_is_the_ideas(log, status, what):
    """Of a kind, and of an idea with code of its own; what the parent shows too, and settings, are excused as ever."""
    assert ending(log, PATCH, status, before=(what,)).excused
    third = ending(log, PATCH, status, before=(what, "no-metric", what))
    assert (third.who, third.follows, third.doubtful, third.own_word) == (Who.IDEA, Follows.CRASH, True, True)
    assert third.cure == "Look whether the machine was well; if it was not, propose the idea again."
    assert ending(log, PATCH, status, before=(what, what), parent=what).excused
    assert ending(log, RATE, status, before=(what, what)).excused


def test_what_a_sandbox_kept_from_being_written_is_tried_once():
    """The next run could not either; a place is opened by name, and no mount is blamed that nobody knows to be broken."""
    log = "OSError: [Errno 30] Read-only file system: '/data/answers.csv'\n"
    contained = JobStatus(state=JobState.FAILED, exit_code=1, reason="exited with code 1", uncontained="")
    found = ending(log, PATCH, contained)
    assert (found.what, found.who, found.follows) == ("read-only", Who.IDEA, Follows.CRASH)
    assert "name the place under run.writable" in found.cure
    assert ending(log, Change(), contained).who is Who.UNKNOWN
    assert ending(log, PATCH, contained, parent="read-only").excused
    assert ending(log, PATCH).what == "storage-failed"
    linked = "OSError: [Errno 18] Invalid cross-device link: 'model.bin' -> '/r/out/model.bin'\n"
    found = ending(linked, Change(), contained)
    assert (found.what, found.who) == ("two-mounts", Who.UNKNOWN)
    assert "copy or shutil.move it" in found.cure
    assert ending(linked, PATCH).what != "two-mounts"


@pytest.mark.parametrize(
    ("log", "path"),
    [
        ("OSError: [Errno 16] Device or resource busy: 'data' -> 'old'\n", "data"),
        (f"OSError: [Errno 30] Read-only file system: '{TREE}/data/train.csv'\n", "data/train.csv"),
        ("PermissionError: [Errno 13] Permission denied: './data/train.csv'\n", "./data/train.csv"),
        ("mv: cannot move 'data' to 'old': Device or resource busy\n", "data"),
    ],
)
def test_an_idea_that_moves_what_is_protected_is_told_so_and_not_run_again(log, path):
    """By what is mounted there, not by how the path looks: any other that is busy, or outside, is another story."""
    contained = JobStatus(state=JobState.FAILED, exit_code=1, reason="exited with code 1", uncontained="")
    found = ending(log, PATCH, contained, held=("eval/data/gold", "data/train.csv", ".git"))
    assert (found.what, found.who, found.follows) == ("protected", Who.IDEA, Follows.CRASH)
    assert f"its sandbox holds {path} in place" in found.because
    for held, named in (
        (("data/train.csv",), f"/nfs/{path}"),
        (("data/train.csv",), f"{TREE}/.cache/x"),
        (("gold",), path),
    ):
        assert ending(log.replace(path, named), PATCH, contained, held=held).what != "protected"
    assert ending(log, PATCH, contained).what != "protected"
    assert ending(log, PATCH).what != "protected"


def test_what_a_launcher_says_needs_no_words_of_the_run():
    """A node that was lost is no deed of the idea's, however often."""
    found = ending(TOLD, PATCH, launcher(JobState.NODE_FAILED), before=("node-failed",) * 5)
    assert (found.who, found.own_word) == (Who.NODE, False)


@pytest.mark.parametrize("line", [
    "ValueError: loss is nan", "FloatingPointError: overflow encountered in multiply", "Loss is nan, stopping training",
    "RuntimeError: probability tensor contains either `inf`, `nan` or element < 0", "FloatingPointError",
    "RuntimeError: The total norm of order 2.0 for gradients is non-finite, so it cannot be clipped.",
    "AssertionError: loss became inf at step 12", "mylib.NaNLossError: at step 7", "Exception: training diverged",
])  # fmt: skip
def test_a_nan_that_was_raised_is_a_numerical_failure(line):
    """The idea's, as a loss that stays NaN is, unless its parent shows it too; nobody's in a baseline."""
    assert said(f"{line}\n", RATE) == ("nan-raised", Who.IDEA, Follows.DISCARD)
    assert not ending(f"{line}\n", RATE).doubtful
    assert said(f"{line}\n", RATE, parent="nan-raised")[1:] == (Who.ENVIRONMENT, Follows.AGAIN)
    assert said(f"{line}\n", Change()) == ("nan-raised", Who.UNKNOWN, Follows.CRASH)


@pytest.mark.parametrize("line", [
    "NameError: name 'nan' is not defined", "AttributeError: `np.NaN` was removed", "loss is nan, skipping this batch",
    "KeyError: 'nan'", "ValueError: no info in /data/inf/x", "ImportError: cannot import name 'NaN' from 'numpy'",
])  # fmt: skip
def test_a_name_is_no_nan(line):
    """Nor a batch that was left out, nor a path."""
    assert ending(f"{line}\n", PATCH).what != "nan-raised"


def test_a_run_that_goes_on_has_no_kind():
    """What complains in a healthy log is no symptom of it."""
    assert crash_symptoms("rank 0: val error 0.31, download of the engine failed once\n") == ()


def test_a_missing_module_is_the_environments_unless_the_idea_named_it():
    """Settings install nothing; a setting that names a module, and code of its own, may want one that is not there."""
    line = "ModuleNotFoundError: No module named 'nemo'\n"
    assert said(line, RATE) == ("venv-broken", Who.ENVIRONMENT, Follows.AGAIN)
    assert said(line, Change(("model.class=nemo.Big",), ("recipe.yaml",)))[0] == "trivial-code-error"
    assert said(line, PATCH)[0] == "trivial-code-error"


@pytest.mark.parametrize("line", [
    "Key 'kwargs' is not in struct", "hydra.errors.ConfigCompositionException: Could not override 'reward.kwargs.votes'.",
])  # fmt: skip
def test_a_key_that_the_idea_did_not_touch_is_no_error_of_its_configuration(line):
    """The message says which key it is about; one that names none may be of any that was changed."""
    assert said(f"{line}\n", RATE) == ("trivial-config-error", Who.UNKNOWN, Follows.AGAIN)
    own = Change(("+reward.kwargs.votes=64",), ("recipe.yaml",))
    assert said(f"{line}\n", own) == ("trivial-config-error", Who.IDEA, Follows.MEND)
    assert said("3 validation errors for Master\n", RATE)[1] is Who.IDEA


def test_what_was_tried_again_ended_nothing():
    """A tracker that reconnects is no cause beside memory that the idea took."""
    log = f"{OOM}\nwandb: Network error (ReadTimeout), entering retry loop.\n"
    assert said(log, BATCH)[:2] == ("oom-gpu", Who.IDEA)


def test_own_limits_are_the_ideas_where_it_took_what_they_limit():
    """Memory only where it took some, once more otherwise; a run past its limit of time (R98) fails without a discard."""
    over = launcher(JobState.OUT_OF_MEMORY, "over its memory limit of 4 GB", 137)
    assert said("", BATCH, over) == ("oom-host", Who.IDEA, Follows.DISCARD)
    assert said("", RATE, over) == ("oom-host", Who.UNKNOWN, Follows.AGAIN)
    assert ending("", RATE, over).because == "the idea changed nothing that takes memory"
    assert said("", Change(), over) == ("oom-host", Who.UNKNOWN, Follows.CRASH)
    struck = launcher(JobState.OUT_OF_MEMORY, "ended by signal SIGKILL, which autoresearch did not send; the kernel's out-of-memory killer struck 1 times", 137)  # fmt: skip
    assert said("", RATE, struck) == said("", Change(), struck) == ("oom-host", Who.UNKNOWN, Follows.AGAIN)
    assert said("", BATCH, struck)[1] == Who.IDEA
    assert said("", RATE, launcher(JobState.TIMED_OUT))[1:] == (Who.IDEA, Follows.CRASH)


PROBE = frames(f"{TREE}/train.py", "/v/site-packages/torch/functional.py") + f"{OOM}\n"
DURING = "\nDuring handling of the above exception, another exception occurred:\n\n"
SLIP = "AttributeError: 'Policy' object has no attribute 'entrpy'\n"
NAMED = Change(("train.micro_batch_size=64", "optimizer.name=lion"), ("recipe.yaml",))


@pytest.mark.parametrize(("change", "log", "expected"), [
    (PATCH, "ERROR:root:falling back\n" + PROBE + "eager it is\n" + BONUS + SLIP, ("trivial-code-error", Follows.MEND)),
    (PATCH, PROBE + DURING + BONUS + SLIP, ("trivial-code-error", Follows.MEND)),
    (PATCH, "CUDA out of memory, trying with less\n" + BONUS + SLIP, ("trivial-code-error", Follows.MEND)),
    (PATCH, PROBE + BONUS + "ValueError: odd\n", ("unhandled-error", Follows.CRASH)),
    (PATCH, PROBE + BONUS + SLIP + INSTALLED + "torch.distributed.elastic.ChildFailedError: train.py FAILED\n", ("trivial-code-error", Follows.MEND)),
    (NAMED, PROBE + frames(f"{TREE}/train.py") + "KeyError: 'lion'\n", ("trivial-code-error", Follows.MEND)),
    (BATCH, PROBE + frames(f"{TREE}/train.py") + "ValueError: odd\n", ("unhandled-error", Follows.AGAIN)),
    (BATCH, BONUS + SLIP + "eager it is\n" + PROBE, ("oom-gpu", Follows.DISCARD)),
    (BATCH, PROBE + INSTALLED + "torch.distributed.DistBackendError: NCCL error: remote process exited\n", ("oom-gpu", Follows.DISCARD)),
    (BATCH, PROBE + "\nThe above exception was the direct cause of the following exception:\n\n" + INSTALLED + "KeyError: 'a'\n", ("oom-gpu", Follows.DISCARD)),
    (BATCH, PROBE + DURING + INSTALLED + "RuntimeError: warm-up did not fit\n", ("oom-gpu", Follows.DISCARD)),
    (BATCH, PROBE, ("oom-gpu", Follows.DISCARD)),
])  # fmt: skip
def test_what_was_printed_and_outlived_is_no_cause(change, log, expected):
    """What raised last and escaped counts, with what led to it; what only passes on that another process failed does not."""
    found = ending(log, change)
    assert (found.what, found.follows) == expected


USUAL = (
    "ERROR:root:falling back\n" + PROBE.replace(TREE, "/repo/.autoresearch/worktrees/baseline") + "step 1\nscore: 1\n"
)


@pytest.mark.parametrize(("log", "change", "expected"), [
    (PROBE, BATCH, ("unexplained-crash", Follows.AGAIN)),
    (PROBE.replace("2.00", "4.25"), BATCH, ("unexplained-crash", Follows.AGAIN)),
    (PROBE + "Killed\n", BATCH, ("killed", Follows.AGAIN)),
    (PROBE + PROBE, BATCH, ("oom-gpu", Follows.DISCARD)),
    (PROBE + BONUS + f"{OOM}\n", BATCH, ("oom-gpu", Follows.DISCARD)),
    (PROBE + DURING + BONUS + "ValueError: odd\n", PATCH, ("unhandled-error", Follows.CRASH)),
    (PROBE + DURING + frames(f"{TREE}/train.py") + "ValueError: odd\n", BATCH, ("unhandled-error", Follows.AGAIN)),
    (PROBE + PROBE + DURING + frames(f"{TREE}/train.py") + "ValueError: odd\n", BATCH, ("unhandled-error", Follows.AGAIN)),
])  # fmt: skip
def test_what_the_parents_complete_run_prints_as_well_is_no_cause(log, change, expected):
    """A traceback as often as it shows it, whatever its numbers; one more, or one from elsewhere, ended something."""
    found = ending(log, change, usual=USUAL)
    assert (found.what, found.follows) == expected


LINES = [
    *PROBE.split("\n"), *BONUS.split("\n"), *DURING.split("\n"), SLIP, OOM, "Killed", "step 3", "CUDA out of memory, trying with less",
    "The above exception was the direct cause of the following exception:", "RuntimeError: No CUDA GPUs are available",
]  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=25), st.lists(st.sampled_from(LINES), max_size=25))
def test_a_log_that_is_like_its_parents_complains_of_nothing(lines, others):
    """In whatever order its parts come; and a run that prints other things besides has an ending all the same."""
    log = "\n".join(lines)
    assert crash_symptoms(unusual(log, log)) == ()
    assert unusual(log, "") == log
    assert ending("\n".join(others), BATCH, usual=log).what


def test_a_line_that_the_parents_complete_run_prints_is_no_cause_either():
    """Nor does it excuse: a warning that every run prints says nothing of this one."""
    warned = "RuntimeError: No CUDA GPUs are available\n"
    assert said(warned, RATE, usual="step 1\n")[0] == "no-gpu"
    assert said(warned, RATE, usual=f"{warned}step 1\n")[0] == "unexplained-crash"
    assert said(f"{warned}KeyError: 'lion'\n", NAMED, usual=warned) == ("trivial-code-error", Who.IDEA, Follows.MEND)


def test_what_the_controller_ended_has_the_controllers_reason():
    """Hopeless and NaN are held against the idea, a silence nobody's, a person's stop is theirs."""
    nan = Symptom("nan-loss", Severity.FATAL, "loss is NaN", "idea", "Lower it.")
    ours = launcher(JobState.CANCELLED)
    assert said(status=ours, cancelled="hopeless: far", hopeless=True)[1:] == (Who.IDEA, Follows.DISCARD)
    assert said(status=ours, cancelled="ended early, nan-loss: x", symptoms=(nan,))[1:] == (Who.IDEA, Follows.DISCARD)
    stalled = said(status=ours, cancelled="stalled: nothing printed", completion=Completion.STALLED, symptoms=())
    assert stalled == ("stalled", Who.UNKNOWN, Follows.AGAIN)
    assert said(status=ours, cancelled="stopped by ada", symptoms=())[1:] == (Who.OPERATOR, Follows.CRASH)


@pytest.mark.parametrize("line", [
    'answer: "CUDA out of memory" happens', "  response = RuntimeError: No CUDA GPUs are available",
    "(raylet) It ended. There are some potential root causes. (1) killed by OOM killer (3) crashed due to SIGSEGV.",
])  # fmt: skip
def test_what_a_model_says_and_what_may_have_been_is_no_evidence(line):
    """Neither an answer that was printed nor a sentence that lists every cause there is."""
    assert crash_symptoms(f"{line}\n") == ()


def test_every_signature_says_what_it_needs_to_accuse():
    """A fault of the idea needs a tie; what never accuses is no limit."""
    known = {"", "memory", "code", "slip", "size", "change", "named", "resources"}
    assert all(one.needs in known and (one.needs or not one.limit) for one in SIGNATURES)
    assert all(one.needs for one in SIGNATURES if one.fault == "idea")


@given(st.text(), st.sampled_from(list(JobState)), st.text(), st.sampled_from([RATE, BATCH, PATCH, Change()]))
def test_every_end_has_an_ending(log, state, reason, change):
    """No words and no state are without one, and nothing is held against a baseline."""
    found = ending(log, change, launcher(state, reason))
    assert found.what
    assert found.excused == bool(found.tries)
    assert change or found.follows is not Follows.DISCARD


@pytest.mark.parametrize(("said", "before", "less"), [
    ("micro_batch=64", 4, "micro_batch=32"), ("++train.max_len=2048", 1536, "++train.max_len=1792"),
    ("gpu_memory_utilization=0.9", 0.6, "gpu_memory_utilization=0.75"), ("micro_batch=5", 4, ""), ("micro_batch=2", 4, ""),
    ("lr=2.0", 1.0, ""), ("context_parallel_size=8", 1, ""), ("micro_batch=auto", 4, ""), ("micro_batch=64", None, ""),
])  # fmt: skip
def test_what_an_idea_enlarged_is_reduced_by_half(said, before, less):
    """Towards its parent's value and never to it; only of what takes memory."""
    key = said.partition("=")[0].lstrip("+")
    assert reduced([said], {key: before}) == ((less,) if less else ())


def test_what_broke_of_a_cache_is_made_new_and_nothing_else():
    """Compiled kernels always, what a hub gave only where that broke and a hub may be asked; another end changes nothing."""
    kernels = ending("OSError: [Errno 16] Device or resource busy: '/home/x/.triton/cache/K'\n")
    hub = ending("PermissionError: [Errno 13] Permission denied: '.locks/models--x--y/6e.lock'\n")
    assert own_caches(kernels.broken_cache, "/r")["TRITON_CACHE_DIR"] == "/r/caches/triton"
    assert "HF_HUB_CACHE" not in {
        **own_caches(kernels.broken_cache, "/r"),
        **own_caches(hub.broken_cache, "/r", offline=True),
    }
    assert own_caches(hub.broken_cache, "/r")["HF_HUB_CACHE"] == "/r/caches/hub"
    assert own_caches(ending("RuntimeError: No CUDA GPUs are available\n").broken_cache, "/r") == {}
