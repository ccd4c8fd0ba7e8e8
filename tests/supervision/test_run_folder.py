"""The files between launcher and supervisor."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from autoresearch.supervision import run_folder


def test_a_claim_has_one_winner(tmp_path):
    """Of many that create one file at one moment, exactly one does, and its content is whole."""
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: run_folder.create(tmp_path / f"claim-{n % 5}", {"n": n}), range(40)))
    assert sum(won) == 5
    assert all(run_folder.read(tmp_path / f"claim-{n}") for n in range(5))


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\xfe", b"null"])
def test_what_is_not_an_object_is_nothing(tmp_path, content):
    """A torn or foreign file reads as absent, never as an error."""
    (tmp_path / "x").write_bytes(content)
    assert run_folder.read(tmp_path / "x") is None
    assert run_folder.read(tmp_path / "missing") is None


def test_a_conclusion_uses_the_space_reserved_for_it(tmp_path):
    """The last file is the reserved one under its final name, so a full disk cannot prevent it."""
    run_folder.reserve(tmp_path)
    (reserved,) = tmp_path.iterdir()
    number, size = reserved.stat().st_ino, reserved.stat().st_size
    run_folder.conclude(tmp_path, {"ending": "exited"})
    end = tmp_path / run_folder.EXIT
    assert (end.stat().st_ino, end.stat().st_size) == (number, size)
    assert json.loads(end.read_text()) == {"ending": "exited"}
    assert list(tmp_path.iterdir()) == [end]


def test_a_long_conclusion_still_fits(tmp_path):
    """More than was reserved is written all the same."""
    run_folder.reserve(tmp_path)
    run_folder.conclude(tmp_path, {"reason": "x" * 100_000})
    assert len(run_folder.read(tmp_path / run_folder.EXIT)["reason"]) == 100_000
