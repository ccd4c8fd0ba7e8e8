"""The questions the program asks git, and branches of ours.

Each function takes any path inside the user's checkout or inside a worktree of it. Nothing here writes to a checkout,
to the user's index, or to a ref outside `refs/heads/autoresearch/` and its archive.
"""

import os
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from autoresearch.errors import RepositoryError
from autoresearch.experiment.names import PREFIX
from autoresearch.git import companion
from autoresearch.git.call import ask, call, is_hash, nul

HEADS = "refs/heads/"
ARCHIVE = "refs/archive/"
"""Where branches go that a person does not want to see any more; git keeps what they hold."""


@dataclass(frozen=True)
class Changes:
    """What is not committed in a checkout: paths relative to its root, sorted.

    Attributes:
        staged: Differ between HEAD and the index.
        unstaged: Differ between the index and the files, submodules with a change of any kind included.
        untracked: Neither tracked nor ignored.
        conflicted: Left unmerged.
    """

    staged: tuple[str, ...] = ()
    unstaged: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    conflicted: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.staged or self.unstaged or self.untracked or self.conflicted)


def root(path: Path) -> Path:
    """The top folder of the checkout or worktree that `path` is in.

    Raises:
        RepositoryError: `path` is not inside a checkout.
    """
    try:
        return _top(path, seal) if (seal := _seal(path)) else _top.__wrapped__(path, ())
    except RepositoryError as error:
        if "not a git repository" in str(error):
            raise RepositoryError(
                f"{path} is not inside a git repository; run this in a checkout, or make one with: git init"
            ) from None
        if "must be run in a work tree" in str(error):
            raise RepositoryError(f"{path} is a bare repository; run this in a checkout made from it") from None
        raise


def common_dir(repo: Path) -> Path:
    """The `.git` folder that a checkout and all its worktrees share, absolute."""
    return _common(repo, seal) if (seal := _seal(repo)) else _common.__wrapped__(repo, ())


@lru_cache(maxsize=64)
def _top(path: Path, _seal: tuple[object, ...]) -> Path:
    return Path(call(path, "rev-parse", "--show-toplevel").text)


@lru_cache(maxsize=64)
def _common(path: Path, _seal: tuple[object, ...]) -> Path:
    told = _told_by_files(path, _seal) or call(path, "rev-parse", "--git-common-dir").text
    return (path / told).resolve()


def _told_by_files(path: Path, seal: tuple[object, ...]) -> str:
    """What the folder of a linked worktree in `.git` says of the one that all share, from gitrepository-layout(5)."""
    leads = seal[-1] if seal else b""
    if not isinstance(leads, bytes) or not leads.startswith(b"gitdir: "):
        return ""
    own = path / os.fsdecode(leads.removeprefix(b"gitdir: ").removesuffix(b"\n"))
    try:
        return str(own / os.fsdecode((own / "commondir").read_bytes()).removesuffix("\n"))
    except (OSError, ValueError):
        return ""


def _seal(path: Path) -> tuple[object, ...]:
    """What `.git` is in the top folder of a checkout: while it is the same, so is what git says of the place.

    Empty where there is no such thing: git looks further up then, and is asked every time.
    """
    own = path / ".git"
    try:
        state = own.lstat()
        if stat.S_ISREG(state.st_mode):
            return state.st_dev, state.st_ino, own.read_bytes()
        return (state.st_dev, state.st_ino, (own / "commondir").exists()) if stat.S_ISDIR(state.st_mode) else ()
    except OSError:
        return ()


