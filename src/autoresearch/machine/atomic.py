"""Two ways to write that a crash cannot spoil: append one piece, or write aside and rename.

Both end on the disk (fsync of the file, and of its folder when a name is new). Both leave the file as it was when the
disk refuses. Neither locks: see `lock.file_lock`.
"""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from autoresearch.errors import StorageError
from autoresearch.machine import fault_points


def append(path: Path, data: bytes, point: str) -> int:
    """Append `data` in one piece and return the offset it begins at.

    Args:
        path: The file; it and its folder are made when missing.
        data: What to append.
        point: Fault point family: `<point>.write` and `<point>.sync`.

    Raises:
        StorageError: The disk refused. The file is as long as before, unless another program wrote to it meanwhile.
    """
    with storage(path, "append to"):
        descriptor = _open(path, os.O_RDWR | os.O_APPEND)
        try:
            before = os.fstat(descriptor).st_size
            _append(descriptor, before, data, point)
        finally:
            os.close(descriptor)
    return before


def replace(path: Path, data: bytes | str, point: str = "file.replace") -> None:
    """Put `data` in place of a file at once: readers see the old content or the new, never a mixture.

    A symbolic link is followed, the permissions of an existing file are kept.

    Raises:
        StorageError: The disk refused; the old file stands untouched.
    """
    content = data.encode() if isinstance(data, str) else data
    target = Path(os.path.realpath(path))
    aside = target.with_name(f".{target.name}.new-{os.uname().nodename}-{os.getpid()}")
    with storage(path, "write"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _write_aside(aside, content, f"{point}.write")
            with suppress(FileNotFoundError):
                shutil.copymode(target, aside)
            fault_points.point(f"{point}.rename")
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
        sync_folder(target.parent)
        fault_points.point(f"{point}.after")


def sweep(folders: Iterable[Path]) -> None:
    """Remove what processes of this machine that died within `replace` have left in these folders."""
    mark = f".new-{os.uname().nodename}-"
    for folder in folders:
        for aside in folder.glob(f".*{mark}*"):
            pid = aside.name.rpartition("-")[2]
            if pid.isdecimal() and not Path("/proc", pid).exists():
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


def _append(descriptor: int, before: int, data: bytes, point: str) -> None:
    try:
        _write_all(descriptor, data, f"{point}.write")
        fault_points.point(f"{point}.sync")
        os.fsync(descriptor)
    except OSError:
        if before < os.fstat(descriptor).st_size <= before + len(data):
            os.ftruncate(descriptor, before)
            with suppress(OSError):
                os.fsync(descriptor)
        raise


def _write_aside(aside: Path, content: bytes, point: str) -> None:
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
    try:
        _write_all(descriptor, content, point)
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
