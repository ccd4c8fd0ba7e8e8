"""Three-way merge of configurations, key by key: lines that are neighbours in a file do not make two ideas one."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

_MISSING = object()


def named(overrides: Sequence[str]) -> tuple[str, ...]:
    """The dotted keys that overrides are about: `++a.b=1` and `~a.b` both name `a.b`."""
    return tuple(dict.fromkeys(re.split(r"[=@]", text.lstrip("+~"), maxsplit=1)[0] for text in overrides))


def names_any(overrides: Sequence[str], keys: Collection[str]) -> bool:
    """Whether one of the overrides is about one of the keys, a section above it, or an item below it."""
    return any(_related(key, name) for name in named(overrides) for key in keys)


def clash(
    here: Mapping[str, object], before: Mapping[str, object], after: Mapping[str, object], overrides: Sequence[str]
) -> str:
    """Why an idea's overrides cannot be given to another configuration, in words; empty when they can.

    They can where every value they change is, over there, what it was before the idea or what the idea makes of it.
    Values that only follow (interpolations of others) are left out: they follow over there as well.

    Args:
        here: The configuration to merge into, flattened.
        before: The one that the idea was made from.
        after: The idea's own.
        overrides: The idea's overrides.
    """
    for key in _own(before, after, overrides):
        old, new, now = (values.get(key, _MISSING) for values in (before, after, here))
        if now not in (old, new):
            return f"it changes {key} from {_word(old)} to {_word(new)}, which is {_word(now)} here"
    return ""


def merged(
    here: Mapping[str, object], before: Mapping[str, object], after: Mapping[str, object], overrides: Sequence[str]
) -> dict[str, object]:
    """The configuration with an idea's own changes, derived values left as they were."""
    keys = _own(before, after, overrides)
    kept = {key: value for key, value in here.items() if key not in keys}
    return kept | {key: after[key] for key in keys if key in after}


def _own(before: Mapping[str, object], after: Mapping[str, object], overrides: Sequence[str]) -> tuple[str, ...]:
    """Changed keys that the overrides name, sections and items of lists included."""
    names = named(overrides)
    return tuple(key for key in changed_keys(before, after) if any(_related(key, name) for name in names))


def _related(key: str, name: str) -> bool:
    return key == name or key.startswith(f"{name}.") or name.startswith(f"{key}.")


def _word(value: object) -> str:
    return "unset" if value is _MISSING else repr(value)


@dataclass(frozen=True, kw_only=True)
class FileChange:
    """One file of a commit's difference to its parent.

    Attributes:
        path: Path in the repository.
        added: Lines added; 0 for a binary file.
        deleted: Lines deleted.
        binary: Whether git sees it as binary.
        link_target: Where it points if it is a symbolic link, else empty.
        submodule: Whether it is a submodule's commit.
        hook: Whether it is executable and lies where git looks for hooks.
    """

    path: str
    added: int = 0
    deleted: int = 0
    binary: bool = False
    link_target: str = ""
    submodule: bool = False


def changed_keys(before: Mapping[str, object], after: Mapping[str, object]) -> tuple[str, ...]:
    """Recipe keys whose resolved values differ, sorted."""
    missing = object()
    return tuple(
        sorted(key for key in before.keys() | after.keys() if before.get(key, missing) != after.get(key, missing))
    )
