"""Files on the disks of this machine: written whole or not at all, how much room there is, folders removed whole.

Two ways to write that a crash cannot spoil: append one piece, or write aside and rename. Both leave the file as it was
when the disk refuses. What is `lasting`, as a rule all, ends on the disk (fsync of the file, and of its folder when a
name is new). Neither locks: see `lock.file_lock`. Where others may write, files are opened and replaced so that nothing
laid there leads elsewhere or keeps us waiting.
"""

import errno
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple

from autoresearch.errors import StorageError
from autoresearch.machine import fault_points

_NEXT_TO_NOTHING = 1_000_000
"""Bytes: what fails with no more than this left fails for want of room, for part of it was cleared away since."""


def append(path: Path, data: bytes, point: str, *, lasting: bool = True) -> int:
    """Append `data` in one piece and return the offset it begins at.

    Args:
        path: The file; it and its folder are made when missing.
        data: What to append.
        point: Fault point family: `<point>.write` and `<point>.sync`.
        lasting: Whether it has to be on the disk.

    Raises:
        StorageError: The disk refused. The file is as long as before, unless another program wrote to it meanwhile.
    """
    with storage(path, "append to"):
        descriptor = _open(path, os.O_RDWR | os.O_APPEND)
        try:
            before = os.fstat(descriptor).st_size
            _append(descriptor, before, data, point, lasting=lasting)
        finally:
            os.close(descriptor)
    return before


def replace(
    path: Path, data: bytes | str, point: str = "file.replace", *, lasting: bool = True, followed: bool = False
) -> None:
    """Put `data` in place of a file at once: readers see the old content or the new, never a mixture.

    A link is followed, a file keeps its permissions; a name `followed` by another of its folder lasts with that one.

    Raises:
        StorageError: The disk refused; the old file stands untouched.
    """
    target = Path(os.path.realpath(path))
    aside = target.with_name(f".{target.name}.new-{os.uname().nodename}-{os.getpid()}")
    with storage(path, "write"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_aside(aside, data.encode() if isinstance(data, str) else data, f"{point}.write", lasting=lasting)
            with suppress(FileNotFoundError):
                shutil.copymode(target, aside)
            fault_points.point(f"{point}.rename")
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        if lasting and not followed:
            sync_folder(target.parent)
        fault_points.point(f"{point}.after")


def sweep(folders: Iterable[Path]) -> None:
    """Remove what processes of this machine that died within `replace` have left in these folders."""
    mark = f".new-{os.uname().nodename}-"
    for folder in folders:
        for aside in folder.glob(f".*{mark}*"):
            if (pid := aside.name.rpartition("-")[2]).isdecimal() and not Path("/proc", pid).exists():
                aside.unlink(missing_ok=True)


def backup(path: Path) -> Path:
    """Keep the file as it is under `<name>.bak-<UTC time>` beside it, and return that path.

    A hard link where the file system has them: what a program still holding the old file open writes to it ends in
    the backup, and is not lost.

    Raises:
        StorageError: It could not be made.
    """
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    with storage(path, "back up"):
        for number in range(1000):
            kept = path.with_name(f"{path.name}.bak-{stamp}{f'-{number}' if number else ''}")
            try:
                _link_or_copy(path, kept)
            except FileExistsError:
                continue
            sync_folder(path.parent)
            return kept
    raise StorageError(f"cannot back up {path}: a thousand backups of this second exist; remove some")


def read(path: Path) -> bytes:
    """The whole file, empty when it does not exist. Raises StorageError when it cannot be read."""
    with storage(path, "read"):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return b""


def sync_folder(folder: Path) -> None:
    """Make new names in a folder durable. File systems that cannot do it for folders are left in peace."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def storage(path: Path, doing: str) -> Iterator[None]:
    """Turn the disk's complaints into StorageError: "cannot `doing` `path`: why"."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise StorageError(
            f"cannot {doing} {path}: {why}; everything recorded before is intact: fix the disk and continue"
        ) from error


