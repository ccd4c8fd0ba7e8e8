"""How runs die, as a table: what a log shows, whose doing it mostly is, what has to tie it to an idea, and the cure."""

import re
from dataclasses import dataclass

IDEA, ENVIRONMENT, UNKNOWN = "idea", "environment", "unknown"


@dataclass(frozen=True)
class Signature:
    """One way to die.

    Attributes:
        name: Stable name, see `Symptom.name`. One that begins with `trivial-` is a slip that a small edit on the same
            branch may mend.
        pattern: What a cleaned log line shows.
        fault: `idea`, `environment` or `unknown`: whose doing it mostly is; `ending` decides about a run.
        advice: What to do next.
        needs: What has to tie it to the idea before it is the idea's: `memory` (a change that takes memory), `code` (a
            frame in its code), `slip` (that, or code of its own), `size`, `change` (any), `named` (the message names
            what changed), `resources`. Empty: it never is.
        limit: Whether it is a limit of memory or stability, so that an idea it is tied to is discarded.
    """

    name: str
    pattern: re.Pattern[str]
    fault: str
    advice: str
    needs: str = ""
    limit: bool = False

    @property
    def slip(self) -> bool:
        """Whether a small edit on the same branch may mend it."""
        return self.name.startswith("trivial-")


def _signature(name: str, fault: str, advice: str, *patterns: str, needs: str = "", limit: bool = False) -> Signature:
    return Signature(name, re.compile("|".join(f"(?:{each})" for each in patterns)), fault, advice, needs, limit)


_NUMERIC = r"^\s*(?:\w+\.)*(?:(?:Value|Runtime|Arithmetic|Overflow|Assertion)Error|Exception): "

