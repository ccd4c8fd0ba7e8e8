"""Commits made by plumbing: named files, an index of their own, a sign-off, and no ref that points at them.

Neither the user's index, nor HEAD, nor a branch is read or written.
"""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO

from autoresearch.errors import RepositoryError
from autoresearch.git import companion, refs
from autoresearch.git.call import EMAIL, FULL, NAME, call, fill_index, is_hash, lines, nul, private_index

_TRAILER = re.compile(r"([A-Za-z0-9][A-Za-z0-9-]*): (.+)")


@dataclass(frozen=True)
class Identity:
    """Who a commit is by, and who signs it off."""

    name: str
    email: str

    def __str__(self) -> str:
        """As git writes it: `name <email>`."""
        return f"{self.name} <{self.email}>"


def identity(repo: Path) -> Identity:
    """The user's configured name and address; ours when either is missing. A controller asks for them once."""
    told = companion.once(refs.common_dir(repo), "identity", lambda: _configured(repo))
    known = dict(setting.split("\n", 1) for setting in told if "\n" in setting)
    name = os.environ.get("GIT_AUTHOR_NAME") or known.get("user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or known.get("user.email")
    return Identity(_clean(name), _clean(email)) if name and email else Identity(NAME, EMAIL)


def _configured(repo: Path) -> tuple[str, ...]:
    return nul(call(repo, "config", "-z", "--get-regexp", r"^user\.(name|email)$", codes=(0, 1)).stdout)


def _clean(part: str) -> str:
    """Without what cannot stand in a commit's header."""
    return re.sub(r"[<>\n\0]", "", part).strip()


def commit_tree_from(
    worktree: Path, parent: str, paths: Sequence[str], message: str, identity: Identity, at: float
) -> str:
    """Commit named files of a worktree on top of `parent`, without its index, its HEAD or any branch moving.

    Args:
        worktree: The root folder of the worktree the files are read from.
        parent: Commit to build on; every path that is not named stays as it is there.
        paths: Files to take as they are now, relative to it: new, changed, made executable,
            symbolic links, or gone. None at all makes an empty commit.
        message: Subject and body; a sign-off is added when it has none.
        identity: Author, committer and signer.
        at: Commit time, UTC Unix seconds. The same arguments give the same commit again.

    Returns:
        Full hash of the commit; no ref points at it yet.

    Raises:
        RepositoryError: A path is a repository of its own, lies outside, or cannot be read.
    """
    _check_paths(worktree, paths)
    with private_index() as index:
        fill_index(worktree, parent, index)
        if paths:
            flags = ("--add", "--remove", "--replace", "-z", "--stdin")
            call(worktree, "update-index", *flags, env=index, config=FULL, stdin=lines(paths))
        tree = call(worktree, "write-tree", env=index, config=FULL).text
        held = Path(index["GIT_INDEX_FILE"]).read_bytes()
    commit = commit_tree(worktree, tree, [parent], message, identity, at)
    _newest.clear()
    _newest[worktree, commit] = held
    return commit


_newest: dict[tuple[Path, str], bytes] = {}


def index_of(worktree: Path, commit: str) -> bytes:
    """The index that the newest commit of this process was made with, if it is this one; else nothing."""
    return _newest.get((worktree, commit), b"")


def can_commit(path: str) -> bool:
    """Whether git takes a path: not a repository inside the worktree, nor anything of git's own."""
    return not path.endswith("/") and ".git" not in path.lower().split("/")


def _check_paths(worktree: Path, paths: Sequence[str]) -> None:
    """Refuse what git would pass over in silence."""
    for path in paths:
        if path.endswith("/"):
            raise RepositoryError(
                f"{path} is a git repository inside the worktree {worktree}, whose files a commit cannot hold; "
                "remove its .git folder or the whole of it"
            )
        if ".git" in path.lower().split("/"):
            raise RepositoryError(f"{path} in {worktree} is git's own and cannot be part of a commit")


def commit_tree(repo: Path, tree: str, parents: Sequence[str], message: str, identity: Identity, at: float) -> str:
    """A signed-off commit of a tree that already exists; see `commit_tree_from`."""
    flags = [part for parent in dict.fromkeys(parents) for part in ("-p", parent)]
    text = signed_off(message, identity).encode("utf-8", "replace")
    if made := _companions_commit(repo, tree, tuple(dict.fromkeys(parents)), text, identity, at):
        return made
    return call(repo, "commit-tree", tree, *flags, "-F", "-", stdin=text, env=_as(identity, at)).text


_STORE = ("hash-object", "-w", "-t", "commit", "--no-filters", "--stdin-paths")
_CRUD = "".join(map(chr, range(33))) + ".,:;<>\"\\'"
"""What git takes off both ends of a name."""


def _companions_commit(
    repo: Path, tree: str, parents: Sequence[str], text: bytes, identity: Identity, at: float
) -> str | None:
    """The commit as `git commit-tree` would write it; None where that has to be asked itself."""
    common, name, email = refs.common_dir(repo), identity.name.strip(_CRUD), identity.email.strip(_CRUD)
    held = companion.ask(common, [f"{tree}^{{tree}}", *(f"{parent}^{{commit}}" for parent in parents)], read=False)
    if not held or None in held or not name or any(mark in name + email for mark in "<>\n\0"):
        return None
    found = [one.digest for one in held if one]
    who = f"{name} <{email}> {int(at)} +0000"
    head = [f"tree {found[0]}", *(f"parent {digest}" for digest in found[1:]), f"author {who}", f"committer {who}"]
    try:
        content = "\n".join(head).encode() + b"\n\n" + text
    except UnicodeEncodeError:
        return None
    try:
        with NamedTemporaryFile(prefix="autoresearch-commit-") as file:
            file.write(content)
            file.flush()
            told = companion.answer(common, _STORE, os.fsencode(file.name) + b"\n", _hear_line)
    except OSError:  # that disk is full, for example: git itself needs no file for it
        return None
    return told.strip() if told and is_hash(told.strip()) else None


def _hear_line(told: IO[bytes]) -> str:
    return told.readline().decode()


@dataclass(frozen=True)
class RefContent:
    """What a ref of ours holds from now on, by a commit that no worktree sees.

    Attributes:
        ref: Whole name of the ref.
        message: What the commit says.
        parent: What it is built on; None: nothing.
        files: Content by path.
        gone: Paths of the parent that are left out.
        replaces: Whether the ref is moved to it whatever it named; if not, only from its parent or from nowhere.
    """

    ref: str
    message: str
    parent: str | None
    files: Mapping[str, bytes]
    gone: tuple[str, ...] = ()
    replaces: bool = False


def fill_ref(repo: Path, made: RefContent) -> None:
    """Make objects, commit and ref with one process, see git-fast-import(1); what cannot be made leaves the ref alone.

    Raises:
        RepositoryError: Git refused, maybe because the ref was moved meanwhile.
    """
    head = [
        f"commit {made.ref}\ncommitter {NAME} <{EMAIL}> now\n".encode(),
        _data(made.message.encode()),
        f"from {made.parent}\n".encode() if made.parent else b"",
        *(f"D {path}\n".encode() for path in made.gone),
    ]
    files = [part for path, text in made.files.items() for part in (f"M 100644 inline {path}\n".encode(), _data(text))]
    force = ("--force",) if made.replaces else ()
    stream = b"".join([*head, *files, b"done\n"])
    try:
        call(repo, "fast-import", "--quiet", "--done", "--date-format=now", *force, stdin=stream)
    except RepositoryError:
        for report in refs.common_dir(repo).glob("fast_import_crash_*"):
            report.unlink(missing_ok=True)
        raise


def _data(content: bytes) -> bytes:
    return b"data %d\n%b\n" % (len(content), content)


def _as(identity: Identity, at: float) -> dict[str, str]:
    when = f"@{int(at)} +0000"
    return {
        f"GIT_{role}_{field}": value
        for role in ("AUTHOR", "COMMITTER")
        for field, value in (("NAME", identity.name), ("EMAIL", identity.email), ("DATE", when))
    }


def signed_off(message: str, identity: Identity) -> str:
    """The message with its sign-off line, joined to trailers that it already ends with (R44)."""
    text = message.replace("\0", "").strip() or "(no message)"
    line = f"Signed-off-by: {identity}"
    if ("Signed-off-by", str(identity)) in parse_trailers(text):
        return f"{text}\n"
    gap = "\n" if parse_trailers(text) else "\n\n"
    return f"{text}{gap}{line}\n"


def message(repo: Path, commit: str) -> str:
    """Subject and body of a commit."""
    raw = call(repo, "cat-file", "commit", commit).stdout
    return raw.partition(b"\n\n")[2].decode("utf-8", "replace")


def trailers(repo: Path, commit: str) -> tuple[tuple[str, str], ...]:
    """The `Key: value` lines that end a commit message, in order."""
    return parse_trailers(message(repo, commit))


def parse_trailers(text: str) -> tuple[tuple[str, str], ...]:
    """The trailers of a message: its last paragraph, when it is not the first and each line is a `Key: value`."""
    _, gap, last = text.strip().rpartition("\n\n")
    found = [_TRAILER.fullmatch(line) for line in last.split("\n")] if gap else []
    return tuple((match[1], match[2]) for match in found if match) if all(found) else ()
