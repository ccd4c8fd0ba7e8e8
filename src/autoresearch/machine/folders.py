"""Folders of ours: removed whole, whatever was done to them."""

import os
import shutil
from pathlib import Path


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
