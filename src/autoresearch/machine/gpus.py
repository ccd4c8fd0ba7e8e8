"""The GPUs of this machine, by index: which there are, which are busy, and who holds them.

A GPU is held by a lock on a file of its own in a folder all users share, so that campaigns which know nothing of each
other do not share a GPU, and so that the kernel gives it back however its holder ends. Without NVIDIA's driver there
are simply no GPUs; listing and looking never raise for that.
"""

import ctypes
import fcntl
import os
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

HOLDINGS = Path("/tmp/autoresearch-gpus")  # noqa: S108 (the same for every user, whatever their TMPDIR)


@cache
def _nvml() -> Any:
    """NVIDIA's management library, started; None without library, driver or permission."""
    try:
        ctypes.CDLL("libnvidia-ml.so.1")  # what it loads itself, and fails without, once it is all there
        import pynvml  # noqa: PLC0415 (six megabytes that a machine without GPUs need not load)

        pynvml.nvmlInit()
    except Exception:  # noqa: BLE001 (whatever is wrong with the driver, there is no GPU to use)
        return None
    return pynvml


def available(environ: Mapping[str, str]) -> tuple[int, ...]:
    """Indices, in bus order, of the GPUs we may use: all, or those that `CUDA_VISIBLE_DEVICES` names.

    It names them as for CUDA: by index, by UUID, or by the beginning of a UUID that only one has; what follows the
    first name that means no whole GPU does not count.
    """
    nvml = _nvml()
    if nvml is None:
        return ()
    everything = range(nvml.nvmlDeviceGetCount())
    if "CUDA_VISIBLE_DEVICES" not in environ:
        return tuple(everything)
    named = {str(index): index for index in everything}
    found = []
    for word in _words(environ):
        fitting = [index for index in everything if word.startswith("GPU-") and _uuid(nvml, index).startswith(word)]
        index = named.get(word, fitting[0] if len(fitting) == 1 else None)
        if index is None:
            break
        found.append(index)
    return tuple(sorted(set(found)))


def parts_only(environ: Mapping[str, str]) -> str:
    """What to say where `CUDA_VISIBLE_DEVICES` names parts of a GPU (MIG), which are not handed out; else empty."""
    parts = [word for word in _words(environ) if word.startswith("MIG-")]
    if not parts:
        return ""
    return (
        f"CUDA_VISIBLE_DEVICES names a MIG device ({parts[0]}), which is part of a GPU, and only whole GPUs are handed "
        f"out; name whole GPUs there, or let a run ask for none: it then inherits the variable and sees that device"
    )


def _words(environ: Mapping[str, str]) -> list[str]:
    return [word.strip() for word in environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]


def used_gb(indices: Iterable[int]) -> float | None:
    """Largest memory in use on any of these GPUs, by anyone, in GB; None where it cannot be known."""
    nvml = _nvml()
    if nvml is None:
        return None
    try:
        handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in indices]
        return max((nvml.nvmlDeviceGetMemoryInfo(handle).used / 1e9 for handle in handles), default=None)
    except nvml.NVMLError:
        return None


def is_free(index: int, max_used_gb: float) -> bool:
    """Whether nobody uses a GPU; one the driver cannot tell about is not free, without a driver all are."""
    if _nvml() is None:
        return True
    used = used_gb([index])
    return used is not None and used <= max_used_gb


def _uuid(nvml: Any, index: int) -> str:
    name = nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetHandleByIndex(index))
    return name.decode() if isinstance(name, bytes) else str(name)


class Hold:
    """GPUs held by this process until `release`, or until it ends in any way."""

    def __init__(self, folder: Path = HOLDINGS) -> None:
        self.folder = folder
        self.indices: tuple[int, ...] = ()
        self._locks: list[int] = []
        self._turn: int | None = None

    def take(self, count: int, pool: Iterable[int], max_used_gb: float) -> bool:
        """Try to hold `count` free GPUs of `pool`; False means try again later.

        The first to fail keeps its turn, and nobody behind it is served from the same pool: a run that needs eight
        GPUs is not overtaken for ever by runs that need one.
        """
        pool = sorted(pool)
        if self._turn is None:
            self._turn = self._lock("turn-" + "-".join(str(index) for index in pool))
        if self._turn is None:
            return False
        got: dict[int, int] = {}
        for index in pool:
            if len(got) < count and is_free(index, max_used_gb):
                lock = self._lock(f"gpu-{index}")
                got |= {} if lock is None else {index: lock}
        if len(got) < count:
            _close(got.values())
            return False
        self.indices, self._locks = tuple(got), list(got.values())
        _close([self._turn])
        self._turn = None
        return True

    def release(self) -> None:
        """Give everything back; twice is fine."""
        _close([*self._locks, *([] if self._turn is None else [self._turn])])
        self.indices, self._locks, self._turn = (), [], None

    def _lock(self, name: str) -> int | None:
        handle = _open_shared(self.folder / name)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        return handle


def _open_shared(path: Path) -> int:
    """Open a lock file that users share; the kernel refuses O_CREAT on others' files in a sticky folder."""
    if not path.parent.is_dir():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o1777)
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        handle = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
        os.fchmod(handle, 0o644)
        return handle


def _close(handles: Iterable[int]) -> None:
    for handle in handles:
        os.close(handle)
