"""What a person does not want to type each time: variables of the environment, and a file of their own.

`AUTORESEARCH_CAMPAIGN` and `AUTORESEARCH_REPO` stand for `--campaign` and `--repo`. The file is
`~/.config/autoresearch/config.toml` (below `XDG_CONFIG_HOME` where that is set, or what `AUTORESEARCH_CONFIG` names): a
table for each command, its keys the command's flags, as in `[plan]` with `launcher = "slurm"`. The command line wins,
then the environment. What answers a question in a person's place (`--yes`, `--take-over`) is no default, and what an
agent planned is approved unread only where its name was typed.
"""

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from autoresearch.errors import UsageError

_ASKED = frozenset({"yes", "take_over", "run"})
_NEW = frozenset({"plan", "init"})
"""Commands whose name is that of a campaign to be made."""


class Unsaid(str):
    """A campaign's name that nobody typed: somebody else may have put it where it was found."""

    __slots__ = ()


def apply(command: str, parser: argparse.ArgumentParser, commands: Collection[str]) -> None:
    """Give the flags of a command the defaults that a person chose.

    Raises:
        UsageError: The file cannot be read, or names what is no command or no flag that may have a default.
    """
    flags = {action.dest: action for action in parser._actions if action.option_strings}  # noqa: SLF001 - told nowhere else
    chosen = {}
    for name, value in _table(command, commands).items():
        dest = name.replace("-", "_")
        if dest in _ASKED:
            raise UsageError(f"{place()}, [{command}]: {name} is said on the command line each time; take it out")
        if dest not in flags:
            raise UsageError(f"{place()}, [{command}]: there is no flag --{name}{_near(name, flags)}; correct it")
        chosen[dest] = _taken(flags[dest], value, name, command)
    if "campaign" in flags and command not in _NEW and (said := os.environ.get("AUTORESEARCH_CAMPAIGN")):
        chosen["campaign"] = said
    if isinstance(named := chosen.get("campaign"), str) and command not in _NEW:
        chosen["campaign"] = Unsaid(named)
    if "repo" in flags and (said := os.environ.get("AUTORESEARCH_REPO")):
        chosen["repo"] = Path(said)
    parser.set_defaults(**chosen)


def place() -> Path:
    """Where the file is, or would be."""
    if named := os.environ.get("AUTORESEARCH_CONFIG"):
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "autoresearch" / "config.toml"


def _table(command: str, commands: Collection[str]) -> Mapping[str, Any]:
    try:
        text = place().read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, RuntimeError):
        if named := os.environ.get("AUTORESEARCH_CONFIG"):
            raise UsageError(f"AUTORESEARCH_CONFIG names {named}, which is not there; correct or unset it") from None
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"{place()} cannot be read: {error}") from None
    import tomllib  # noqa: PLC0415 - most people have no such file

    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{place()} is no TOML: {error}") from None
    for name, table in document.items():
        if name not in commands or not isinstance(table, dict):
            raise UsageError(
                f"{place()}: [{name}] is no command{_near(name, commands)}; write a table for each command"
            )
    found: Mapping[str, Any] = document.get(command, {})
    return found


def _taken(action: argparse.Action, value: Any, name: str, command: str) -> Any:
    wrong = UsageError(f"{place()}, [{command}]: {name} = {value!r} is not what --{name} takes; correct it")
    if action.nargs == 0 or isinstance(value, bool):
        if action.nargs != 0 or not isinstance(value, bool):
            raise wrong
        return value
    several = value if isinstance(value, list) else [value]
    try:
        made = [action.type(str(one)) if callable(action.type) else str(one) for one in several]
    except (ValueError, TypeError, argparse.ArgumentTypeError):
        raise wrong from None
    if action.choices is not None and any(one not in action.choices for one in made):
        raise wrong
    return made if isinstance(value, list) else made[0]


def _near(word: str, known: Collection[str]) -> str:
    import difflib  # noqa: PLC0415 - only when something went wrong

    near = difflib.get_close_matches(word, [one.replace("_", "-") for one in known], n=1)
    return f"; did you mean {near[0]!r}?" if near else ""
