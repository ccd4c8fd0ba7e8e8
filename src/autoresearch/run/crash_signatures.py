"""How runs die: signatures in the log and words of the scheduler, as a table. Pure functions.

A signature is a WARNING and never an early kill: frameworks survive some of these errors, and a model may print the
very words in an answer. Only what follows the last sign of progress counts. Once a run is known to have crashed,
`post_mortem` makes the finding FATAL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.symptom import Severity, Symptom, clean, excerpt

IDEA, ENVIRONMENT, UNKNOWN = "idea", "environment", "unknown"


@dataclass(frozen=True)
class Signature:
    """One way to die.

    Attributes:
        name: Stable name, see `Symptom.name`. One that begins with `trivial-` is a slip that a small edit on the same
            branch may mend.
        pattern: What a cleaned log line shows.
        fault: `idea`, `environment` or `unknown`.
        advice: What to do next.
    """

    name: str
    pattern: re.Pattern[str]
    fault: str
    advice: str


def _signature(name: str, fault: str, advice: str, *patterns: str) -> Signature:
    return Signature(name, re.compile("|".join(f"(?:{each})" for each in patterns)), fault, advice)


SIGNATURES: tuple[Signature, ...] = (
    _signature(
        "code-mismatch",
        ENVIRONMENT,
        "The archive was damaged or changed on its way: run again; if it stays so, let the code be shared.",
        r"^autoresearch: the code that arrived is not the commit's",
    ),
    _signature(
        "disk-full",
        ENVIRONMENT,
        "Free space or move checkpoints and logs to a larger disk; the idea was not tested.",
        r"No space left on device",
        r"\[Errno (?:28|122)\]",
        r"[Dd]isk quota exceeded",
        r"inline_container\.cc:\d+\] . unexpected pos",
    ),
    _signature(
        "trivial-config-error",
        IDEA,
        "Correct the key, its type or its value; the run never started.",
        r"\bOverridesError\b",
        r"\bConfigCompositionException\b",
        r"is not in struct",
        r"\bConfig(?:Attribute|Key|Type)Error\b",
        r"\d+ validation errors? for \w+",
        r"\bpydantic\w*\.[\w.]*ValidationError\b",
        r"\b(?:InterpolationKeyError|InterpolationResolutionError|UnsupportedInterpolationType|MissingMandatoryValue)\b",
        r"\bMetric \S+ not found in (?:val|train)\w* metrics",
        r"\bLexerNoViableAltException\b",
    ),
    _signature(
        "oom-kv-cache",
        IDEA,
        "Undo what enlarged the rollout side: sequence length, gpu_memory_utilization, model or batch size.",
        r"No available memory for the cache blocks",
        r"larger than the (?:maximum number of tokens|available KV cache memory)",
        r"KV cache (?:is needed|memory).{0,80}(?:larger|exceeds|insufficient)",
        r"[Ff]ree memory on device.{0,120}less than desired GPU memory",
        r"[Ee]ngine core initialization failed.{0,80}memory",
    ),
    _signature(
        "oom-gpu",
        IDEA,
        "Undo or reduce the latest change that needs memory (micro batch, sequence length, generations) before "
        "giving up the direction.",
        r"\bOutOfMemoryError: CUDA",
        r"CUDA out of memory",
        r"CUDA error: out of memory",
        r"CUBLAS_STATUS_ALLOC_FAILED",
        r"NCCL.{0,40}Cuda failure.{0,20}out of memory",
        r"HIP out of memory",
    ),
    _signature(
        "oom-host",
        IDEA,
        "Reduce host memory: fewer workers, smaller batches, no CPU off-loading; or ask for more memory.",
        r"\bray\.exceptions\.OutOfMemoryError\b",
        r"killed due to (?:the node running low on memory|memory pressure)",
        r"\bObjectStoreFullError\b",
        r"[Oo]om[-_ ]kill",
        r"Out of memory: Killed process",
        r"Cannot allocate memory",
        r"^MemoryError\b",
        r"DataLoader worker \(pid[^)]*\) is killed by signal: (?:Killed|Bus error)",
    ),
    _signature(
        "access-refused",
        ENVIRONMENT,
        "Give the run a valid token or accept the model's licence; no idea can fix this.",
        r"\b(?:GatedRepoError|RepositoryNotFoundError)\b",
        r"\b40[13] Client Error\b",
        r"Access to (?:model|dataset) \S+ is restricted",
        r"[Ii]nvalid (?:username or password|user token)",
        r"api_key not configured",
    ),
    _signature(
        "missing-input",
        ENVIRONMENT,
        "Put the model or data where the recipe looks for it, or check the path that was changed.",
        r"\bFileNotFoundError\b",
        r"\b(?:DatasetNotFoundError|LocalEntryNotFoundError|EntryNotFoundError|OfflineModeIsEnabled)\b",
        r"couldn't connect to 'https?://",
        r"is not a local folder and is not a valid model identifier",
        r"Can't load (?:tokenizer|the configuration|the model)",
        r"Temporary failure in name resolution",
    ),
    _signature(
        "placement-failed",
        ENVIRONMENT,
        "The cluster did not offer the resources: check nodes and GPUs per node against the recipe, or wait.",
        r"\bResourceInsufficientError\b",
        r"Maximum number of retries reached \(\d+\)",
        r"[Pp]lacement group.{0,80}(?:infeasible|timed out|not ready|cannot be (?:scheduled|fulfilled))",
        r"cannot be scheduled right now|No available node types can fulfill",
    ),
    _signature(
        "no-gpu",
        ENVIRONMENT,
        "The node has no usable GPU or driver: exclude it and run again.",
        r"No CUDA GPUs are available",
        r"no NVIDIA driver on your system",
        r"CUDA driver version is insufficient",
        r"CUDA error: (?:no CUDA-capable device|all CUDA-capable devices are busy|uncorrectable ECC)",
        r"no kernel image is available for execution",
        r"\bXid\b.{0,40}\b(?:48|63|64|74|79|94|95|119)\b",
    ),
    _signature(
        "port-in-use",
        ENVIRONMENT,
        "Another process holds the port; run again, or give parallel runs distinct port ranges.",
        r"[Aa]ddress already in use",
        r"\bEADDRINUSE\b",
    ),
    _signature(
        "trivial-shape-mismatch",
        IDEA,
        "Make the sizes agree (batch against prompts times generations, parallelism against GPUs), then run again on "
        "the same branch.",
        r"size mismatch for",
        r"shapes? .{0,60}cannot be (?:multiplied|broadcast)",
        r"[Ss]izes? of tensors? must match|must match the size of tensor",
        r"Expected (?:input|tensor).{0,80}(?:size|shape)",
        r"AssertionError.{0,160}(?:divisible|must be equal|must match|== )",
        r"(?:is not|must be) (?:evenly )?divisible by",
    ),
    _signature(
        "trivial-code-error",
        IDEA,
        "A small mistake in the code of this experiment: correct it and run again on the same branch.",
        r"^\s*(?:\w+\.)*(?:SyntaxError|IndentationError|TabError|NameError|UnboundLocalError|AttributeError): ",
        r"^\s*(?:\w+\.)*(?:ImportError|ModuleNotFoundError): ",
        r"^\s*(?:\w+\.)*TypeError: .*(?:argument|not callable|unsupported operand|not subscriptable|not iterable)",
        r"^\s*(?:\w+\.)*(?:KeyError|IndexError): ",
    ),
    _signature(
        "backend-unsupported",
        IDEA,
        "This backend does not offer it: change the shared layer or drop the direction, no one-off workaround.",
        r"\bNotImplementedError\b",
        r"(?:is|are) not (?:yet )?supported (?:with|for|by|in|when|on)\b",
        r"[Uu]nsupported (?:backend|precision|dtype|combination|model)",
    ),
    _signature(
        "collective-failed",
        ENVIRONMENT,
        "GPUs lost contact with each other: run again on other nodes; if it repeats, suspect a rank that died.",
        r"NCCL (?:error|failure)|\bnccl(?:Internal|UnhandledCuda|System|Remote)Error\b",
        r"[Ww]atchdog caught collective operation timeout",
        r"\bDistBackendError\b",
        r"Timed out (?:after|waiting) .{0,60}(?:ranks|store|barrier)",
        r"Connection closed by peer|ibv_\w+ failed",
    ),
    _signature(
        "cuda-fault",
        UNKNOWN,
        "A kernel failed: run once more to see whether it is the node; if it repeats, suspect the change.",
        r"illegal memory access",
        r"device-side assert triggered",
        r"CUDA error: (?:misaligned|unspecified|invalid)",
        r"Segmentation fault|\bSIGSEGV\b",
    ),
    _signature(
        "generation-engine-died",
        UNKNOWN,
        "The rollout engine stopped answering: look at its own first error above, then reduce its load or run again.",
        r"\bEngineDeadError\b",
        r"EngineCore.{0,60}(?:died|failed|fatal)",
        r"NRL_VLLM_ASYNC_TIMEOUT_SECONDS",
    ),
    _signature(
        "actor-died",
        ENVIRONMENT,
        "A Ray worker or node died: look for memory pressure on its node, then run again.",
        r"\b(?:RayActorError|ActorDiedError|ActorUnavailableError|WorkerCrashedError|NodeDiedError|OwnerDiedError)\b",
        r"The actor died unexpectedly",
        r"[Rr]aylet.{0,60}(?:died|terminated|crashed)",
        r"Could not connect to (?:the )?GCS|GCS.{0,40}(?:unavailable|timed out)",
    ),
    _signature(
        "stalled",
        UNKNOWN,
        "Nothing moved any more: run again; if it repeats, suspect a deadlock between rollout and training.",
        r"stall_timeout_s|controller (?:is )?unresponsive",
        r"[Hh]eartbeat.{0,40}(?:lost|timed? ?out|missed)",
    ),
    _signature(
        "preempted",
        ENVIRONMENT,
        "The scheduler took the node back: submit again.",
        r"DUE TO PREEMPTION",
        r"DUE TO NODE FAILURE|NODE_FAIL",
    ),
    _signature(
        "scheduler-time-limit",
        UNKNOWN,
        "The scheduler's limit came before the run's own: shorten the run or raise the limit.",
        r"DUE TO TIME LIMIT",
    ),
)

UNHANDLED = _signature(
    "unhandled-error",
    UNKNOWN,
    "An error nobody has classified yet: read the last lines of the log.",
    r"^\s*(?:\w+\.)*\w*(?:Error|Exception)(?:\([\w.]*\))?: ",
)

PROGRESS = re.compile(r"📊 Training Results:|^train step \d+/\d+|^=+ Step \d+/\d+ =+$")
"""A line that only a run that goes on prints (NeMo-RL's; a general script may have none)."""

MAX_EVIDENCE = 240


def crash_symptoms(log_tail: str) -> tuple[Symptom, ...]:
    """Signatures found behind the last sign of progress, in the order of the table.

    The last matching line is the evidence: a chained traceback ends with the error that mattered to the driver.
    """
    lines = [clean(line) for line in log_tail.split("\n")]
    start = max((index for index, line in enumerate(lines) if PROGRESS.search(line)), default=-1)
    found = _matches(lines[start + 1 :], SIGNATURES) or _matches(lines[start + 1 :], (UNHANDLED,))
    return tuple(Symptom(one.name, Severity.WARNING, line, one.fault, one.advice) for one, line in found)


def _matches(lines: list[str], signatures: Iterable[Signature]) -> list[tuple[Signature, str]]:
    found = []
    for signature in signatures:
        shown = next((line for line in reversed(lines) if signature.pattern.search(line)), None)
        if shown is not None:
            found.append((signature, _shortened(shown, signature.pattern)))
    return found


def _shortened(line: str, pattern: re.Pattern[str]) -> str:
    text = line.strip()
    if len(text) <= MAX_EVIDENCE:
        return text
    found = pattern.search(text)
    start = max(0, found.start() - 40) if found else 0
    return f"{'...' if start else ''}{text[start : start + MAX_EVIDENCE - 6]}..."


def post_mortem(symptoms: Iterable[Symptom], status: JobStatus, log_tail: str) -> tuple[Symptom, ...]:
    """The same findings about a run that is known to have crashed: its cause first, and FATAL.

    Without a signature and without a word from the launcher the cause is `unexplained-crash`, so that a mere warning
    about the idea is never taken for the reason.
    """
    known = {signature.name for signature in (*SIGNATURES, UNHANDLED)}
    found = [replace(one, severity=Severity.FATAL) if one.name in known else one for one in symptoms]
    names = {one.name for one in found}
    found = [*(one for one in status_symptoms(status) if one.name not in names), *found]
    if not any(one.severity is Severity.FATAL for one in found):
        found.append(_unexplained(status, log_tail))
    return worst_first(found)


def _unexplained(status: JobStatus, log_tail: str) -> Symptom:
    code = "no exit code" if status.exit_code is None else f"exit code {status.exit_code}"
    last = excerpt(log_tail, lines=1) or "(nothing was printed)"
    advice = "Read the end of the log; if it says nothing, run again once."
    return Symptom("unexplained-crash", Severity.FATAL, f"{code}, last line: {last}", UNKNOWN, advice)


_RANK = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def worst_first(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    """Most severe first; equals keep their order."""
    return tuple(sorted(symptoms, key=lambda symptom: _RANK[symptom.severity]))


_BY_STATE = {
    JobState.OUT_OF_MEMORY: ("oom-host", IDEA),
    JobState.NODE_FAILED: ("actor-died", ENVIRONMENT),
    JobState.PREEMPTED: ("preempted", ENVIRONMENT),
    JobState.VANISHED: ("vanished", ENVIRONMENT),
}


def status_symptoms(status: JobStatus) -> tuple[Symptom, ...]:
    """What the scheduler itself says about a death."""
    if status.state not in _BY_STATE:
        return ()
    name, fault = _BY_STATE[status.state]
    known = {signature.name: signature.advice for signature in SIGNATURES}
    advice = known.get(name, "The launcher lost track of the job: check the scheduler, then run again.")
    where = f" on {status.node}" if status.node else ""
    evidence = f"the launcher says {status.state.value}{where}" + (f": {status.reason}" if status.reason else "")
    return (Symptom(name, Severity.FATAL, evidence, fault, advice),)
