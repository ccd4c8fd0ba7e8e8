"""What an agent without a sandbox must not have moved: taken before, compared after, put back or reported.

Two rules keep this from doing harm, because a person may work in the same repository meanwhile. What only we write
(branches and records of the campaign at hand) and what could run code in our name (git's configuration, hooks, the
worktree's `.git` file) is put back. What is the user's is put back only where it is gone, or where git's own reflog
names the agent as the one who moved it; anything else is reported, with what it was before. Whatever is replaced is
kept aside first. With a sandbox none of it can be reached, and only the worktree's `.git` file is looked at.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.errors import AutoresearchError, LedgerError
from autoresearch.experiment.names import PREFIX
from autoresearch.git import refs as git
from autoresearch.git.call import ask, call
from autoresearch.machine.disk import delete, walk
from autoresearch.machine.lock import file_lock
from autoresearch.records.journal import load
from autoresearch.records.paths import CampaignPaths

HAND = "autoresearch-agent"
"""Committer name of whatever an agent does with git: reflogs then tell its doing from a person's."""

_PERSONS = ("steered", "paused", "resumed", "stop_requested")
"""Events that a person may add to the journal while an agent is at work."""

_MOST_COPY = 1 << 30
_MOST_LOOSE = 64 << 20
_MOST_FILES = 2000
_MACHINERY = ("config", "config.worktree", "info", "hooks", "gitdir", "commondir", "alternates", "HEAD", "index")
_PASSED_OVER = ("objects", "refs", "logs", "lfs", "packed-refs", "reftable")

Content = bytes | str | None
"""A file's bytes, a link's target, or None for nothing there."""


