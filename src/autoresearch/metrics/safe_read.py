"""Foreign files made safe to read: they vanish, they are torn, they are written anew, they hold what is no number."""

import errno
import hashlib
import json
import math
import os
import stat
from array import array
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from autoresearch.errors import CampaignError
from autoresearch.machine.disk import named_outside, walk
from autoresearch.run.measurement import Series, thinned
from autoresearch.run.printed_result import Manner, ResultLine

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Found:
    """A regular file below a run folder, as it was when the folder was listed."""

    path: Path
    name: str
    size: int
    mtime: float
    inode: int
    device: int
    changed: int
    elsewhere: bool = False
    """Whether it also has a name outside of the run's folder: whoever has that one may have written it."""

    @property
    def version(self) -> Version:
        """Changes whenever the file does: nobody can set the time that the kernel notes."""
        return self.inode, self.size, self.changed


def files_below(folder: Path, *globs: str) -> list[Found]:
    """Regular files below `folder` that match, oldest first, then by name.

    Args:
        folder: Where to look; a folder that is missing simply holds nothing.
        globs: Shell patterns. One without a slash is matched with the file name, another with the path relative to
            `folder`, where `*` crosses slashes.
    """
    found = [item for path in _walk(folder) if (item := _match(folder, path, globs)) is not None]
    outside = named_outside(folder, (status for _, _, status in found))
    items = [_found(path, name, status, outside) for path, name, status in found]
    return sorted(items, key=lambda item: (item.mtime, item.name))


def _found(path: Path, name: str, status: os.stat_result, outside: Container[tuple[int, int]]) -> Found:
    device, inode = status.st_dev, status.st_ino
    times = status.st_mtime, inode, device, status.st_ctime_ns
    return Found(path, name, status.st_size, *times, elsewhere=(device, inode) in outside)


_DEEPEST = 100
"""Levels of folders below a run's that are looked into."""


def _walk(folder: Path) -> Iterator[Path]:
    for root, _, names in walk(folder, _DEEPEST):
        yield from (Path(root, name) for name in names)


