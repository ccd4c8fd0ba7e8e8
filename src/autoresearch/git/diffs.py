"""What lies in commits and between them: changed files, patches, contents, archives, merges. No ref is moved."""

import os
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from secrets import token_hex
from typing import IO, NamedTuple

from autoresearch.errors import LauncherError, RepositoryError
from autoresearch.experiment.change import FileChange
from autoresearch.git import arrival, companion, refs
from autoresearch.git.call import EMAIL, FULL, NAME, call, is_hash, nul, private_index
from autoresearch.git.commits import Identity, commit_tree
from autoresearch.git.objects import SUBMODULE, SYMLINK, blobs, changed_paths, listing

_DIFF = (
    "diff-tree",
    "-r",
    "--no-color",
    "--no-ext-diff",
    "--no-textconv",
    "--ignore-submodules=none",
    "--no-relative",
)
_PATCH = ("-p", "--no-renames", "--full-index", "--src-prefix=a/", "--dst-prefix=b/")


@dataclass(frozen=True, kw_only=True)
class FileStatus:
    """One file that differs between two commits.

    Attributes:
        status: `A` added, `M` modified, `D` deleted, `T` became another kind of file.
        path: Where it is now; for a deleted file, where it was.
        mode: Git's file mode afterwards (`100644`, `100755`, `120000`, `160000`; `000000` when deleted).
        old_mode: The same before.
        added: Lines added, 0 for a binary file.
        deleted: Lines deleted, 0 for a binary file.
        binary: Whether git sees it as binary.
        link: Target of a symbolic link as it is now, else None.
    """

    status: str
    path: str
    mode: str = "100644"
    old_mode: str = "100644"
    added: int = 0
    deleted: int = 0
    binary: bool = False
    link: str | None = None

    @property
    def is_symlink(self) -> bool:
        """Whether it is, or was, a symbolic link."""
        return SYMLINK in (self.mode, self.old_mode)

    @property
    def is_submodule(self) -> bool:
        """Whether it is, or was, a submodule."""
        return SUBMODULE in (self.mode, self.old_mode)


@dataclass(frozen=True)
class MergeResult:
    """A merge of two commits that was computed without touching any file.

    Attributes:
        tree: Hash of the merged tree, None when it conflicts.
        conflicts: Files in conflict, sorted.
    """

    tree: str | None
    conflicts: tuple[str, ...] = ()


def changed_files(repo: Path, a: str, b: str) -> tuple[FileStatus, ...]:
    """Every file that differs between two commits, in git's order; a moved file is one deleted and one added."""
    return tuple(_told(repo, _whole_difference(repo, a, b)[0]))


def _told(repo: Path, output: bytes) -> Iterator[FileStatus]:
    tokens = iter(nul(output))
    raw: list[_Raw] = []
    counts: dict[str, tuple[str, str]] = {}
    for token in tokens:
        if token.startswith(":"):
            old_mode, mode, _, blob, status = token[1:].split(" ")
            raw.append(_Raw(status[0], next(tokens), mode, old_mode, blob))
        else:
            added, deleted, path = token.split("\t", 2)
            counts[path] = (added, deleted)
    links = [entry.blob for entry in raw if entry.mode == SYMLINK]
    targets = dict(zip(links, blobs(repo, links), strict=True))
    return (_change(entry, counts.get(entry.path, ("0", "0")), targets) for entry in raw)


def file_changes(repo: Path, a: str, b: str) -> tuple[FileChange, ...]:
    """What differs between two commits as the guards look at it: a moved file counts at both of its places."""
    return tuple(
        FileChange(
            path=change.path,
            added=change.added,
            deleted=change.deleted,
            binary=change.binary,
            link_target=change.link or "",
            submodule=change.is_submodule,
        )
        for change in changed_files(repo, a, b)
    )


class _Raw(NamedTuple):
    """One record of git's raw format."""

    status: str
    path: str
    mode: str
    old_mode: str
    blob: str


def _change(entry: _Raw, counts: tuple[str, str], targets: dict[str, bytes]) -> FileStatus:
    binary = counts[0] == "-"
    added, deleted = (0, 0) if binary else (int(counts[0]), int(counts[1]))
    link = os.fsdecode(targets[entry.blob]) if entry.mode == SYMLINK else None
    return FileStatus(
        status=entry.status,
        path=entry.path,
        mode=entry.mode,
        old_mode=entry.old_mode,
        added=added,
        deleted=deleted,
        binary=binary,
        link=link,
    )


def imported_names(repo: Path, commit: str) -> frozenset[str]:
    """Top-level names that Python files of a commit import, those of its own modules included."""
    pattern = "^[[:space:]]*(import|from)[[:space:]]+[A-Za-z_][A-Za-z_0-9]*"
    found = call(repo, "grep", "-hIoE", pattern, commit, "--", "*.py", codes=(0, 1)).stdout
    return frozenset(line.split()[-1] for line in found.decode("utf-8", "replace").splitlines() if line.split())


