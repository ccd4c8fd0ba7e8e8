"""A run's short-named folder below `/tmp`, for sockets: made before it begins, taken away when it ended well."""

import contextlib
import os
from pathlib import Path


def make(name: str) -> None:
    """Make it, if the run has one.

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


def clear(name: str, *, keep: bool) -> None:
    """Take it away; one that may explain a failure is kept, unless it is empty."""
    if not name:
        return
    with contextlib.suppress(OSError):
        Path(name).rmdir()
        return
    if not keep:
        import shutil  # noqa: PLC0415 (two megabytes, needed for one moment)

        shutil.rmtree(name, ignore_errors=True)
