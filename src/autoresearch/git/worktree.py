"""One worktree per experiment: made for a commit, put on its branch, removed, or used again.

`git worktree prune` is never called: it would also forget worktrees of the user's that are only unmounted. What is
found out about a worktree comes from the documented files below `.git/worktrees`, so that a broken one can be mended.
"""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path

from autoresearch.errors import RepositoryError
from autoresearch.git import commits, objects, pool, refs
from autoresearch.git.call import FULL, ask, call, is_hash
from autoresearch.machine import fault_points, lock_owner
from autoresearch.machine.disk import delete, replace

HOME = ".autoresearch"
"""The folder in the user's checkout below which all worktrees of ours lie, and left-overs may be deleted."""

_LOOK, _OWNER = ".look-", ".json"
"""What a worktree is called that is only looked into, and what is added for the file that says whose it is."""

_TRASH = ".removed"
"""Ends the name of a worktree's folder that is being deleted."""

_ADD = (*FULL, "checkout.workers=4", "checkout.thresholdForParallelism=1000", "worktree.guessRemote=false")


@dataclass(frozen=True)
class Tree:
    """A worktree that git knows of.

    Attributes:
        path: Its folder, absolute; it may be gone.
        admin: Git's own folder about it, below `.git/worktrees`.
        commit: The commit it is at, None when that cannot be told any more.
        locked: Whether it is locked, as one is that is still being made.
    """

    path: Path
    admin: Path
    commit: str | None
    locked: bool


def add(repo: Path, path: Path, commit: str) -> Path:
    """Have a complete worktree at `path` whose HEAD is `commit`; detached when it is new.

    A healthy one at that commit is left alone with its edits and its branch. Anything else that is there (half made,
    at another commit, forgotten by git, locked, registered but gone) is removed and made again.

    Returns:
        `path`, absolute.

    Raises:
        RepositoryError: `path` does not lie below `HOME`, or git cannot check out `commit`.
    """
    with _ONE:
        return _add(repo, path, commit)


_ONE = threading.RLock()
"""One thread at a time makes or removes: git's own folder of worktrees comes and goes with the first and the last."""