def named_in(repo: Path, commit: str, paths: Sequence[str]) -> frozenset[str]:
    """Words that files of a commit hold and that could name other files or modules: quoted paths, imports."""
    held = listing(repo, commit)
    plain = [held[path][1] for path in dict.fromkeys(paths) if path in held and held[path][0].startswith(_PLAIN)]
    texts = (text for text in blobs(repo, plain) if b"\0" not in text[:8000])
    return frozenset(word.decode() for text in texts for word in _WORD.findall(text))


_PLAIN = "100"
"""How modes of files begin that are neither links nor submodules."""

_WORD = re.compile(rb"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def patch(repo: Path, a: str, b: str) -> bytes:
    """The difference as a patch that `git apply` takes, binary files and file modes included."""
    told = _difference(repo, a, b)
    is_binary = told.startswith(_BINARY) or b"\n" + _BINARY in told
    return call(repo, *_DIFF, *_PATCH, "--binary", a, b).stdout if is_binary else told


def diff(repo: Path, a: str, b: str, exclude: Sequence[str] = ()) -> str:
    """The difference for reading: binary files only named (with their hashes), bytes that are not UTF-8 replaced.

    Args:
        repo: Any path in the repository.
        a: The commit before.
        b: The commit after.
        exclude: Files or folders to leave out, relative to the root.
    """
    changed = changed_paths(repo, a, b) if exclude else ()
    left = [path for path in changed if not any(path == one or path.startswith(f"{one}/") for one in exclude)]
    if len(left) == len(changed):
        told = _difference(repo, a, b)
    elif left:
        paths = (":(top)", *(f":(top,exclude,literal){path}" for path in exclude))
        told = call(repo, *_DIFF, *_PATCH, a, b, "--", *paths).stdout
    else:
        told = b""
    return told.decode("utf-8", "replace")


_BINARY = b"Binary files "
"""How git begins the line that stands for what is no text; lines of a text have a sign of their own before them."""


def _difference(repo: Path, a: str, b: str) -> bytes:
    return _whole_difference(repo, a, b)[1]


def _whole_difference(repo: Path, a: str, b: str) -> tuple[bytes, bytes]:
    """Records of the files that differ, and the patch: whoever wants the one wants the other soon."""
    common = refs.common_dir(repo)
    trees = companion.ask(common, [f"{a}^{{tree}}", f"{b}^{{tree}}"], read=False)
    if trees and trees[0] and trees[1]:
        return _difference_of_trees(common, trees[0].digest, trees[1].digest)
    known = _newest_difference if is_hash(a) and is_hash(b) else _newest_difference.__wrapped__
    return known(repo, a, b)


_WHOLE = (*_DIFF, *_PATCH, "-z", "--raw", "--numstat")


@lru_cache(maxsize=2)
def _newest_difference(repo: Path, a: str, b: str) -> tuple[bytes, bytes]:
    return _parts(call(repo, *_WHOLE, a, b).stdout)


@lru_cache(maxsize=2)
def _difference_of_trees(common: Path, a: str, b: str) -> tuple[bytes, bytes]:
    end = f"end of {token_hex(16)}\n".encode()  # git gives back what names nothing, after what it said before
    told = companion.answer(common, (*_WHOLE, "--stdin"), f"{a} {b}\n".encode() + end, partial(_until, end))
    return _newest_difference.__wrapped__(common, a, b) if told is None else _parts(told.partition(b"\n")[2])


def _until(end: bytes, told: IO[bytes]) -> bytes:
    """All up to a line that nobody can have foreseen."""
    found = bytearray()
    while line := told.readline():
        found += line
        if found.endswith(end):
            return bytes(found[: -len(end)])
    raise ValueError("git ended")


def _parts(told: bytes) -> tuple[bytes, bytes]:
    records, _, patch = told.partition(b"\0\0")  # no path is empty
    return (records + b"\0" if records else b""), patch


def apply_patch(tree: Path, patch: str) -> None:
    """Apply a unified diff to the files of a worktree, all of it or nothing.

    Wrong line counts in it are forgiven, and so are other line ends than a file has: the file keeps its own.

    Raises:
        RepositoryError: It does not fit, is no patch, or reaches outside the worktree.
    """
    text = patch if patch.endswith("\n") else f"{patch}\n"
    try:
        _apply(tree, text)
    except RepositoryError:
        if (other := "".join(_with_own_line_ends(tree, text))) == text:
            raise
        try:
            _apply(tree, other)
        except RepositoryError as error:
            raise RepositoryError(f"{error} (with the line ends of the files, CRLF, as well)") from None


def _apply(tree: Path, text: str) -> None:
    flags = ("--whitespace=nowarn", "--recount")
    call(tree, "apply", *flags, "-", stdin=text.encode("utf-8", "surrogateescape"), config=FULL)


def _with_own_line_ends(tree: Path, patch: str) -> Iterator[str]:
    """The lines of a patch: those of its hunks end as the lines of the file do, its own as git wants them."""
    lines = [line.removesuffix("\r") for line in patch.removesuffix("\n").split("\n")]
    end, within = "\n", False
    for line, later in pairwise([*lines, ""]):
        if line.startswith("--- ") and later.startswith("+++ "):
            names = [name[4:].partition("\t")[0].partition("/")[2] for name in (line, later)]
            end, within = "\r\n" if any(_is_crlf(tree / name) for name in names if name) else "\n", False
        elif line.startswith("@@ "):
            within = True
        elif line.startswith("diff --git "):
            within = False
        in_text = within and line[:1] in {" ", "+", "-", ""}
        yield line + (end if in_text and not line.startswith("@@ ") else "\n")


def _is_crlf(file: Path) -> bool:
    """Whether every line of a file ends as on Windows."""
    try:
        content = file.read_bytes()
    except (OSError, ValueError):
        return False
    return 0 < content.count(b"\n") == content.count(b"\r\n")


def archive(repo: Path, commit: str, destination: Path) -> None:
    """Write all files of a commit below `destination`, without a `.git` and without submodules' content.

    Unlike `git archive` it leaves out no file that attributes mark `export-ignore`: what lands is what was committed.
    """
    destination.mkdir(parents=True, exist_ok=True)
    git_dir = call(repo, "rev-parse", "--absolute-git-dir").text
    with private_index() as index:
        flags = (f"--git-dir={git_dir}", f"--work-tree={destination.resolve()}")
        call(destination, *flags, "read-tree", "--reset", "-u", commit, env=index, config=FULL)


def merge_tree(repo: Path, ours: str, theirs: str, base: str | None = None) -> MergeResult:
    """Merge two commits into a tree, touching no checkout.

    Args:
        repo: Any path in the repository.
        ours: The commit merged into.
        theirs: The commit merged from.
        base: What both are compared with; None takes their merge base.
    """
    if base is not None:
        # Git learned `--merge-base` in 2.40 only: graft both trees onto one commit of the base instead.
        start = _bare_commit(repo, base, ())
        ours, theirs = _bare_commit(repo, ours, (start,)), _bare_commit(repo, theirs, (start,))
    flags = ("--write-tree", "--name-only", "--no-messages", "-z")
    done = call(repo, "merge-tree", *flags, ours, theirs, codes=(0, 1))
    tree, *conflicts = nul(done.stdout)
    return MergeResult(tree) if done.code == 0 else MergeResult(None, tuple(sorted({*conflicts} - {""})))


def _bare_commit(repo: Path, commit: str, parents: Sequence[str]) -> str:
    return commit_tree(repo, f"{commit}^{{tree}}", parents, "autoresearch: merge base", Identity(NAME, EMAIL), 0)


class Archive(NamedTuple):
    """A zip of the files of a commit, and `ALGORITHM:FINGERPRINT` of these files (see `arrived`)."""

    content: bytes
    fingerprint: str


def pack(tree: Path) -> Archive:
    """The commit that is checked out in a worktree; what lies there uncommitted is no part of it.

    Raises:
        LauncherError: It cannot be packed, or git was told to pack something other than the commit.
    """
    try:
        listed = call(tree, "ls-tree", "-r", "-z", "HEAD").stdout
        content = call(tree, "archive", "--format=zip", "HEAD").stdout
    except RepositoryError as error:
        raise LauncherError(f"the commit in {tree} could not be packed: {error}") from error
    wanted = dict(_listed(listed))
    algorithm = "sha256" if any(len(name) == 64 for name in wanted.values()) else "sha1"
    packed = dict(_packed(content, algorithm))
    for path in sorted(wanted.keys() | packed.keys()):
        if wanted.get(path) != packed.get(path):
            raise LauncherError(
                f"git packs {path.decode('utf-8', 'replace')} other than it is committed: export-ignore or "
                f"export-subst in .gitattributes does that; take it out, or let the code be shared instead of sent"
            )
    return Archive(content, f"{algorithm}:{arrival.fingerprint(wanted.items())}")


def _listed(output: bytes) -> Iterator[tuple[bytes, str]]:
    for line in filter(None, output.split(b"\0")):
        about, _, path = line.partition(b"\t")
        _, kind, name = about.split()
        if kind == b"blob":
            yield path, name.decode()


def _packed(content: bytes, algorithm: str) -> Iterator[tuple[bytes, str]]:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for entry in archive.infolist():
            if not entry.is_dir():
                yield entry.filename.encode("utf-8", "surrogateescape"), arrival.blob(archive.read(entry), algorithm)
