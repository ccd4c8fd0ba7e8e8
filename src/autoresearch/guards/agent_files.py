"""Files below one folder, opened step by step so that nothing an agent laid there leads out of it.

Every part of a path is opened relative to the folder before it and never through a symbolic link (openat(2) with
`O_NOFOLLOW`): what was checked is what is opened, however fast somebody swaps a folder for a link.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath

_MOST_BYTES = 16 << 20


def relative(root: Path, path: str) -> str | None:
    """A path as seen from `root`, `.` for itself; None when it lies elsewhere, by its parts or through a link.

    Args:
        root: The folder, absolute.
        path: Absolute, or relative to `root`; it need not exist.
    """
    for base in (root, root.resolve()):
        full = Path(os.path.normpath(base / path))
        if full.is_relative_to(base):
            parts = full.relative_to(base).parts
            linked = any(base.joinpath(*parts[:count]).is_symlink() for count in range(1, len(parts) + 1))
            return None if linked else str(PurePosixPath(*parts))
    return None


def read(root: Path, path: str) -> str:
    """The text of a regular file below `root`.

    Raises:
        OSError: It is not there, no regular file, too large, or only reached through a link.
    """
    with _opened(root, path, os.O_RDONLY, make=False) as handle:
        with os.fdopen(os.dup(handle), "rb") as source:
            data = source.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise OSError(f"{path} is larger than {_MOST_BYTES >> 20} MiB")
        return data.decode("utf-8", "replace")


def write(root: Path, path: str, text: str) -> None:
    """Put text into a file below `root`, which is made with its folders when it is not there.

    Raises:
        OSError: It cannot be written, is no regular file, has a second name, or is only reached through a link.
    """
    with _opened(root, path, os.O_WRONLY | os.O_CREAT, make=True) as handle:
        if os.fstat(handle).st_nlink > 1:
            raise OSError(f"{path} has a second name, which may lie anywhere")
        os.ftruncate(handle, 0)
        with os.fdopen(os.dup(handle), "wb") as sink:
            sink.write(text.encode("utf-8", "surrogateescape"))


@contextmanager
def _opened(root: Path, path: str, flags: int, *, make: bool) -> Iterator[int]:
    *folders, name = _parts(path)
    with ExitStack() as held:
        here = held.enter_context(_handle(str(root), os.O_RDONLY | os.O_DIRECTORY))
        for folder in folders:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=here)
            here = held.enter_context(_handle(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, here))
        # A pipe in its place would make us wait.
        handle = held.enter_context(_handle(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, here))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no regular file")
        yield handle


@contextmanager
def _handle(name: str, flags: int, folder: int | None = None) -> Iterator[int]:
    handle = os.open(name, flags | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        yield handle
    finally:
        os.close(handle)


def _parts(path: str) -> tuple[str, ...]:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise OSError(f"{path} is no path below the folder")
    return parts
