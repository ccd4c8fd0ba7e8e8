"""What is installed for runs is as it was, or it is told what became of it."""

import base64
import hashlib
import os
from pathlib import Path

import pytest

from autoresearch.guards.installed import InstalledFiles, look, places

MANY = 10_000


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """An environment with one package, as an installer leaves it."""
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "env/bin/python3").symlink_to(os.path.realpath("/usr/bin/env"))
    found = tmp_path / "env/lib/python3.11/site-packages"
    (found / "pkg/deep").mkdir(parents=True)
    (found / "pkg-1.dist-info").mkdir()
    (found / "pkg/__init__.py").write_text("ONE = 1\n")
    (found / "pkg/deep/inner.py").write_text("TWO = 2\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"TWO = 2\n").digest()).decode().rstrip("=")
    (found / "pkg-1.dist-info/RECORD").write_text(f"pkg/deep/inner.py,sha256={digest},8\n")
    return found


@pytest.fixture
def seen(library: Path, tmp_path: Path) -> InstalledFiles:
    """A look at it before anything happens."""
    env = {"PATH": str(library.parents[2] / "bin"), "HOME": str(tmp_path)}
    found = places(tmp_path / "tree", ["python3", "train.py"], env, tmp_path / "checkout")
    assert str(library) in found
    checkout = tmp_path / "checkout"
    (checkout / ".git/info").mkdir(parents=True)
    (checkout / ".git/config").write_text("[core]\n\tbare = false\n")
    known = look(found, env, MANY, checkout, closely=True)
    return InstalledFiles(folders=found, env=env, checkout=checkout, known=known)


DONE = {
    "a.pth came": lambda at: (at / "a.pth").write_text("import os\n"),
    "sitecustomize.py came": lambda at: (at / "sitecustomize.py").write_text(""),
    "other/__init__.py came": lambda at: ((at / "other").mkdir(), (at / "other/__init__.py").write_text("")),
    "pkg/__init__.py was changed": lambda at: (at / "pkg/__init__.py").write_text("ONE = 9\n"),
    "pkg/deep/inner.py was changed": lambda at: (at / "pkg/deep/inner.py").write_text("TWO = 9\n"),
    "pkg/deep/inner.py is gone": lambda at: (at / "pkg/deep/inner.py").unlink(),
    "pkg/__pycache__/gone.cpython-311.pyc came": lambda at: (
        (at / "pkg/__pycache__").mkdir(),
        (at / "pkg/__pycache__/gone.cpython-311.pyc").write_bytes(b""),
    ),
    "bin/torchrun came": lambda at: (at.parents[2] / "bin/torchrun").write_text("#!/bin/sh\n"),
}


@pytest.mark.parametrize(("told", "deed"), DONE.items(), ids=DONE)
def test_what_a_run_did_to_an_environment_is_told(seen, library, told, deed):
    """A file that would be loaded came, is another one, or is gone, however deep it lies."""
    deed(library)
    assert [text.endswith(f"/{told}") for text in seen.look(MANY)] == [True]


def test_a_change_is_told_although_size_and_time_were_put_back(seen, library):
    """Whoever writes to a file cannot choose when the file system says so."""
    place = library / "pkg/__init__.py"
    state = place.stat()
    place.write_text("ONE = 9\n")
    os.utime(place, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert seen.look(MANY) == (f"{place} was changed",)


def test_what_is_compiled_or_put_back_or_installed_again_is_whole(seen, library):
    """Content decides where it is known: by the list of the package, or of a start-up file by our own."""
    (library / "pkg/deep/__pycache__").mkdir()
    (library / "pkg/deep/__pycache__/inner.cpython-311.pyc").write_bytes(b"made")
    (library / "pkg/deep/inner.py").unlink()
    (library / "pkg/deep/inner.py").write_text("TWO = 2\n")
    (library / "a.pth").write_text("import os\n")
    assert seen.look(MANY) == (f"{library}/a.pth came",)
    (library / "a.pth").unlink()
    assert seen.look(MANY) == ()
    assert seen.during("any") == (f"{library}/a.pth came",)


def test_a_short_look_says_nothing_of_what_it_did_not_reach(seen, library):
    """What was not read is neither there nor gone; what lies at the top is reached always."""
    (library / "pkg/deep/inner.py").write_text("TWO = 9\n")
    (library / "a.pth").write_text("")
    assert seen.look(1) == () or seen.looks[-1] == (f"{library}/a.pth came",)
    assert len(seen.look(MANY)) == 2


def test_what_makes_git_read_other_files_than_were_committed_is_told(seen, tmp_path):
    """A filter turns files into others on the way, both ways; a remote that a person adds does nothing of it."""
    config = tmp_path / "checkout/.git/config"
    config.write_text(config.read_text() + '[remote "mine"]\n\turl = x\n')
    assert seen.look(MANY) == ()
    (tmp_path / "checkout/.git/info/attributes").write_text("judge.py filter=x\n")
    config.write_text(config.read_text() + '[filter "x"]\n\tsmudge = cat /tmp/x\n')
    assert [text.rpartition("/")[2] for text in seen.look(MANY)] == ["config came", "attributes came"]
