"""The skill pack for coding agents: its files, and their installation where agents look for skills.

The pack follows the open Agent Skills format (agentskills.io): a folder named as the skill, with `SKILL.md` in it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath

from autoresearch.errors import UsageError
from autoresearch.machine import disk

NAME = "autoresearch"

FOLDERS = {
    "claude": ".claude/skills",
    "codex": ".agents/skills",
    "gemini": ".agents/skills",
    "cursor": ".agents/skills",
    "opencode": ".agents/skills",
}
"""Where each agent looks, below the home directory and below a project alike."""

_OURS = "program: nemo-autoresearch"


@dataclass(frozen=True)
class Installed:
    """What became of one folder.

    Attributes:
        folder: The skill's own folder, `.../skills/autoresearch`.
        agents: Who looks there.
        written: Files that are new or changed, relative to it.
        kept: Copies of files that had another content before.
    """

    folder: Path
    agents: tuple[str, ...]
    written: tuple[str, ...]
    kept: tuple[Path, ...]


def pack() -> dict[str, bytes]:
    """The files an agent needs by path below the skill's folder; the evaluation tasks hold answers and stay here."""
    found = _walk(files("autoresearch") / "skills" / NAME, PurePosixPath())
    return {name: content for name, content in found if not name.startswith("evals/")}


def install(base: Path, agents: Collection[str] = ()) -> tuple[Installed, ...]:
    """Put the pack where agents look, below `base`; again is an update.

    Args:
        base: A home directory, or the root of a project.
        agents: For whom, of `FOLDERS`; none means all.

    Raises:
        UsageError: Another skill of this name is there, or an agent is unknown.
        StorageError: The disk refused.
    """
    wanted = {
        folder: _readers(folder, agents or FOLDERS) for folder in dict.fromkeys(_folder(a) for a in agents or FOLDERS)
    }
    for folder in wanted:
        _refuse_foreign(base / folder / NAME)
    return tuple(_install(base / folder / NAME, readers) for folder, readers in wanted.items())


def _walk(folder: Traversable, at: PurePosixPath) -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        here = at / entry.name
        found += _walk(entry, here) if entry.is_dir() else [(str(here), entry.read_bytes())]
    return found


def _folder(agent: str) -> str:
    if agent not in FOLDERS:
        raise UsageError(f"no place is known where {agent!r} looks for skills; known: {', '.join(FOLDERS)}")
    return FOLDERS[agent]


def _readers(folder: str, agents: Collection[str]) -> tuple[str, ...]:
    return tuple(agent for agent in agents if FOLDERS[agent] == folder)


def _refuse_foreign(folder: Path) -> None:
    """Never write over a skill that somebody else made."""
    there = disk.read(folder / "SKILL.md")
    if there and _OURS.encode() not in there.partition(b"\n---")[0]:
        raise UsageError(f"{folder} holds another skill of this name; move it away, then install again")


def _install(folder: Path, agents: tuple[str, ...]) -> Installed:
    written: list[str] = []
    kept: list[Path] = []
    for name, content in pack().items():
        path = folder / name
        before = disk.read(path)
        if before == content:
            continue
        if before:
            kept.append(disk.backup(path))
        disk.replace(path, content)
        written.append(name)
    return Installed(folder, agents, tuple(written), tuple(kept))
