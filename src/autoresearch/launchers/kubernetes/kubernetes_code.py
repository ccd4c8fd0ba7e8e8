"""Which bytes a pod has to see: the files of the experiment's commit, each with its SHA-256.

The format is that of `sha256sum --check` (coreutils), so the pod needs neither git nor us to compare.
"""

from hashlib import file_digest, sha256
from pathlib import Path

from autoresearch.errors import LauncherError
from autoresearch.machine.process import CommandError, run

_LISTING_S = 120.0


def checksums(tree: Path) -> str:
    """One line for each regular file that git tracks, submodules included; empty where there is no repository.

    A file that differs from its commit counts as the commit has it: the pod will find the difference and say so.

    Raises:
        LauncherError: Git cannot list them.
    """
    if not (tree / ".git").exists():
        return ""
    changed = set(_names(tree, "diff", "--name-only", "-z", "--no-renames", "HEAD"))
    lines = []
    for name in _names(tree, "ls-files", "-z", "--recurse-submodules"):
        digest = _committed(tree, name) if name in changed else _digest(tree / name)
        lines += [_line(name, digest)] if digest else []
    return "".join(lines)


def _names(tree: Path, *words: str) -> list[str]:
    return [name for name in _git(tree, *words).decode("utf-8", "surrogateescape").split("\0") if name]


def _digest(path: Path) -> str:
    """Empty for what is no regular file: a link has no content of its own."""
    if path.is_symlink() or not path.is_file():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _committed(tree: Path, name: str) -> str:
    if (tree / name).is_dir():
        return ""
    return sha256(_git(tree, "cat-file", "--filters", f"HEAD:{name}")).hexdigest()


def _git(tree: Path, *words: str) -> bytes:
    try:
        return run(["git", *words], cwd=tree, timeout=_LISTING_S).stdout
    except CommandError as error:
        raise LauncherError(f"the files of {tree} could not be listed for the pod to compare: {error}") from error


def _line(name: str, digest: str) -> str:
    """Coreutils mark a line with a backslash when its name holds a line break, a return or a backslash."""
    escaped = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    return f"{'' if escaped == name else chr(92)}{digest}  {escaped}\n"
