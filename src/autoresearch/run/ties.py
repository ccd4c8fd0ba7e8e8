"""What an idea changed, and whether an error can be tied to it. Pure.

A tie is a fact and never a resemblance of words alone: a frame in a file of the change, a changed key or value that the
message names, a key that takes memory behind an exhausted memory.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

_CONFIGURATION = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")


@dataclass(frozen=True)
class Change:
    """What an idea changed against its parent.

    Attributes:
        assignments: Recipe keys with their new values, as `key=value`.
        files: Files, relative to the repository.
        own_files: Whether it edited files itself, and not only through assignments.
    """

    assignments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own_files: bool = False

    def __bool__(self) -> bool:
        """Whether it changed anything; the baseline did not."""
        return bool(self.assignments or self.files)

    @property
    def keys(self) -> tuple[str, ...]:
        """Changed keys, without the marks of an override."""
        return tuple(each.partition("=")[0].strip().lstrip("+~") for each in self.assignments)

    @property
    def values(self) -> tuple[str, ...]:
        """Their new values."""
        return tuple(each.partition("=")[2].strip().strip("'\"") for each in self.assignments)

    @property
    def code(self) -> tuple[str, ...]:
        """Files it edited that are no configuration."""
        return tuple(file for file in self.files if not file.endswith(_CONFIGURATION)) if self.own_files else ()


NOTHING = Change()
"""What the baseline changed."""


class Place(StrEnum):
    """Where a frame of a traceback lies."""

    CHANGED = "changed"
    """In a file that the idea edited."""
    REPOSITORY = "repository"
    INSTALLED = "installed"
    """Site-packages, the image's third party, the language's own library."""


_FRAME = re.compile(r'File "([^"\n]{1,400})", line \d+')
_TRACEBACK = "Traceback (most recent call last)"
_INSTALLED = re.compile(r"(?:site|dist)-packages/|/(?:3rdparty|third_?party)/|/lib(?:64)?/python\d|^/(?:opt|usr)/|^<")
_MANY = 60


def places(log: str, change: Change, tree: str) -> tuple[Place, ...]:
    """Where the frames of the last traceback lie, outermost first; empty without one."""
    last = log.rpartition(_TRACEBACK)[2] if _TRACEBACK in log else log
    return tuple(_place(path, change, tree) for path in _FRAME.findall(last)[-_MANY:])


def _place(path: str, change: Change, tree: str) -> Place:
    inside = path.removeprefix(tree).lstrip("/") if tree and path.startswith(tree) else path
    if any(inside == file or path.endswith(f"/{file}") for file in change.code):
        return Place.CHANGED
    return Place.INSTALLED if _INSTALLED.search(inside) else Place.REPOSITORY


_MEMORY = re.compile(
    r"batch|micro|seq|len(?:gth)?s?$|length|token|generations|samples|rollout|mem|cache|hidden|layers|width|depth|size"
    r"|_dim|heads|model|dtype|precision|offload|checkpointing|parallel|prompts|context|rank|workers|buffer|replica"
    r"|coloc|shard|bf16|fp(?:8|16|32)|optimizer$|optim$|window|envs",
    re.IGNORECASE,
)
_RESOURCES = re.compile(r"nodes?$|gpus?|cluster|parallel|replica|workers|world_size|devices?", re.IGNORECASE)
_COMMON = frozenset({"name", "type", "value", "path", "key", "true", "false", "none", "null", "model", "data", "error"})


def ties(change: Change, needs: str, message: str, found: Sequence[Place]) -> str:
    """What ties an error to the change, in words; empty when nothing does.

    Args:
        change: What the idea changed.
        needs: What would tie it, see `crash_signatures.Signature.needs`.
        message: The line that shows the error.
        found: Where its frames lie.
    """
    if not change or not needs:
        return ""
    if needs == "memory":
        return _memory(change, found)
    if needs == "change":
        return "the idea changed the configuration" if change.assignments or change.own_files else ""
    if needs == "resources":
        touched = next((key for key in change.keys if _RESOURCES.search(key)), "")
        return f"the idea changed {touched}" if touched else ""
    named = _named(change, message)
    if needs == "named":
        return named
    code = _code(change, found)
    if needs == "size":
        return code or named or _memory(change, found)
    return code or named or (_own_code(change, found) if needs == "slip" else "")


def _memory(change: Change, found: Sequence[Place]) -> str:
    if Place.CHANGED in found:
        return "raised in a file that the idea changed"
    touched = next((key for key in change.keys if _MEMORY.search(key.rpartition(".")[2])), "")
    if touched:
        return f"the idea changed {touched}, which takes memory"
    return f"the idea changed the code of {change.code[0]}" if change.code else ""


def _code(change: Change, found: Sequence[Place]) -> str:
    if Place.CHANGED in found:
        return "raised in a file that the idea changed"
    if change.code and found and found[-1] is Place.REPOSITORY:
        return f"raised in the repository, where the idea changed {change.code[0]}"
    return ""


def _own_code(change: Change, found: Sequence[Place]) -> str:
    return f"the idea changed the code of {change.code[0]}" if change.code and not found else ""


def _named(change: Change, message: str) -> str:
    words = [*(key.rpartition(".")[2] for key in change.keys), *change.values, *change.code]
    for word in words:
        telling = len(word) > 1 and word.lower() not in _COMMON and not re.fullmatch(r"[-+.\d]{1,2}", word)
        if telling and re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", message, re.IGNORECASE):
            return f"it names {word}, which the idea changed"
    return ""
