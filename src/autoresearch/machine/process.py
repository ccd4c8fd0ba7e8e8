"""The one door to other programs."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

from autoresearch.errors import AutoresearchError


@dataclass(frozen=True)
class Completed:
    """A finished command: bytes in, bytes out, and its exit code."""

    code: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text without its final newline."""
        return self.stdout.decode("utf-8", "surrogateescape").removesuffix("\n")


class CommandError(AutoresearchError):
    """A command ended with an unexpected exit code, or could not be started."""

    def __init__(self, argv: Sequence[str], code: int | None, stdout: bytes, stderr: bytes) -> None:
        self.argv, self.code, self.stdout, self.stderr = tuple(argv), code, stdout, stderr
        said = (stderr or stdout).decode("utf-8", "replace").strip() or "(it printed nothing)"
        super().__init__(f"command failed with exit code {code}: {' '.join(argv)}\n{indent(said[-2000:], '  ')}")


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    check: bool = True,
    timeout: float | None = None,
) -> Completed:
    """Run a command to its end and capture what it printed.

    Args:
        argv: Program and arguments; no shell is involved.
        cwd: Directory to run in.
        env: The whole environment; None inherits ours.
        stdin: Bytes for its standard input.
        check: Whether a non-zero exit code is an error.
        timeout: Seconds after which it is killed.

    Raises:
        CommandError: It could not be started, ran past `timeout`, or failed while `check` is set.
    """
    try:
        done = subprocess.run(  # noqa: PLW1510
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandError(argv, None, b"", f"no answer within {timeout:g} s".encode()) from error
    except OSError as error:
        raise CommandError(argv, None, b"", os.strerror(error.errno or 0).encode() + f": {error}".encode()) from error
    if check and done.returncode != 0:
        raise CommandError(argv, done.returncode, done.stdout, done.stderr)
    return Completed(done.returncode, done.stdout, done.stderr)


def alive(process_id: int) -> bool:
    """Whether a process that `start` made is still there."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def start(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> int:
    """Start a command in a session of its own, detached from us; returns its process id."""
    sink = log.open("ab") if log else subprocess.DEVNULL
    try:
        child = subprocess.Popen(
            list(argv),
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            close_fds=True,
        )
    except OSError as error:
        raise CommandError(argv, None, b"", str(error).encode()) from error
    finally:
        if not isinstance(sink, int):
            sink.close()
    threading.Thread(target=child.wait, daemon=True).start()  # reaps it, should it end before us
    return child.pid


async def converse(
    argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], most_line: int
) -> tuple[asyncio.subprocess.Process, asyncio.StreamWriter, asyncio.StreamReader]:
    """Start a command to talk with over its standard input and output; its errors go where ours go.

    Args:
        argv: Program and arguments.
        cwd: Directory to run in.
        env: The whole environment.
        most_line: Longest line in bytes that is read of it; a longer one is an error for the reader.

    Raises:
        CommandError: It could not be started.
    """
    pipe = subprocess.PIPE
    try:
        child = await asyncio.create_subprocess_exec(
            *argv, stdin=pipe, stdout=pipe, cwd=cwd, env=dict(env), limit=most_line
        )
    except OSError as error:
        raise CommandError(argv, None, b"", str(error).encode()) from error
    assert child.stdin is not None  # noqa: S101 - a pipe was asked for
    assert child.stdout is not None  # noqa: S101 - a pipe was asked for
    return child, child.stdin, child.stdout
