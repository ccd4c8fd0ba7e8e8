"""One way to call Slurm's own programs: their times in Unix seconds, their failures as ours."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm.commands import TIME_FORMAT
from autoresearch.machine.process import CommandError, Completed, run

_ANSWER_S = 60.0


def ask(
    argv: Collection[str],
    doing: str,
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    check: bool = True,
) -> Completed:
    """What one of Slurm's programs answers.

    Args:
        argv: Program and arguments.
        doing: What for, as a verb for the error.
        env: The whole environment, None for ours.
        cwd: Directory to call it in.
        check: Whether a non-zero exit code is an error.

    Raises:
        LauncherError: It failed or did not answer within a minute.
    """
    environment = {**(os.environ if env is None else env), **TIME_FORMAT}
    try:
        return run(list(argv), env=environment, cwd=cwd, check=check, timeout=_ANSWER_S)
    except CommandError as error:
        raise LauncherError(f"Slurm could not be reached to {doing}: {error}") from error


def submit(argv: Collection[str], what: str, variables: Mapping[str, str], cwd: Path | None = None) -> str:
    """The job id that sbatch answers.

    Raises:
        LauncherError: It refuses, does not answer, or answers something else.
    """
    said = ask(argv, "submit", env=_environment(variables), cwd=cwd)
    job_id = said.text.split(";")[0].strip()
    if not job_id.isdigit():
        raise LauncherError(f"sbatch answered {said.text!r} to {what}, which holds no job id")
    return job_id


def cancel(job_id: str) -> None:
    """Tell Slurm to end a job or a step; one that is over already is fine.

    Raises:
        LauncherError: Slurm does not answer.
    """
    said = ask(["scancel", "--quiet", job_id], "cancel", check=False)
    if said.code and b"nvalid job id" not in said.stderr and b"already" not in said.stderr:
        raise LauncherError(f"scancel could not end job {job_id}: {said.stderr.decode('utf-8', 'replace').strip()}")


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Ours, without what would override the script: we may ourselves run inside a job."""
    theirs = {name: value for name, value in os.environ.items() if not name.startswith(("SBATCH_", "SLURM_"))}
    kept = {name: os.environ[name] for name in ("SLURM_CONF",) if name in os.environ}
    return {**theirs, **kept, **variables}
