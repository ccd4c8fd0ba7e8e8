"""What a run is kept from."""

from autoresearch.guards.reach import protected
from autoresearch.guards.scope import Scope

FILES = ("train.py", "judge.py", "pkg/a.py", "pkg/b.py", "pkg/c.txt", "gold/x.csv", "gold/deep/y.csv")


def test_a_folder_in_which_everything_is_protected_is_kept_as_a_whole():
    """A file that a run adds to it would be read by the evaluation, too."""
    assert protected(FILES, Scope(protect=("gold/**",))) == ((), ("gold",), ())


def test_single_files_are_kept_with_what_python_compiles_of_them():
    """A folder that holds other files stays writable, but for the compiled modules in it."""
    wanted = (("judge.py", "pkg/a.py"), (), ("__pycache__", "pkg/__pycache__"))
    assert protected(FILES, Scope(protect=("judge.py", "pkg/a.py"))) == wanted


def test_a_pattern_for_some_files_of_a_folder_keeps_no_folder():
    """`pkg/*.py` says nothing about a file of another kind."""
    assert protected(FILES, Scope(protect=("pkg/*.py",)))[:2] == (("pkg/a.py", "pkg/b.py"), ())


def test_what_a_campaign_is_about_is_not_kept():
    """`scope.subject` names protected files that are open to change."""
    assert protected(FILES, Scope(protect=("judge.py", "gold/**"), subject=("judge.py",))) == ((), ("gold",), ())


def test_too_many_single_files_are_kept_by_their_folders():
    """Each costs the start of every run some time."""
    files = [f"pkg/m{number}.py" for number in range(300)]
    assert protected([*files, "pkg/x.txt", "judge.py"], Scope(protect=("**/*.py",)))[:2] == (("judge.py",), ("pkg",))
