"""The files by which a launcher and a run's supervisor talk; they lie in the run's folder and outlive both.

```text
spec.json         what to start, written by the launcher before anything is started
supervisor.json   who watches over it and how it is doing; creating it is the claim that makes a run start once only
supervisor.lock   held for as long as the supervisor or the command it started lives
exit.json         how it ended; written once, by whoever knows, and sealed by the supervisor
supervisor.err    only after a failure of ours
cancel.ask        a request: end this run; for where the supervisor cannot be signalled
stacks.ask        a request: before this run is ended, write into its log what its processes are doing
```
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autoresearch.machine.disk import clear_way, delete, opened

SPEC, STATE, EXIT, TROUBLE = "spec.json", "supervisor.json", "exit.json", "supervisor.err"
STACKS, LEAVE, LOCK = "stacks.ask", "cancel.ask", "supervisor.lock"
BY_LOG = "AUTORESEARCH_BY_LOG"
"""Variable of a run whose folder nobody here sees: small files go through its log, each in a line of its own."""

RETURNED = "autoresearch-file"
"""How such a line begins; the file's name and its content as JSON follow."""

_RESERVED = 16 * 1024
_LARGEST = 16 << 20
_TOLD = frozenset({"ending", "exit_code", "reason", "node", "started_at", "ended_at"})
"""What every end tells."""


class SupervisorSpec(NamedTuple):
    """What a supervisor has to carry out.

    Attributes:
        run_id: Name of the run.
        argv: The command.
        directory: Where it runs, absolute.
        folder: The run's folder, absolute.
        log: File for stdout and stderr, absolute.
        env: Variables set on top of the supervisor's own.
        limit_s: Seconds of running time, None for no limit.
        grace_s: Seconds between TERM and KILL.
        memory_gb: Host memory for the whole tree, None for no limit.
        max_log_bytes: Bound on the log.
        gpus: How many GPUs it needs.
        gpu_pool: Indices to choose them from.
        max_gpu_memory_used_gb: A GPU with more in use than this is somebody else's.
        min_free_memory_gb: Memory that has to be available on the machine before it begins.
        scratch: Short-named folder to make for the run and to remove when it ends well, empty for none.
        sandbox: A `RunSandbox` as a mapping; None: the run may reach what the account can.
    """

    run_id: str
    argv: Sequence[str]
    directory: str
    folder: str
    log: str
    env: Mapping[str, str]
    limit_s: float | None
    grace_s: float
    memory_gb: float | None
    max_log_bytes: int
    gpus: int
    gpu_pool: Sequence[int]
    max_gpu_memory_used_gb: float
    scratch: str
    min_free_memory_gb: float = 0.0
    sandbox: Mapping[str, Any] | None = None


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None when there is no such file or it holds none."""
    try:
        with opened(path) as stream:
            value = json.loads(stream.read(_LARGEST))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def digest(word: str) -> str:
    """What a seal shows of the word behind it."""
    return hashlib.sha256(word.encode()).hexdigest()


def ended(folder: Path, sealed: str = "") -> dict[str, Any] | None:
    """How a run ended, in the words of its supervisor; None before that, and when somebody else wrote it.

    Args:
        folder: The run's folder.
        sealed: The digest of its supervisor's word; empty: the one in its state file. Where there is none either (a
            script without a supervisor, an earlier version) the end is taken as it stands.
    """
    found = read(folder / EXIT)
    if found is None or not found.keys() >= _TOLD:
        return None
    sealed = sealed or str((read(folder / STATE) or {}).get("sealed") or "")
    return found if not sealed or digest(str(found.get("seal", ""))) == sealed else None


def forgery(folder: Path) -> str:
    """What stands in the place of a run's end before its supervisor has written it, in words; empty for nothing."""
    place = folder / EXIT
    if not place.exists() and not place.is_symlink():
        return ""
    if place.is_dir() and not place.is_symlink():
        with contextlib.suppress(OSError):
            place.replace(folder / f"{EXIT}.not-ours")
    return f"{EXIT} was there before the run had ended: somebody else than its supervisor wrote it"


def write(path: Path, value: Mapping[str, Any], *, sync: bool = False) -> None:
    """Replace a file in one step; a reader sees the old or the new one."""
    aside = _aside(path)
    try:
        _put(aside, _encoded(value), sync=sync)
        aside.replace(path)
    except OSError:
        aside.unlink(missing_ok=True)
        raise


def create(path: Path, value: Mapping[str, Any]) -> bool:
    """Create a file with its content in one step; False when it exists already."""
    aside = _aside(path)
    try:
        _put(aside, _encoded(value), sync=True)
        os.link(aside, path)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    return True


def reserve(folder: Path) -> None:
    """Take the disk space that `conclude` will need, so that a run on a disk it filled can still be concluded."""
    with contextlib.suppress(OSError):
        _put(_reserved(folder), b" " * _RESERVED, sync=False)


def conclude(folder: Path, value: Mapping[str, Any]) -> None:
    """Write how a run ended, in the space reserved for that."""
    place = _reserved(folder)
    # The run could write here: what it put in our way must not lead our pen elsewhere.
    for path in (place, folder / EXIT):
        clear_way(path)
    handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        # Not truncated: blanks after a JSON value are harmless, and the blocks stay ours.
        os.write(handle, _encoded(value).ljust(_RESERVED))
        os.fsync(handle)
    finally:
        os.close(handle)
    place.replace(folder / EXIT)


def tell_trouble(folder: Path, text: str) -> None:
    """Leave word of a failure of ours."""
    clear_way(folder / TROUBLE)
    (folder / TROUBLE).write_text(text)


def _reserved(folder: Path) -> Path:
    return folder / f".{EXIT}.reserved"


def _aside(path: Path) -> Path:
    # Not the process id: threads share one, and so do machines on a shared disk.
    return path.with_name(f".{path.name}.{os.urandom(6).hex()}")


def _encoded(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _put(path: Path, data: bytes, *, sync: bool) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
    try:
        with open(handle, "wb", closefd=False) as file:
            file.write(data)
        if sync:
            os.fsync(handle)
    finally:
        os.close(handle)


def make_scratch(name: str) -> None:
    """Make the run's short-named folder below `/tmp`, for sockets, if it has one.

    Raises:
        PermissionError: Somebody else's lies there.
    """
    if not name:
        return
    scratch = Path(name)
    scratch.mkdir(mode=0o700, exist_ok=True)
    # It lies where every user may write, under a name that can be guessed.
    if scratch.is_symlink() or scratch.stat().st_uid != os.getuid():
        raise PermissionError(f"{scratch} belongs to somebody else; remove it or set RAY_TMPDIR")


def clear_scratch(name: str, *, keep: bool) -> None:
    """Take that folder away; one that may explain a failure is kept, unless it is empty."""
    if not name:
        return
    with contextlib.suppress(OSError):
        Path(name).rmdir()
        return
    if not keep:
        with contextlib.suppress(OSError):
            delete(Path(name))
