"""Of which kind an end is whose sentence nobody knows: by who complains or of what, and by where the error was raised.

The weakest of all evidence: it decides how often a run is made again and which cure is named, and accuses nobody. What
others ask of a complaint is here as well: what its figures say of memory, and which traceback it belongs to.
"""

import posixpath
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import PurePosixPath

from autoresearch.run.symptom import clean

_WRONG = re.compile(
    r"(?i)error|fail|fatal|exception|cannot|can't|couldn't|unable|denied|refused|time[sd]? ?out|closed|lost|dead|died"
    r"|abort|exceed|missing|invalid|not found|doesn't exist|unreachable|unavailable|reduce your|signal|killed|no such"
    r"|over \d+% full|has shut ?down|not permitted|broken|termsig|not been updated"
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
        r"\b(?:nvcr\.io|docker\.io|ghcr\.io|quay\.io|registry)\b|\bpod sandbox|sandbox for pod\b",
    ),
    "disk-full": _words(r"\b(?:full|quota|available space|out of disk)\b"),
    "launch-failed": _words(
        r"^(?:\d+: )?(?:srun|slurm\w*|sbatch|salloc|scontrol|munge\w*|pmix\w*|prted?|mpirun)\b"
        r"(?!.{0,200}\btasks? [\d,-]+: )(?!.*\*\*\*)",
        r"\bbatch job\b|slurm(?:stepd|ctld|d): (?!error: \*\*\*)",
    ),
    "venv-broken": _words(
        r"^error: .*\(os error",
        r"\b(?:wheels?|pip|uv|venv|virtualenv|conda|interpreter|runtime[_ ]env\w*|shared object|glibc\w*)\b",
    ),
    "cache-broken": _words(
        r"\b(?:cache|lock ?file|safetensors?|arrow|parquet|checksum|corrupt\w*|triton|inductor|cutlass|flashinfer)\b"
    ),
    "service-unavailable": _words(
        r"\b(?:requests|urllib3?|httpx|httpcore|aiohttp|botocore|openai|grpc\w*|https?|endpoint|dns|proxy|ssl|tls|hub|s3"
        r"|request rate|CAS service|reqwest\w*|xet|download\w*|throttl\w+|rate limit|url)\b"
        r"(?!.{0,60}(?:HTTPError|Schema))",
        r"\bConnection\w*(?:Error|Closed)|\b(?:requests?|API call) failed\b|\{\"(?:error|detail|message)\":",
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
        r"\b(?:raylet|gcs\w*|plasma)\b|\bRay processes\b|\bthe dashboard\b|\bnode to startup\b",
    ),
    "storage-failed": _words(
        r"\bOSError: \[Errno \d+\]", r"\b(?:lustre|nfs|fuse\w*|mount\w*|file ?system|gpfs|weka|ceph)\b"
    ),
    "killed": _words(
        r"\bdeath signal\b",
        r"\bclosing signal SIG",
        r"\bSignalException\b|\bgot signal\b|\bWTERMSIG\b",
        r"\bSIG(?:TERM|KILL|HUP|INT)\b",
        r"\bsignal (?:9|15)\b",
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


FRAME = re.compile(r'File "([^"\n]{1,400})", line \d+')
_HEADER = "Traceback (most recent call last)"
_RANK = re.compile(r"^(?:\[(?:rank ?)?\d{1,5}\]:? ?)+")
_LED_TO = re.compile(r"^\W*(?:The above exception was the direct cause of|(During handling) of the above exception)")


@dataclass(frozen=True)
class Traceback:
    """What one traceback says.

    Attributes:
        frames: Files of its frames, outermost first.
        lines: What stands behind its first frame, up to the next traceback; the error is among it.
        error: The error, empty when none is to be seen.
        follows: Whether another error led to it.
        beside: Whether that one was being handled, and was not said to be its cause.
        at: Which lines of the log it is, from its header to its error.
    """

    frames: tuple[str, ...]
    lines: tuple[str, ...]
    error: str
    follows: bool
    beside: bool
    at: range


def tracebacks(lines: Iterable[str]) -> list[Traceback]:
    """The tracebacks among the lines of a log, in their order; frames without a header are one as well."""
    parts: list[list[str]] = [[]]
    for line in lines:
        parts += [[]] if _HEADER in line else []
        parts[-1].append(_RANK.sub("", line))
    found: list[Traceback] = []
    first, led_by = 0, ""
    for part in parts:
        if one := _traceback(part, led_by, first):
            found.append(one)
        led_by = next((told[1] or "cause" for told in map(_LED_TO.match, part) if told), "") if one else ""
        first += len(part)
    return found


def _traceback(lines: list[str], led_by: str, first: int) -> Traceback | None:
    at = [place for place, line in enumerate(lines) if FRAME.search(line)]
    if not at:
        return None
    frames = tuple(found[1] for place in at if (found := FRAME.search(lines[place])))
    begin = 0 if _HEADER in lines[0] else at[0]
    end = next((n for n in range(at[-1] + 1, len(lines)) if lines[n].strip() and not lines[n][0].isspace()), at[-1])
    return Traceback(
        frames=frames,
        lines=tuple(lines[at[0] + 1 :]),
        error=lines[end].strip() if end > at[-1] else "",
        follows=bool(led_by),
        beside=led_by not in {"", "cause"},
        at=range(first + begin, first + end + 1),
    )


_PASSED_ON = re.compile(
    r"(?i)\b(?:ChildFailed|ProcessRaised|ProcessExited|CalledProcess|BrokenPipe|BrokenProcessPool|EOF|Interrupt\w*"
    r"|RayTask|ActorDied|RayActor|WorkerCrashed|EngineDead|DistBackend)(?:Error|Exception)|KeyboardInterrupt|SystemExit"
    r"|\broot cause\b|\b(?:see|log|error|stack ?trace|traceback)s? .{0,20}above\b|Connection closed by peer"
    r"|\b(?:worker|process|rank|actor|engine|core|task|job|child|trainer|training)\w*\b.{0,40}"
    r"\b(?:failed|failure|died|exit\w*|crash\w*|terminated|aborted|dead)\b"
)
"""What is raised where something else has failed before."""


def escaped(known: Sequence[Traceback]) -> int | None:
    """Which traceback ended the process: the last one, those left out that only pass on what failed elsewhere."""
    kept = [place for place, one in enumerate(known) if one.error and not _PASSED_ON.search(one.error)]
    return kept[-1] if kept else None


def led_to(known: Sequence[Traceback], place: int, *, handled: bool) -> int:
    """The first traceback of the chain that ends with one.

    Args:
        known: All of them, in their order.
        place: The one that ends it.
        handled: Whether what was being handled when the next one was raised belongs to it.
    """
    while place and known[place].follows and (handled or not known[place].beside):
        place -= 1
    return place


_VARIES = re.compile(r"0x[0-9a-fA-F]+|\d+(?:\.\d+)?")


def unusual(lines: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Lines without what a run that went well says just so; what was left out is empty.

    A traceback is left out as often as that run shows it, the first ones first: one more ended something. One that was
    being handled when the next was raised is left out however often, for that run handles it as well.
    """
    left = list(lines)
    known = [_alike(one) for one in tracebacks(usual)]
    handled = set(known)
    within: set[int] = set()
    told = tracebacks(lines)
    for one, after in zip_longest(told, told[1:]):
        within.update(one.at)
        if (key := _alike(one)) in known or (after and after.beside and key in handled):
            if key in known:
                known.remove(key)
            left[one.at.start : one.at.stop] = [""] * len(one.at)
    said = {_plain(line) for line in usual if not _LED_TO.match(line)}
    return ["" if n not in within and _plain(line) in said else line for n, line in enumerate(left)]


def _alike(one: Traceback) -> tuple[tuple[str, ...], str]:
    return tuple(path.rpartition("/")[2] for path in one.frames), _plain(one.error)


def _plain(line: str) -> str:
    return _VARIES.sub("0", line.strip())


_MOST_FRAMES = 12
"""Lines of a traceback that are shown: the innermost."""


def last_traceback(text: str, root: str = "") -> str:
    """The last traceback of a log with files and lines, as a few clean lines; empty where there is none.

    Args:
        text: The log's end, without secrets.
        root: The folder that the code lay in; files below it are shown relative to it.
    """
    lines = [_RANK.sub("", clean(line)).rstrip()[:200] for line in text.splitlines()]
    last = max((place for place, line in enumerate(lines) if FRAME.search(line)), default=None)
    if last is None:
        return ""
    first = max((place for place in range(last) if _HEADER in lines[place]), default=max(0, last - _MOST_FRAMES))
    error = next((place for place in range(last + 1, len(lines)) if lines[place] and lines[place][0] != " "), last)
    shown = [line for line in lines[first + 1 : error + 1] if line.strip(" ^~")]
    left_out = [f"({len(shown) - _MOST_FRAMES} lines before)"] if len(shown) > _MOST_FRAMES else []
    told = "\n".join([*left_out, *shown[-_MOST_FRAMES:]])
    return told.replace(f"{root.rstrip('/')}/", "") if root else told


_FREE_OF = re.compile(r"[Ff]ree memory on device\S*(?: \S+)? \((\d[\d.]*)/(\d[\d.]*) (GiB|MiB)\)")
_TOTAL = re.compile(r"total capacity of (\d[\d.]*) (GiB|MiB) of which (\d[\d.]*) (GiB|MiB) is free")
_OWN = re.compile(r"this process has (\d[\d.]*) (GiB|MiB) memory in use")
_UNIT = {"GiB": 1.0, "MiB": 1 / 1024}
_MUCH = 0.5
"""Share of a GPU that others hold from which on they are to blame for what is missing."""


_IN_USE = re.compile(r"(?:this process|Process \d+) has (\d[\d.]*) (GiB|MiB) memory in use")


def memory_in_use(text: str) -> float:
    """The most memory of a GPU that a message about its end says one process had in use, in GiB; 0 when none does."""
    return max((float(size) * _UNIT[unit] for size, unit in _IN_USE.findall(text)), default=0.0)


def held_by_others(text: str) -> str:
    """What the figures of a message say of memory that others hold; empty when they do not say so."""
    if found := _FREE_OF.search(text):
        free, total = float(found[1]), float(found[2])
        if free < (1 - _MUCH) * total:
            return f"only {free:g} of {total:g} {found[3]} were free before it began: somebody else holds the GPU"
    if (found := _TOTAL.search(text)) and (own := _OWN.search(text)):
        total, free = float(found[1]) * _UNIT[found[2]], float(found[3]) * _UNIT[found[4]]
        others = total - free - float(own[1]) * _UNIT[own[2]]
        if others > _MUCH * total:
            return f"other processes hold {others:.1f} of {total:.1f} GiB of the GPU"
    return ""


LOOK = "Look whether the machine was well; if it was not, propose the idea again."
"""What to do about an end that only a run's own words excuse, once too often."""

_READ_ONLY = re.compile(r"Read-only file system|\[Errno 30\]")
_TWO_MOUNTS = re.compile(r"Invalid cross-device link|\[Errno 18\]")


_FIXED = re.compile(
    r"Device or resource busy|Read-only file system|Permission denied|Operation not permitted|\[Errno (?:1|13|16|30)\]"
)
_QUOTED_PATH = re.compile(r"['\u2018\"]([^'\u2019\"\n]+)['\u2019\"]")


def _held_place(complaint: str, tree: str, held: Iterable[str]) -> str:
    """The path of a refused deed that meets what is mounted in the worktree; empty where it meets nothing.

    A program that starts below the top names places from there, so the end of a mount point's path will do.
    """
    found = _QUOTED_PATH.search(complaint) if _FIXED.search(complaint) else None
    told = found[1].removeprefix(f"{tree}/") if found and tree else found[1] if found else ""
    path, places = posixpath.normpath(told or "/"), tuple(held)
    mounted = {str(up) for place in places for up in (place, *PurePosixPath(place).parents)} - {"."}
    below = path.startswith(tuple(f"{one}/" for one in places))
    return told if below or any(f"/{one}".endswith(f"/{path}") for one in mounted) else ""


def kept_out(complaint: str, tree: str = "", held: Iterable[str] = ()) -> tuple[str, str, str] | None:
    """What a sandbox kept a run from, by what it complains of: a name, why the next fares alike, and the cure.

    Args:
        complaint: The line that shows it.
        tree: Folder of the code that was run, absolute.
        held: What was mounted over in it, relative to it: nothing else is held in place.
    """
    if path := _held_place(complaint, tree, held):
        cure = (
            "What is protected, and the folders above it, can be neither changed nor moved nor removed by a run: leave "
            "it, and work on a copy in the run's own folder."
        )
        return "protected", f"its sandbox holds {path} in place, and the parent's leaves it alone", cure
    if _READ_ONLY.search(complaint):
        cure = (
            "A run may write to its worktree and its own folder, but not to what measures, and to nothing outside: if "
            "it must, name the place under run.writable."
        )
        return "read-only", "its sandbox lets no run write there, and the parent's do not", cure
    if _TWO_MOUNTS.search(complaint):
        cure = (
            "In a sandbox the worktree and the run's folder are two mounts, between which nothing can be linked or "
            "renamed: copy or shutil.move it, or write it where it is to stay."
        )
        return "two-mounts", "no run in a sandbox can, and the parent's do not", cure
    return None


_MISSED = re.compile(
    r"(?i)no such file|file ?not ?found|not found|unable to find|couldn't find|could not find|does(?: not|n't) exist"
    r"|cannot open|can't open|is not a local folder|missing"
)
_NAMED = re.compile(r"""['"`]([^'"`\n]{1,400})['"`]|([^\s'"`:=(),\[\]]{1,400})""")


def paths_missed(complaint: str, *roots: str) -> tuple[str, ...]:
    """What may be the paths that a complaint says are not there, relative; an absolute one has to lie below a root.

    Args:
        complaint: The line that shows it.
        roots: Folders in which the run's code lay, absolute.
    """
    if not _MISSED.search(complaint):
        return ()
    words = [found[1] or found[2] for found in _NAMED.finditer(complaint)]
    inside = [
        next((one.removeprefix(f"{root}/") for root in roots if one.startswith(f"{root}/")), one) for one in words
    ]
    paths = (posixpath.normpath(one.rstrip(".")) for one in inside if not one.startswith(("/", "~")) and one.strip("."))
    return tuple(dict.fromkeys(path for path in paths if not path.startswith("..")))