SIGNATURES: tuple[Signature, ...] = (
    _signature(
        "code-mismatch",
        ENVIRONMENT,
        "The archive was damaged or changed on its way: run again; if it stays so, let the code be shared.",
        r"^autoresearch: the code that arrived is not the commit's",
    ),
    _signature(
        "venv-broken",
        ENVIRONMENT,
        "Rebuild the worker's environment (NeMo-RL: NRL_FORCE_REBUILD_VENVS=true), then run again.",
        r"py_executable\b.{0,120}\bdoes not cover|venv creation (?:was )?(?:aborted|failed)",
        r"^\s*(?:\u00d7|x|error:) Failed to (?:build|download|fetch|prepare|extract|install|unzip)\b",
        r"Command '?\[?'uv',.{0,200}returned non-zero exit status",
        r"Failed to (?:create|set ?up) (?:the )?(?:virtual ?env\w*|runtime[_ ]env\w*)|\bRuntimeEnvSetupError\b",
        r"\.so(?:\.\d+)*: undefined symbol: |\blib(?!cuda\.so)[\w+-]+\.so[.\d]*: cannot open shared object file",
        r"\bruntime[_ ]env(?:ironment)?\b.{0,80}(?:failed|packages?\b)|\bCondaEnvException\b",
        r"Could not find a version that satisfies the requirement|No matching distribution found",
        r"The wheel is invalid|failed to hardlink file|version `(?:GLIBC|GLIBCXX|CXXABI)_[\d.]+' not found",
        r"failed to import on the worker|^error: (?:Distribution|No interp|Querying Python|The lockfile)\b",
        r"^error: (?:Broken virtual|Project virtual|Could not acquire)|No solution found when|\bResolutionImpossible",
        r"\bsubprocess-exited-with-error|metadata-generation-failed|Failed building wheel|No virtual environment found",
    ),
    _signature(
        "disk-full",
        ENVIRONMENT,
        "Free space or move checkpoints and logs to a larger disk; the idea was not tested.",
        r"No space left on device|\[Errno (?:28|122)\]|\bOutOfDiskError\b|[Ll]ocal disk is full|[Qq]uota exceeded",
        r"[Dd]isk quota exceeded|low on resource: ephemeral-storage|ephemeral local storage usage exceeds",
        r"inline_container\.cc:\d+\] . unexpected pos|StreamWriter failed writing|\bfile write failed",
    ),
    _signature(
        "image-failed",
        ENVIRONMENT,
        "The container did not start: check the image's name, the registry's login and the node's container tools.",
        r"\bpyxis: .{0,80}(?:failed|\[ERROR\]|error)|\bspank: .{0,80}failed|\benroot\b.{0,80}(?:failed|error)",
        r"\bpyxis: couldn't start container|invoke spank plugin stack|launch failed: Plugin initialization failed",
        r"\bnvidia-container-cli: |\bOCI runtime (?:create|exec) failed",
        r"\b(?:ErrImagePull|ImagePullBackOff|InvalidImageName)\b",
        r"Error response from daemon: .{0,80}(?:pull|manifest)|[Ff]ailed to pull image",
    ),
    _signature(
        "launch-failed",
        ENVIRONMENT,
        "The scheduler could not start the command on a node: leave that node out, or tell its administrator.",
        r"slurm_script: No such file or directory|\bNode failure on \S+|Nodes? \S+ (?:is|are) still not ready",
        r"srun: error: (?:Task launch for .{0,60} failed|.{0,80}Zero Bytes were transmitted)",
        r"srun: error: .{0,80}(?:Socket timed out on send/recv|Unable to confirm allocation|Communication connection)",
        r"srun: error: Unable to create step for job .{0,60}(?:credential|[Uu]nspecified|completing)",
    ),
    _signature(
        "node-lost",
        ENVIRONMENT,
        "The connection to the run's node broke: see whether the node is up, leave it out if it fails again.",
        r"^Connection to \S+ (?:port \d+ )?closed by remote host|^Connection (?:closed|reset) by \S+ port \d+",
        r"^client_loop: |^packet_write_wait: |^kex_exchange_identification: |^Timeout, server \S+ not responding",
        r"^ssh: (?:connect to host|Could not resolve hostname) |\b(?:ORTE|PRTE) has lost communication with a remote",
    ),
    _signature(
        "storage-failed",
        ENVIRONMENT,
        "The file system did not answer properly: check its mount on that node, then run again on another one.",
        r"\[Errno (?:5|30|70|103|107|108|112|116|121)\]|\bLustreError\b|Cannot send after transport endpoint shutdown",
        r"Stale (?:NFS )?file handle|Transport endpoint is not connected|Read-only file system|\b(?:Input/output|"
        r"Remote I/O) error\b",
    ),
    _signature(
        "cache-broken",
        ENVIRONMENT,
        "A shared cache was half written or written twice: delete what the message names, or give each node or run a "
        "cache of its own (TRITON_CACHE_DIR, TORCHINDUCTOR_CACHE_DIR, VLLM_CACHE_ROOT, HF_HOME).",
        r"Error.{0,160}(?:\.triton\b|triton_?cache|torchinductor_|\.cache/(?:vllm|flashinfer|torch_extensions|sglang))",
        r"\bSafetensorError\b|MetadataIncompleteBuffer|\[Errno (?:16|26)\]|\bText file busy\b",
        r"PytorchStreamReader failed|failed finding central directory|Consistency check failed: file should be of size",
        r"(?:Error|denied).{0,160}(?:\.locks/|\b(?:models|datasets|spaces)--|torch_compile_cache|inductor_cache)",
        r"jit functions should be defined in a Python file|\b(?:ArrowInvalid|NonMatchingSplitsSizesError|BadZipFile)\b",
    ),
    _signature(
        "tracker-unavailable",
        ENVIRONMENT,
        "The experiment tracker refused or did not answer: log in there, or switch it off (WANDB_MODE=offline).",
        r"\bwandb\b.{0,60}(?:CommError|UsageError|AuthenticationError)",
        r"No API key configured|Run initialization has timed out|waiting for wandb service to start",
        r"\bServiceStart(?:Timeout|Process)Error\b|\bwandb(?:\.\w+)+\.\w*Error: ",
        r"\bMlflowException\b.{0,80}(?:API request|connect|timed out)",
        r"\b(?:wandb\.ai|api\.wandb|comet\.com|neptune\.ai)\b.{0,120}(?i:timed? ?out|refused|reset|exceeded|error)",
        r"\b[Uu]psert ?[Bb]ucket\b|Error while calling W&B API",
    ),
    _signature(
        "service-unavailable",
        ENVIRONMENT,
        "A hub or server was busy or out of reach: wait, log in for a larger quota, or download beforehand.",
        r"\b429 Client Error\b|Too Many Requests|\b50[0234] Server Error\b",
        r"\b(?:ReadTimeout|ConnectTimeout|ConnectTimeoutError|ReadTimeoutError|RemoteDisconnected|IncompleteRead)\b",
        r"Max retries exceeded with url|Read timed out|Connection reset by peer|Connection aborted",
        r"[Nn]ame resolution|Name or service not known|Could not resolve host|\bgetaddrinfo failed|\[Errno -[235]\]",
        r"\b(?:ConnectionRefusedError|ConnectError|APIConnectionError|APITimeoutError|ClientConnectorError)\b",
        r"Error.{0,200}(?:Connection refused|Remote end closed connection|Server disconnected)",
        r"\b(?:502 Bad Gateway|503 Service Unavailable|504 Gateway Time-?out)\b|\bChunkedEncodingError\b",
        r"\[SSL: |\bSSL\w*Error\b|CERTIFICATE_VERIFY_FAILED|failed to lookup address",
        r"\b(?:HTTP|status(?: code)?|error)[ :=]+(?:429|5\d\d)\b",
        r"\bClientConnector\w+Error\b|\b(?:ServerDisconnected|ClientPayload|ClientOS|EndpointConnection|Proxy)Error\b",
        r"\(SlowDown\)|\(RequestTimeout\)|\bRateLimitError\b|\bInternalServerError\b|\bRESOURCE_EXHAUSTED\b.{0,40}quota",
    ),
    _signature(
        "environment-agent-died",
        ENVIRONMENT,
        "The environment's agent or server answered nothing: read its own log, then run again.",
        r"returned 0 rollout result|\bNeMo-?Gym\b.{0,80}(?:died|unreachable|not healthy|failed to start)",
        r"NeMo-Gym (?:actor has no running servers|/run failed with HTTP (?:5|408|429))|\bRolloutRedispatchExhausted\b",
    ),
    _signature(
        "trivial-config-error",
        IDEA,
        "Correct the key, its type or its value; the run never started.",
        r"\bOverridesError\b|\bConfigCompositionException\b|is not in struct|\bConfig(?:Attribute|Key|Type)Error\b",
        r"\d+ validation errors? for \w+|\bpydantic\w*\.[\w.]*ValidationError\b",
        r"\b(?:InterpolationKeyError|InterpolationResolutionError|UnsupportedInterpolationType|MissingMandatoryValue)\b",
        r"\bMetric \S+ not found in (?:val|train)\w* metrics|\bLexerNoViableAltException\b",
        needs="change",
    ),
    _signature(
        "nan-raised",
        IDEA,
        "A number stopped being finite: lower the learning rate, clip gradients, or raise the precision.",
        r"^\s*(?:\w+\.)*(?:FloatingPoint|\w*(?:NaN|Nan(?=[A-Z])|NonFinite|Diverge)\w*)(?:Error|Exception)\b",
        rf"{_NUMERIC}.*(?i:\bnans?\b|non-?finite|(?:not|in)[ -]?finite|\bdiverged\b)",
        rf"{_NUMERIC}.*(?i:\b(?:loss|grad\w*|reward)\b.{{0,40}}\binf(?:inity)?\b)",
        r"(?i:\bloss (?:is|was|became) (?:nan|inf)\b.{0,40}\b(?:stop|abort|exit|quit|terminat))",
        needs="change",
        limit=True,
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
        r"Not enough memory\. Please try to increase --mem-fraction-static",
        needs="memory",
        limit=True,
    ),
    _signature(
        "oom-gpu",
        IDEA,
        "Undo or reduce the latest change that needs memory (micro batch, sequence length, generations) before "
        "giving up the direction.",
        r"\bOutOfMemoryError: CUDA|\b(?:CUDA|HIP|XPU|MPS backend) out of memory|CUBLAS_STATUS_ALLOC_FAILED",
        r"\bRESOURCE_EXHAUSTED: .{0,60}(?i:memory|allocate)|\bOOM when allocating tensor",
        r"NCCL.{0,40}Cuda failure.{0,20}out of memory|(?i:(?:cuda|hip) error): out of memory|\bhipErrorOutOfMemory\b",
        r"cumem_allocator\S* .{0,40}out of memory|CUDA_ERROR_OUT_OF_MEMORY|\bcudaErrorMemoryAllocation\b",
        needs="memory",
        limit=True,
    ),
    _signature(
        "oom-host",
        IDEA,
        "Reduce host memory: fewer workers, smaller batches, no CPU off-loading; or ask for more memory.",
        r"\bray\.exceptions\.OutOfMemoryError\b|\bObjectStoreFullError\b|low on (?:resource: )?memory",
        r"[Oo]om[-_ ]kill|[Oo]ut of memory: Killed process|Cannot allocate memory|\bstd::bad_alloc",
        r"^(?:\w+\.)*(?:_?Array|Arrow)?MemoryError\b|\bmemory allocation of \d+ bytes failed|killed due to mem",
        r"bus error encountered in worker|worker \(pid[^)]*\) is killed by signal: (?:Killed|Bus error)",
        needs="memory",
        limit=True,
    ),
    _signature(
        "access-refused",
        ENVIRONMENT,
        "Give the run a valid token or accept the model's licence; no idea can fix this.",
        r"\b(?:GatedRepoError|RepositoryNotFoundError)\b",
        r"\b40[13] Client Error\b|Access to (?:model|dataset) \S+ is restricted",
        r"[Ii]nvalid (?:username or password|user token)",
        r"api_key not configured",
        needs="named",
    ),
    _signature(
        "missing-input",
        ENVIRONMENT,
        "Put the model or data where the recipe looks for it, or check the path that was changed.",
        r"\bFileNotFoundError\b",
        r"\b(?:DatasetNotFoundError|LocalEntryNotFoundError|EntryNotFoundError|OfflineModeIsEnabled)\b",
        r"couldn't connect to 'https?://|Can't load (?:tokenizer|the configuration|the model)",
        r"is not a local folder and is not a valid model identifier",
        needs="named",
    ),
    _signature(
        "placement-failed",
        ENVIRONMENT,
        "The cluster did not offer the resources: check nodes and GPUs per node against the recipe, or wait.",
        r"\bResourceInsufficientError\b",
        r"Maximum number of retries reached \(\d+\)",
        r"[Pp]lacement group.{0,80}(?:infeasible|timed out|not ready|cannot be (?:scheduled|fulfilled))",
        r"cannot be scheduled right now|No available node types can fulfill",
        r"Not enough GPUs available|Requested \d+ GPUs?, but only \d+",
        r"Total available GPUs \d+ is less than|number of GPUs unavailable|\bOutOf\S+/gpu\b",
        r"srun: error: Unable to create step for job .{0,60}(?:busy|not available|permitted|generic resource|cpu bind)",
        r"\b(?:Task|Actor)UnschedulableError\b|\b(?:Task|Actor)PlacementGroupRemoved\b",
        needs="resources",
    ),
    _signature(
        "no-gpu",
        ENVIRONMENT,
        "The node has no usable GPU or driver: exclude it and run again.",
        r"No (?:CUDA|HIP) GPUs are available",
        r"no NVIDIA driver on your system",
        r"CUDA driver version is insufficient",
        r"CUDA error: (?:no CUDA-capable device|all CUDA-capable devices are busy|uncorrectable ECC)",
        r"no kernel image is available for execution",
        r"\bXid\b.{0,40}\b(?:48|63|64|74|79|94|95|119)\b",
        r"HIP error: (?:no ROCm-capable device|invalid device ordinal)|\bhipErrorNoDevice\b",
        r"CUDA-capable device\(s\) is/are busy or unavailable|\bcudaErrorDevicesUnavailable\b",
        r"Driver/library version mismatch|Unable to determine the device handle for GPU",
        r"CUDA unknown error|Failed to initialize NVML|\blibcuda\.so[.\d]*: cannot open shared object file",
        r"uncorrectable ECC error|ECC_UNCORRECTABLE|\bNvlinkUncorrectable\b|(?i:gpu[_ ]?is[_ ]?lost|off the bus)",
        r"Error 80[0234]: |system not yet initialized|(?i:hip|hsa).{0,40}(?:no devices? found|device is lost)",
        r"cuInit\b.{0,60}(?:fail|UNKNOWN|error|returned)|\bNVML(?:Error|_ERROR)_\w+|NVIDIA-SMI has failed|_DEVICE_LOST",
        r"(?:CUDA[ _][Ee]rror|cuda runtime error)\D{0,12}(?:46|100|101|2(?:14|20|26)|714|80[02-7]|999)\b",
        r"\bCUDA_ERROR_(?:NO_DEVICE|SYSTEM_\w+|COMPAT\w+|DEVICE_UNAVAILABLE|NOT_INITIALIZED|MPS\w+|HARDWARE\w+)\b",
        r"\bcudaError(?:SystemNotReady|SystemDriverMismatch|InitializationError|ECCUncorrectable|HardwareStackError)\b",
    ),
    _signature(
        "port-in-use",
        ENVIRONMENT,
        "Another process holds the port; run again, or give parallel runs distinct port ranges.",
        r"[Aa]ddress already in use|\bEADDRINUSE\b",
    ),
    _signature(
        "process-limit",
        ENVIRONMENT,
        "The node gives no more processes, threads or open files: raise the account's limits, or start fewer workers.",
        r"Resource temporarily unavailable|[Cc]an't start new thread|pthread_create failed|\bfork: retry",
        r"\[Errno (?:11|23|24)\]|[Tt]oo many open files|\bEMFILE\b",
        needs="resources",
    ),
    _signature(
        "trivial-shape-mismatch",
        IDEA,
        "Make the sizes agree (batch against prompts times generations, parallelism against GPUs), then run again on "
        "the same branch.",
        r"size mismatch for|shapes? .{0,60}cannot be (?:multiplied|broadcast)",
        r"NeMo Gym returned a result with no generation data|\bRolloutDataFailure: ",
        r"[Ss]izes? of tensors? must match|must match the size of tensor",
        r"Expected (?:input|tensor).{0,80}(?:size|shape)",
        r"AssertionError.{0,160}(?:divisible|must be equal|must match|== )",
        r"(?:is not|must be) (?:evenly )?divisible by|\bonly support equal chunk",
        r"(?:Assertion|Value)Error: .{0,160}batch.{0,80}(?:not equal to|multiple of|(?:larg|great|small)er than)",
        needs="size",
    ),
    _signature(
        "trivial-code-error",
        IDEA,
        "A small mistake in the code of this experiment: correct it and run again on the same branch.",
        r"^\s*(?:\w+\.)*(?:SyntaxError|IndentationError|TabError|NameError|UnboundLocalError|AttributeError): ",
        r"^\s*(?:\w+\.)*(?:ImportError|ModuleNotFoundError): ",
        r"^\s*(?:\w+\.)*TypeError: .*(?:argument|not callable|unsupported operand|not subscriptable|not iterable)",
        r"^\s*(?:\w+\.)*(?:KeyError|IndexError): ",
        needs="slip",
    ),
    _signature(
        "backend-unsupported",
        IDEA,
        "This backend does not offer it: change the shared layer or drop the direction, no one-off workaround.",
        r"\bNotImplementedError\b",
        r"(?:is|are) not (?:yet )?supported (?:with|for|by|in|when|on)\b",
        r"[Uu]nsupported (?:backend|precision|dtype|combination|model)",
        needs="slip",
    ),
    _signature(
        "collective-failed",
        ENVIRONMENT,
        "GPUs lost contact with each other: run again on other nodes; if it repeats, suspect a rank that died.",
        r"NCCL (?:[Ee]rror|failure)|NCCL WARN .{0,120}(?:failed|returned \d+|[Tt]imed? ?out|refused)",
        r"\bnccl(?:Internal|UnhandledCuda|System|Remote)Error\b",
        r"[Ww]atchdog caught collective operation timeout",
        r"\bDistBackendError\b",
        r"Timed out (?:after|waiting) .{0,60}(?:ranks|store|barrier|(?:send|recv) operation)",
        r"Connection closed by peer|ibv_\w+ failed",
        r"\[[^\]]*\bgloo/[^\]]*\]",
        r"Gloo connectFullMesh failed|Socket Timeout|recvValue failed|\bDist(?:Network|Store)Error\b",
        r"\bRendezvous(?:Connection|Timeout|Closed)Error\b|The client socket has (?:timed out|failed to connect)",
        r"\b\d+/\d+ (?:clients|workers) joined|\b(?:gloo|ucx|libfabric|ofi)\b.{0,60}(?:timed out|unreachable)",
        r"NCCL WARN (?!.*Failed to open lib).{0,120}(?i:fail|error|closed|refused|abort|unreach|no route|timed? ?out)",
        r"\bncclRemoteError\b|\bncclInvalidUsage\b|Got completion from peer .{0,60}error|\bMessage truncated\b",
    ),
    _signature(
        "cuda-fault",
        UNKNOWN,
        "A kernel failed: run once more to see whether it is the node; if it repeats, suspect the change.",
        r"illegal memory access|device-side assert triggered|\breturn code = -(?:4|6|7|8|11)\b",
        r"CUDA error: (?:misaligned|unspecified|invalid)",
        r"Segmentation fault|\bSIGSEGV\b",
        needs="code",
    ),
    _signature(
        "generation-engine-died",
        UNKNOWN,
        "The rollout engine stopped answering: look at its own first error above, then reduce its load or run again.",
        r"\bEngineDeadError\b|NRL_VLLM_ASYNC_TIMEOUT_SECONDS",
        r"(?i:engine ?core|engine process|background loop).{0,60}(?:died|failed|fatal|errored)|\b\w+EngineDeadError\b",
        r"Received sigquit from a child|Watchdog timeout \(self",
        r"WorkerProc (?:hit an exception|initialization failed)|\bScheduler hit an exception|scheduler is dead",
        needs="code",
    ),
    _signature(
        "actor-died",
        ENVIRONMENT,
        "A Ray worker or node died: look for memory pressure on its node, then run again.",
        r"\b(?:RayActorError|ActorDiedError|ActorUnavailableError|WorkerCrashedError|NodeDiedError|OwnerDiedError)\b",
        r"The actor died unexpectedly|[Rr]aylet.{0,60}(?:died|terminated|crashed)",
        r"Could not connect to (?:the )?GCS|GCS.{0,40}(?:unavailable|timed out)",
        r"A worker died or was killed (?:while|by)",
        r"Failed to connect to GCS|Could not find any running Ray instance|GCS failed to check the health of this node",
        r"\bmarked (?:as )?dead because|mistakenly been marked (?:as )?dead",
        r"\b(?:LocalRayletDied|ObjectLost|ObjectFetchTimedOut|ObjectReconstructionFailed|RaySystem|Rpc)Error\b",
        r"(?:[Ff]ailed|[Uu]nable) to register worker|not registered within the timeout|UNEXPECTED_TERMINATION",
        r"[Rr]aylet could not connect|SystemExit was raised from the worker",
        r"\b(?:actor|worker|node|owner|raylet)\b.{0,60}(?:is dead|(?:has|was|is) (?:died|exited|crash|preem|unavail))",
    ),
    _signature(
        "stalled",
        UNKNOWN,
        "Nothing moved any more: run again; if it repeats, suspect a deadlock between rollout and training.",
        r"stall_timeout_s|controller (?:is )?unresponsive",
        r"[Hh]eartbeat.{0,40}(?:lost|timed? ?out|missed)|\b[Nn]o heartbeat (?:for|from|in)\b",
    ),
    _signature(
        "preempted",
        ENVIRONMENT,
        "The scheduler took the node back: submit again.",
        r"DUE TO (?:PREEMPTION|NODE FAILURE)|NODE_FAIL",
        r"(?i:termination is imminent|\b(?:spot|preempt\w+) .{0,40}notice)",
    ),
    _signature(
        "scheduler-time-limit",
        UNKNOWN,
        "The scheduler's limit came before the run's own: shorten the run or raise the limit.",
        r"DUE TO TIME LIMIT",
    ),
    _signature(
        "killed",
        UNKNOWN,
        "Somebody or the kernel ended it: look at the node's memory and its own log.",
        r"^(?:\S+: line \d+: +)?(?:\d+ +)?Killed\b|\btasks? [\d,-]+: Killed|\breturn code = -(?:9|15)\b",
    ),
)

UNHANDLED = _signature(
    "unhandled-error",
    UNKNOWN,
    "An error nobody has classified yet: read the last lines of the log.",
    r"^\s*(?:\w+\.)*\w*(?:Error|Exception)(?:\([\w.]*\))?: ",
)

BY_NAME = {signature.name: signature for signature in SIGNATURES}
