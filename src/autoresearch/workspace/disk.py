"""How much room there is."""

import os
from pathlib import Path


def free_gb(path: Path) -> float:
    """Free space in GB (10^9 bytes), for an ordinary user, on the disk of `path` or of its nearest folder that exists.

    Infinite when the file system does not say: a check that cannot be made must not stop a campaign.
    """
    there = next((place for place in (path, *path.parents) if place.exists()), Path("/"))
    try:
        found = os.statvfs(there)
    except OSError:
        return float("inf")
    return found.f_bavail * found.f_frsize / 1e9 if found.f_blocks else float("inf")