@dataclass(kw_only=True)
class Custody:
    """The state before; `settle` compares and mends.

    Attributes:
        root: The user's checkout.
        tree: The worktree the agent edits.
        paths: The campaign's places.
        pointer: Content of the worktree's `.git` file.
        watched: Whether more than that is looked at.
        machinery: Git's own files, by path.
        records: Ledger, journal and plan, by path.
        refs: Every ref with its commit.
        staged: What the user's index holds, as git lists it.
        loose: Content of the user's files that no commit holds, and None for those too large to copy.
        touched: Files of the checkout that differ from its commit.
        reflog: Length of HEAD's reflog.
    """

    root: Path
    tree: Path
    paths: CampaignPaths
    pointer: bytes
    watched: bool
    machinery: dict[Path, Content] = field(default_factory=dict)
    records: dict[Path, Content] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)
    staged: bytes = b""
    loose: dict[Path, Content] = field(default_factory=dict)
    touched: frozenset[str] = frozenset()
    reflog: int = 0

    @classmethod
    def take(cls, root: Path, tree: Path, folder: Path, uncontained: bool) -> "Custody":
        """Look at everything now, changing nothing.

        Args:
            root: The user's checkout.
            tree: The worktree the agent will edit.
            folder: The campaign's folder.
            uncontained: Whether the agent will be able to write elsewhere.
        """
        root = git.root(root)
        taken = cls(
            root=root,
            tree=tree,
            paths=CampaignPaths(root, folder.name),
            pointer=(tree / ".git").read_bytes(),
            watched=uncontained,
        )
        if uncontained:
            taken._look()
        return taken

    def _look(self) -> None:
        common = git.common_dir(self.root)
        self.machinery = {path: _content(path) for path in _machinery(common)}
        self.records = {path: _content(path) for path in self._record_files()}
        self.refs = _refs(self.root)
        self.staged = _staged(self.root)
        changes = git.changes(self.root)
        paths = dict.fromkeys((*changes.unstaged, *changes.staged, *changes.untracked))
        self.touched = frozenset(paths)
        room = _MOST_LOOSE
        for path in list(paths)[:_MOST_FILES]:
            content = _content(self.root / path, room)
            room -= len(content or "")
            self.loose[self.root / path] = content
        self.reflog = len(_reflog(self.root))

    def settle(self, keep: Path) -> tuple[str, ...]:
        """Put back what may be put back; what was found, one sentence each, empty when nothing had been moved.

        Args:
            keep: Folder for what gets replaced; made when needed.
        """
        found = list(self._mend_pointer())
        if self.watched:
            # Configuration and hooks come first: the other steps ask git.
            git_first = (self._mend_machinery, self._mend_refs, self._mend_checkout)
            for step in (*git_first, self._mend_journal, self._mend_ledger, self._mend_plan):
                try:
                    found += step(keep)
                except (OSError, AutoresearchError) as error:
                    found.append(f"what the agent may have moved could not be looked at in full: {error}")
        return tuple(found)

    # -- git ------------------------------------------------------------------------------------------------------

    def _mend_pointer(self) -> Iterator[str]:
        """Before any git of ours runs in the worktree: its `.git` decides whose configuration that git obeys."""
        file = self.tree / ".git"
        if self.tree.is_symlink() or not self.tree.is_dir():
            _remove(self.tree)
            self.tree.mkdir(parents=True)
            yield "the agent had removed its worktree; it was recreated, empty"
        if file.is_symlink() or not file.is_file() or file.read_bytes() != self.pointer:
            _remove(file)
            file.write_bytes(self.pointer)
            yield "the agent had changed its worktree's .git file; it was put back"

    def _mend_machinery(self, keep: Path) -> Iterator[str]:
        common = git_folder(self.root)
        heads = {common / "HEAD", common / "index"}
        now = {path: _content(path) for path in _machinery(common)}
        for path in sorted(now.keys() | self.machinery.keys()):
            before, after = self.machinery.get(path), now.get(path)
            unknown = path in self.machinery and before is None
            if before != after and path not in heads and not unknown:
                yield from self._put_back(path, before, keep, f"git's {path.relative_to(common)}")
        if now.get(common / "HEAD") != self.machinery.get(common / "HEAD"):
            if self._did("HEAD"):
                yield from self._put_back(common / "HEAD", self.machinery[common / "HEAD"], keep, "HEAD")
            else:
                yield f"HEAD changed while the agent was at work; before: {_shown(self.machinery[common / 'HEAD'])}"
        rewritten = now.get(common / "index") != self.machinery.get(common / "index") and self._acted()
        if rewritten or _staged(self.root) != self.staged:
            yield from self._put_back(common / "index", self.machinery.get(common / "index"), keep, "the index")

    def _mend_refs(self, keep: Path) -> Iterator[str]:  # noqa: ARG002 - commits stay in git
        now = _refs(self.root)
        ours = f"{git.HEADS}{PREFIX}/{self.paths.name}/"
        for ref in sorted(now.keys() | self.refs.keys()):
            before, after = self.refs.get(ref), now.get(ref)
            if before == after:
                continue
            if before is None:
                if ref.startswith(ours):
                    call(self.root, "update-ref", "-m", "autoresearch", "-d", ref, str(after))
                    yield f"{ref} was new, not made by autoresearch; it was removed, it pointed at {after}"
                elif self._did(ref):
                    yield f"the agent made {ref} at {after}; it is left there"
            elif after is None or ref.startswith(ours) or self._did(ref):
                call(self.root, "update-ref", "-m", "autoresearch", "--create-reflog", ref, before)
                yield f"{ref} was {'deleted' if after is None else f'moved to {after}'}; it is back at {before}"
            else:
                yield f"{ref} moved from {before} to {after} while the agent was at work, not by its name; it is left"

    def _did(self, ref: str) -> bool:
        """Whether the newest entry of a reflog is the agent's."""
        log = _reflog(self.root, ref)
        return bool(log) and f" {HAND} <" in log[-1]

    def _acted(self) -> bool:
        """Whether the agent has moved or reset what is checked out."""
        return any(f" {HAND} <" in line for line in _reflog(self.root)[self.reflog :])

    # -- the user's files -----------------------------------------------------------------------------------------

    def _mend_checkout(self, keep: Path) -> Iterator[str]:
        acted = self._acted()
        for path, before in self.loose.items():
            if before is None or (after := _content(path)) == before:
                continue
            if after is None or acted:
                yield from self._put_back(path, before, keep, f"the checkout's {path.relative_to(self.root)}")
            else:
                kept = _keep(keep, path, before)
                yield f"the checkout's {path.relative_to(self.root)} changed while the agent worked; before: {kept}"
        changes = git.changes(self.root)
        for name in sorted({*changes.unstaged, *changes.untracked} - self.touched)[:20]:
            yield f"the checkout's {name} changed while the agent worked; see: git diff -- {name}"

    # -- records --------------------------------------------------------------------------------------------------

    def _record_files(self) -> tuple[Path, ...]:
        return (self.paths.journal, self.paths.ledger, self.paths.campaign_file)

    def _mend_journal(self, keep: Path) -> Iterator[str]:
        """Nobody but a person adds to the journal while the controller waits, and no person approves through it."""
        path, before = self.paths.journal, self.records[self.paths.journal]
        with file_lock(path):
            after = _content(path)
            if after == before:
                return
            added = _added(before, after)
            lines = [line for line in added.splitlines() if line.strip()]
            good = [line for line in lines if _kind(line) in _PERSONS]
            if len(good) == len(lines) and lines:
                return
            kept = _keep(keep, path, after)
            _write(path, _bytes(before) + b"".join(line + b"\n" for line in good))
        yield (
            f"the journal was changed while the agent was at work by something that may not; it is as before (the "
            f"other version: {kept}). An approval given in these minutes must be given again"
        )

    def _mend_ledger(self, keep: Path) -> Iterator[str]:
        path, before = self.paths.ledger, self.records[self.paths.ledger]
        with file_lock(path):
            after = _content(path)
            mine = f"{PREFIX}/{self.paths.name}/".encode()
            added = _added(before, after)
            if _bytes(after) == _bytes(before) or (added and mine not in added):
                return
            kept = _keep(keep, path, after)
            good = b"".join(row for row in added.splitlines(keepends=True) if mine not in row)
            _write(path, _bytes(before) + good)
        yield f"the ledger was edited while the agent was at work; it is as before (the other version: {kept})"

    def _mend_plan(self, keep: Path) -> Iterator[str]:
        path = self.paths.campaign_file
        if _content(path) != self.records[path]:
            yield from self._put_back(path, self.records[path], keep, "the campaign's plan")

    def _put_back(self, path: Path, before: Content, keep: Path, what: str) -> Iterator[str]:
        kept = _keep(keep, path, _content(path))
        _remove(path)
        _write(path, before)
        aside = f" (the other version: {kept})" if kept else ""
        yield f"{what} was changed while the agent was at work; it was put back{aside}"