def _match(folder: Path, path: Path, globs: Iterable[str]) -> tuple[Path, str, os.stat_result] | None:
    name = path.relative_to(folder).as_posix()
    if not any(fnmatchcase(name if "/" in glob else path.name, glob) for glob in globs):
        return None
    try:
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            return None  # what lies elsewhere, another run's results for example, is no result of this run
        status = path.stat()
    except (OSError, RuntimeError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return None  # opening a pipe would wait for ever
    return path, name, status


def open_found(item: Found) -> BinaryIO:
    """The file that was found, to be read; a run may have put a pipe or a link in its place since.

    Raises:
        OSError: It is gone, cannot be read, is no longer the file that was found, or has a name elsewhere.
    """
    if item.elsewhere:
        raise OSError(errno.EMLINK, "another name of it lies outside of the run's folder", str(item.path))
    # What was found may be a link that stays in the folder: where it leads now is held to the file found.
    handle = os.open(os.path.realpath(item.path), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(handle)
    if stat.S_ISREG(status.st_mode) and (status.st_dev, status.st_ino) == (item.device, item.inode):
        return os.fdopen(handle, "rb")
    os.close(handle)
    raise OSError(errno.ESTALE, "replaced while it was looked at", str(item.path))


def unread(error: OSError) -> str:
    """Why a file says nothing, for a note."""
    return f"cannot be read: {error.strerror or error}"


_TAIL = 4096


def digest_before(stream: BinaryIO, offset: int) -> bytes:
    """Digest of the bytes before the point where a look ended, by which the next one knows a file again."""
    start = max(0, offset - _TAIL)
    stream.seek(start)
    return hashlib.blake2b(stream.read(offset - start), digest_size=16).digest()


NEVER: Version = (0, 0, 0)
"""The version of a file that has not been read."""

MAX_BYTES = 64 * 1024 * 1024
"""A larger document holds something else than metrics and is not read: nothing of a run may fill our memory."""

_MAX_LINE = 16 * 1024 * 1024


def lines_of(stream: BinaryIO) -> Iterator[bytes]:
    """The lines of a file; of one that is longer than 16 MiB only the beginning."""
    while line := stream.readline(_MAX_LINE):
        yield line
        while len(line) == _MAX_LINE and not line.endswith(b"\n"):
            line = stream.readline(_MAX_LINE)


MOST_POINTS, MOST_IN_FILE, MOST_TAGS = 100_000, 400_000, 4096
"""Points that are kept of a tag and of a file, and tags of a file: a run may write for as long as it likes."""

_LATE = 4096
_WORD = 1 << 63


@dataclass
class Points:
    """A tag's points as they are read, sixteen bytes each; of two at one step the later one counts."""

    steps: "array[int]" = field(default_factory=lambda: array("q"))
    values: "array[float]" = field(default_factory=lambda: array("d"))
    late: dict[int, float] = field(default_factory=dict)
    """Steps that came after a later one, as where a run goes on from a checkpoint; not in order yet."""
    revised: tuple[int, float] | None = None
    """The newest step that was given another value by the next point, and the value that it had."""

    def add(self, step: int, value: float) -> None:
        """Take one; a step that is no machine word is none."""
        if not self.steps or step > self.steps[-1]:
            if -_WORD <= step < _WORD:
                self.steps.append(step)
                self.values.append(value)
        elif step == self.steps[-1]:
            if value != self.values[-1] and not (math.isnan(value) and math.isnan(self.values[-1])):
                self.revised = (step, self.values[-1])
            self.values[-1] = value
        elif step >= -_WORD:
            self.late[step] = value
            if len(self.late) > _LATE:
                self.settle()

    def settle(self) -> None:
        """Put what came late into its place."""
        if self.late:
            self._become(sorted((dict(zip(self.steps, self.values, strict=True)) | self.late).items()))

    def thin(self, most: int) -> bool:
        """Have at most so many, by `thinned`; whether any went."""
        if len(self.steps) + len(self.late) <= most:
            return False
        self.settle()
        self._become(thinned(list(zip(self.steps, self.values, strict=True)), most // 2))
        return True

    def _become(self, points: Iterable[tuple[int, float]]) -> None:
        steps, values = zip(*points, strict=True)
        self.steps, self.values = array("q", steps), array("d", values)
        self.late.clear()


class PointsOfFile:
    """What a file says of its tags, in bounded memory.

    Attributes:
        tags: Points by tag.
        thinned: Whether some of them are left out.
    """

    def __init__(self) -> None:
        self.tags: dict[str, Points] = {}
        self.thinned = False
        self._limit = MOST_POINTS

    def add(self, tag: str, step: int, value: float) -> None:
        """Take one; what is beyond the number of tags is left out."""
        points = self.tags.get(tag)
        if points is None:
            if len(self.tags) >= MOST_TAGS:
                self.thinned = True
                return
            points = self.tags[tag] = Points()
            self._limit = self._most()
        points.add(step, value)
        if len(points.steps) + len(points.late) > self._limit and points.thin(self._limit):
            self.thinned = True

    def _most(self) -> int:
        return min(MOST_POINTS, max(MOST_IN_FILE // len(self.tags), MOST_IN_FILE // MOST_TAGS))

    @property
    def note(self) -> str:
        """What a person should know of it, empty when all is there."""
        return "more points than are kept: only each stretch's extremes and the last ones" if self.thinned else ""


def joined(files: Iterable[PointsOfFile]) -> dict[str, Series]:
    """The series of several files, the later ones first in trust."""
    by_tag: dict[str, list[Points]] = {}
    for file in files:
        for tag, points in file.tags.items():
            points.settle()
            by_tag.setdefault(tag, []).append(points)
    return {tag: _series(tag, parts) for tag, parts in by_tag.items()}


def ends(files: Iterable[PointsOfFile]) -> dict[str, ResultLine]:
    """What several files say of each tag's last step, as a result is printed: one value, or first another."""
    by_tag: dict[str, list[Points]] = {}
    for file in files:
        for tag, points in file.tags.items():
            if points.steps:
                by_tag.setdefault(tag, []).append(points)
    return {tag: _end(tag, parts) for tag, parts in by_tag.items()}


def _end(tag: str, parts: list[Points]) -> ResultLine:
    step = max(part.steps[-1] for part in parts)
    said: list[float] = []
    for part in (part for part in parts if part.steps[-1] == step):
        said += [part.revised[1]] if part.revised and part.revised[0] == step else []
        said.append(part.values[-1])
    other = next((value for value in said if repr(value) != repr(said[-1])), said[-1])
    first, text = (f"{tag} = {value:.6g} at its last step" for value in (other, said[-1]))
    values = 1 if first == text else 2
    return ResultLine(text=text, value=said[-1], manner=Manner.BARE, first=first, values=values, count=len(said))


def _series(tag: str, parts: list[Points]) -> Series:
    if len(parts) == 1:
        return Series(tag, tuple(parts[0].steps), tuple(parts[0].values))
    return Series.of(tag, (pair for part in parts for pair in zip(part.steps, part.values, strict=True)))


MAX_REMEMBERED = 512
"""Files a source keeps in mind; a campaign of thousands of runs must not grow without end."""

T = TypeVar("T")


def remember(known: dict[Path, T], path: Path, what: T) -> T:
    """Keep what was read of a file and forget the file that was met first, once there are too many."""
    known[path] = what
    if len(known) > MAX_REMEMBERED:
        del known[next(iter(known))]
    return what


def number(value: Any) -> float | None:
    """A finite or non-finite float out of whatever a document held; None for everything that is not one number."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and len(value) > 64:
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None


def whole(value: Any) -> int | None:
    """A step out of whatever a document held: 3, "3" and 3.0 are one; None for the rest."""
    found = number(value)
    if found is None or not math.isfinite(found) or found != int(found) or abs(found) >= 2**53:
        return None
    return int(found)


def parse_json(text: str | bytes) -> Any:
    """A JSON document with bare NaN allowed, as Python writes it; None when it is damaged."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def as_strings(value: object, what: str) -> tuple[str, ...]:
    """An option that may be one string or a list of them.

    Raises:
        CampaignError: It is neither.
    """
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise CampaignError(f"metric source option {what!r} must be a string or a list of strings, not {value!r}")
    return tuple(items)


def refuse_unknown(options: Mapping[str, object], known: Iterable[str], source: str) -> None:
    """Say so when an option is misspelt.

    Raises:
        CampaignError: An option is not one of `known`.
    """
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise CampaignError(
            f"metric source {source!r} has no option {unknown[0]!r}; it knows: {', '.join(sorted(known)) or 'none'}"
        )
