"""Is what runs load before any code of theirs, and what is installed beside it, still what it was? Nothing is executed.

Looked at are files that an interpreter would load: start-up files, modules, compiled modules, programs. Those nearest
to the top come first, up to a bound, so that a look costs the same for a large environment. What differs is compared
by content where that is known, so that what somebody put back or installed again counts as whole.
"""

import base64
import hashlib
import os
import re
import shutil
import stat
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from autoresearch.guards.search_path import Interpreter, follow

_CODE = (".py", ".pth", ".so", ".pyc", ".egg-link")
_STARTS = ("sitecustomize", "usercustomize")
_LISTS = frozenset({"RECORD", "entry_points.txt"})
_PACKAGES, _MADE = "lib*/python3*/*-packages", "pyvenv.cfg"
_LOST = "what was kept of it is gone or was changed"
_FILTERS = re.compile(r"filter|smudge|clean|process|attributes|include|path\s*=|autocrlf|\beol\b", re.IGNORECASE)
_READ, _SEEN = "read", "seen"
_LARGEST = 4 << 20
_PROGRAMS = ("python", "python3", "uv", "torchrun", "accelerate", "deepspeed", "bash", "sh", "env")


@dataclass(kw_only=True)
class InstalledFiles:
    """What is installed for the runs of a campaign, as it was before any idea ran.

    Attributes:
        folders: Where it lies.
        env: The environment of runs.
        checkout: The user's.
        known: A look, taken closely; empty where what was kept of it is gone.
        reached: Whether runs could write to it; else nobody looks.
        looks: What differed in each later look.
        since: Which of them was the first for a run, by run id.
    """

    folders: tuple[str, ...]
    env: Mapping[str, str]
    checkout: Path
    known: dict[str, str]
    reached: bool = True
    looks: list[tuple[str, ...]] = field(default_factory=list)
    since: dict[str, int] = field(default_factory=dict)

    def look(self, most: int) -> tuple[str, ...]:
        """Look again; what differs, in words."""
        found = differences(self.known, look(self.folders, self.env, most, self.checkout)) if self.known else (_LOST,)
        self.looks.append(found)
        return found

    def during(self, run_id: str) -> tuple[str, ...]:
        """What differed in any look from the one before a run on."""
        return tuple(dict.fromkeys(one for each in self.looks[self.since.get(run_id, 0) :] for one in each))


