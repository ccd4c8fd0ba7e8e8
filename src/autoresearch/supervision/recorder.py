"""The part of a supervisor that touches the disk and the GPU driver, in a thread of its own.

A hung file system or driver then delays what is recorded, never what is enforced.
"""

import contextlib
import fcntl
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autoresearch.machine import gpus
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_log import CleanLog

_CHUNK = 1 << 20


class Recorder(threading.Thread):
    """Copies a pipe into the bounded log, and writes the supervisor's state about once a second.

    Attributes:
        log: The log being written, without secrets.
        peak_gpu_gb: Largest memory seen on any of the run's GPUs, None when there are none to ask.
    """

    def __init__(self, pipe: int, log: CleanLog, state: Path, snapshot: Callable[[], dict[str, Any]]) -> None:
        super().__init__(name="recorder", daemon=True)
        self.log = log
        self.peak_gpu_gb: float | None = None
        self._pipe, self._state, self._snapshot = pipe, state, snapshot
        self._over = threading.Event()
        self._beat_at = 0.0
        self._words: deque[str] = deque()
        os.set_blocking(pipe, False)
        with contextlib.suppress(OSError):
            # One megabyte, the most an ordinary user gets: a run that floods its log makes fewer switches.
            fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _CHUNK)

    def run(self) -> None:
        """Until `finish` was called and nothing more can be read."""
        watch = select.poll()
        watch.register(self._pipe, select.POLLIN)
        is_open = True
        while True:
            self._beat()
            while self._words:
                self.log.write(self._words.popleft().encode("utf-8", "replace"))
            if not is_open:
                if self._over.wait(1.0):
                    break
            elif watch.poll(200):
                is_open = self._pump()
            elif self._over.is_set():
                break
            else:
                self.log.rest()
        while self._words:
            self.log.write(self._words.popleft().encode("utf-8", "replace"))
        os.close(self._pipe)
        self.log.close()

    def say(self, text: str) -> None:
        """Put words of ours into the log, behind what has been read so far."""
        self._words.append(text)

    def finish(self, patience_s: float) -> bool:
        """The processes are gone: record the rest and end. False when the disk is too slow for that."""
        self._over.set()
        self.join(patience_s)
        return not self.is_alive()

    def _pump(self) -> bool:
        try:
            data = os.read(self._pipe, _CHUNK)
        except BlockingIOError:
            return True
        self.log.write(data)
        return bool(data)

    def _beat(self) -> None:
        now = time.monotonic()
        if now < self._beat_at:
            return
        self._beat_at = now + 1.0
        # Whatever fails here, the pipe has to be emptied, or the run would wait for us.
        with contextlib.suppress(Exception):
            snapshot = self._snapshot()
            self._sample_gpus(snapshot["gpus"])
            run_folder.write(self._state, snapshot | {"peak_gpu_memory_gb": self.peak_gpu_gb})

    def _sample_gpus(self, indices: Sequence[int]) -> None:
        used = gpus.used_gb(indices) if indices else None
        if used is not None:
            self.peak_gpu_gb = max(used, self.peak_gpu_gb or 0.0)
