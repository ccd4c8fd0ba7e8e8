"""Waiting for blocked signals, by the C library itself.

`signal.sigtimedwait` of CPython hands out a record that nobody filled when a stop and a continue interrupt it and its
time is over by then: any number can come out, also that of a signal that means the end. Here the call's own answer
decides, and what it does not name was never sent.
"""

import ctypes
from collections.abc import Iterable
from typing import NamedTuple

_BITS = 8 * ctypes.sizeof(ctypes.c_ulong)
_SET = ctypes.c_ulong * (1024 // _BITS)
_LONGEST_S = float(2**31 - 1)


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
