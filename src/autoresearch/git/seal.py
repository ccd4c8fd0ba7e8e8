"""Are files of a worktree still what their commit holds? Told by content, whatever the worktree's own index says."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from autoresearch.git.call import FULL, call, nul, private_index
from autoresearch.git.diffs import SUBMODULE, SYMLINK


def altered(tree: Path, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """What happened to files of a commit in a worktree: `changed` or `removed` by path, nothing for one that is whole.

    A file reached through a link, or that became a link or a folder, is changed. Submodules are left out.

    Args:
        tree: Root of the worktree.
        commit: What it was made from.
        paths: The files to look at; those the commit does not have are left out.
    """
    wanted, found = frozenset(paths), {}
    plain: dict[str, str] = {}
    for record in nul(call(tree, "ls-tree", "-r", "-z", "--full-tree", commit).stdout):
        (mode, _, digest), path = record.partition("\t")[0].split(" "), record.partition("\t")[2]
        if path not in wanted or mode == SUBMODULE:
            continue
        state = _state(tree, path)
        if state is None:
            found[path] = "removed"
        elif stat.S_ISLNK(state.st_mode) and mode == SYMLINK:
            leads = os.fsencode((tree / path).readlink())
            if call(tree, "hash-object", "--stdin", stdin=leads).text != digest:
                found[path] = "changed"
        elif not stat.S_ISREG(state.st_mode) or mode == SYMLINK or not _readable(tree, path):
            found[path] = "changed"
        else:
            plain[path] = digest
    return found | dict.fromkeys(_unlike(tree, plain), "changed")


def added(tree: Path, commit: str) -> tuple[str, ...]:
    """Files in a worktree that its commit does not have and that are not ignored, sorted."""
    with private_index() as index:
        call(tree, "read-tree", commit, env=index, config=FULL)
        listed = call(tree, "ls-files", "-z", "--others", "--exclude-standard", env=index, config=FULL)
    return tuple(sorted(nul(listed.stdout)))


def put_back(tree: Path, commit: str, paths: Iterable[str]) -> None:
    """Make files of a worktree what the commit holds again; whatever stands in their place goes."""
    with private_index() as index:
        call(tree, "read-tree", commit, env=index, config=FULL)
        names = "".join(f"{path}\0" for path in sorted(paths)).encode("utf-8", "surrogateescape")
        call(tree, "checkout-index", "--force", "-z", "--stdin", stdin=names, env=index, config=FULL)


def _state(tree: Path, path: str) -> os.stat_result | None:
    try:
        return (tree / path).lstat()
    except OSError:
        return None


def _readable(tree: Path, path: str) -> bool:
    """Whether a file can be read, and lies where it seems to, not behind a link."""
    place = (tree / path).parent
    return place.resolve() == tree.resolve() / place.relative_to(tree) and os.access(tree / path, os.R_OK)


def _unlike(tree: Path, digests: dict[str, str]) -> Iterable[str]:
    """Files whose content, as git would store it, has another digest."""
    lines = [path for path in digests if "\n" not in path]
    if lines:
        told = call(
            tree,
            "hash-object",
            "--stdin-paths",
            stdin="".join(f"{path}\n" for path in lines).encode("utf-8", "surrogateescape"),
        )
        yield from (path for path, now in zip(lines, told.text.split(), strict=True) if now != digests[path])
    for path in digests.keys() - set(lines):
        if (
            call(tree, "hash-object", f"--path={path}", "--stdin", stdin=(tree / path).read_bytes()).text
            != digests[path]
        ):
            yield path
