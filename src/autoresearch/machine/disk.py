"""How much room there is.

Folders of ours: removed whole, whatever was done to them.
"""

import os
import shutil
from pathlib import Path

_NEXT_TO_NOTHING = 1_000_000
"""Bytes: what fails with no more than this left fails for want of room, for part of it was cleared away since."""


def free_gb(path: Path) -> float:
    """Free space in GB (10^9 bytes), for an ordinary user, on the disk of `path` or of its nearest folder that exists.

    Infinite when the file system does not say: a check that cannot be made must not stop a campaign.
    """
    found = _state(path)
    return _free(found) / 1e9 if found else float("inf")


def is_full(path: Path) -> bool:
    """Whether that disk takes next to nothing more, or no further file."""
    found = _state(path)
    if found is None:
        return False
    return _free(found) < _NEXT_TO_NOTHING or bool(found.f_files and not found.f_favail)


def _free(found: os.statvfs_result) -> float:
    """Bytes; infinite where the file system names no size."""
    return found.f_bavail * found.f_frsize if found.f_blocks else float("inf")


def _state(path: Path) -> os.statvfs_result | None:
    there = next((place for place in (path, *path.parents) if place.exists()), Path("/"))
    try:
        return os.statvfs(there)
    except OSError:
        return None


def delete(folder: Path) -> None:
    """Delete a folder tree, read-only folders in it included; one that is not there is fine."""
    if not os.path.lexists(folder):
        return
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink()
        return
    folder.chmod(0o700)
    for place, names, _ in os.walk(folder):
        for inner in (Path(place, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder)
