"""`python -m autoresearch.launchers.on_node SPEC`: what a scheduler starts on a node, in place of the command itself.

The supervisor of the local launcher, in the foreground: limits hold to the second where a scheduler counts minutes,
the log stays bounded, nothing survives the run, and `exit.json` in the run's folder says how it ended even when the
scheduler has forgotten. Creating `supervisor.json` is the claim that makes a run start once only, should two jobs
ever have been submitted for it. It needs the run's folder, and this Python, on a file system the node shares with us.
"""

import contextlib
import os
import sys
from pathlib import Path

from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec
from autoresearch.supervision.supervisor import supervise

ANOTHER_HAS_IT = 75
"""Exit code of a job that found its run claimed by another (EX_TEMPFAIL of sysexits.h)."""


def main() -> int:
    """Carry the run out and return its exit code."""
    spec = SupervisorSpec(**(run_folder.read(Path(sys.argv[1])) or {}))
    folder = Path(spec.folder)
    _set_aside(folder, int(os.environ.get("SLURM_RESTART_COUNT") or 0))
    supervise(spec, os.open(os.devnull, os.O_WRONLY))
    ended = run_folder.ended(folder) or {}
    if ended.get("pid") != os.getpid() or ended.get("node") != os.uname().nodename:
        sys.stderr.write(f"run {spec.run_id} belongs to another job; this one did nothing\n")
        return ANOTHER_HAS_IT
    # None: it was ended by us, so there is no code of its own.
    return 1 if ended["exit_code"] is None else int(ended["exit_code"])


def _set_aside(folder: Path, restarts: int) -> None:
    """After a requeue: the files of the attempt before become history, so that this one may claim the run."""
    if not restarts:
        return
    for name in (run_folder.STATE, run_folder.EXIT):
        with contextlib.suppress(FileNotFoundError):
            (folder / name).replace(folder / f"{name}.attempt-{restarts}")


if __name__ == "__main__":
    sys.exit(main())
