"""A git that stays, and answers what objects hold, while a controller works on a campaign.

To start git takes longer than most of its answers. `git cat-file --batch-command`, see git-cat-file(1), takes a
question a line and answers at once; it looks for refs and new objects each time, so what others write meanwhile is
seen. So do others of git's commands, each with a process of its own from the first question on. One that dies is
started again. Who has no companion, or gets no answer from it, starts a git for the question.
"""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple, TypeVar

from autoresearch.git.call import command, environment, is_hash
from autoresearch.machine import processes

if TYPE_CHECKING:
    import subprocess

_T = TypeVar("_T")
_MOST = 256
"""More names than that are asked for faster with one call of git's."""

_OBJECTS = ("cat-file", "--batch-command")
_TREE, _MOST_TREES = "40000", 1 << 15


class Held(NamedTuple):
    """What a name stands for: an object's digest and size, and its content where that was asked for."""

    digest: str
    size: int
    content: bytes


class _Resident:
    """One command of git's that takes question after question; it starts with the first.

    Args:
        argv: The command.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = argv
        self._lock = threading.RLock()
        self._git: subprocess.Popen[bytes] | None = None

    def answer(self, question: bytes, hear: Callable[[IO[bytes]], _T]) -> _T | None:
        """What `hear` makes of the answer; None when git died of the question twice, or cannot be started.

        Whatever comes between question and answer, also Ctrl-C, costs the process: a late answer is nobody's.
        """
        with self._lock:
            for _ in range(2):
                try:
                    asked, told = self._ends()
                    asked.write(question)
                    asked.flush()
                    return hear(told)
                except (OSError, ValueError, processes.CommandError):
                    self.close()
                except BaseException:
                    self.close()
                    raise
        return None

    def close(self) -> None:
        """Let it go."""
        with self._lock:
            git, self._git = self._git, None
        if git is not None:
            git.kill()
            for end in (git.stdin, git.stdout):
                with contextlib.suppress(OSError):
                    end and end.close()
            git.wait()

    def _hears(self, git: "subprocess.Popen[bytes]") -> bool:
        """Whether it lives and nobody has stopped it: then the answer would never come."""
        now = processes.process_info(git.pid) if git.poll() is None else None
        return now is not None and not now.stopped

    def _ends(self) -> tuple[IO[bytes], IO[bytes]]:
        if self._git is None or not self._hears(self._git):
            self.close()
            self._git = processes.talk(self._argv, environment())
        assert self._git.stdin is not None  # noqa: S101 - a pipe was asked for
        assert self._git.stdout is not None  # noqa: S101 - a pipe was asked for
        return self._git.stdin, self._git.stdout


class Companion:
    """The git that answers for one repository.

    Args:
        repo: Any path in it.
    """

    def __init__(self, repo: Path) -> None:
        self.known: dict[object, Any] = {}
        self._repo = repo
        self._lock = threading.RLock()
        self._residents: dict[tuple[str, ...], _Resident] = {}
        self._trees: dict[str, list[tuple[bytes, str, str]]] = {}

    def answer(self, words: tuple[str, ...], question: bytes, hear: Callable[[IO[bytes]], _T]) -> _T | None:
        """What one of git's commands answers; see `_Resident.answer`."""
        with self._lock:
            if words not in self._residents:
                self._residents[words] = _Resident(command(self._repo, *words))
        return self._residents[words].answer(question, hear)

    def ask(self, names: Sequence[str], *, read: bool = True) -> list[Held | None] | None:
        """What these names stand for, None for each that names nothing; None altogether where git has no answer."""
        found = []
        for name in names:
            verb = "contents" if read else "info"
            question = f"{verb} {name}\n".encode("utf-8", "surrogateescape")
            told = self.answer(_OBJECTS, question, partial(_hear_object, read=read))
            if told is None:
                return None
            found.append(told or None)
        return found

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
                return {os.fsdecode(path): (mode, digest) for path, mode, digest in self._walk(found[0].digest)}
            except LookupError:
                return None

    def close(self) -> None:
        """Let it go."""
        for one in self._residents.values():
            one.close()

    def _walk(self, tree: str) -> Iterator[tuple[bytes, str, str]]:
        """Path, mode and digest of whatever lies in a folder and below, however deep."""
        ahead = [(b"", _TREE, tree)]
        while ahead:
            path, mode, digest = ahead.pop()
            if mode != _TREE:
                yield path, mode, digest
                continue
            if digest not in self._trees:
                held = (self.ask([digest]) or [None])[0]
                if held is None:
                    raise LookupError(digest)
                self._trees[digest] = _entries(held)
            above = path and path + b"/"
            ahead += [(above + name, mode, digest) for name, mode, digest in reversed(self._trees[digest])]


def _hear_object(told: IO[bytes], *, read: bool) -> Held | tuple[()]:
    """What follows a name: an object, or nothing for one that names none."""
    head = told.readline()
    if head.endswith((b" missing\n", b" ambiguous\n")):
        return ()
    digest, _, size = head.decode().split()
    content = told.read(int(size) + 1) if read else b""
    if read and len(content) != int(size) + 1:
        raise ValueError(f"half of {digest}")
    return Held(digest, int(size), content[:-1])


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


def answer(common: Path, words: tuple[str, ...], question: bytes, hear: Callable[[IO[bytes]], _T]) -> _T | None:
    """What a command of git's answers that takes question after question; None without a companion or an answer.

    Args:
        common: The `.git` folder that all checkouts share.
        words: The command; nothing of it may depend on a checkout, or on when it was started.
        question: What it reads.
        hear: Reads the answer to its end; a ValueError if it is none.
    """
    mine = _companions.get(common)
    return mine.answer(words, question, hear) if mine else None


def once(common: Path, what: object, find: Callable[[], _T]) -> _T:
    """What stays as it is while a controller works: found once for its companion, without one each time."""
    mine = _companions.get(common)
    if mine is None:
        return find()
    if what not in mine.known:
        mine.known[what] = find()
    found: _T = mine.known[what]
    return found
