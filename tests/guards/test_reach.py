"""What a run is kept from."""

from autoresearch.config.schema import CampaignConfig
from autoresearch.git import refs, worktree
from autoresearch.guards.reach import protected, sandbox_of, scope_for
from autoresearch.guards.scope import Scope
from autoresearch.ports.target import Survey
from autoresearch.records.paths import CampaignPaths
from autoresearch.run.job import Job
from autoresearch.run.measurement import Objective

OURS = {"argv": ["ours", "{prompt}"], "instructions": ["ours.md"]}
SURVEY = Survey(objective=Objective("raise the score", "score"), command=("python3", "train.py"))

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


def test_what_an_agent_of_the_campaign_is_told_by_is_protected():
    """By files that its program reads of a repository; a list of ideas reads none."""
    listed, asked = (
        CampaignConfig.of({"campaign": "night", "researcher": one})
        for one in ({"type": "file", "path": "ideas.yaml"}, {"type": "agent", "agent": "ours", "entry": OURS})
    )
    assert "**/ours.md" not in scope_for(listed, SURVEY).protect
    assert "**/ours.md" in scope_for(asked, SURVEY).protect


def test_a_run_sees_the_branch_that_its_worktree_stands_on_and_no_other(repo, run_git, tmp_path):
    """Its own git knows where it is; branches of other ideas are hidden."""
    for name in ("mine", "other"):
        run_git(repo, "branch", f"autoresearch/night/{name}")
    tree, paths = repo / ".autoresearch/worktrees/night/mine", CampaignPaths(repo, "night")
    worktree.add(repo, tree, run_git(repo, "rev-parse", "HEAD").strip())
    run_git(tree, "checkout", "-q", "autoresearch/night/mine")
    job = Job(run_id="r", argv=("true",), directory=str(tree), folder=str(tmp_path / "run"), log=str(tmp_path / "log"))
    reach = sandbox_of(CampaignConfig.of({"campaign": "night"}), paths, SURVEY, job, "HEAD", "mine", 1)
    heads = refs.common_dir(repo) / "refs/heads"
    assert str(heads / "autoresearch/night/mine") in reach.shown
    assert not [path for path in reach.shown if path.endswith("/other")]
    assert any((heads / "autoresearch/night/other").is_relative_to(path) for path in reach.hidden)
