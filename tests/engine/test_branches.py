"""Ideas on one branch: neighbouring lines of one file are two ideas, one key is one."""

import subprocess

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.campaign.beginning import make_context
from autoresearch.campaign.opening import open_campaign
from autoresearch.engine.branches import bundle
from autoresearch.engine.chain import is_clean
from autoresearch.experiment.hypothesis import Hypothesis

CONFIG = "# how to train\nlr: 0.1  # a decade either way\nwd: 0.0\nclip: 1.0\n"
IDEAS = (
    {"title": "faster", "overrides": ["lr=0.2"]},
    {"title": "decay", "overrides": ["wd=0.1"]},
    {"title": "slower", "overrides": ["lr=0.05"]},
    {"title": "warmer", "overrides": ["warmup=0.2"]},
    {"title": "longer", "overrides": ["horizon=32"]},
    {
        "title": "louder",
        "patch": "--- a/train.py\n+++ b/train.py\n@@ -1 +1 @@\n-print('score: 0')\n+print('score: 1')\n",
    },
)


@pytest.fixture
def tried(lab):
    """The engine of a campaign whose six ideas were each tried on top of the baseline."""
    (lab.root / "config.yaml").write_text(CONFIG)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{**idea, "parent": "baseline"} for idea in IDEAS]))
    commit_all(lab.root)
    flags = {"warmup": {"flag": "--warmup", "type": "float"}, "horizon": {"flag": "--horizon", "type": "int"}}
    target = {"type": "command", "config": "config.yaml", "source": {"type": "stdout"}, "knobs": flags}
    lab.write(stop="7 experiments", target=target, launcher={"type": "scripted", "script": {"*": {"value": [0.5]}}})
    done = lab.run()
    assert done.returncode == 0, done.stderr
    return make_context(open_campaign(lab.root), proposing=False)


def made(ctx, *ideas: str):
    """What became of a bundle, and its configuration."""
    bundle(ctx, "together", ideas, "baseline")
    event = ctx.history.bundles["together"]
    return event, event.commit and shown(ctx, event.commit, "config.yaml")


def shown(ctx, commit, path):
    words = ("git", "show", f"{commit}:{path}")
    return subprocess.run(words, cwd=ctx.paths.root, capture_output=True, text=True, check=True).stdout


@pytest.mark.full
def test_overrides_on_neighbouring_lines_go_together(tried):
    """Git would see one conflict; by key there is none, and every other character stays."""
    event, config = made(tried, "faster", "decay")
    assert event.conflict == ""
    assert config == CONFIG.replace("lr: 0.1 ", "lr: 0.2 ").replace("wd: 0.0", "wd: 0.1")


@pytest.mark.full
def test_flags_of_several_ideas_go_together(tried):
    """Each adds a line to one file, which git takes for a conflict, and what one flag is worth alone was not measured."""
    event, _ = made(tried, "warmer", "longer")
    assert event.conflict == ""
    assert {"warmup=0.2", "horizon=32"} <= set(shown(tried, event.commit, "autoresearch.knobs").split())


def test_two_values_for_one_key_are_a_conflict_in_words(tried):
    """The last one would win silently, and neither idea would be measured."""
    event, config = made(tried, "faster", "slower")
    assert (event.branch, config) == ("", "")
    assert event.conflict == "slower conflicts: it changes lr from 0.1 to 0.05, which is 0.2 here"


def test_a_diff_of_code_and_overrides_go_together(tried):
    """Git merges the code, the overrides come on top; the commit names both as parents."""
    event, config = made(tried, "faster", "louder", "decay")
    assert "lr: 0.2" in config
    assert "wd: 0.1" in config
    assert "score: 1" in shown(tried, event.commit, "train.py")
    parents = subprocess.check_output(("git", "rev-list", "--parents", "-1", event.commit), cwd=tried.paths.root)
    assert len(parents.split()) == 5


@pytest.mark.full
def test_the_same_ideas_give_the_same_commit_again(tried):
    """A crash before the journal heard of a bundle leaves half a worktree; nothing is made twice."""
    first, _ = made(tried, "faster", "decay")
    (tried.paths.worktree("together") / "config.yaml").write_text("lr: 9\n")
    assert made(tried, "faster", "decay")[0].commit == first.commit


def test_an_editors_overrides_are_not_all_of_its_idea(lab):
    """Where nobody is asked, too: its edit of the recipe beside an override comes along."""
    lab.write(
        researcher=[{"type": "agent", "agent": "command", "command": ["true"]}, {"type": "file", "path": "ideas.yaml"}]
    )
    assert lab.run().returncode == 0
    ctx = make_context(open_campaign(lab.root), proposing=False)
    assert (ctx.researchers, ctx.editors) == ((), {"agent"})
    assert is_clean(ctx, Hypothesis(title="t", source="file"))
    assert not is_clean(ctx, Hypothesis(title="t", source="agent"))
