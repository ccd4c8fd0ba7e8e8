"""Is a compiled module what its source says? Python loads `__pycache__` first, and looks only at a header in front.

Sources are compiled again, by the very version of Python, in a process of its own; nothing of them is executed.
"""

import glob
import importlib.util
import os
import re
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from autoresearch.machine.processes import CommandError, run

_HEADER, _UNCHECKED, _HASHED = 16, 1, 3
_LARGEST = 64 << 20
_NAME = re.compile(r"\.[a-z]+-\d+(\.opt-[12])?\.pyc")
_COMPARE = """\
import marshal, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
for line in sys.stdin.read().splitlines():
    twin, source = line.split("\\t")
    level = 2 if ".opt-2." in twin else 1 if ".opt-1." in twin else 0
    same = False
    try:
        kept = marshal.loads(open(twin, "rb").read()[16:])
        same = kept == compile(open(source, "rb").read(), source, "exec", dont_inherit=True, optimize=level)
    except Exception:
        pass
    print(int(same), flush=True)
"""
"""The program that compares; what it loads may be made to crash it, then nobody has compared."""


def forged(sources: Iterable[Path], python: str = "") -> Iterator[tuple[Path, str]]:
    """Compiled modules that Python would load for a source and that are not made of it, in words.

    What was compiled by a version of Python that cannot be asked is left out.

    Args:
        sources: Modules in a worktree, as they are now.
        python: The interpreter that loads them; none: only what our own version compiled is compared.
    """
    alike: dict[str, list[tuple[Path, Path]]] = {}
    for source in sources:
        for twin in _twins(source):
            head = _head(twin)
            if head is None:
                yield twin, "is no plain file, or larger than any module"
            elif head[4:8] == _UNCHECKED.to_bytes(4, "little"):
                yield twin, f"would be loaded for {source.name}, whatever that holds"
            elif _would_be_loaded(head, source):
                ours = head[:4] == importlib.util.MAGIC_NUMBER
                alike.setdefault(sys.executable if ours else python, []).append((twin, source))
    for program, pairs in alike.items():
        if program:
            yield from ((twin, f"is not made of {source.name}") for twin, source in _unlike(program, pairs))


def _twins(source: Path) -> Iterator[Path]:
    """Not what pytest and others keep there under names of their own."""
    for twin in sorted((source.parent / "__pycache__").glob(f"{glob.escape(source.stem)}.*.pyc")):
        if _NAME.fullmatch(twin.name.removeprefix(source.stem)):
            yield twin


def _head(twin: Path) -> bytes | None:
    with suppress(OSError):
        state = twin.lstat()
        if stat.S_ISREG(state.st_mode) and state.st_size <= _LARGEST:
            with twin.open("rb") as stream:
                return stream.read(_HEADER)
    return None


def _would_be_loaded(head: bytes, source: Path) -> bool:
    """Whether the header fits the source; one that does not is compiled anew by whoever loads it."""
    if len(head) < _HEADER:
        return False
    flags = int.from_bytes(head[4:8], "little")
    if flags == _HASHED:
        return head[8:16] == importlib.util.source_hash(source.read_bytes())
    state = source.stat()
    times = (int(state.st_mtime) & 0xFFFFFFFF, state.st_size & 0xFFFFFFFF)
    return flags == 0 and times == (int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:16], "little"))


def _unlike(program: str, pairs: list[tuple[Path, Path]]) -> Iterator[tuple[Path, Path]]:
    asked = [(twin, source) for twin, source in pairs if not set("\t\n") & set(f"{twin}{source}")]
    words = "".join(f"{twin}\t{source}\n" for twin, source in asked).encode("utf-8", "surrogateescape")
    try:
        told = run((program, "-I", "-S", "-B", "-c", _COMPARE), stdin=words, check=False, timeout=120).stdout.split()
    except (CommandError, OSError):
        told = []
    if os.sep in program and not told and program != sys.executable:
        return  # an interpreter that cannot be started any more says nothing of anybody
    for number, pair in enumerate(asked):
        if number >= len(told) or told[number] != b"1":
            yield pair
