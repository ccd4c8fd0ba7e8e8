"""One controller per campaign, one writer per file: proven with real processes that live, die and race."""

import json
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from autoresearch.errors import HeldError, StorageError
from autoresearch.machine import lock as locks
from autoresearch.machine import processes
from autoresearch.machine.lock import CampaignLock, file_lock
from autoresearch.machine.lock_owner import LockOwner, alive, here

CONTENDER = """
import sys, time
from pathlib import Path
from autoresearch.errors import HeldError
from autoresearch.machine.lock import CampaignLock
folder, mine, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def meet(where):
    (folder / f"{where}-{mine}.here").touch()
    while len(list(folder.glob(f"{where}-*.here"))) < 6:
        time.sleep(0.001)
for round in range(rounds):
    lock = CampaignLock(folder / f"{round}.lock")
    meet(round)
    try:
        lock.acquire()
        print(round)
    except HeldError:
        pass
meet("end")
"""
TAKER = "import sys; from pathlib import Path; from autoresearch.machine.lock import CampaignLock; {}"


def run(path: Path, code: str, fault: str = "") -> processes.Completed:
    """Run `code` with `lock` being the campaign's lock, in a process of its own that then ends."""
    text = f"{TAKER.format(f'lock = CampaignLock(Path(sys.argv[1])); {code}')}"
    argv = [sys.executable, "-c", text, str(path)]
    return processes.run(argv, env={**os.environ, "AUTORESEARCH_FAULT": fault}, check=False)


def held_by(path: Path, **changes: object) -> LockOwner:
    """Put a lock file there as if somebody else had made it."""
    somebody = replace(here(token="theirs", since=time.time()), **changes)
    path.write_text(json.dumps(asdict(somebody)))
    return somebody


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "campaign.lock"


def test_the_second_controller_is_told_who_has_it(path: Path):
    """Host, process, since when, and what to do; `--take-over` does not displace one that is at work."""
    with CampaignLock(path) as first:
        for take_over in (False, True):
            with pytest.raises(HeldError, match=rf"process {os.getpid()} on .* since \d{{4}}-.*which is at work"):
                CampaignLock(path).acquire(take_over=take_over)
        assert first.holder() is not None
    assert not path.exists()


def test_nothing_is_left_but_the_lock(path: Path):
    """Neither taking, nor taking over, nor letting go leaves litter."""
    run(path, "lock.acquire()")
    lock = CampaignLock(path)
    lock.acquire()
    assert list(path.parent.iterdir()) == [path]
    lock.release()
    lock.release()
    assert list(path.parent.iterdir()) == []


def test_a_dead_controllers_lock_is_taken_over(path: Path):
    """It was killed and could not let go; nobody has to clean up by hand."""
    assert run(path, "lock.acquire(); import os; os.kill(os.getpid(), 9)").code == -9
    assert path.exists()
    assert CampaignLock(path).acquire().pid == os.getpid()


def test_a_reused_process_id_is_not_the_holder(path: Path):
    """A process of that number lives, but it was born at another time."""
    held_by(path, born=here().born - 1)
    CampaignLock(path).acquire()


def test_a_zombie_is_dead():
    """A killed controller whose parent does not care for it still has a process id."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert alive(replace(here(), pid=pid), time.time()) is False
    os.waitpid(pid, 0)


@pytest.mark.parametrize("where", [{"host": "far", "boot": "other", "machine": "m"}, {"space": "pid:[1]"}])
def test_another_hosts_lock_is_never_stolen_silently(path: Path, where: dict[str, str]):
    """Whether a process of another host or container lives cannot be seen from here: a person must say so."""
    held_by(path, pid=2**22 - 1, **where)
    with pytest.raises(HeldError, match=r"last sign of life \d+ s ago.*--take-over"):
        CampaignLock(path).acquire()
    assert CampaignLock(path).acquire(take_over=True).pid == os.getpid()


def test_a_reboot_frees_the_lock_and_a_clone_of_this_machine_does_not(path: Path):
    """Same machine, other boot: dead if its last sign of life is older than our boot, else a twin is at work."""
    machine = here().machine or pytest.skip("this machine has no /etc/machine-id")
    before = replace(here(), boot="earlier", machine=machine)
    assert alive(before, 1.0) is False
    assert alive(before, time.time()) is None


@pytest.mark.parametrize("content", ["", "not json", "[]", '{"host": 1}'])
def test_a_lock_that_does_not_say_whose_it_is_stays(path: Path, content: str):
    """It may just be coming into being; a person may clear it."""
    path.write_text(content)
    with pytest.raises(HeldError, match=r"held by somebody whom its lock .* does not name.*--take-over"):
        CampaignLock(path).acquire()
    CampaignLock(path).acquire(take_over=True)


def test_a_displaced_controller_finds_out_and_lets_the_other_be(path: Path):
    """After a take-over the old one must stop, and its release must not free the new one's lock."""
    old = CampaignLock(path)
    old.acquire()
    held_by(path, host="far", boot="other")
    with pytest.raises(HeldError, match=r"taken over by process .* on far"):
        old.refresh()
    old.release()
    assert path.exists()