def git_folder(root: Path) -> Path:
    """The shared git folder of a checkout, without asking git: its configuration is not to be trusted yet."""
    pointer = root / ".git"
    if pointer.is_dir():
        return pointer.resolve()
    admin = (root / pointer.read_text().strip().removeprefix("gitdir: ")).resolve()
    common = admin / "commondir"
    return (admin / common.read_text().strip()).resolve() if common.is_file() else admin


def _machinery(common: Path) -> Iterator[Path]:
    """Git's files that decide what git does, submodules' and other worktrees' included."""
    yield from (common / "objects" / "info").glob("alternates")
    for place, folders, names in walk(common):
        folders[:] = [name for name in folders if name not in _PASSED_OVER]
        here = Path(place).relative_to(common).parts
        inside = any(part in {"hooks", "info"} for part in here)
        for name in names:
            foreign = bool(here) and name in {"HEAD", "index"}
            if (inside or name in _MACHINERY) and not name.endswith(".lock") and not foreign:
                yield Path(place, name)


def _content(path: Path, most: int = _MOST_COPY) -> Content:
    try:
        if path.is_symlink():
            return str(path.readlink())
        return path.read_bytes() if path.is_file() and path.stat().st_size <= most else None
    except OSError:
        return None


def _write(path: Path, content: Content) -> None:
    """Write bytes in place, so that whoever has the file open sees them; None takes the file away."""
    if content is None:
        _remove(path)
    elif isinstance(content, str):
        path.symlink_to(content)
    else:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        delete(path)
    with suppress(OSError):
        path.unlink()


def _keep(folder: Path, path: Path, content: Content) -> Path | None:
    if not isinstance(content, bytes):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"{len(list(folder.iterdir()))}-{path.name}"
    kept.write_bytes(content)
    return kept


def _bytes(content: Content) -> bytes:
    return content if isinstance(content, bytes) else b""


def _added(before: Content, after: Content) -> bytes:
    """What was appended; nothing when the old content is not the new one's beginning."""
    old, new = _bytes(before), _bytes(after)
    return new[len(old) :] if new.startswith(old) else b""


def _kind(line: bytes) -> str:
    try:
        load(line.decode())
        return str(json.loads(line).get("kind"))
    except (LedgerError, ValueError):
        return ""


def _refs(root: Path) -> dict[str, str]:
    listed = call(root, "for-each-ref", "--format=%(refname) %(objectname)").text.splitlines()
    return dict(line.split(" ", 1) for line in listed)


def _staged(root: Path) -> bytes:
    return call(root, "ls-files", "--stage", "-v", "-z").stdout


def _reflog(root: Path, ref: str = "HEAD") -> list[str]:
    path = ask(root, "rev-parse", "--git-path", f"logs/{ref}")
    try:
        return (root / (path or "")).read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _shown(content: Content) -> str:
    return content.decode("utf-8", "replace").strip() if isinstance(content, bytes) else str(content)