def _open(path: Path, flags: int) -> int:
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, flags | os.O_CREAT, 0o666)
        sync_folder(path.parent)
        return descriptor


def _append(descriptor: int, before: int, data: bytes, point: str, *, lasting: bool) -> None:
    try:
        _write_all(descriptor, data, f"{point}.write")
        fault_points.point(f"{point}.sync")
        if lasting:
            os.fsync(descriptor)
    except OSError:
        if before < os.fstat(descriptor).st_size <= before + len(data):
            os.ftruncate(descriptor, before)
            with suppress(OSError):
                os.fsync(descriptor)
        raise


def _write_aside(aside: Path, content: bytes, point: str, *, lasting: bool) -> None:
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write_all(descriptor, content, point)
        if lasting:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes, point: str) -> None:
    """Write everything; the kernel may take less than it was given, and a signal may come first."""
    left = memoryview(data)
    while left:
        try:
            left = left[fault_points.write(point, descriptor, bytes(left)) :]
        except InterruptedError:
            continue


def _link_or_copy(path: Path, kept: Path) -> None:
    try:
        os.link(path, kept)
    except FileExistsError:
        raise
    except OSError:
        with kept.open("xb") as sink, path.open("rb") as source:
            shutil.copyfileobj(source, sink)
            sink.flush()
            os.fsync(sink.fileno())


def free_gb(path: Path) -> float:
    """Free space in GB (10^9 bytes), for an ordinary user, on the disk of `path` or of its nearest folder that exists.

    Infinite when the file system does not say: a check that cannot be made must not stop a campaign.
    """
    found = _state(path)
    return _free(found) / 1e9 if found else float("inf")


def is_full(path: Path) -> bool:
    """Whether that disk takes next to nothing more, or no further file."""
    found = _state(path)
    if found is None:
        return False
    return _free(found) < _NEXT_TO_NOTHING or bool(found.f_files and not found.f_favail)


def _free(found: os.statvfs_result) -> float:
    """Bytes; infinite where the file system names no size."""
    return found.f_bavail * found.f_frsize if found.f_blocks else float("inf")


def _state(path: Path) -> os.statvfs_result | None:
    there = next((place for place in (path, *path.parents) if place.exists()), Path("/"))
    try:
        return os.statvfs(there)
    except OSError:
        return None


