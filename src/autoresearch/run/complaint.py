"""Of which kind an end is whose sentence nobody knows: by who complains or of what, and by where the error was raised.

The weakest of all evidence: it decides how often a run is made again and which cure is named, and accuses nobody.
"""

import re
from collections.abc import Sequence

_WRONG = re.compile(
    r"(?i)error|fail|fatal|exception|cannot|can't|couldn't|unable|denied|refused|time[sd]? ?out|closed|lost|dead|died"
    r"|abort|exceed|missing|invalid|not found|doesn't exist|unreachable|unavailable|reduce your|signal|killed|no such"
    r"|over \d+% full"
)
"""What a line says that complains."""

_LAST = 12
"""Complaints that are looked at, the last ones."""


def _words(*parts: str) -> re.Pattern[str]:
    return re.compile("(?i)" + "|".join(parts))


_SUBJECTS = {
    "tracker-unavailable": _words(r"\b(?:wandb|mlflow|neptune|comet_ml|swanlab|clearml|trackio)\b"),
    "image-failed": _words(
        r"\b(?:pyxis|enroot|apptainer|singularity|podman|docker|containerd|container|oci|squash\w*|rootfs|overlayfs)\b",
        r"\b(?:nvcr\.io|docker\.io|ghcr\.io|quay\.io|registry)\b",
    ),
    "disk-full": _words(r"\b(?:full|quota|available space|out of disk)\b"),
    "launch-failed": _words(
        r"^(?:\d+: )?(?:srun|slurm\w*|sbatch|salloc|scontrol|munge\w*|pmix\w*|prted?|mpirun)\b"
        r"(?!.{0,200}\btasks? [\d,-]+: )(?!.*\*\*\*)",
        r"\bbatch job\b",
    ),
    "venv-broken": _words(
        r"^error: .*\(os error",
        r"\b(?:wheels?|pip|uv|venv|virtualenv|conda|interpreter|runtime[_ ]env\w*|shared object|glibc\w*)\b",
    ),
    "cache-broken": _words(r"\b(?:cache|lock ?file|safetensors?|arrow|parquet|checksum|corrupt\w*)\b"),
    "service-unavailable": _words(
        r"\b(?:requests|urllib3?|httpx|httpcore|aiohttp|botocore|openai|grpc\w*|https?|endpoint|dns|proxy|ssl|tls|hub|s3"
        r"|request rate|CAS service|reqwest\w*|xet|download\w*|throttl\w+|rate limit|url)\b"
        r"(?!.{0,60}(?:HTTPError|Schema))",
        r"\bConnection\w*(?:Error|Closed)",
    ),
    "collective-failed": _words(
        r"\b(?:ProcessGroup\w*|TCPStore|c10d|gloo|nccl\w*|rccl|nvshmem\w*|deep_ep|nixl|ucx|ib[vu]\w+|infiniband|rdma"
        r"|mlx5\w*|rendezvous\w*|all_?reduce|all_?gather|barrier|peer|ranks?)\b(?!\.)"
    ),
    "no-gpu": _words(r"\b(?:nvrm|nvml|xid|nvidia\w*|nvlink|nvswitch|driver|fabric ?manager|ecc|dcgm|rocm|hsa)\b"),
    "cuda-fault": _words(r"\b(?:cuda|cudnn\w*|cublas\w*|hip)\b", r"\bSIG(?:SEGV|BUS|ABRT|FPE|ILL)\b", r"\bbus error\b"),
    "generation-engine-died": _words(r"\b(?:vllm\w*|sglang|engine\w*|WorkerProc|scheduler|detokenizer)\b"),
    "placement-failed": _words(r"\b(?:placement|StartupTimeout|startup timed out|schedul\w+|insufficient|resources)\b"),
    "actor-died": _words(
        r"^\[[\d-]+ [\d:,]+ [EC] \d+ \d+\]",
        r"^Check failed: ",
        r"\bray\.(?!exceptions\.RayTaskError)\w+",
        r"\b(?:raylet|gcs\w*|plasma)\b",
    ),
    "storage-failed": _words(
        r"\bOSError: \[Errno \d+\]", r"\b(?:lustre|nfs|fuse\w*|mount\w*|file ?system|gpfs|weka|ceph)\b"
    ),
    "killed": _words(
        r"\bdeath signal\b", r"\bclosing signal SIG", r"\bSIG(?:TERM|KILL|HUP|INT)\b", r"\bsignal (?:9|15)\b"
    ),
}
"""Who complains, or of what, by the signature it is then taken for; the first that fits."""

_HOMES = {
    "tracker-unavailable": re.compile(r"/(?:wandb|mlflow|neptune|comet_ml|swanlab|clearml|trackio|aim)/"),
    "venv-broken": re.compile(r"/(?:uv|pip|virtualenv|conda)/|/ray/_private/runtime_env/"),
    "cache-broken": re.compile(
        r"/triton/runtime/cache\.py$|/filelock/|torch_compile_cache|torchinductor|inductor_cache|/\.(?:triton|cache)/"
    ),
    "service-unavailable": re.compile(
        r"/(?:urllib3?|httpx|httpcore|aiohttp|botocore|hf_xet|grpc|http)/|/(?:socket|ssl)\.py$"
    ),
    "storage-failed": re.compile(r"/(?:fsspec|s3fs|gcsfs)/"),
    "collective-failed": re.compile(
        r"/torch/distributed/(?:distributed_c10d|rendezvous)\.py$|/torch/distributed/elastic/rendezvous|/deep_ep/"
    ),
    "generation-engine-died": re.compile(r"/(?:vllm|sglang|tensorrt_llm)/"),
}
"""Where the last frame of a traceback lies."""


def raised_by(frame: str) -> str:
    """The signature that an error is taken for whose last frame lies in this file; empty for none."""
    return next((name for name, home in _HOMES.items() if home.search(frame)), "")


def kind(lines: Sequence[str]) -> tuple[str, str, re.Pattern[str]] | None:
    """The signature that the last complaint with a known subject is taken for, its line, and what it was told by."""
    for line in reversed([line for line in lines if _WRONG.search(line)][-_LAST:]):
        for name, words in _SUBJECTS.items():
            if words.search(line):
                return name, line, words
    return None
