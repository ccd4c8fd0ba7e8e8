"""Folders of ours: removed whole, whatever was done to them."""

import os
import shutil
from pathlib import Path


def delete(folder: Path) -> None:
    """Delete a folder tree, read-only folders in it included; one that is not there is fine."""
    if not os.path.lexists(folder):
        return
    for place, names, _ in os.walk(folder):
        for name in names:
            inner = Path(place, name)
            if not inner.is_symlink():
                inner.chmod(0o700)
    shutil.rmtree(folder) if folder.is_dir() and not folder.is_symlink() else folder.unlink()
