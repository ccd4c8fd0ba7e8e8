"""Evidence of what is the user's: taken before and after, and compared.

Covered are HEAD, index, stash, configuration, hooks and whatever else lies in `.git`, every ref, submodules and other
worktrees included; and on request every file of the checkout, ignored ones too. Left out is what is ours: branches
and notes of ours, our worktrees, our folders, `info/exclude`; and git's object store, which only ever grows.
"""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from autoresearch.experiment.names import PREFIX
from autoresearch.git.call import call
from autoresearch.git.refs import HEADS, common_dir, root
from autoresearch.git.worktree import HOME, listing
from autoresearch.records.mirror import REFS
from autoresearch.records.notes import REF

OURS = ("reports/auto_research*", "session", HOME)
"""Top-level places in a checkout that are ours, as globs of relative paths."""

_STORE = ("objects", "lfs", "refs", "packed-refs", "reftable", "info/exclude")
"""In a git folder: content-addressed, compared as refs, or (the exclude file) ours by agreement."""

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Snapshot:
    """What was the case: pairs of a name and a fingerprint, sorted by name.

    Attributes:
        refs: Every ref that is not ours, with the commit or the ref it points at.
        store: Every file in the git folder but objects and refs: mode and hash.
        files: Every file of the checkout: mode and hash; empty folders too. None when it was not asked for.
    """

    refs: Facts
    store: Facts
    files: Facts | None = None

    @classmethod
    def take(cls, repo: Path, *, contents: bool = True) -> "Snapshot":
        """Look at a checkout now, changing nothing.

        Args:
            repo: Any path in the user's checkout.
            contents: Whether to read every file of the checkout. Without it the look is cheap however large that is.
        """
        top = root(repo)
        return cls(_refs(top), _store(top), _checkout(top) if contents else None)


def difference(before: Snapshot, after: Snapshot) -> tuple[str, ...]:
    """What changed, one sentence each, such as `ref refs/heads/main: changed from 1a2b to 3c4d`; empty when nothing."""
    files = () if before.files is None or after.files is None else _compare("file", before.files, after.files)
    return (*_compare("ref", before.refs, after.refs), *_compare("git", before.store, after.store), *files)


def _compare(what: str, before: Facts, after: Facts) -> Iterator[str]:
    old, new = dict(before), dict(after)
    for name in sorted(old.keys() | new.keys()):
        if name not in new:
            yield f"{what} {name}: gone"
        elif name not in old:
            yield f"{what} {name}: new"
        elif old[name] != new[name]:
            yield f"{what} {name}: changed from {old[name]} to {new[name]}"


def _refs(top: Path) -> Facts:
    listed = call(top, "for-each-ref", "--format=%(refname) %(symref)%(objectname)").text.splitlines()
    pairs = (line.split(" ", 1) for line in listed)
    return tuple(
        (name, value) for name, value in pairs if name != REF and not name.startswith((f"{HEADS}{PREFIX}/", REFS))
    )


def _store(top: Path) -> Facts:
    folder = common_dir(top)
    ours = (
        f"logs/{HEADS}{PREFIX}",
        f"logs/{REF}",
        *(f"worktrees/{tree.admin.name}" for tree in listing(top, top / HOME)),
    )
    return _facts(folder, lambda path: path in (*_STORE, *ours) or _is_objects(folder / path))


def _checkout(top: Path) -> Facts:
    def skip(path: str) -> bool:
        ours = any(fnmatchcase(path, glob) for glob in OURS)
        return ours or (path == ".git" and (top / path).is_dir()) or _is_objects(top / path)

    return _facts(top, skip)


def _is_objects(folder: Path) -> bool:
    """Whether this is the object store of a repository, a submodule's included."""
    return folder.name == "objects" and (folder.parent / "HEAD").is_file() and folder.is_dir()


def _facts(folder: Path, skip: Callable[[str], bool]) -> Facts:
    return tuple(sorted((path, _fingerprint(folder / path)) for path in _walk(folder, "", skip)))


def _walk(top: Path, below: str, skip: Callable[[str], bool]) -> Iterator[str]:
    """Relative paths of files, links and empty folders that are not skipped; what vanishes meanwhile is left out."""
    try:
        entries = list(os.scandir(top / below))
    except OSError:
        entries = []
    if below and not entries:
        yield below
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if skip(path):
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(top, path, skip)
        else:
            yield path


def _fingerprint(path: Path) -> str:
    """Mode and content of a file, target of a link, or why it cannot be read."""
    try:
        mode = path.lstat().st_mode
        if stat.S_ISLNK(mode):
            return f"link to {path.readlink()}"
        if not stat.S_ISREG(mode):
            return f"{mode:o}"
        with path.open("rb") as file:
            return f"{mode:o} {hashlib.file_digest(file, 'sha256').hexdigest()}"
    except OSError as error:
        return f"unreadable: {error.strerror}"


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, by relative path; a folder that holds nothing ends in a slash."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink()).encode()
        elif path.is_file():
            found[name] = path.read_bytes()
        elif path.is_dir() and not any(path.iterdir()):
            found[f"{name}/"] = b""
    return found


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """Paths that are new, gone, or hold other bytes."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
