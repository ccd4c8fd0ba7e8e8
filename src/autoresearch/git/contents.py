"""Are a worktree's files still what its commit holds? Told by content, whatever the worktree's own index says.

What a run or an agent left there may be anything. Files longer than could be read in a night are told by their size,
and what git reads unasked, or lets decide what is a change (rules of ignoring, of attributes), is never left to whoever
wrote it last.
"""

import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from autoresearch.experiment.change import FileChange
from autoresearch.git.call import FULL, call, fill_index, lines, nul, private_index
from autoresearch.git.objects import SUBMODULE, SYMLINK, blobs, files_of, listing, submodules_of
from autoresearch.machine import disk

_ATTRIBUTES = ".gitattributes"
_READ_UNASKED = frozenset({".gitignore", _ATTRIBUTES, ".gitmodules"})
_LONGEST_RULES = 1 << 20


def edited_paths(tree: Path, parent: str) -> tuple[str, ...]:
    """Every path in a worktree that differs from `parent`, sorted: changed, gone, or new and not ignored.

    The worktree's own index and HEAD are not trusted, so commits and `assume-unchanged` marks made in it hide nothing.
    Content of submodules is left to `submodules.edited`. A path that ends with `/` is a repository of its own.
    """
    with private_index() as index:
        return differing(tree, parent, index)