def test_a_sign_of_life_is_seen(path: Path):
    """`refresh` makes the file young again, and brings it back when somebody cleared the folder."""
    lock = CampaignLock(path)
    lock.acquire()
    os.utime(path, (1, 1))
    lock.refresh()
    assert path.stat().st_mtime > time.time() - 60
    path.unlink()
    lock.refresh()
    assert lock.holder() == CampaignLock(path).holder() is not None


def test_a_fork_does_not_let_go_for_its_parent(path: Path):
    """A child that ends in good order releases nothing that is not its own."""
    lock = CampaignLock(path)
    lock.acquire()
    pid = os.fork()
    if not pid:
        lock.release()
        os._exit(0)
    os.waitpid(pid, 0)
    assert path.exists()


@pytest.mark.parametrize("stale", [False, True])
def test_of_racing_contenders_exactly_one_wins(tmp_path: Path, stale: bool):
    """Six processes go for the same lock at the same moment, twelve times over; also when a dead one has it."""
    rounds = 12
    if stale:
        for number in range(rounds):
            held_by(tmp_path / f"{number}.lock", born=1)
    argv = [sys.executable, "-c", CONTENDER, str(tmp_path)]
    with ThreadPoolExecutor(6) as pool:
        done = list(pool.map(lambda n: processes.run([*argv, str(n), str(rounds)]).text.split(), range(6)))
    assert sorted(int(number) for won in done for number in won) == list(range(rounds))


def test_a_claimant_that_dies_in_the_middle_blocks_nobody(path: Path):
    """Killed between claiming a stale lock and replacing it; the next one takes over from both."""
    held_by(path, born=1)
    assert run(path, "lock.acquire()", "lock.takeover=kill").code == -9
    assert len(list(path.parent.iterdir())) == 2
    CampaignLock(path).acquire()
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_refuses_is_a_clear_error(tmp_path: Path):
    """A file stands where the folder should be."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot lock"):
        CampaignLock(tmp_path / "file" / "campaign.lock").acquire()


def count_up(counter: Path, lock: Path, times: int) -> None:
    for _ in range(times):
        with file_lock(lock):
            counter.write_text(str(int(counter.read_text()) + 1))


def test_a_file_lock_keeps_writers_apart(tmp_path: Path):
    """Four writers count up without losing a step."""
    counter, lock = tmp_path / "counter", tmp_path / "new" / "lock"
    counter.write_text("0")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: count_up(counter, lock, 25), range(4)))
    assert counter.read_text() == "100"


def test_a_file_lock_follows_the_name_and_not_the_file(tmp_path: Path):
    """Who waited while the file was replaced gets the lock of the new file, not of the old one."""
    path, aside, order = tmp_path / "file", tmp_path / "aside", []

    def wait() -> None:
        with file_lock(path):
            order.append(path.read_text())

    with file_lock(path):
        waiter = threading.Thread(target=wait)
        waiter.start()
        aside.write_text("new")
        aside.replace(path)
    waiter.join()
    assert order == ["new"]


def test_patience_with_a_locked_file_ends_in_a_clear_error(tmp_path: Path):
    """A stopped process keeps the file: say so instead of hanging for ever."""
    with (
        file_lock(tmp_path / "file"),
        pytest.raises(StorageError, match="another process keeps it locked"),
        file_lock(tmp_path / "file", patience=0.05),
    ):
        pass


def test_without_flock_a_file_beside_it_does(tmp_path: Path):
    """What file systems without locks get: the same exclusion, waiting, and take-over from the dead."""
    path = tmp_path / "file"
    held_by(tmp_path / ".file.lock", born=1)
    with locks._lock_file(path, time.monotonic() + 5), pytest.raises(StorageError, match="keeps it locked"):
        locks._lock_file(path, time.monotonic() + 0.05).__enter__()
    assert list(tmp_path.iterdir()) == []
