"""How a supervisor's child becomes the command of a run: a session of its own, its streams, its signals."""

import os
import signal
from typing import NoReturn

from autoresearch.machine import processes
from autoresearch.supervision.run_folder import SupervisorSpec

NO_START = 127
"""Exit code of a command that could not be started, as a shell's."""

_BORN_WITH = (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals a command expects to be born with the defaults of; Python ignores two, nohup and background shells others."""


def become(spec: SupervisorSpec, env: dict[str, str], sink: int, fail: int) -> NoReturn:
    """Turn this process, just forked, into the run's command; what goes wrong is written to `fail`."""
    doing = spec.directory
    try:
        os.setsid()
        processes.prctl(processes.PARENT_DEATH, signal.SIGTERM)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.chdir(spec.directory)
        doing = spec.argv[0]
        for number in _BORN_WITH:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        os.execvpe(spec.argv[0], list(spec.argv), env)  # noqa: S606
    except OSError as error:
        os.write(fail, f"could not start: {doing}: {error.strerror}".encode())
    finally:
        os._exit(NO_START)