def head_commit(repo: Path) -> str:
    """Full hash of the commit that is checked out.

    Raises:
        RepositoryError: There is no commit yet.
    """
    commit = ask(repo, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if commit is None:
        raise RepositoryError(
            f"{root(repo)} has no commit yet, and experiments start from one; make a first commit: git commit"
        )
    return commit


def resolve(repo: Path, rev: str) -> str:
    """Full hash of the commit that a revision names.

    Raises:
        RepositoryError: It names none.
    """
    return _known(repo, rev) if is_hash(rev) else _known.__wrapped__(repo, rev)


@lru_cache(maxsize=1024)
def _known(repo: Path, rev: str) -> str:
    if is_hash(rev) and (held := companion.ask(common_dir(repo), [f"{rev}^{{commit}}"], read=False)) and held[0]:
        return held[0].digest
    commit = None if rev.startswith("-") else ask(repo, "rev-parse", "--verify", "--quiet", f"{rev}^{{commit}}")
    if commit is None:
        raise RepositoryError(f"{rev!r} names no commit in {repo}; check it with: git log {rev}")
    return commit


def current_branch(repo: Path) -> str | None:
    """The branch that is checked out, None when HEAD is detached."""
    if (said := _told_by_head(repo)) is not None:
        return said or None
    ref = ask(repo, "symbolic-ref", "--quiet", "HEAD")
    return ref and ref.removeprefix(HEADS)


def _told_by_head(repo: Path) -> str | None:
    """What the file HEAD of a linked worktree says, from gitrepository-layout(5): a branch, empty for none.

    None where that file does not tell, and git is asked.
    """
    seal = _seal(repo)
    leads = seal[-1] if seal else b""
    if not isinstance(leads, bytes) or not leads.startswith(b"gitdir: "):
        return None
    try:
        said = (repo / os.fsdecode(leads.removeprefix(b"gitdir: ").removesuffix(b"\n")) / "HEAD").read_text("utf-8")
    except (OSError, ValueError):
        return None
    said = said.removesuffix("\n")
    if is_hash(said):
        return ""
    branch = said.removeprefix(f"ref: {HEADS}")
    return branch if branch not in {said, ".invalid"} else None


def changes(repo: Path) -> Changes:
    """What is not committed in the checkout at `repo`; the index is read and never refreshed."""
    flags = ("--porcelain=v2", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none")
    staged, unstaged, untracked, conflicted = [], [], [], []
    for record in nul(call(root(repo), "status", *flags).stdout):
        kind, _, rest = record.partition(" ")
        if kind == "?":
            untracked.append(rest)
        elif kind == "u":
            conflicted.append(rest.split(" ", 9)[-1])
        elif kind == "1":
            path = rest.split(" ", 7)[-1]
            staged += [path] * (rest[0] != ".")
            unstaged += [path] * (rest[1] != ".")
    return Changes(*(tuple(sorted(paths)) for paths in (staged, unstaged, untracked, conflicted)))


def committed(repo: Path, commit: str, paths: Sequence[str]) -> frozenset[str]:
    """Those of `paths`, relative to the root, that a commit holds."""
    if not paths:
        return frozenset()
    return frozenset(nul(call(root(repo), "ls-tree", "-z", "--name-only", commit, "--", *paths).stdout))


def tracked(repo: Path, paths: Sequence[str]) -> frozenset[str]:
    """Those of `paths`, relative to the root, that git tracks, in submodules too; a folder if it holds such a file."""
    top = root(repo)
    literal = [f":(top,literal){path}" for path in paths]
    found = nul(call(top, "ls-files", "-z", "--recurse-submodules", "--", *literal).stdout) if literal else ()
    return frozenset(path for path in paths if any(one == path or one.startswith(f"{path}/") for one in found))


def value(repo: Path, ref: str) -> str | None:
    """What a ref of this full name holds, None when there is none."""
    return lying(common_dir(repo), ref) or ask(repo, "rev-parse", "--verify", "--quiet", ref)


def lying(git_dir: Path, ref: str) -> str:
    """What the file of a ref says, from gitrepository-layout(5); empty where it has none, and only git can tell.

    Where there is such a file it goes before what git packed, and is replaced as a whole when the ref is moved.
    """
    try:
        said = (git_dir / ref).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
    return said if is_hash(said) else ""


def known(repo: Path, ref: str) -> bool:
    """Whether there is a ref of this full name."""
    return ask(repo, "rev-parse", "--verify", "--quiet", ref) is not None


def bundle(repo: Path, file: Path, found: Sequence[str]) -> None:
    """Write refs with all of their history into one file, from which git fetches as from a repository."""
    call(repo, "bundle", "create", "--quiet", str(file), *found)


def branches(repo: Path, prefix: str = PREFIX) -> dict[str, str]:
    """Every branch below `prefix` (a whole path component) with its commit, sorted by name."""
    refs = call(repo, "for-each-ref", "--format=%(objectname) %(refname)", HEADS + prefix.rstrip("/")).text
    pairs = (line.split(" ", 1) for line in refs.splitlines())
    return {ref.removeprefix(HEADS): commit for commit, ref in pairs}


def branch_commit(repo: Path, branch: str) -> str | None:
    """The commit a branch points at, None when there is no such branch."""
    return ask(repo, "rev-parse", "--verify", "--quiet", f"{HEADS}{branch}^{{commit}}")


def in_the_way(repo: Path, branch: str) -> str:
    """A branch that `branch` would lie below, or that lies below it: git can have one of them only; empty for none."""
    known = branches(repo)
    above = (str(parent) for parent in PurePosixPath(branch).parents)
    return next((name for name in above if name in known), "") or next(
        (name for name in known if name.startswith(f"{branch}/")), ""
    )


def of_ours(repo: Path) -> tuple[Path, ...]:
    """Where git keeps refs of ours: branches, notes, copies of records; those that are packed lie with everybody's."""
    kept = (f"{HEADS}{PREFIX}", f"{ARCHIVE}{PREFIX}", "refs/notes", f"refs/{PREFIX}", f"refs/{PREFIX}-evidence")
    common = common_dir(repo)
    return tuple(common / place / ref for place in ("", "logs") for ref in kept)


def create_branch(repo: Path, branch: str, commit: str) -> None:
    """Make a branch of ours; one that already points at `commit` is fine.

    Raises:
        RepositoryError: It exists and points elsewhere (it is left as it is), or its name is not ours or not valid.
    """
    if not _moved(repo, branch, commit, "0" * len(commit)):
        raise RepositoryError(
            f"branch {branch} already exists at {branch_commit(repo, branch)} and is kept; "
            f"{commit} needs a branch of another name"
        )


def advance_branch(repo: Path, branch: str, old: str, new: str) -> None:
    """Move a branch of ours from `old` to `new`; one that is already there is fine.

    Raises:
        RepositoryError: It points at neither, so somebody else moved it; it is left as it is.
    """
    if not _moved(repo, branch, new, old):
        raise RepositoryError(
            f"branch {branch} points at {branch_commit(repo, branch)} instead of {old}: somebody moved it; "
            f"put it back with: git branch -f {branch} {old}"
        )


def _moved(repo: Path, branch: str, new: str, old: str) -> bool:
    """Compare-and-swap of a ref; false when it holds another value than the one expected."""
    if not branch.startswith(f"{PREFIX}/"):
        raise RepositoryError(f"branch {branch} is not below {PREFIX}/ and therefore not written by autoresearch")
    try:
        call(repo, "update-ref", "-m", "autoresearch", "--create-reflog", HEADS + branch, new, old)
    except RepositoryError:
        now = branch_commit(repo, branch)
        if now in (None, old):
            raise
        return now == new
    return True


def checked_out(repo: Path) -> frozenset[str]:
    """Branches that a checkout or a worktree stands on."""
    listed = call(repo, "for-each-ref", "--format=%(worktreepath)%00%(refname)", HEADS + PREFIX).text
    pairs = (line.split("\0", 1) for line in listed.splitlines())
    return frozenset(ref.removeprefix(HEADS) for place, ref in pairs if place)


def archive(repo: Path, found: Mapping[str, str]) -> None:
    """Move branches of ours to the archive, all of them or none.

    Args:
        repo: The repository.
        found: Branches, each with the commit that it was seen at.

    Raises:
        RepositoryError: One is not ours, was moved since, or the archive has another one of that name.
    """
    lines = []
    for branch, commit in found.items():
        if not branch.startswith(f"{PREFIX}/"):
            raise RepositoryError(f"branch {branch} is not below {PREFIX}/ and therefore not moved by autoresearch")
        there = ask(repo, "rev-parse", "--verify", "--quiet", f"{ARCHIVE}{branch}^{{commit}}")
        lines += [] if there == commit else [f"create {ARCHIVE}{branch} {commit}\n"]
        lines.append(f"delete {HEADS}{branch} {commit}\n")
    if lines:
        call(repo, "update-ref", "-m", "autoresearch gc", "--stdin", stdin="".join(lines).encode())


def exclude(repo: Path, patterns: Sequence[str]) -> tuple[str, ...]:
    """Keep paths out of `git status` for this clone only; returns the patterns that were not there yet.

    The lines go to the end of `info/exclude` in the folder that all worktrees share; what stands there stays.

    Raises:
        RepositoryError: That file cannot be written and lacks some of them.
    """
    file = common_dir(repo) / "info" / "exclude"
    try:
        return _add_lines(file, patterns)
    except OSError as error:
        raise RepositoryError(
            f"cannot write {file}: {error.strerror}; what is ours would show up in your git status, so make it "
            f"writable, or have its owner add the lines: {' '.join(patterns)}"
        ) from error


def _add_lines(file: Path, lines: Sequence[str]) -> tuple[str, ...]:
    file.parent.mkdir(exist_ok=True)
    text = file.read_bytes() if file.exists() else b""
    missing = tuple(line for line in lines if os.fsencode(line) not in text.splitlines())
    if missing:
        gap = b"" if not text or text.endswith(b"\n") else b"\n"
        with file.open("ab") as sink:
            sink.write(gap + b"".join(os.fsencode(line) + b"\n" for line in missing))
    return missing
