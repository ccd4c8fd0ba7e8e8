"""How runs die and what ails them."""

import math
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoresearch.run.crash_signatures import SIGNATURES
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Readings, Series
from autoresearch.run.post_mortem import crash_symptoms, post_mortem, status_symptoms, worst_first
from autoresearch.run.symptom import Severity, Symptom
from autoresearch.targets.nemo_rl.health import RULES, health

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"
STEP = "========================= Step 7/30 =========================\n▶ Training policy...\n"
TRACE = 'Traceback (most recent call last):\n  File "run.py", line 1, in <module>\n    main()\n'
WORKER = "\x1b[36m(DTensorPolicyWorkerV2 pid=812, ip=10.1.2.3)\x1b[0m "

DEATHS = [
    ("disk-full", "OSError: [Errno 28] No space left on device: '/scratch/run/step_20/weights.safetensors'"),
    ("disk-full", "OSError: [Errno 122] Disk quota exceeded"),
    ("trivial-config-error", "nemo_rl.utils.config.OverridesError: Could not override 'grpo.max_stepz'."),
    ("trivial-config-error", "omegaconf.errors.ConfigAttributeError: Key 'lr_' is not in struct"),
    ("trivial-config-error", "pydantic_core._pydantic_core.ValidationError: 2 validation errors for MasterConfig"),
    ("trivial-config-error", "ValueError: Metric accurcy not found in val metrics"),
    ("oom-kv-cache", "ValueError: No available memory for the cache blocks. Try a higher gpu_memory_utilization."),
    ("oom-kv-cache", "ValueError: max seq len (32768) is larger than the maximum number of tokens in KV cache (9216)."),
    ("oom-kv-cache", "ValueError: Free memory on device (9.1/79.1 GiB) is less than desired GPU memory utilization"),
    ("oom-gpu", "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 4.00 GiB. GPU 0 has 79.11 GiB"),
    ("oom-gpu", "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ("oom-host", "ray.exceptions.OutOfMemoryError: Task was killed due to the node running low on memory."),
    ("oom-host", "slurmstepd: error: Detected 1 oom_kill event in StepId=812.0. Some of the step tasks were killed."),
    ("oom-host", "RuntimeError: DataLoader worker (pid 4211) is killed by signal: Killed."),
    ("access-refused", "huggingface_hub.errors.GatedRepoError: 403 Client Error. Access to model x/y is restricted"),
    ("access-refused", "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://hub/api"),
    ("missing-input", "FileNotFoundError: [Errno 2] No such file or directory: 'data/train.jsonl'"),
    ("missing-input", "OSError: We couldn't connect to 'https://hub.example' to load the files"),
    ("missing-input", "OSError: models/tiny is not a local folder and is not a valid model identifier listed on hub"),
    (
        "placement-failed",
        "nemo_rl.distributed.virtual_cluster.ResourceInsufficientError: Maximum number of retries reached (6)",
    ),
    ("placement-failed", "Error: No available node types can fulfill resource request {'GPU': 8.0}"),
    ("no-gpu", "RuntimeError: No CUDA GPUs are available"),
    ("no-gpu", "NVRM: Xid (PCI:0000:41:00): 79, pid=9, GPU has fallen off the bus."),
    ("killed", "./run.sh: line 12:  2653 Killed                  python train.py"),
    ("process-limit", "RuntimeError: can't start new thread"),
    ("port-in-use", "OSError: [Errno 98] Address already in use"),
    ("trivial-shape-mismatch", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (8x512 and 256x512)"),
    ("trivial-shape-mismatch", "AssertionError: train_global_batch_size 500 must be divisible by 32"),
    ("trivial-code-error", "NameError: name 'rewrads' is not defined"),
    ("trivial-code-error", "ModuleNotFoundError: No module named 'nemo_rl.algorithms.losss'"),
    ("trivial-code-error", "TypeError: loss() got an unexpected keyword argument 'clip'"),
    ("trivial-code-error", "SyntaxError: '(' was never closed"),
    ("trivial-code-error", "KeyError: 'advantages'"),
    ("backend-unsupported", "NotImplementedError: async GRPO cannot do dynamic sampling"),
    ("backend-unsupported", "ValueError: FP8 is not supported with the DTensor backend"),
    (
        "collective-failed",
        "[rank3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=81, OpType=ALLREDUCE)",
    ),
    ("collective-failed", "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2251"),
    ("cuda-fault", "torch.AcceleratorError: CUDA error: an illegal memory access was encountered"),
    ("cuda-fault", "Fatal Python error: Segmentation fault"),
    ("generation-engine-died", "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue."),
    ("generation-engine-died", "TimeoutError: no answer in 600 s; raise NRL_VLLM_ASYNC_TIMEOUT_SECONDS"),
    ("actor-died", "ray.exceptions.ActorDiedError: The actor died unexpectedly before finishing this task."),
    ("actor-died", "ray.exceptions.RayActorError: actor lm_policy-0-3 is dead"),
    ("stalled", "RuntimeError: controller unresponsive for longer than stall_timeout_s=1800"),
    ("preempted", "slurmstepd: error: *** JOB 812 ON node7 CANCELLED AT 2026-11-23T03:00:00 DUE TO PREEMPTION ***"),
    (
        "scheduler-time-limit",
        "slurmstepd: error: *** JOB 812 ON n7 CANCELLED AT 2026-11-23T04:00:00 DUE TO TIME LIMIT ***",
    ),
    (
        "code-mismatch",
        "autoresearch: the code that arrived is not the commit's, so nothing was started: train.py differs",
    ),
    ("venv-broken", "RuntimeError: Failed to create the virtual environment for worker VllmGenerationWorker"),
    ("venv-broken", "error: Failed to download `flash-attn==2.8.1`"),
    ("venv-broken", "ray.exceptions.RuntimeEnvSetupError: Failed to set up runtime environment."),
    ("image-failed", "slurmstepd: error: pyxis: child 31 failed with error code: 1"),
    ("image-failed", "Warning  Failed  kubelet  Error: ImagePullBackOff"),
    ("node-lost", "Connection to gpu07 closed by remote host."),
    ("node-lost", "client_loop: send disconnect: Broken pipe"),
    ("node-lost", "ssh: connect to host gpu07 port 22: No route to host"),
    ("node-lost", "ORTE has lost communication with a remote daemon."),
    ("oom-gpu", "RuntimeError: MPS backend out of memory (MPS allocated: 17.96 GB, max allowed: 18.13 GB)."),
    (
        "oom-gpu",
        "jaxlib.xla_extension.XlaRuntimeError: RESOURCE_EXHAUSTED: Out of memory while trying to allocate 8 bytes.",
    ),
    ("oom-gpu", "tensorflow.errors.ResourceExhaustedError: OOM when allocating tensor with shape[64,4096]"),
    (
        "oom-host",
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 74.5 GiB for an array with shape (9, 9)",
    ),
    ("oom-host", "Memory cgroup out of memory: Killed process 4242 (python3) total-vm:9kB, anon-rss:9kB"),
    ("oom-host", "terminate called after throwing an instance of 'std::bad_alloc'"),
    ("storage-failed", "OSError: [Errno 107] Transport endpoint is not connected: '/lustre/x'"),
    ("storage-failed", "OSError: [Errno 30] Read-only file system: '/scratch/logs'"),
    (
        "service-unavailable",
        "requests.exceptions.HTTPError: 503 Server Error: Service Unavailable for url: https://h/x",
    ),
    ("service-unavailable", "urllib3.exceptions.MaxRetryError: Max retries exceeded with url: /api/datasets/x"),
    ("tracker-unavailable", "wandb.sdk.lib.auth.AuthenticationError: could not log in"),
    ("environment-agent-died", "RuntimeError: NeMo-Gym resource server is not healthy after 600 s"),
    ("environment-agent-died", "RuntimeError: NeMo-Gym actor has no running servers: _spinup() was never called on"),
    ("environment-agent-died", "nemo_rl.experience.failures.RolloutRedispatchExhausted: prompt 12 failed 5 times"),
    (
        "trivial-shape-mismatch",
        "ValueError: NeMo Gym returned a result with no generation data. Possible causes: (1) the",
    ),
    ("no-gpu", "RuntimeError: HIP error: invalid device ordinal"),
    ("no-gpu", "Failed to initialize NVML: Driver/library version mismatch"),
    ("oom-gpu", "torch.OutOfMemoryError: HIP out of memory. Tried to allocate 2.00 GiB."),
    (
        "collective-failed",
        "RuntimeError: [../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer",
    ),
    ("placement-failed", "AssertionError: Not enough GPUs available: 4 asked for, 2 there"),
    ("launch-failed", "srun: error: Task launch for StepId=812.0 failed on node n7: Job credential expired"),
    (
        "cache-broken",
        "safetensors_rust.SafetensorError: Error while deserializing header: MetadataIncompleteBuffer",
    ),
    ("nan-raised", "FloatingPointError: loss is nan at step 12"),
    ("unhandled-error", "mylib.errors.OddError: the moon is in the wrong place"),
]


@pytest.mark.parametrize(("name", "line"), DEATHS)
def test_each_way_to_die_is_recognised(name, line):
    """The class comes first, with the line as evidence, also behind colours and an actor's prefix."""
    for shown in (line, f"{WORKER}{line}"):
        found = crash_symptoms(f"{STEP}{TRACE}{shown}\n")
        assert found[0].name == name
        assert found[0].evidence == line[:240] or line.startswith(found[0].evidence[:100])
        assert found[0].severity is Severity.WARNING


def test_every_signature_is_tried_above():
    """No row of the table is without an example."""
    assert {signature.name for signature in SIGNATURES} <= {name for name, _ in DEATHS}
    assert all(signature.advice and signature.fault in {"idea", "environment", "unknown"} for signature in SIGNATURES)


@pytest.mark.parametrize("run", ["grpo_ok", "sft_ok"])
def test_healthy_runs_are_healthy(run):
    """The good sample runs show nothing at all."""
    assert health((GOLDEN / run / "run.log").read_text(), {}) == ()


@pytest.mark.parametrize(("run", "name"), [("grpo_oom", "oom-gpu"), ("grpo_badkey", "trivial-config-error")])
def test_real_deaths(run, name):
    """The sample crashes have one finding, the right one."""
    assert [one.name for one in health((GOLDEN / run / "run.log").read_text(), {})] == [name]


def test_what_was_survived_is_no_cause():
    """An error before later progress did not end the run, and a model may print such words in an answer."""
    text = f"{STEP}CUDA out of memory, retrying\n📊 Training Results:\n  • Loss: 0.1\n"
    assert crash_symptoms(text) == ()


def test_the_first_cause_leads():
    """Of a chain (memory, then collective, then actor) the root is named first, the rest follows."""
    text = "\n".join([DEATHS[36][1], DEATHS[9][1], DEATHS[39][1]])
    names = [one.name for one in crash_symptoms(text)]
    assert names[0] == "oom-gpu"
    assert len(names) == 3


def test_evidence_is_bounded_around_the_match():
    """A huge line is cut around what matched."""
    text = "x" * 1000 + " CUDA out of memory " + "y" * 1000
    (found,) = crash_symptoms(text)
    assert len(found.evidence) <= 246
    assert "CUDA out of memory" in found.evidence


@pytest.mark.parametrize(
    ("state", "name", "fault"),
    [
        (JobState.OUT_OF_MEMORY, "oom-host", "idea"),
        (JobState.NODE_FAILED, "actor-died", "environment"),
        (JobState.PREEMPTED, "preempted", "environment"),
        (JobState.VANISHED, "vanished", "environment"),
    ],
)
def test_the_launchers_word_is_a_cause(state, name, fault):
    """What the scheduler saw is FATAL, with whose doing it was."""
    (found,) = status_symptoms(JobStatus(state=state, node="n7", reason="it says so"))
    assert (found.name, found.fault, found.severity) == (name, fault, Severity.FATAL)
    assert found.evidence == f"the launcher says {state.value} on n7: it says so"


def test_a_post_mortem_names_a_cause_or_says_there_is_none():
    """Signatures become FATAL; a warning about the idea is never promoted to the reason of a death."""
    warning = Symptom("kl-growth", Severity.WARNING, "x", "idea")
    found = post_mortem([warning, *crash_symptoms(DEATHS[9][1])], JobStatus(state=JobState.FAILED, exit_code=1), "")
    assert (found[0].name, found[0].severity) == ("oom-gpu", Severity.FATAL)
    silent = post_mortem([warning], JobStatus(state=JobState.FAILED, exit_code=7), "last words\n")
    assert (silent[0].name, silent[0].fault) == ("unexplained-crash", "unknown")
    assert silent[0].evidence == "exit code 7, last line: last words"
    unborn = JobStatus(state=JobState.FAILED, exit_code=127, reason="could not start: pyton: No such file or directory")
    assert post_mortem([], unborn, "")[0].evidence == f"{unborn.reason}, nothing was printed"


def runs(**curves: list[float]):
    named = {tag.replace("__", "/"): values for tag, values in curves.items()}
    return {"tensorboard": Readings({tag: Series.of(tag, enumerate(v, start=1)) for tag, v in named.items()})}


def ramp(start, end, count=20):
    return [start + (end - start) * i / (count - 1) for i in range(count)]


AILMENTS = [
    ("nan-loss", runs(train__loss=[1.0, math.nan, math.nan, math.nan])),
    ("nan-loss", runs(train__grad_norm=[1.0, math.inf, math.nan, math.inf, 2.0])),
    ("nan-step", runs(train__loss=[1.0, math.nan, 0.9])),
    ("gradient-spikes", runs(train__grad_norm=[*ramp(1, 1, 15), 40.0, 1.0])),
    ("kl-growth", runs(train__kl_penalty=ramp(0.01, 0.6))),
    ("train-inference-mismatch", runs(train__token_mult_prob_error=ramp(1.01, 1.2))),
    ("train-inference-mismatch", runs(train__gen_kl_error=ramp(0.0005, 0.01))),
    ("entropy-collapse", runs(train__approx_entropy=ramp(0.6, 0.02))),
    ("no-reward-signal", runs(train__reward=[0.0] * 12)),
    (
        "no-reward-signal",
        {"tensorboard": Readings({"train/baseline_reward/pct_0": Series.of("", [(i, 95.0) for i in range(6)])})},
    ),
    (
        "reward-saturation",
        {"tensorboard": Readings({"train/baseline_reward/pct_1": Series.of("", [(i, 90.0) for i in range(6)])})},
    ),
    (
        "zero-variance-groups",
        {
            "tensorboard": Readings(
                {f"train/baseline_reward/pct_{n}": Series.of("", [(i, 40.0) for i in range(6)]) for n in (0, 1)}
            )
        },
    ),
    ("truncation", runs(train__truncation_rate=ramp(0.0, 0.6))),
    ("weak-transfer", runs(train__reward=ramp(0.2, 0.8), validation__accuracy=[0.3, 0.31, 0.3])),
    ("generation-bound", runs(timing__train__generation=ramp(8, 8), timing__train__total_step_time=ramp(10, 10))),
    ("bad-tool-calls", runs(train__invalid_tool_call_rate=ramp(0.4, 0.4))),
    ("more-turns", runs(train__avg_turns_per_sample=ramp(2, 6), train__reward=ramp(0.3, 0.3))),
    ("idle-workers", runs(performance__training_worker_idle_time_ratio=ramp(0.5, 0.5))),
    ("low-gpu-use", {"tensorboard": Readings({"ray/node.0.gpu.0.util": Series.of("", enumerate([5.0] * 9))})}),
]


@pytest.mark.parametrize(("name", "readings"), AILMENTS)
def test_each_ailment_is_seen(name, readings):
    """The symptom is found in its curve, with numbers as evidence and advice to act on."""
    found = {one.name: one for one in health("", readings)}
    assert name in found
    assert any(sign.isdigit() for sign in found[name].evidence)
    assert found[name].advice


def test_every_rule_is_tried_above():
    """No row of the table is without an example."""
    assert {rule.name for rule in RULES} == {name for name, _ in AILMENTS}


def test_only_lost_weights_justify_an_early_kill():
    """Of all ailments and deaths only the loss that stays NaN is FATAL while a run goes on."""
    fatal = {one.name for _, readings in AILMENTS for one in health("", readings) if one.severity is Severity.FATAL}
    fatal |= {one.name for _, line in DEATHS for one in health(line, {}) if one.severity is Severity.FATAL}
    assert fatal == {"nan-loss"}


def test_two_odd_steps_are_no_reason_to_kill():
    """Two NaN in a row may pass; the third is one too many."""
    assert health("", runs(train__loss=[1.0, math.nan, math.nan]))[0].severity is Severity.WARNING
    assert health("", runs(train__loss=[1.0, math.nan, math.nan, math.nan]))[0].severity is Severity.FATAL


def test_printed_losses_serve_where_nothing_else_is_logged():
    """A run without event files is watched by what it prints."""
    steps = "".join(f"====== Step {i}/9 ======\n📊 Training Results:\n  • Loss: nan\n" for i in range(1, 5))
    assert health(steps, {})[0].name == "nan-loss"


def test_a_short_run_raises_no_alarm():
    """Rules about trends wait for enough points."""
    assert health("", runs(train__kl_penalty=[0.01, 0.9], train__approx_entropy=[0.9, 0.01])) == ()


def test_worst_first():
    """Fatal, warning, info; equals keep their order."""
    marks = [Severity.INFO, Severity.WARNING, Severity.FATAL, Severity.WARNING]
    order = [one.name for one in worst_first(Symptom(str(i), mark, "") for i, mark in enumerate(marks))]
    assert order == ["2", "1", "3", "0"]


values = st.lists(st.floats(allow_nan=True, allow_infinity=True), max_size=15)


@settings(deadline=None)
@given(
    st.text(), st.dictionaries(st.sampled_from([t for rule in AILMENTS for t in rule[1]["tensorboard"].series]), values)
)
@example("", {"ray/node.0.gpu.0.util": [0.0, 0.0, 0.0, 8.988465674311579e307, 8.98846567431158e307]})
def test_any_curves_and_words_are_judged_without_failing(log, curves):
    """No combination of numbers and words breaks the judgement."""
    series = {tag: Series.of(tag, enumerate(points)) for tag, points in curves.items()}
    health(log, {"tensorboard": Readings(series)})


COLLAPSES = {
    "reward-collapse": {"train__reward": [*ramp(0.1, 0.7, 30), *[0.02] * 20]},
    "length-collapse": {"train__mean_gen_tokens_per_sample": [*[2000.0] * 20, *[15.0] * 8]},
    "nothing-changes": {"train__reward": [0.4375] * 12, "validation__accuracy": [0.5] * 4},
    "zero-loss": {"train__loss": [0.0] * 12},
}


@pytest.mark.parametrize(("name", "curves"), COLLAPSES.items(), ids=COLLAPSES)
def test_a_collapse_is_seen_in_the_curves_that_are_logged(name, curves):
    """By the tags of NeMo-RL; what collapses is said with advice."""
    found = {one.name: one for one in health("", runs(**curves))}
    assert name in found
    assert found[name].advice
