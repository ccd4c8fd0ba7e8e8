"""What commits and refs hold: paths, modes, digests, contents. Nothing is written.

The companion answers while a controller has one; see `companion`. What a whole hash names is asked once.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from autoresearch.errors import RepositoryError
from autoresearch.git import companion, refs
from autoresearch.git.call import call, is_hash, nul

SYMLINK, SUBMODULE = "120000", "160000"


def files_of(repo: Path, commit: str) -> frozenset[str]:
    """Every path of a commit: files, links and submodules."""
    return _everything(repo, commit)[0]


def submodules_of(repo: Path, commit: str) -> tuple[tuple[str, str], ...]:
    """Every submodule of a commit: its path, and the commit that is pinned."""
    return _everything(repo, commit)[1]


def listing(repo: Path, commit: str) -> Mapping[str, tuple[str, str]]:
    """Mode and digest of every path of a commit, in git's order."""
    return _listing(refs.common_dir(repo), commit) if is_hash(commit) else _listing.__wrapped__(repo, commit)


@lru_cache(maxsize=4)
def _listing(repo: Path, commit: str) -> Mapping[str, tuple[str, str]]:
    if (told := companion.tree(repo, commit)) is not None:
        return told
    records = [one.partition("\t") for one in nul(call(repo, "ls-tree", "-r", "-z", "--full-tree", commit).stdout)]
    return {path: (kind.split(" ")[0], kind.split(" ")[2]) for kind, _, path in records}


def _everything(repo: Path, commit: str) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    return _whole(refs.common_dir(repo), commit) if is_hash(commit) else _parted(listing(repo, commit))


@lru_cache(maxsize=4)
def _whole(repo: Path, commit: str) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    return _parted(_listing(repo, commit))


def _parted(held: Mapping[str, tuple[str, str]]) -> tuple[frozenset[str], tuple[tuple[str, str], ...]]:
    return frozenset(held), tuple((path, digest) for path, (mode, digest) in held.items() if mode == SUBMODULE)


def changed_paths(repo: Path, a: str, b: str) -> tuple[str, ...]:
    """Every path that differs between two commits by mode or content, or is in one of them only; sorted."""
    before, after = listing(repo, a), listing(repo, b)
    return tuple(sorted(path for path in before.keys() | after.keys() if before.get(path) != after.get(path)))


def blobs(repo: Path, hashes: Sequence[str]) -> list[bytes]:
    """The contents of many objects with one call, in the order asked for.

    Raises:
        RepositoryError: One of them is missing.
    """
    found = contents_of(repo, hashes)
    for name, content in zip(hashes, found, strict=True):
        if content is None:
            raise RepositoryError(f"object {name} is missing from {repo}; check the clone with: git fsck")
    return [content for content in found if content is not None]


def contents_of(repo: Path, names: Sequence[str]) -> list[bytes | None]:
    """The contents of many objects, named as git-rev-parse(1) says, with one call; None for what is not there."""
    if not names:
        return []
    if (held := companion.ask(refs.common_dir(repo), names)) is not None:
        return [one and one.content for one in held]
    told = call(repo, "cat-file", "--batch", stdin="".join(f"{name}\n" for name in names).encode()).stdout
    found: list[bytes | None] = []
    place = 0
    for _ in names:
        begin = told.index(b"\n", place) + 1
        size = told[place:begin].split()[-1]
        place = begin + int(size) + 1 if size.isdigit() else begin
        found.append(told[begin : place - 1] if size.isdigit() else None)
    return found


def objects_at(repo: Path, names: Sequence[str]) -> list[tuple[str, int] | None]:
    """Hash and size of many objects, named as git-rev-parse(1) says, by one call that reads none of them."""
    if (held := companion.ask(refs.common_dir(repo), names, read=False)) is not None:
        return [one and (one.digest, one.size) for one in held]
    told = call(repo, "cat-file", "--batch-check", stdin="".join(f"{name}\n" for name in names).encode()).text
    found = [line.split() for line in told.splitlines()]
    return [(said[0], int(said[2])) if len(said) == 3 and said[2].isdigit() else None for said in found]