def places(tree: Path, command: Sequence[str], env: Mapping[str, str], checkout: Path) -> tuple[str, ...]:
    """Folders that the Pythons of a command load from outside of its worktree; what is not there is left out.

    Args:
        tree: Where it runs.
        command: What is run.
        env: Its environment.
        checkout: The user's.
    """
    ran = follow(tree, command, env)
    followed = ran if isinstance(ran, Interpreter) else None
    words = [followed.program] if followed else [word for word in command if "python" in word]
    search = followed.env.get("PATH") if followed else env.get("PATH")
    found = [shutil.which(str(tree / word) if "/" in word else word, path=search) for word in (*words, "python3")]
    tops = [Path(word).parent.parent for word in found if word]
    tops += [Path(env[name]) for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT") if env.get(name, "").startswith("/")]
    libraries = [path for top in (*tops, checkout / ".venv") for path in _libraries(top)]
    libraries += [path for word in found if word for path in _standard(Path(word).resolve().parent.parent)]
    libraries += [Path(part) for part in env.get("PYTHONPATH", "").split(":") if part[:1] == "/"]
    real = dict.fromkeys(str(path.resolve()) for path in libraries if path.is_dir())
    own = str(tree.resolve())
    return tuple(path for path in real if path != own and not path.startswith(f"{own}/"))


def packages(folders: Sequence[str]) -> dict[str, str]:
    """What is installed in folders of packages: the version by name, as their `*.dist-info` folders are called."""
    found: dict[str, str] = {}
    for folder in folders:
        for one in sorted(Path(folder).glob("*.dist-info")):
            name, _, version = one.name.removesuffix(".dist-info").partition("-")
            found.setdefault(name.lower().replace("_", "-"), version)
    return found


def _libraries(top: Path) -> Iterator[Path]:
    """Where an installation keeps packages; of an environment its programs too, which start them."""
    if (top / _MADE).is_file():
        yield top / "bin"
    yield from sorted(top.glob(_PACKAGES))


def _standard(top: Path) -> Iterator[Path]:
    yield from (path.parent for path in sorted(top.glob("lib*/python3*/os.py")))


def look(
    folders: Sequence[str], env: Mapping[str, str], most: int, checkout: Path, *, closely: bool = False
) -> dict[str, str]:
    """What lies there, by path: what tells each file from another one, and which folders were read (they end in `/`).

    Args:
        folders: What `places` found.
        env: The environment of a run: which program a name leads to.
        most: Files after which no further folder is read; those nearest to the top come first.
        checkout: The user's: how its git reads files.
        closely: Whether the content of start-up files and of lists of what is installed is taken down as well.
    """
    found = dict(_programs(env)) | {name: text for name, text in _of_git(checkout, env) if text}
    home = Path(env.get("PYTHONUSERBASE") or Path(env.get("HOME") or "/", ".local"))
    found[f"{home}/lib/"] = _READ  # before anybody has installed packages of the account's own, too
    queue = deque(dict.fromkeys((*folders, *map(str, home.glob(_PACKAGES)))))
    while queue and len(found) < most:
        folder = queue.popleft()
        programs = folder.endswith("/bin")
        found[f"{folder}/"] = _READ
        with suppress(OSError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    if not entry.name.endswith("-packages"):
                        queue.append(entry.path)
                        found[f"{entry.path}/"] = _SEEN
                elif programs or entry.name.endswith(_CODE) or entry.name in _LISTS:
                    found[entry.path] = _mark(entry.path, entry.stat(follow_symlinks=False), closely=closely)
    return found


def _of_git(checkout: Path, env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """What decides how files of a commit come into a worktree and are compared with it, besides the commit."""
    own, home = checkout / ".git", Path(env.get("HOME") or "/")
    wide = Path(env.get("XDG_CONFIG_HOME") or home / ".config") / "git"
    for path in (own / "info/attributes", own / "info/grafts", wide / "attributes"):
        yield f"git: {path}", content(path)
    for path in (own / "config", own / "config.worktree", home / ".gitconfig", wide / "config"):
        with suppress(OSError, ValueError):
            lines = [line.strip() for line in path.read_text("utf-8").splitlines() if _FILTERS.search(line)]
            yield f"git: {path}", "; ".join(lines)


def _programs(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in _PROGRAMS:
        if place := shutil.which(name, path=env.get("PATH")):
            yield f"program {name}", f"{place} {_mark(place, os.lstat(place), closely=False)}"


def _mark(path: str, state: os.stat_result, *, closely: bool) -> str:
    lead = f" -> {Path(path).readlink()}" if stat.S_ISLNK(state.st_mode) else ""
    mark = f"{state.st_size} {state.st_mtime_ns} {state.st_ino} {state.st_ctime_ns}{lead}"
    return f"{mark}\t{content(Path(path))}" if closely and _is_known_by_content(path) else mark


def _is_known_by_content(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return name.endswith(".pth") or name in _LISTS or folder.endswith(("/bin", "-packages"))


def content(path: Path) -> str:
    """The digest of a file as lists of what is installed write it; empty for what is no plain file, or too large."""
    with suppress(OSError):
        state = path.stat()
        if stat.S_ISREG(state.st_mode) and state.st_size <= _LARGEST:
            return base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest()).decode().rstrip("=")
    return ""


def differences(known: dict[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """What became of files, in words, start-up files first; nothing for what is as it was, or compiled since.

    Args:
        known: An earlier look, taken closely. What was put back or compiled anew is taken into it.
        now: A later one.
    """
    told = {}
    lists: dict[str, str] = {}
    for path in now.keys() - known.keys():
        if (
            not path.endswith("/")
            and (path.startswith("git: ") or _was_read(path, known))
            and not _is_compiled(path, now)
        ):
            told[path] = "came"
    for path, was in [(path, was) for path, was in known.items() if now.get(path) != was.partition("\t")[0]]:
        if path.endswith("/"):
            continue
        if (came := now.get(path)) is not None:
            if _is_whole(path, was, known, lists):
                known[path] = "\t".join((came, *was.split("\t")[1:]))
            else:
                told[path] = "was changed"
        elif path.startswith("git: ") or _was_read(path, now):
            if path.endswith(".pyc"):
                del known[path]
            else:
                told[path] = "is gone"
    return tuple(f"{path} {what}" for path, what in sorted(told.items(), key=lambda one: (_weight(one[0]), one)))


def _weight(path: str) -> int:
    return 0 if path.endswith(".pth") or path.rpartition("/")[2].startswith(_STARTS) else 1


def _was_read(path: str, seen: Mapping[str, str]) -> bool:
    """Whether a look that does not have a file would have, had it been there."""
    folder = path.rpartition("/")[0]
    while folder and f"{folder}/" not in seen:
        folder = folder.rpartition("/")[0]
    return seen.get(f"{folder}/") == _READ


def _is_compiled(path: str, now: Collection[str]) -> bool:
    """Whether a file is what Python keeps of a module that is there."""
    folder, _, name = path.rpartition("/")
    return path.endswith(".pyc") and f"{folder.removesuffix('__pycache__')}{name.partition('.')[0]}.py" in now


def _is_whole(path: str, was: str, known: Mapping[str, str], lists: dict[str, str]) -> bool:
    """Whether a file that is another one, or was written again, holds what it held."""
    if path.startswith(("program ", "git: ")) or path.endswith(".pyc"):
        return False
    held = was.partition("\t")[2]
    if not held:
        if not lists:
            lists |= _listed(known) or {"": ""}
        held = lists.get(path, "")
    return bool(held) and content(Path(path)) == held


def _listed(known: Mapping[str, str]) -> dict[str, str]:
    """Digests of installed files by the lists of their packages, where these are as they were."""
    found = {}
    for record in (path for path in known if path.endswith(".dist-info/RECORD")):
        place = Path(record)
        if known[record].partition("\t")[2] == content(place):
            with suppress(OSError, ValueError):
                for line in place.read_text("utf-8").splitlines():
                    path, _, rest = line.partition(",sha256=")
                    found[os.path.normpath(place.parent.parent / path)] = rest.partition(",")[0]
    return found
