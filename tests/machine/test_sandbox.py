"""Files below one folder, whatever lies there."""

import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoresearch.machine import sandbox


def test_a_file_is_written_with_its_folders_and_read_back(tmp_path):
    """A second, shorter text leaves nothing of the first."""
    sandbox.write_below(tmp_path, "a/b/c.txt", "a longer text\n")
    sandbox.write_below(tmp_path, "a/b/c.txt", "short\n")
    assert sandbox.read_below(tmp_path, "a/b/c.txt") == "short\n"


def test_no_link_is_followed_at_any_step(tmp_path):
    """A folder, the file itself, a loop: each an error, and what they lead to is as it was."""
    root, victim = tmp_path / "root", tmp_path / "victim"
    root.mkdir()
    victim.mkdir()
    (victim / "x").write_text("mine")
    (root / "folder").symlink_to(victim)
    (root / "file").symlink_to(victim / "x")
    (root / "loop").symlink_to("loop")
    for path in ("folder/x", "file", "loop", "folder/new/x"):
        with pytest.raises(OSError, match=r".+"):
            sandbox.write_below(root, path, "evil")
        with pytest.raises(OSError, match=r".+"):
            sandbox.read_below(root, path)
        assert sandbox.relative(root, path) is None
    assert [entry.name for entry in victim.iterdir()] == ["x"]
    assert (victim / "x").read_text() == "mine"


def test_only_regular_files_with_one_name_are_written(tmp_path):
    """A pipe cannot make us wait; a second name may be a file of the user's."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "mine").write_text("mine")
    os.link(tmp_path / "mine", tmp_path / "twin")
    for path in ("pipe", "twin", "."):
        with pytest.raises(OSError, match=r".+"):
            sandbox.write_below(tmp_path, path, "evil")
    assert (tmp_path / "mine").read_text() == "mine"


def test_a_path_is_seen_from_the_folder_however_it_is_spelled(tmp_path):
    """Absolute, relative, with detours, and through the folder's own other name."""
    root, other = tmp_path / "root", tmp_path / "other"
    root.mkdir()
    other.symlink_to(root)
    for path in (f"{root}/a/b", "a/b", f"{root}/x/../a/./b"):
        assert sandbox.relative(root, path) == "a/b"
    assert sandbox.relative(other, f"{root}/a/b") == "a/b"
    assert sandbox.relative(root, str(root)) == "."


@given(path=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_no_spelling_leads_out(tmp_path, path):
    """What is not refused lies below the folder."""
    found = sandbox.relative(tmp_path, path)
    assert found is None or (tmp_path / found).resolve().is_relative_to(tmp_path.resolve())
    assert sandbox.relative(tmp_path, f"../{path}/../../{path}") is None or ".." not in str(found)
