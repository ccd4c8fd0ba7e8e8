"""A git that stays, and answers what objects hold, while a controller works on a campaign.

To start git takes longer than most of its answers. `git cat-file --batch-command`, see git-cat-file(1), takes a
question a line and answers at once; it looks for refs and new objects each time, so what others write meanwhile is
seen. One that dies is started again. Who has no companion, or gets no answer from it, starts a git for the question.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from autoresearch.git.call import command, environment, is_hash
from autoresearch.machine import processes

if TYPE_CHECKING:
    import subprocess

_T = TypeVar("_T")
_MOST = 256
"""More names than that are asked for faster with one call of git's."""

_TREE, _MOST_TREES = "40000", 1 << 15


class Held(NamedTuple):
    """What a name stands for: an object's digest and size, and its content where that was asked for."""

    digest: str
    size: int
    content: bytes


class Companion:
    """The git that answers for one repository; it starts with the first question.

    Args:
        repo: Any path in it.
    """

    def __init__(self, repo: Path) -> None:
        self.known: dict[object, Any] = {}
        self._repo = repo
        self._lock = threading.RLock()
        self._git: subprocess.Popen[bytes] | None = None
        self._trees: dict[str, list[tuple[bytes, str, str]]] = {}

    def ask(self, names: Sequence[str], *, read: bool = True) -> list[Held | None] | None:
        """What these names stand for, None for each that names nothing; None altogether where git has no answer."""
        with self._lock:
            for _ in range(2):
                with contextlib.suppress(OSError, ValueError, processes.CommandError), self._undisturbed():
                    return [self._answer(name, read=read) for name in names]
        return None

    def tree(self, commit: str) -> Mapping[str, tuple[str, str]] | None:
        """Mode and digest of every path of a commit, in git's order; None where git has no answer.

        Folders that another commit had as well are not asked for again.
        """
        with self._lock:
            found = self.ask([f"{commit}^{{tree}}"])
            if not found or found[0] is None:
                return None
            if len(self._trees) > _MOST_TREES:
                self._trees.clear()
            self._trees[found[0].digest] = _entries(found[0])
            try:
                return {os.fsdecode(path): (mode, digest) for path, mode, digest in self._walk(found[0].digest, b"")}
            except LookupError:
                return None

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            git, self._git = self._git, None
        if git is not None:
            _end(git)

    def _walk(self, tree: str, above: bytes) -> Iterator[tuple[bytes, str, str]]:
        if tree not in self._trees:
            held = (self.ask([tree]) or [None])[0]
            if held is None:
                raise LookupError(tree)
            self._trees[tree] = _entries(held)
        for name, mode, digest in self._trees[tree]:
            if mode == _TREE:
                yield from self._walk(digest, above + name + b"/")
            else:
                yield above + name, mode, digest

    @contextlib.contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Whatever comes between question and answer, also Ctrl-C, costs the companion: a late answer is nobody's."""
        try:
            yield
        except BaseException:
            self.close()
            raise

    def _answer(self, name: str, *, read: bool) -> Held | None:
        if self._git is None or self._git.poll() is not None:
            self.close()
            self._git = processes.talk(command(self._repo, "cat-file", "--batch-command"), environment())
        ask, told = _ends(self._git)
        ask.write(f"{'contents' if read else 'info'} {name}\n".encode("utf-8", "surrogateescape"))
        ask.flush()
        head = told.readline()
        if head.endswith((b" missing\n", b" ambiguous\n")):
            return None
        digest, _, size = head.decode().split()
        content = told.read(int(size) + 1) if read else b""
        if read and len(content) != int(size) + 1:
            raise ValueError(f"half of {name}")
        return Held(digest, int(size), content[:-1])


def _ends(git: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes]]:
    assert git.stdin is not None  # noqa: S101 - a pipe was asked for
    assert git.stdout is not None  # noqa: S101 - a pipe was asked for
    return git.stdin, git.stdout


def _end(git: "subprocess.Popen[bytes]") -> None:
    git.kill()
    for end in _ends(git):
        with contextlib.suppress(OSError):
            end.close()
    git.wait()


def _entries(tree: Held) -> list[tuple[bytes, str, str]]:
    """Name, mode and digest of what lies in a folder: `mode name NUL digest`, the digest in bytes."""
    rest, size, found = tree.content, len(tree.digest) // 2, []
    place = 0
    while place < len(rest):
        end = rest.index(b"\0", place)
        mode, _, name = rest[place:end].partition(b" ")
        place = end + 1 + size
        found.append((name, mode.decode(), rest[end + 1 : place].hex()))
    return found


_companions: dict[Path, Companion] = {}


@contextlib.contextmanager
def resident(repo: Path, common: Path) -> Iterator[None]:
    """Have a companion for a repository until the end of the block.

    Args:
        repo: Any path in it.
        common: The `.git` folder that its checkouts share, by which it is known.
    """
    if common in _companions:
        yield
        return
    mine = _companions[common] = Companion(repo)
    try:
        yield
    finally:
        del _companions[common]
        mine.close()


def ask(common: Path, names: Sequence[str], *, read: bool = True) -> list[Held | None] | None:
    """What names stand for, from the companion; None where there is none, or they depend on a checkout.

    Args:
        common: The `.git` folder that all checkouts share.
        names: As git-rev-parse(1) says.
        read: Whether the contents are wanted; they are empty if not.
    """
    mine = _companions.get(common)
    told = mine is not None and len(names) <= _MOST and all(map(_stands_alone, names))
    return mine.ask(names, read=read) if mine and told else None


def _stands_alone(name: str) -> bool:
    """Whether a name begins with a whole hash or is a ref's, and is one line."""
    begin = name.partition(":")[0].partition("^")[0]
    return "\n" not in name and (is_hash(begin) or begin.startswith("refs/"))


def tree(common: Path, commit: str) -> Mapping[str, tuple[str, str]] | None:
    """Mode and digest of every path of a commit, from the companion; None where there is none."""
    mine = _companions.get(common)
    return mine.tree(commit) if mine and is_hash(commit) else None


def once(common: Path, what: object, find: Callable[[], _T]) -> _T:
    """What stays as it is while a controller works: found once for its companion, without one each time."""
    mine = _companions.get(common)
    if mine is None:
        return find()
    if what not in mine.known:
        mine.known[what] = find()
    found: _T = mine.known[what]
    return found
