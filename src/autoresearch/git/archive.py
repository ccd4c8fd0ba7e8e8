"""A commit as an archive for machines that do not see our files, with the fingerprint by which they know it."""

import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from autoresearch.errors import LauncherError, RepositoryError
from autoresearch.git import arrived
from autoresearch.git.call import call


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
    return Archive(content, f"{algorithm}:{arrived.fingerprint(wanted.items())}")


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
                yield entry.filename.encode("utf-8", "surrogateescape"), arrived.blob(archive.read(entry), algorithm)
