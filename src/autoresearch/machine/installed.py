"""What can be imported on this machine without the user's repository, by listing where packages are installed."""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

_LIBRARIES = "lib*/python3*/*-packages"
_ENDINGS = (".py", ".so", ".pyd")


def importable(root: Path, command: Iterable[str] = ()) -> frozenset[str]:
    """Names of installed packages and modules: those of a repository's own environments, the command's, and ours.

    An environment elsewhere, in a container or on another node, is not seen.

    Args:
        root: The user's checkout.
        command: What a run executes; the interpreter among its words tells where its packages are.
    """
    found: set[str] = set()
    for folder in {library for prefix in _prefixes(root, command) for library in prefix.glob(_LIBRARIES)}:
        found.update(_names(folder))
    return frozenset(found)


def _prefixes(root: Path, command: Iterable[str]) -> Iterator[Path]:
    yield from (root / ".venv", root / "venv", Path(sys.prefix), Path("/usr"), Path("/usr/local"))
    if active := os.environ.get("VIRTUAL_ENV"):
        yield Path(active)
    for word in command:
        if "python" in word and (program := shutil.which(word, path=f"{root}{os.pathsep}{os.environ.get('PATH', '')}")):
            yield from (Path(program).parent.parent, Path(program).resolve().parent.parent)


def _names(folder: Path) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(_ENDINGS) or ("." not in entry.name and entry.is_dir()):
            yield entry.name.partition(".")[0]
