"""A compiled module is what its source says, or it is told which one is not."""

import importlib.util
import marshal
import os
import py_compile
import struct
from pathlib import Path

import pytest

from autoresearch.guards.compiled import forged

HONEST, OTHER = "def grade(lr): return lr\n", "def grade(lr): return 9.\n"


@pytest.fixture
def judge(tmp_path: Path) -> Path:
    """A module without a compiled twin."""
    place = tmp_path / "judge.py"
    place.write_text(HONEST)
    (tmp_path / "__pycache__").mkdir()
    return place


def planted(source: Path, flags: int, text: str = OTHER) -> Path:
    """Its twin, with a header that fits, and other code behind it."""
    state, twin = source.stat(), Path(importlib.util.cache_from_source(str(source)))
    known = importlib.util.source_hash(source.read_bytes())
    rest = known if flags else struct.pack("<II", int(state.st_mtime), state.st_size)
    code = marshal.dumps(compile(text, "judge.py", "exec"))
    twin.write_bytes(importlib.util.MAGIC_NUMBER + struct.pack("<I", flags) + rest + code)
    return twin


@pytest.mark.parametrize(("flags", "why"), [(0, "is not made of"), (1, "whatever that holds"), (3, "is not made of")])
def test_a_compiled_module_that_is_not_made_of_its_source_is_told(judge, flags, why):
    """By time and size, by a digest, or without any look at the source: each would be loaded."""
    twin = planted(judge, flags)
    ((place, told),) = forged([judge])
    assert place == twin
    assert why in told


@pytest.mark.parametrize("mode", ["TIMESTAMP", "CHECKED_HASH"])
def test_what_python_itself_compiled_is_no_forgery(judge, mode):
    """At each level of optimisation, and with other files beside it that are for others."""
    for level in (0, 1, 2):
        py_compile.compile(str(judge), optimize=level, invalidation_mode=py_compile.PycInvalidationMode[mode])
    (judge.parent / "__pycache__/judge.cpython-311-pytest-8.4.pyc").write_bytes(b"")
    assert list(forged([judge])) == []


def test_a_twin_that_python_would_compile_anew_is_no_forgery(judge):
    """Its header does not fit: whoever loads the module looks at the source."""
    planted(judge, 0)
    os.utime(judge, (1, 1))
    assert list(forged([judge])) == []


def test_what_crashes_whoever_reads_it_is_told(judge):
    """Bytes that are no code are nobody's compiled module."""
    planted(judge, 0).write_bytes(planted(judge, 0).read_bytes()[:20])
    ((_, told),) = forged([judge])
    assert told == "is not made of judge.py"
    planted(judge, 0).unlink()
    os.mkfifo(importlib.util.cache_from_source(str(judge)))
    ((_, told),) = forged([judge])
    assert "no plain file" in told
