"""A small disk of its own, really full: one clear line, nothing lost, and on it goes when there is room."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import Lab, make_repository

from autoresearch.errors import StorageError
from autoresearch.experiment.events import Steered
from autoresearch.records.journal import Journal
from autoresearch.records.ledger import Ledger
from autoresearch.records.row import decode

SHORT = {"stop": "3 experiments", "verdict": {"policy": "greedy", "baseline_runs": 1, "confirm": 0}}
SAID = [(1, "keep"), (2, "keep"), (3, "discard")]
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MB and 1500 names."""
    place = tmp_path / "disk"
    place.mkdir()
    argv = ("mount", "-t", "tmpfs", "-o", "size=8m,nr_inodes=1500", "tmpfs", str(place))
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a full disk needs the right to mount a tmpfs: {done.stderr.strip()}")
    yield place
    subprocess.run(("umount", "--lazy", str(place)), check=True)


@pytest.fixture
def lab(disk: Path) -> Lab:
    """A laboratory whose repository, records and worktrees all lie on the small disk."""
    return Lab(make_repository(disk / "my repo"))


def no_bytes_left(disk: Path) -> Callable[[], None]:
    """Fill the disk to the last byte; what is returned makes room again."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as sink, suppress(OSError):
        while sink.write(b"x" * PAGE):
            pass
    return ballast.unlink


def no_names_left(disk: Path) -> Callable[[], None]:
    """Make files until the disk takes no further one, as a quota on their number does."""
    folder = disk / "many"
    folder.mkdir()
    with suppress(OSError):
        for number in range(10_000):
            (folder / str(number)).touch()
    return lambda: [file.unlink() for file in folder.iterdir()] and None  # type: ignore[func-returns-value]


@pytest.mark.full
@pytest.mark.parametrize(("fill", "events"), [(no_bytes_left, 4), (no_bytes_left, 14), (no_names_left, 9)])
def test_a_disk_that_runs_full_ends_in_one_line_and_the_campaign_goes_on(lab, disk, fill, events):
    """Whatever the campaign was at: exit code 1, one line that says why; with room again, the same rows."""
    lab.write(**SHORT, run={"min_free_gb": 0})
    controller = lab.start_stepwise()
    lab.step(controller, lambda: len(lab.journal()) >= events, f"{events} events")
    lab.turnstile.mkdir()
    make_room = fill(disk)
    _, told = controller.communicate(timeout=200)
    assert (controller.returncode, told.count("\n")) == (1, 1), told
    assert "No space left on device" in told
    make_room()
    done = lab.run()
    assert done.returncode == 0, done.stderr
    assert [(row.index, row.status.value) for row in lab.rows()] == SAID
    assert lab.cli("ledger", "check").returncode == 0
    assert list(disk.glob("my repo/**/.*.new-*")) == []


def test_below_the_limit_the_campaign_waits_and_goes_on_when_there_is_room(lab, disk):
    """Told once, with the numbers and the option; nothing is begun meanwhile; nobody has to start it again."""
    lab.write(**SHORT, run={"min_free_gb": 0.003})
    controller = lab.start_stepwise()
    lab.step(controller, lambda: lab.journal("experiment_judged"), "a verdict")
    (disk / "ballast").write_bytes(b"x" * 6_000_000)  # two of eight are left: a few files more or less make no room
    lab.let_go()
    lab.until(lambda: lab.journal("noted"), "a note")
    begun = len(lab.journal("run_planned"))
    told = str(lab.journal("noted")[0]["text"])
    assert "GB free and run.min_free_gb asks for 0.003: free some space; no new work starts until there is more" in told
    assert lab.cli("status").returncode == 0
    assert len(lab.journal("run_planned")) == begun
    (disk / "ballast").unlink()
    out, trouble = controller.communicate(timeout=200)
    assert controller.returncode == 0, trouble
    assert out.count("free some space") == 1
    assert "there is enough disk space again" in out
    assert [(row.index, row.status.value) for row in lab.rows()] == SAID


def add_rows(folder: Path) -> tuple[Path, Callable[[int], object]]:
    """A ledger, and how to add to it."""
    ledger = Ledger(folder / "ledger.tsv")
    cells = {"status": "keep", "description": "d" * 300}
    return ledger.path, lambda number: ledger.append(decode({**cells, "branch": f"b/{number}", "index": str(number)}))


def add_events(folder: Path) -> tuple[Path, Callable[[int], object]]:
    """A journal, and how to add to it."""
    journal = Journal(folder / "journal.jsonl")
    return journal.path, lambda number: journal.append(Steered(float(number), "t" * 300, "anna"))


@pytest.mark.parametrize("kind", [add_rows, add_events])
def test_a_line_that_the_disk_cut_in_half_is_taken_back(disk, kind):
    """The kernel takes the part of a line that fits and refuses the rest: the file is as long as before."""
    path, add = kind(disk)
    add(0)
    make_room, lines = no_bytes_left(disk), 1
    with pytest.raises(StorageError, match=r"No space left on device.*everything recorded before is intact"):  # noqa: PT012
        while lines < 100:
            before = path.read_bytes()
            add(lines)
            lines += 1
    assert path.read_bytes() == before
    assert 0 < PAGE - len(before) % PAGE < len(before.splitlines()[-1]), "the line was to be cut in its middle"
    assert os.statvfs(disk).f_bavail == 0
    make_room()
    add(lines)
    assert path.read_bytes().startswith(before)
    assert path.read_bytes().count(b"\n") == before.count(b"\n") + 1
