"""Submodules of a worktree: filled from the user's own submodule repositories, which are only ever read."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoresearch.errors import RepositoryError
from autoresearch.git import refs
from autoresearch.git.call import FULL, ask, call, private_index
from autoresearch.git.contents import differing
from autoresearch.git.objects import submodules_of
from autoresearch.machine.disk import delete


@dataclass(frozen=True)
class Unfilled:
    """A submodule that could not be filled in a worktree, and why."""

    path: str
    why: str

    def __str__(self) -> str:
        """For a message: the path, and why in brackets."""
        return f"{self.path} ({self.why})"


@dataclass(frozen=True)
class _Pin:
    """A submodule that is populated in the user's checkout.

    `path` is relative to the worktree, `theirs` the user's repository, `place` our folder, `commit` the pinned one.
    """

    path: str
    theirs: Path
    place: Path
    commit: str


def populate(repo: Path, tree: Path, commit: str = "") -> tuple[Unfilled, ...]:
    """Fill the submodules that are populated in the user's checkout, each with the commit that the worktree pins.

    Files come from the user's own submodule repositories; no `.git` is made. A folder that is filled already is made
    equal to the pinned commit again. Submodules inside submodules are filled too.

    Args:
        repo: Any path in the user's checkout.
        tree: Root of the worktree.
        commit: What it stands on, where that is known: git is not asked then.

    Returns:
        Submodules that are populated in the user's checkout and could not be filled.
    """
    return tuple(_fill_all(refs.root(repo), tree, commit or refs.head_commit(tree), ""))


def edited(repo: Path, tree: Path, commit: str = "") -> tuple[str, ...]:
    """Paths inside filled submodules of a worktree that differ from the pinned commit, relative to the worktree.

    Such edits are part of no commit, so a run that uses them cannot be reproduced.

    Args:
        repo: Any path in the user's checkout.
        tree: Root of the worktree.
        commit: What it was made from, where that is known: git is not asked then.
    """
    return tuple(sorted(_edits(refs.root(repo), tree, commit or refs.head_commit(tree), "")))


def _fill_all(theirs: Path, top: Path, commit: str, above: str) -> Iterator[Unfilled]:
    for pin in _pins(theirs, top, commit, above):
        try:
            _fill(pin, top)
        except (RepositoryError, OSError) as error:
            yield Unfilled(pin.path, str(error))
        else:
            yield from _fill_all(pin.theirs, top, pin.commit, f"{pin.path}/")


def _edits(theirs: Path, top: Path, commit: str, above: str) -> Iterator[str]:
    for pin in _pins(theirs, top, commit, above):
        if _filled(pin.place):
            with _borrowed(pin) as env:
                yield from (f"{pin.path}/{path}" for path in differing(pin.place, pin.commit, env))
            yield from _edits(pin.theirs, top, pin.commit, f"{pin.path}/")


def _pins(theirs: Path, top: Path, commit: str, above: str) -> Iterator[_Pin]:
    """The submodules that `commit` of the user's repository `theirs` pins, where they are populated."""
    for path, pinned in submodules_of(theirs, commit):
        if (theirs / path / ".git").exists():
            yield _Pin(above + path, theirs / path, top / above / path, pinned)


def _fill(pin: _Pin, top: Path) -> None:
    if ask(pin.theirs, "rev-parse", "--verify", "--quiet", f"{pin.commit}^{{commit}}") is None:
        raise RepositoryError(
            f"commit {pin.commit} is not in {pin.theirs}; fetch it there with: git submodule update --init {pin.path}"
        )
    if pin.place.resolve() != top.resolve() / pin.path:
        raise RepositoryError(f"{pin.place} leads through a symbolic link; it must be a folder")
    with _borrowed(pin) as env:
        if _filled(pin.place) and not differing(pin.place, pin.commit, env):
            return
    delete(pin.place)
    pin.place.mkdir(parents=True)
    with _borrowed(pin) as env:
        call(pin.place, "read-tree", "--reset", "-u", pin.commit, env=env, config=FULL)


def _filled(place: Path) -> bool:
    return place.is_dir() and any(place.iterdir())


@contextmanager
def _borrowed(pin: _Pin) -> Iterator[dict[str, str]]:
    """The user's submodule repository with our folder as its files and an index of our own."""
    git_dir = call(pin.theirs, "rev-parse", "--absolute-git-dir").text
    with private_index() as index:
        yield index | {"GIT_DIR": git_dir, "GIT_WORK_TREE": str(pin.place)}