def _add(repo: Path, path: Path, commit: str) -> Path:
    path, git_dir = _absolute(path), refs.common_dir(repo)
    admin = _registered(git_dir, path)
    if admin is not None and is_hash(commit) and _healthy(_tree(path, admin), commit):
        return path
    commit = refs.resolve(repo, commit)
    if admin is not None and _healthy(_tree(path, admin), commit):
        return path
    _remove(refs.root(repo), git_dir, path, admin)
    path.parent.mkdir(parents=True, exist_ok=True)
    fault_points.point("worktree.add.before")
    try:
        _make(repo, path, commit)
    except RepositoryError:
        # Somebody may have deleted it while git made it; whatever else it was says so again.
        _remove(refs.root(repo), git_dir, path, _registered(git_dir, path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _make(repo, path, commit)
    fault_points.point("worktree.add.after")
    return path


def _make(repo: Path, path: Path, commit: str) -> None:
    git_dir = refs.common_dir(repo)
    if not _moved_here(repo, git_dir, path, commit):
        call(repo, "worktree", "add", "--quiet", "--detach", "--no-guess-remote", str(path), commit, config=_ADD)
    if (admin := _registered(git_dir, path)) is not None:
        with suppress(OSError):  # somebody may delete it now; whoever works in it hears of that
            pool.remember(path, admin / "index", commit)


def _moved_here(repo: Path, git_dir: Path, path: Path, commit: str) -> bool:
    """Move a worktree that was put by to a place and a commit; False where there is none, or git does not take it."""
    if _first_line(git_dir / "HEAD") == _REFS_ELSEWHERE or (git_dir / "config.worktree").exists():
        return False
    spare = pool.take(path.parent, objects.listing(repo, commit))
    if spare is None:
        return False
    try:
        spare.folder.rename(path)
        admin = _register(git_dir, path, commit)
        pool.lay_down(spare.taken, admin / "index")
        call(path, "read-tree", "--reset", "-u", commit, config=(*_ADD, *pool.FINDS))
        (admin / "locked").unlink()
    except (OSError, RepositoryError):
        for place in (spare.folder, path):
            _remove(refs.root(repo), git_dir, place, _registered(git_dir, place))
        return False
    return True


_REFS_ELSEWHERE = "ref: refs/heads/.invalid"
"""What HEAD says where git keeps refs in another format: there, and where worktrees have settings, git makes them."""


def _register(git_dir: Path, path: Path, commit: str) -> Path:
    """Have git know of a worktree at a commit, see gitrepository-layout(5); locked, as long as it is being made."""
    home = git_dir / "worktrees"
    home.mkdir(exist_ok=True)
    names = (f"{path.name.lstrip('.')}{number or ''}" for number in count())
    admin = next(place for place in map(home.joinpath, names) if not os.path.lexists(place))
    admin.mkdir()
    (admin / "locked").write_text("initializing")
    (admin / "gitdir").write_bytes(os.fsencode(path / ".git") + b"\n")
    (admin / "commondir").write_text("../..\n")
    (admin / "HEAD").write_text(f"{commit}\n")
    (path / ".git").write_bytes(b"gitdir: " + os.fsencode(admin) + b"\n")
    return admin


def _absolute(path: Path) -> Path:
    """Absolute, with links in the way to it followed as git does, but not a link at its end."""
    return path.parent.resolve() / path.name


def _healthy(tree: Tree, commit: str) -> bool:
    if tree.locked or tree.commit != commit or _admin(tree.path) != tree.admin:
        return False
    return (tree.admin / "index").exists() and not (tree.admin / "index.lock").exists()


def remove(repo: Path, path: Path) -> None:
    """Delete a worktree's folder and what git remembers of it; its commits and branch stay. Twice is fine.

    Raises:
        RepositoryError: `path` does not lie below `HOME`.
    """
    path, git_dir = _absolute(path), refs.common_dir(repo)
    with _ONE:
        _remove(refs.root(repo), git_dir, path, _registered(git_dir, path))


def put_by(repo: Path, path: Path) -> None:
    """Take away a worktree whose files nobody works with any more, and keep them for the next one in this folder.

    For one in which nothing can be at work still. What is not its commit's is deleted, and what was written since it
    was checked out is written again with the next commit; see `pool`.

    Raises:
        RepositoryError: `path` does not lie below `HOME`.
    """
    path, git_dir = _absolute(path), refs.common_dir(repo)
    with _ONE:
        root, admin, taken = refs.root(repo), _registered(git_dir, path), pool.forget(path)
        _check_ours(root, git_dir, path)
        if taken is not None and admin is not None and _healthy(_tree(path, admin), _commit(admin) or ""):
            pool.put_by(path, taken, objects.listing(repo, taken.commit), _TRASH)
        _remove(root, git_dir, path, admin)


def _remove(root: Path, git_dir: Path, path: Path, admin: Path | None) -> None:
    trash = path.with_name(f"{path.name}{_TRASH}")
    _check_ours(root, git_dir, path)
    pool.forget(path)
    delete(trash)
    if os.path.lexists(path):
        path.rename(trash)
    fault_points.point("worktree.remove.before")
    if admin is not None:
        delete(admin)
        with suppress(OSError):
            admin.parent.rmdir()  # git, too, keeps none that is empty
    fault_points.point("worktree.remove.after")
    delete(trash)


def sweep(below: Path) -> None:
    """Delete the folders that a `remove` which did not come to its end has set aside below a folder of ours."""
    for trash in below.glob(f"*{_TRASH}"):
        delete(trash)


@contextmanager
def passing(repo: Path, place: Path, commit: str) -> Iterator[Path]:
    """A worktree of a commit below `place`, gone again afterwards with every folder that was made for it.

    Those that killed processes left go as well, here and beside `place`, once their owner is known to be dead.
    """
    tree = place / f"{_LOOK}{os.getpid()}-{threading.get_ident()}"
    _clear_passed(repo, place.parent)
    owner, top = place / f"{tree.name}{_OWNER}", refs.root(repo)
    made = [folder for folder in tree.parents if folder.is_relative_to(top) and not folder.exists()]
    place.mkdir(parents=True, exist_ok=True)
    replace(owner, json.dumps(asdict(lock_owner.here())))
    try:
        yield add(repo, tree, commit)
    finally:
        remove(repo, tree)
        owner.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def _clear_passed(repo: Path, below: Path) -> None:
    """Take away what processes left that are known to be dead; of all others nobody here can tell."""
    for note in sorted(below.glob(f"*/{_LOOK}*{_OWNER}")):
        try:
            owner = lock_owner.read(json.loads(note.read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if lock_owner.alive(owner, owner.since) is False:
            remove(repo, note.with_name(note.name.removesuffix(_OWNER)))
            note.unlink(missing_ok=True)


def _check_ours(root: Path, git_dir: Path, path: Path) -> None:
    """Whatever lies below `HOME` (which may be a link to a larger disk) may be deleted, and nothing else."""
    homes = {(folder / HOME).resolve() for folder in (root, git_dir.parent)}
    if path.is_symlink() or homes.isdisjoint(path.parents):
        raise RepositoryError(f"{path} does not lie below {root / HOME}, as our worktrees do; it stays as it is")


def listing(repo: Path, below: Path) -> tuple[Tree, ...]:
    """The worktrees that git knows of below a folder, sorted by path, also those whose folder is gone."""
    top = below.resolve()
    known = sorted(_registrations(refs.common_dir(repo)))
    return tuple(_tree(path, admin) for path, admin in known if top in path.parents)


def _registered(git_dir: Path, path: Path) -> Path | None:
    """Git's own folder about the worktree at `path`, None when it knows of none there."""
    return next((admin for known, admin in _registrations(git_dir) if known == path), None)


def _registrations(git_dir: Path) -> Iterator[tuple[Path, Path]]:
    """Folder and admin folder of every linked worktree, from gitrepository-layout(5)."""
    home = git_dir / "worktrees"
    for admin in home.iterdir() if home.is_dir() else ():
        if pointer := _first_line(admin / "gitdir"):
            yield _absolute((admin / pointer).parent), admin


def _tree(path: Path, admin: Path) -> Tree:
    return Tree(path, admin, _commit(admin), locked=(admin / "locked").exists())


def _commit(admin: Path) -> str | None:
    head = _first_line(admin / "HEAD")
    branch = head.removeprefix("ref: ")
    found = refs.lying(admin.parent.parent, branch) if branch != head else head
    if is_hash(found):
        return found
    try:
        return ask(admin, "--git-dir=.", "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    except RepositoryError:
        return None


def _admin(path: Path) -> Path | None:
    """Where the `.git` file of a worktree points, None when it has none."""
    pointer = _first_line(path / ".git")
    return (path / pointer.removeprefix("gitdir: ")).resolve() if pointer.startswith("gitdir: ") else None


def _first_line(file: Path) -> str:
    """What a small file of git's says, without its newline; empty when it cannot be read."""
    try:
        return os.fsdecode(file.read_bytes()).removesuffix("\n")
    except OSError:
        return ""


def check(repo: Path, path: Path) -> None:
    """Refuse a worktree whose `.git` file leads elsewhere: it decides whose configuration git obeys there.

    Raises:
        RepositoryError: It does, or git does not know of the worktree.
    """
    git_dir = refs.common_dir(repo)
    admin = _registered(git_dir, _absolute(path))
    if admin is None or _admin(path) != admin:
        raise RepositoryError(
            f"{path} is no longer the worktree that was made there: its .git file is gone or leads elsewhere; "
            f"put back what it said: gitdir: {admin or git_dir / 'worktrees' / '...'}"
        )


def _head(path: Path) -> str:
    admin = _admin(path)
    return _first_line(admin / "HEAD") if admin else ""


def attach(path: Path, branch: str, commit: str = "") -> None:
    """Put a worktree on its branch; its files stay as they are, and its own index follows.

    Nothing is asked of git where this process has put it there already, and the branch was at the same `commit`.

    Raises:
        RepositoryError: There is no such branch.
    """
    if commit and _attached.get(path) == (branch, commit) and _head(path) == f"ref: {refs.HEADS}{branch}":
        return
    if not _put_on(path, branch, commit):
        try:
            call(path, "read-tree", "--reset", refs.HEADS + branch, config=FULL)
        except RepositoryError:
            if refs.branch_commit(path, branch) is None:
                raise RepositoryError(f"there is no branch {branch} to put {path} on") from None
            raise
        call(path, "symbolic-ref", "-m", "autoresearch", "HEAD", refs.HEADS + branch)
    _attached[path] = branch, commit


def _put_on(path: Path, branch: str, commit: str) -> bool:
    """Give a worktree the index its newest commit was made with, and its HEAD; whether that was all there is to do.

    Files say so, see gitrepository-layout(5); where git keeps refs otherwise, or is at work there, it is asked.
    """
    held, admin, ref = commits.index_of(path, commit), _admin(path), refs.HEADS + branch
    if not held or admin is None or _registered(admin.parent.parent, _absolute(path)) != admin:
        return False
    if refs.lying(admin.parent.parent, ref) != commit or (admin / "index.lock").exists():
        return False
    replace(admin / "index", held, lasting=False)
    replace(admin / "HEAD", f"ref: {ref}\n", lasting=False)
    return True


_attached: dict[Path, tuple[str, str]] = {}
"""On which branch, and at which commit of it, worktrees were put by this process."""