def differing(place: Path, commit: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Paths in a folder that differ by content from a commit, sorted: changed, gone, or new and not ignored.

    Args:
        place: Root of the worktree.
        commit: What to compare with; content of its submodules is left out.
        env: An empty `private_index`, and whatever else makes git take `place` for its files.
    """
    _clear_rules(place)
    repo = Path(env.get("GIT_DIR", place))
    pinned = {path for path, _ in submodules_of(repo, commit)}
    known = files_of(repo, commit) - pinned
    fill_index(place, commit, env)
    endless = [path for path in known if is_endless(place / path)]
    if endless:
        call(place, "update-index", "--force-remove", "-z", "--stdin", stdin=lines(endless), env=env, config=FULL)
    flags = ("-z", "--modified", "--others", "--exclude-standard")
    told = nul(call(place, "ls-files", *flags, env=env, config=FULL).stdout)
    return tuple(sorted({*told, *endless, *_led_away(place, known)} - pinned))


def _led_away(place: Path, known: Iterable[str]) -> Iterator[str]:
    """Paths that are reached through a link where the commit has a folder: whatever is there, it is none of them."""
    folders = {str(folder) for path in known for folder in PurePosixPath(path).parents}
    links = tuple(f"{folder}/" for folder in folders if (place / folder).is_symlink() and folder != ".")
    return (path for path in known if links and path.startswith(links))


def changes(tree: Path, parent: str, paths: Iterable[str]) -> tuple[FileChange, ...]:
    """What edited paths of a worktree would be in a commit on `parent`, without one: no object is written.

    Args:
        tree: Root of the worktree.
        parent: What the commit would be built on.
        paths: Those of `edited_paths`.
    """
    wanted, counted = sorted(paths), {}
    with private_index() as index:
        fill_index(tree, parent, index)
        flags = ("--numstat", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--ignore-submodules=all")
        for record in nul(call(tree, "diff-files", *flags, env=index, config=FULL).stdout):
            added, deleted, path = record.split("\t", 2)
            counted[path] = (added, deleted)
    return tuple(_change(tree, path, counted.get(path)) for path in wanted)


def _change(tree: Path, path: str, counts: tuple[str, str] | None) -> FileChange:
    state = _state(tree / path)
    link = str((tree / path).readlink()) if state and stat.S_ISLNK(state.st_mode) else ""
    if counts is None and state and stat.S_ISREG(state.st_mode) and not _hollow(state):
        head = (tree / path).read_bytes()
        counts = ("-", "-") if b"\0" in head[:8000] else (str(len(head.splitlines())), "0")
    added, deleted = counts or ("1", "0")
    if added == "-":
        return FileChange(path=path, binary=True, link_target=link)
    return FileChange(path=path, added=int(added), deleted=int(deleted), link_target=link)


def stamps(tree: Path) -> frozenset[tuple[str, int, int, int, int]]:
    """What tells whether anything in a worktree was written meanwhile: size, inode and times of all that is in it."""
    found = set()
    for place, folders, files in disk.walk(tree):
        for path in (f"{place}/{name}" for name in (*folders, *files)):
            with suppress(OSError):
                state = os.lstat(path)
                found.add((path, state.st_size, state.st_ino, state.st_mtime_ns, state.st_ctime_ns))
    return frozenset(found)


def is_endless(path: Path) -> bool:
    """Whether a file is longer than could be read in a night and next to nothing of it was ever written."""
    state = _state(path)
    return state is not None and stat.S_ISREG(state.st_mode) and _hollow(state)


def altered(tree: Path, commit: str, paths: Iterable[str]) -> dict[str, str]:
    """What happened to files of a commit in a worktree: `changed` or `removed` by path, nothing for one that is whole.

    A file reached through a link, or that became a link or a folder, is changed. Submodules are left out. Attributes
    that somebody else than the commit gave to the files are taken away first: they would say what counts as a change.

    Args:
        tree: Root of the worktree.
        commit: What it was made from.
        paths: The files to look at; those the commit does not have are left out.
    """
    wanted = frozenset(paths)
    if not wanted:
        return {}
    listed = listing(tree, commit)
    _clear_rules(tree)
    _restore_attributes(tree, {path: digest for path, (_, digest) in listed.items()}, wanted)
    found: dict[str, str] = {}
    plain: dict[str, str] = {}
    for path, (mode, digest) in listed.items():
        if path not in wanted or mode == SUBMODULE:
            continue
        state = _state(tree / path)
        if state is None:
            found[path] = "removed"
        elif stat.S_ISLNK(state.st_mode) and mode == SYMLINK:
            leads = os.fsencode((tree / path).readlink())
            if call(tree, "hash-object", "--stdin", stdin=leads).text != digest:
                found[path] = "changed"
        elif not stat.S_ISREG(state.st_mode) or mode == SYMLINK or _hollow(state) or not _readable(tree, path):
            found[path] = "changed"
        else:
            plain[path] = digest
    return found | dict.fromkeys(_unlike(tree, plain), "changed")


def added(tree: Path, commit: str) -> tuple[str, ...]:
    """Files in a worktree that its commit does not have, sorted, ignored ones too: who left them may have said that."""
    files, pinned = files_of(tree, commit), {path for path, _ in submodules_of(tree, commit)}
    found: set[str] = set()
    for place, folders, names in disk.walk(tree):
        above = os.path.relpath(place, tree) + "/" if place != str(tree) else ""
        links = [name for name in folders if os.path.islink(f"{place}/{name}")]  # noqa: PTH114 (paths may be long)
        folders[:] = [name for name in folders if name != ".git" and above + name not in pinned]
        found.update(above + name for name in (*names, *links) if name != ".git")
    return tuple(sorted(found - files))


def put_back(tree: Path, commit: str, paths: Iterable[str]) -> None:
    """Make files of a worktree what the commit holds again; whatever stands in their place goes."""
    with private_index() as index:
        fill_index(tree, commit, index)
        call(tree, "checkout-index", "--force", "-z", "--stdin", stdin=lines(sorted(paths)), env=index, config=FULL)


def _clear_rules(place: Path) -> None:
    """Take away what git would read by itself and wait for, or never finish: no rules are a pipe or that long."""
    for folder, _, names in disk.walk(place):
        for path in (Path(folder, name) for name in _READ_UNASKED.intersection(names)):
            state = _state(path)
            if state is None or stat.S_ISLNK(state.st_mode):
                continue
            if not stat.S_ISREG(state.st_mode) or state.st_size > _LONGEST_RULES:
                with suppress(OSError):
                    path.unlink()


def _restore_attributes(tree: Path, digests: Mapping[str, str], wanted: Iterable[str]) -> None:
    """The commit's own attributes for some files, in every folder above them."""
    for folder in {up for path in wanted for up in PurePosixPath(path).parents}:
        path = str(folder / _ATTRIBUTES)
        state = _state(tree / path)
        if state is None or stat.S_ISLNK(state.st_mode) or not _readable(tree, path):
            continue  # git reads no attributes through a link
        digest = digests.get(path)
        plain = stat.S_ISREG(state.st_mode)
        if plain and digest and call(tree, "hash-object", "--no-filters", "--", path).text == digest:
            continue
        with suppress(OSError):
            disk.delete(tree / path)
            if digest:
                (tree / path).write_bytes(blobs(tree, [digest])[0])


def _state(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _hollow(state: os.stat_result) -> bool:
    """Whether a file is longer than could be read in a night and next to nothing of it was ever written."""
    return state.st_size > 1 << 30 and state.st_blocks * 512 < state.st_size // 16


def _readable(tree: Path, path: str) -> bool:
    """Whether a file can be read, and lies where it seems to, not behind a link."""
    place = (tree / path).parent
    return place.resolve() == tree.resolve() / place.relative_to(tree) and os.access(tree / path, os.R_OK)


def _unlike(tree: Path, digests: dict[str, str]) -> Iterable[str]:
    """Files whose content, as git would store it, has another digest."""
    lines = [path for path in digests if "\n" not in path]
    if lines:
        names = "".join(f"{path}\n" for path in lines).encode("utf-8", "surrogateescape")
        told = call(tree, "hash-object", "--stdin-paths", stdin=names)
        yield from (path for path, now in zip(lines, told.text.split(), strict=True) if now != digests[path])
    for path in digests.keys() - set(lines):
        if (
            call(tree, "hash-object", f"--path={path}", "--stdin", stdin=(tree / path).read_bytes()).text
            != digests[path]
        ):
            yield path


def only_here(root: Path, commit: str, paths: Sequence[str]) -> list[str]:
    """Those paths, files or folders, that the checkout has and a commit's worktree has not: ignored, or not added yet.

    What a link of the commit leads to is there as well, unless it leads from the checkout to where no worktree is.
    """
    here = [path for path in paths if (root / path).exists()]
    files = files_of(root, commit) if here else ()
    held = {str(one) for file in files for one in (file, *PurePosixPath(file).parents)}
    return [path for path in here if path not in held and not _behind_a_link(root, path, files, held)]


def _behind_a_link(root: Path, path: str, files: Collection[str], held: Collection[str]) -> bool:
    """Whether a link of the commit leads to a path from any worktree."""
    link = next((up for up in PurePosixPath(path).parents if str(up) in files and (root / up).is_symlink()), None)
    if link is None:
        return False
    leads = (root / link).readlink()
    there = os.path.normpath(link.parent / leads / PurePosixPath(path).relative_to(link))
    return leads.is_absolute() or there in held or _behind_a_link(root, there, files, held)
