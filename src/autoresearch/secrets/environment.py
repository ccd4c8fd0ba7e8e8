"""Where secrets are on this machine: the environment and the repository's `.env` file. Read, never shown."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from autoresearch.errors import AutoresearchError
from autoresearch.machine import disk
from autoresearch.secrets.redactor import Redactor, looks_random
from autoresearch.secrets.shapes import SecretName, suspicion

_ENTRY = re.compile(
    r"^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_][\w.]*)[ \t]*=[ \t]*"
    r"(?:'(?P<single>[^']*)'|\"(?P<double>(?:[^\"\\]|\\.)*)\"|(?P<plain>[^\n]*))",
    re.MULTILINE | re.DOTALL,
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}

RESULT_KEY = "AUTORESEARCH_RESULT_KEY"
"""The variable with the word that an evaluation's lines begin with: new for each, and its log is read by it."""


def load(repo_env: Path | None, environ: Mapping[str, str]) -> Redactor:
    """A redactor that knows the secrets of this machine.

    Args:
        repo_env: The repository's `.env` file, None for none; it need not exist (R197).
        environ: The environment.

    Raises:
        StorageError: The file is there and cannot be read.
    """
    return Redactor((*secret_values(environ), *secret_values(read_dotenv(repo_env))))


def read_dotenv(path: Path | None) -> dict[str, str]:
    """Variables of a `.env` file, empty when there is none. Raises StorageError when it cannot be read."""
    return dotenv(disk.read(path).decode("utf-8-sig", "surrogateescape")) if path else {}


def dotenv(text: str) -> dict[str, str]:
    r"""Variables of a `.env` text; of two with one name the later wins. Never raises.

    Understands `NAME=value`, `export`, comments, single quotes (literal), double quotes (`\n`, `\"` and the like, over
    several lines). Nothing is expanded. Lines that are no assignment are skipped.
    """
    return {found["name"]: _value(found) for found in _ENTRY.finditer(text.replace("\r\n", "\n"))}


@contextmanager
def export_secrets(path: Path) -> Iterator[None]:
    """Export a `.env` file to whatever is started inside the block (R198); what is set already wins.

    Raises:
        StorageError: It is there and cannot be read.
    """
    fresh = {name: value for name, value in read_dotenv(path).items() if name not in os.environ and "\0" not in value}
    os.environ.update(fresh)
    try:
        yield
    finally:
        for name in fresh:
            os.environ.pop(name, None)


def run_redactor(folder: Path, variables: Mapping[str, str]) -> Redactor:
    """A redactor for what a run prints: it knows our environment, the run's own variables, and the repository's `.env`.

    Args:
        folder: The run's folder; the repository is the one it lies in, if it lies in any.
        variables: Set for the run on top of our environment.
    """
    root = next((parent for parent in (folder, *folder.parents) if (parent / ".git").exists()), None)
    own = {name: value for name, value in variables.items() if name != RESULT_KEY}
    return load(store(root) if root else None, {**os.environ, **own})


def store(root: Path) -> Path:
    """The secret store of a repository; it is read and never written."""
    return root / ".env"


def of_repository(root: Path) -> Redactor:
    """Knows the secrets of this environment and of a repository's store."""
    return load(store(root), os.environ)


def hide(text: str, where: Path | None = None) -> str:
    """A text without the secrets of this environment and repository, for what is told when something goes wrong."""
    try:
        return run_redactor(where or Path.cwd(), {}).clean(text)
    except (AutoresearchError, OSError):
        return load(None, os.environ).clean(text)


def secret_values(variables: Mapping[str, str]) -> Iterator[str]:
    """Values that must never be written down, told by the variable's name or by their own looks."""
    looks = Redactor()
    for name, value in variables.items():
        level = suspicion(name)
        named = _worth_hiding(value) if level is SecretName.SURE else level is SecretName.LOOKS and looks_random(value)
        if named or looks.tells(value):
            yield value


def _worth_hiding(value: str) -> bool:
    """Whether hiding every occurrence does less harm than good: no path, no number, no word of ordinary language."""
    value = value.strip()
    ordinary = value.isdecimal() or (value.isalpha() and (value.islower() or value.istitle()))
    is_path = value.startswith(("/", "~/", "./")) and "/" in value[1:] and not re.search(r"[+=]", value)
    return len(value) >= (12 if ordinary else 6) and not is_path


def _value(found: re.Match[str]) -> str:
    if found["single"] is not None:
        return found["single"]
    if found["double"] is not None:
        return re.sub(r"\\(.)", lambda escape: _ESCAPED.get(escape[1], escape[1]), found["double"], flags=re.DOTALL)
    return re.split(r"(?:^|[ \t])#", found["plain"], maxsplit=1)[0].strip()
