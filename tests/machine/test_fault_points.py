"""Faults on order: exactly there, exactly then, and nothing at all without an order."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import autoresearch
from autoresearch.errors import UsageError
from autoresearch.machine import fault_points, processes
from autoresearch.machine.fault_points import POINTS, Fault, parse

SOURCE = Path(autoresearch.__file__).parent
FAMILIES = re.compile(r"(ledger|journal)\.append\.\w+|file\.replace\.\w+")
"""Points of this room whose names are put together from a family and a step."""

THREE = """
import os, sys
from autoresearch.machine import fault_points
sink = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
for number in range(3):
    try:
        fault_points.point("lock.release")
        fault_points.write("ledger.append.write", sink, b"0123456789")
    except OSError as error:
        print(number, error.errno, error.strerror)
"""


def order(sink: Path, text: str, code: str = THREE) -> processes.Completed:
    argv = [sys.executable, "-c", code, str(sink)]
    return processes.run(argv, env={**os.environ, fault_points.VARIABLE: text}, check=False)


def test_without_an_order_nothing_happens(tmp_path: Path):
    """The points are there in every program that runs, and do nothing."""
    assert order(tmp_path / "sink", "").stdout == b""
    assert (tmp_path / "sink").read_bytes() == b"0123456789" * 3


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ("lock.release=eio", "0"),
        ("lock.release#2=enospc", "1"),
        ("lock.release#2+=eio", "12"),
        ("lock.release#4=eio", ""),
    ],
)
def test_an_error_comes_at_the_time_ordered(tmp_path: Path, text: str, failed: str):
    """The first, the n-th, or from the n-th on; with the system's number and words, and the point's name."""
    lines = order(tmp_path / "sink", text).text.splitlines()
    assert "".join(line[0] for line in lines) == failed
    assert all("(ordered at lock.release)" in line for line in lines)


def test_a_full_disk_takes_half_of_what_it_is_given(tmp_path: Path):
    """As a disk that fills up does."""
    assert b"No space left on device" in order(tmp_path / "sink", "ledger.append.write#3=enospc").stdout
    assert (tmp_path / "sink").read_bytes() == b"0123456789" * 2 + b"01234"


@pytest.mark.parametrize(("kind", "left"), [("kill", b"0123456789"), ("torn", b"012345678901234")])
def test_a_kill_is_a_kill(tmp_path: Path, kind: str, left: bytes):
    """SIGKILL: nothing of ours runs afterwards; `torn` has half of the bytes out before."""
    assert order(tmp_path / "sink", f"ledger.append.write#2={kind}").code == -9
    assert (tmp_path / "sink").read_bytes() == left


def test_several_orders_and_a_delay(tmp_path: Path):
    """A drill may ask for more than one thing."""
    said = order(tmp_path / "sink", "lock.release#2=delay:0.01, lock.release#3=eio").text
    assert said.startswith("2 5 ")


def test_a_gate_lets_one_through_for_each_file(tmp_path: Path):
    """Three go through it: two with a file each that is taken away, all others as soon as a folder stands there."""
    gate = tmp_path / "gate"
    argv = [sys.executable, "-c", THREE, str(tmp_path / "sink")]
    environ = {**os.environ, fault_points.VARIABLE: f"lock.release#1+=gate:{gate}"}
    with subprocess.Popen(argv, env=environ) as child:
        for passed in (0, 1, 2):
            while (tmp_path / "sink").exists() and (tmp_path / "sink").stat().st_size < 10 * passed:
                time.sleep(0.01)
            assert child.poll() is None
            gate.touch() if passed < 2 else gate.mkdir()
            while gate.is_file():
                time.sleep(0.01)
    assert (tmp_path / "sink").read_bytes() == b"0123456789" * 3


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("nowhere=kill", "there is no point 'nowhere'; choose one of: file.replace.write"),
        ("lock.release=fire", "there is no kind 'fire'"),
        ("lock.release=delay", "there is no kind 'delay'"),
        ("lock.release=kill:3", "there is no kind 'kill:3'"),
        ("lock.release=gate", "there is no kind 'gate'"),
        ("lock.release=gate:3", "there is no kind 'gate:3'"),
        ("lock.release=torn", "nothing is written at 'lock.release'"),
        ("lock.release#0=kill", "is not understood"),
        ("lock.release", "is not understood"),
    ],
)
def test_a_misspelt_order_is_refused_at_the_start(tmp_path: Path, text: str, why: str):
    """A drill that tests nothing must not pass: the names and kinds are listed."""
    with pytest.raises(UsageError, match=re.escape(why)):
        parse(text)
    said = order(tmp_path / "sink", text, "from autoresearch.machine import fault_points; fault_points.check()")
    assert why.encode() in said.stderr


@given(text=st.text() | st.from_regex(r"[a-z.]+(#\d+\+?)?=[a-z]+(:\d+)?"))
def test_any_order_is_read_or_refused(text: str):
    """Whatever stands in the variable."""
    try:
        assert all(isinstance(fault, Fault) for fault in parse(text))
    except UsageError as error:
        assert fault_points.VARIABLE in str(error)  # noqa: PT017


def test_every_point_is_in_the_table_and_every_entry_is_a_point():
    """A drill that goes through the table reaches every place there is, and waits for none that is not."""
    source = "".join(
        file.read_text(encoding="utf-8") for file in SOURCE.rglob("*.py") if file.name != "fault_points.py"
    )
    used = set(re.findall(r'fault_points\.(?:point|write)\(\s*"([\w.]+)"', source))
    assert used <= set(POINTS)
    assert [name for name in set(POINTS) - used if f'"{name.rpartition(".")[0]}"' not in source] == []


_WRITES = {
    "file": "from autoresearch.machine import disk; disk.replace(folder / 'f', 'text')",
    "ledger": "from autoresearch.records import ledger, row\n"
    "ledger.Ledger(folder / 'l').append(row.decode({'branch': 'a', 'status': 'keep'}))",
    "journal": "from autoresearch.records import journal; from autoresearch.experiment import events\n"
    "journal.Journal(folder / 'j').append(events.Resumed(at=1.0, by='anna'))",
}


@pytest.mark.parametrize("name", [name for name in POINTS if FAMILIES.fullmatch(name)])
def test_the_points_of_a_family_are_reached(tmp_path: Path, name: str):
    """Each step of appending and replacing can be made to fail."""
    code = (
        "import sys; from pathlib import Path; folder = Path(sys.argv[1]); folder.mkdir()\n"
        + _WRITES[name.partition(".")[0]]
    )
    assert order(tmp_path / "folder", f"{name}=kill", code).code == -9
