"""A supervisor's child: how it becomes the command of a run, how signals are waited for meanwhile, how all of it ends.

The command gets a session of its own, its streams, its signals. Waiting is done by the C library itself:
`signal.sigtimedwait` of CPython hands out a record that nobody filled when a stop and a continue interrupt it and its
time is over by then: any number can come out, also that of a signal that means the end. Here the call's own answer
decides, and what it does not name was never sent.
"""

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, NoReturn

from autoresearch.machine import control_group, processes
from autoresearch.machine.processes import Process

NO_START = 127
"""Exit code of a command that could not be started, as a shell's."""

_BORN_WITH = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals a command expects to be born with the defaults of; Python ignores two, nohup and background shells others."""

_BITS = 8 * ctypes.sizeof(ctypes.c_ulong)
_SET = ctypes.c_ulong * (1024 // _BITS)
_LONGEST_S = float(2**31 - 1)
_UNKILLABLE_S = 30.0
_PATIENCE_S = 0.5


def become(
    argv: Sequence[str],
    directory: str,
    env: Mapping[str, str],
    sink: int,
    fail: int,
    keep: Sequence[int] = (),
    group: str = "",
) -> NoReturn:
    """Turn this process, just forked, into the run's command; what goes wrong is written to `fail`.

    Args:
        argv: The command.
        directory: Where it begins.
        env: Its whole environment.
        sink: What it prints goes there.
        fail: Hears why it could not be started.
        keep: File descriptors that it inherits.
        group: The control group that it belongs to.
    """
    doing = directory
    try:
        control_group.enter(group)
        os.setsid()
        processes.prctl(processes.PARENT_DEATH, signal.SIGTERM)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        for handle in keep:
            os.set_inheritable(handle, True)
        os.chdir(directory)
        doing = argv[0]
        for number in _BORN_WITH:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(argv[0], list(argv), env)  # noqa: S606
    except OSError as error:
        os.write(fail, f"could not start: {doing}: {error.strerror}".encode())
    finally:
        os._exit(NO_START)


def cpu_of_the_dead() -> float:
    """Seconds of processor time that children took who have ended and were collected."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class _Time(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class _Sender(ctypes.Structure):
    _fields_ = (("pid", ctypes.c_int), ("uid", ctypes.c_uint), ("room", ctypes.c_byte * 112))


class _Info(ctypes.Structure):
    """`siginfo_t` as far as it is read; the sender begins where the largest member of its union would be aligned."""

    _fields_ = (
        ("number", ctypes.c_int), ("error", ctypes.c_int), ("code", ctypes.c_int),
        *((("filling", ctypes.c_int),) if ctypes.sizeof(ctypes.c_void_p) == 8 else ()),
        ("sender", _Sender),
    )  # fmt: skip


class Received(NamedTuple):
    """A signal that was waited for, and the process that sent it."""

    number: int
    pid: int


def wait(signals: Iterable[int], seconds: float) -> Received | None:
    """The next of these blocked signals, None when none came in time or the wait was interrupted.

    Args:
        signals: What is waited for; blocked in every thread.
        seconds: For how long at most.
    """
    wanted, watched = _SET(), frozenset(int(one) for one in signals)
    for number in watched:
        wanted[(number - 1) // _BITS] |= 1 << ((number - 1) % _BITS)
    bounded = min(max(seconds, 0.0), _LONGEST_S)
    room = _Time(int(bounded), int((bounded % 1) * 1e9))
    info = _Info()
    library = ctypes.CDLL(None, use_errno=True)
    number = library.sigtimedwait(ctypes.byref(wanted), ctypes.byref(info), ctypes.byref(room))
    if number not in watched:
        return None
    return Received(number, info.sender.pid)


def kill_all(scan: Callable[[], list[Process]], reap: Callable[[], bool]) -> None:
    """KILL until nothing is left, or only what the kernel itself cannot end.

    Args:
        scan: Finds our descendants.
        reap: Collects those that have ended; False when none is left.
    """
    began = time.monotonic()
    while reap() and time.monotonic() < began + _UNKILLABLE_S:
        # Only our own children, whose ids nobody else can free; theirs become ours the moment they die. So parents
        # go first, and what forks faster than a whole table of processes is read is still hit.
        for pid in processes.own_children():
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > began + _PATIENCE_S:
            _stop_and_kill(scan)
        wait({signal.SIGCHLD}, 0.005)


def _stop_and_kill(scan: Callable[[], list[Process]]) -> None:
    """Stop all before any is killed: a crowd that makes anew whoever is missing then has nobody to miss."""
    stopped: set[tuple[int, int]] = set()
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        fresh = [one for one in scan() if (one.pid, one.started) not in stopped]
        for process in fresh:
            processes.signal_tree(process, signal.SIGSTOP)
            stopped.add((process.pid, process.started))
        if not fresh:
            break
    for process in scan():
        processes.signal_tree(process, signal.SIGKILL)
