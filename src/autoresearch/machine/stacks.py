"""What the processes of a run are doing at this moment, as text for its log: the evidence that a hang leaves.

By py-spy where it is installed; it may look into another process only where the system lets it. Else by
`faulthandler`, in processes that have switched it on: it prints every thread's stack when the process is aborted, which
ends it, so that is for a run that is to be ended anyway. What the kernel says of a process is there in any case.
"""

import resource
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from autoresearch.machine import processes
from autoresearch.machine.processes import CommandError, Process

PATIENCE_S = 60.0
_MOST = 64
_MOST_BYTES = 64 * 1024
_FATAL = (signal.SIGSEGV, signal.SIGFPE, signal.SIGABRT, signal.SIGBUS, signal.SIGILL)
"""What `faulthandler.enable` catches, all of them; a process that catches just these has switched it on."""


def told(tree: Sequence[Process], patience_s: float = PATIENCE_S) -> str:
    """What the kernel and, where it can be asked, py-spy say of these processes.

    Args:
        tree: The processes.
        patience_s: Seconds for all of py-spy's answers; one may take a third of it. A machine that hangs is often busy.
    """
    found, until = spy(), time.monotonic() + patience_s
    parts = ["[autoresearch: what the run's processes are doing, before it is ended]"]
    if found is None:
        parts.append("py-spy is not installed, so no Python stacks: pip install py-spy")
    for process in tree[:_MOST]:
        parts.append(_by_kernel(process))
        if found and _is_python(process) and time.monotonic() < until:
            parts.append(_by_spy(found, process, patience_s / 3))
    parts += [f"and {len(tree) - _MOST} processes more"] if len(tree) > _MOST else []
    return "\n".join(["", *parts, "[autoresearch: end of what they are doing]", ""])


def abort(tree: Sequence[Process]) -> int:
    """Abort every process that has `faulthandler` print its stacks then; how many there were. No core is written."""
    caught = [process for process in tree if _prints_when_aborted(process.pid)]
    for process in caught:
        try:
            hard = resource.prlimit(process.pid, resource.RLIMIT_CORE)[1]
            resource.prlimit(process.pid, resource.RLIMIT_CORE, (0, hard))
        except (OSError, ValueError):
            continue
        processes.signal_tree(process, signal.SIGABRT)
    return len(caught)


def spy() -> str | None:
    """Where py-spy is: beside our Python, else on the PATH; None where it is not."""
    beside = Path(sys.executable).with_name("py-spy")
    return str(beside) if beside.is_file() else shutil.which("py-spy")


def _by_spy(program: str, process: Process, patience_s: float) -> str:
    try:
        return processes.run([program, "dump", "--pid", str(process.pid)], timeout=patience_s).text[:_MOST_BYTES]
    except CommandError as error:
        said = error.stderr.decode("utf-8", "replace").strip().splitlines() or ["it said nothing"]
        return f"  py-spy could not look into it: {said[0]}"


def _by_kernel(process: Process) -> str:
    lines = [f"process {process.pid} ({process.name}), child of {process.parent}, state {process.state}"]
    lines.append(f"  command: {_read(process.pid, 'cmdline').replace(chr(0), ' ').strip()[:400]}")
    status = dict(line.partition(":")[::2] for line in _read(process.pid, "status").splitlines())
    lines.append(f"  threads {status.get('Threads', '?').strip()}, memory {process.rss / 1e9:.2f} GB")
    for task in _tasks(process.pid)[:_MOST]:
        wait, stack = _read(process.pid, f"task/{task}/wchan"), _read(process.pid, f"task/{task}/stack")
        calls = [line.partition("] ")[2].partition("+")[0] for line in stack.splitlines()]
        where = " < ".join(calls[:6]) or (wait if wait not in {"", "0"} else "")
        lines.append(f"  thread {task} {_read(process.pid, f'task/{task}/comm').strip()}: {where or 'not told'}")
    return "\n".join(lines)


def _tasks(pid: int) -> list[str]:
    try:
        return sorted((task.name for task in (processes.PROC / str(pid) / "task").iterdir()), key=int)
    except OSError:
        return []


def _read(pid: int, name: str) -> str:
    try:
        return (processes.PROC / str(pid) / name).read_text(errors="replace")
    except OSError:
        return ""


def _is_python(process: Process) -> bool:
    try:
        program = (processes.PROC / str(process.pid) / "exe").readlink().name
    except OSError:
        return False
    return "python" in program


def _prints_when_aborted(pid: int) -> bool:
    caught = next((line for line in _read(pid, "status").splitlines() if line.startswith("SigCgt:")), "SigCgt: 0")
    mask = int(caught.split()[1], 16)
    return all(mask >> (number - 1) & 1 for number in _FATAL)
