"""What Slurm's sentences mean: refused for good, not now, or no answer; and why a job waits. Pure.

Sentences are those of Slurm's `slurm_strerror` and of its reasons for waiting jobs (squeue(1), "JOB REASON CODES").
"""

import re

from autoresearch.errors import LauncherError, NotNowError, RefusedError

_NO_ANSWER = re.compile(
    r"(?i)unable to contact|connect|communicat|timed out|timeout|no answer within|zero bytes|socket|standby mode|munge"
    r"|authenticat|credential|configuration source|fetch.?config|resolve|unknown host|shutting down|i/o error"
    r"|protocol|unexpected m(?:sg|essage)|incompatible versions|internal error|no such file or directory: 'sbatch'"
)
_NOT_NOW = re.compile(
    r"(?i)(?:Assoc|QOS)\w*Submit\w*Limit|MaxJobCount limit|rate limit exceeded|temporarily|try again later"
    r"|not available now|not usable now|are busy|is in use|in use$|presently disabled|currently unavailable"
    r"|down, drained or reserved|inactive or drain|too fragmented|ports are in use"
)
_POLICY = re.compile(r"(?i)violates accounting/QOS policy")
_NAMED = re.compile(r"\b(?:Assoc|QOS|Max|Min)\w*(?:Limit|Min\w*|Per\w+)\b")
_PREFIX = re.compile(r"^\s*(?:sbatch|srun|slurm\w*): (?:error: |fatal: )?", re.MULTILINE)
_NO_NEWS = re.compile(r"^(?:sbatch: )?(?:Batch job submission failed: )?")


_REFUSES = "Slurm refuses"


def sentence(stderr: str) -> str:
    """What a program of Slurm complains of, in one line without its name."""
    lines = [_NO_NEWS.sub("", _PREFIX.sub("", line)).strip() for line in stderr.splitlines()]
    return "; ".join(dict.fromkeys(line for line in lines if line))[-500:] or "it printed nothing"


def unsubmitted(stderr: str, run: str, waiting: int) -> LauncherError:
    """What sbatch's complaint means.

    Args:
        stderr: What it printed.
        run: What was to be submitted, in words.
        waiting: How many jobs of this user are in Slurm's queue.
    """
    said = sentence(stderr)
    if _NO_ANSWER.search(said):
        return LauncherError(f"Slurm could not be reached to submit {run}: {said}")
    if _NOT_NOW.search(said) or (_POLICY.search(said) and not _NAMED.search(said) and waiting):
        many = f" ({waiting} of your jobs are in its queue)" if waiting else ""
        return NotNowError(f"Slurm: {said}{many}")
    return RefusedError(f"{_REFUSES} {run}: {said}")


_STUCK = re.compile(
    r"JobHeldAdmin|JobHeldUser|JobHoldMaxRequeue|launchfailedrequeuedheld|PartitionTimeLimit|BadConstraints"
    r"|DependencyNeverSatisfied|InvalidAccount|InvalidQOS|AccountNotAllowed|QOSNotAllowed|ReservationDeleted"
    r"|PartitionNodeLimit|PartitionConfig|TimeLimit$|PerJob|PerNode|MinCpuNotSatisfied|QOSMin|MaxMemPerLimit|QOSNotAllowed"
    r"|AccountingPolicy|requeuedheld",
    re.IGNORECASE,
)
_LAUNCH_FAILED = re.compile(r"launchfailed\w*held", re.IGNORECASE)


def stuck(reason: str) -> bool:
    """Whether a job that waits for this reason waits for what cannot come by itself."""
    return bool(_STUCK.search(_letters(reason))) or _REFUSES in reason


def launch_failed(reason: str) -> bool:
    """Whether a job is held because its node could not start it: another node can."""
    return bool(_LAUNCH_FAILED.search(_letters(reason)))


def _letters(reason: str) -> str:
    return re.sub(r"[^A-Za-z]", "", reason)