@contextmanager
def opened(path: Path, *, alone: bool = False) -> Iterator[BinaryIO]:
    """A regular file, to be read: where others may write, a link would lead elsewhere and a pipe would wait for ever.

    Args:
        path: The file.
        alone: It may have no other name: that could be the name of a file of somebody else's.

    Raises:
        OSError: It is not there, no regular file, or not alone.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    with os.fdopen(handle, "rb") as stream:
        if alone and os.fstat(handle).st_nlink > 1:
            raise OSError(errno.EMLINK, "it has a second name, which may lie anywhere", str(path))
        yield stream


def named_outside(folder: Path, files: Iterable[os.stat_result]) -> set[tuple[int, int]]:
    """Device and inode of those files that also have a name which does not lie below `folder` (hard links)."""
    names = {(file.st_dev, file.st_ino): file.st_nlink for file in files if file.st_nlink > 1}
    for place, _, found in walk(folder) if names else ():
        for name in found:
            with suppress(OSError):
                status = os.lstat(f"{place}/{name}")
                if (which := (status.st_dev, status.st_ino)) in names:
                    names[which] -= 1
    return {which for which, unseen in names.items() if unseen > 0}


def clear_way(path: Path) -> None:
    """Take away what would lead a file that is about to be written elsewhere, or keep it from being written."""
    with suppress(OSError):
        if path.is_symlink() or (path.exists() and not path.is_file()):
            delete(path)


def walk(folder: Path, most: int | None = None) -> Iterator[tuple[str, list[str], list[str]]]:
    """What `os.walk` yields from the top down, however deep the folders lie: it calls itself for each level.

    Args:
        folder: Where to begin. No link is followed; what cannot be listed, as where a path grows too long, is empty.
        most: How many levels below `folder` are looked into; None for all. Names taken out of the list of folders are
            left out.
    """
    ahead = [(str(folder), 0)]
    while ahead:
        place, depth = ahead.pop()
        folders: list[str] = []
        names: list[str] = []
        try:
            with os.scandir(place) as entries:
                for entry in entries:
                    (folders if _is_folder(entry) else names).append(entry.name)
        except OSError:
            continue
        yield place, folders, names
        if most is None or depth < most:
            inner = (f"{place.rstrip('/')}/{name}" for name in reversed(folders))
            ahead += [(path, depth + 1) for path in inner if not os.path.islink(path)]  # noqa: PTH114 (paths may be long)


def _is_folder(entry: "os.DirEntry[str]") -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


class _Level(NamedTuple):
    """A folder on the way down: its name, which one it is, and the folders in it that are still there."""

    name: str
    identity: tuple[int, int]
    inner: list[str]


_FOLDER = os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def size(place: Path) -> int:
    """Bytes of a file, or of the files below a folder; a link counts itself, and what is not there nothing.

    Raises:
        OSError: What lies below cannot be looked at, or goes meanwhile.
    """
    if place.is_dir() and not place.is_symlink():
        return sum(os.lstat(f"{at}/{name}").st_size for at, _, names in walk(place) for name in names)
    return place.lstat().st_size if os.path.lexists(place) else 0


def delete(folder: Path) -> None:
    """Delete a folder tree, however deep, read-only folders in it included; one that is not there is fine.

    One folder is open at a time and no path is longer than a name, so neither a limit of Python's nor one of the
    system's ends it. No link is followed.

    Raises:
        OSError: Something stays; whatever else could go is gone.
    """
    if not os.path.lexists(folder):
        return
    here, troubles = os.open(folder.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC), list[OSError]()
    way = [_Level("", _identity(here), [folder.name])]
    try:
        while way[0].inner or len(way) > 1:
            level = way[-1]
            if level.inner:
                name = level.inner.pop()
                with _noted(troubles):
                    below = _enter(here, name)
                    os.close(here)
                    here = below
                    way.append(_Level(name, _identity(here), _emptied(here, troubles)))
                continue
            above = os.open("..", os.O_PATH | _FOLDER, dir_fd=here)
            os.close(here)
            here = above
            way.pop()
            if _identity(here) != way[-1].identity:
                raise OSError(errno.ESTALE, "somebody moved a folder in it meanwhile", str(folder))
            with _noted(troubles):
                os.rmdir(level.name, dir_fd=here)
    finally:
        os.close(here)
    if troubles:
        raise OSError(troubles[0].errno, f"{troubles[0].strerror} ({troubles[0].filename})", str(folder))


@contextmanager
def _noted(troubles: list[OSError]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        pass
    except OSError as error:
        troubles.append(error)


def _identity(handle: int) -> tuple[int, int]:
    found = os.fstat(handle)
    return found.st_dev, found.st_ino


def _enter(here: int, name: str) -> int:
    """Open a folder in `here` and make it writable; what is no folder is taken away, and is then not found."""
    try:
        handle = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=here)
    except NotADirectoryError:
        os.unlink(name, dir_fd=here)
        raise FileNotFoundError from None
    except PermissionError:
        unread = os.open(name, os.O_PATH | _FOLDER, dir_fd=here)
        try:
            os.chmod(f"/proc/self/fd/{unread}", 0o700)  # noqa: PTH101 (no path: whatever lies there now, this one)
        finally:
            os.close(unread)
        handle = os.open(name, os.O_RDONLY | _FOLDER, dir_fd=here)
    with suppress(OSError):
        os.fchmod(handle, 0o700)
    return handle


def _emptied(handle: int, troubles: list[OSError]) -> list[str]:
    """Take away all that is no folder, and return the names of the folders."""
    folders: list[str] = []
    with _noted(troubles), os.scandir(handle) as found:
        entries = list(found)
        for entry in entries:
            with _noted(troubles):
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
                else:
                    os.unlink(entry.name, dir_fd=handle)
    return folders
