"""Worktrees that are used again: a checkout writes every file, a move to another commit only those that differ.

What makes one fit for that is an index of ours, taken when its files were checked out and kept in memory, where no run
gets to it: size, inode, times of each file. No program can set the time of change, so a file that git finds as that
index says holds what was checked out; any other is written again. What is not the commit's is deleted before a worktree
is put by, and so is what changed after the index was written: most gits compare whole seconds, and see of permissions
only whether a file is a program. A worktree that cannot be cleared so is not used again.
"""

import os
import stat
from collections.abc import Mapping
from itertools import count
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from autoresearch.git.objects import SUBMODULE
from autoresearch.machine import disk

FINDS = ("core.trustctime=true", "core.checkStat=default")
"""For the git that compares files with such an index: with all that is known of them."""

_MOST = 8
_RULES = ".gitattributes"


class CheckedOut(NamedTuple):
    """An index as it was when its files were checked out: content, own time in nanoseconds, commit, folders' mode."""

    content: bytes
    at_ns: int
    commit: str
    mode: int


class SpareTree(NamedTuple):
    """A worktree that was put by: its folder, its index, and the commit's rules that say how files are written."""

    folder: Path
    taken: CheckedOut
    rules: Mapping[str, tuple[str, str]]


_taken: dict[Path, CheckedOut] = {}
_spare: dict[Path, list[SpareTree]] = {}
_number = count()


def remember(tree: Path, index: Path, commit: str) -> None:
    """Keep the index of a worktree that was checked out just now, before anybody works in it."""
    _taken[tree] = CheckedOut(index.read_bytes(), index.stat().st_mtime_ns, commit, tree.stat().st_mode)


def forget(tree: Path) -> CheckedOut | None:
    """What was kept of a worktree, for the last time."""
    return _taken.pop(tree, None)


def lay_down(taken: CheckedOut, index: Path) -> None:
    """Put an index in its place with its own time: git reads what was written in that moment, or later, anew."""
    index.write_bytes(taken.content)
    os.utime(index, ns=(taken.at_ns, taken.at_ns))


def put_by(tree: Path, taken: CheckedOut, files: Mapping[str, tuple[str, str]], end: str) -> bool:
    """Clear a worktree of all that is not its commit's, and set it aside; False where it is to be deleted instead.

    Args:
        tree: Its folder.
        taken: What was kept of it.
        files: What its commit holds.
        end: How the name of a folder ends that anybody may delete.
    """
    spares = _spare.setdefault(tree.parent, [])
    spares[:] = [spare for spare in spares if spare.folder.is_dir()]
    if len(spares) >= _MOST or any(mode == SUBMODULE for mode, _ in files.values()):
        return False
    try:
        _clear(tree, taken, files)
        aside = tree.with_name(f".spare-{os.getpid()}-{next(_number)}{end}")
        tree.rename(aside)
    except OSError:
        return False
    spares.append(SpareTree(aside, taken, _rules(files)))
    return True


def take(below: Path, files: Mapping[str, tuple[str, str]]) -> SpareTree | None:
    """A worktree put by in a folder that can be moved to a commit which holds these files; it is whose who asks."""
    if any(mode == SUBMODULE for mode, _ in files.values()):
        return None
    rules, spares = _rules(files), _spare.get(below, [])
    for spare in reversed(spares):
        if spare.rules == rules and spare.folder.is_dir():
            spares.remove(spare)
            return spare
    return None


def _rules(files: Mapping[str, tuple[str, str]]) -> dict[str, tuple[str, str]]:
    """Where they differ, a file of one content may have to be written in another way."""
    return {path: held for path, held in files.items() if path.rpartition("/")[2] == _RULES}


def _clear(tree: Path, taken: CheckedOut, files: Mapping[str, tuple[str, str]]) -> None:
    """Delete what the commit has not, what changed after it was checked out, and what has a second name.

    Raises:
        OSError: Something cannot be looked at or deleted, or who may do what in a folder is not as it was.
    """
    folders = {str(folder) for path in files for folder in PurePosixPath(path).parents}
    ahead = [tree]
    for place in ahead:
        if place.lstat().st_mode != taken.mode:
            raise PermissionError(str(place))
        above = "" if place == tree else f"{place.relative_to(tree)}/"
        with os.scandir(place) as entries:
            found = list(entries)
        for entry in found:
            path, state = f"{above}{entry.name}", entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(state.st_mode) and path in folders:
                ahead.append(Path(entry.path))
            elif path not in files or stat.S_ISDIR(state.st_mode) or _is_changed(state, taken):
                disk.delete(Path(entry.path))
    for place in reversed(ahead[1:]):
        if not any(place.iterdir()):
            place.rmdir()  # git takes a folder away with the last of its files, not one that lost them before


def _is_changed(state: os.stat_result, taken: CheckedOut) -> bool:
    return state.st_nlink > 1 or state.st_ctime_ns > taken.at_ns
