"""Ideas on one branch: neighbouring lines of one file are two ideas, one key is one."""

import subprocess
from functools import partial

import pytest
import yaml
from tests.conftest import commit_all

from autoresearch.campaign.beginning import make_context
from autoresearch.campaign.opening import open_campaign
from autoresearch.engine.branches import attempt, bundle, explore
from autoresearch.engine.chain import Answered, is_clean
from autoresearch.experiment.events import IncumbentDemoted
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
    return played(lab, IDEAS, partial(make_context, proposing=False))


def played(lab, ideas, open_):
    (lab.root / "config.yaml").write_text(CONFIG)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{**idea, "parent": "baseline"} for idea in ideas]))
    commit_all(lab.root)
    flags = {"warmup": {"flag": "--warmup", "type": "float"}, "horizon": {"flag": "--horizon", "type": "int"}}
    target = {"type": "command", "config": "config.yaml", "source": {"type": "stdout"}, "knobs": flags}
    lab.write(
        stop=f"{len(ideas) + 1} experiments",
        target=target,
        launcher={"type": "scripted", "script": {"*": {"value": [0.5]}}},
    )
    done = lab.run()
    assert done.returncode == 0, done.stderr
    return open_(open_campaign(lab.root))


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


@pytest.fixture
def three(lab):
    """The engine of a campaign whose three ideas were each tried on top of the baseline."""
    return played(lab, IDEAS[:3], make_context)


def newest(ctx):
    return ctx.history.notes[-1]


@pytest.mark.full
def test_two_lines_are_crossed_without_asking_anybody_or_it_is_told_why_not(three):
    """An experiment of its own on top of one line; what does not go together is an event, and never asked for again."""
    index = explore(three, "faster", "decay")
    assert list(attempt(three, index)) == []
    found = three.history.experiments[index]
    assert (found.parent, found.hypothesis.crosses, found.committed.breaches) == ("faster", "decay", ())
    assert shown(three, found.commit, "config.yaml") == CONFIG.replace("lr: 0.1 ", "lr: 0.2 ").replace("0.0", "0.1")
    index = explore(three, "faster", "slower")
    assert list(attempt(three, index)) == []
    assert index not in three.history.experiments
    assert "slower could not be crossed with faster: slower conflicts" in newest(three).text
    assert newest(three).details == {"not crossed": "slower", "with": "faster"}


@pytest.mark.full
def test_an_idea_whose_parent_fell_while_it_was_thought_of_is_put_on_the_best_or_dropped(three):
    """Where its change fits there it goes on with that parent, which is told; where it does not there is no row."""
    thought = [(index := explore(three, "baseline"), attempt(three, index)) for _ in range(2)]
    asked = [next(steps).researcher for _, steps in thought]
    three.record(IncumbentDemoted(three.clock(), "baseline", "faster", "runs do not bear it out"))
    for (_, steps), researcher, override in zip(thought, asked, ("wd=0.3", "lr=0.3"), strict=True):
        with pytest.raises(StopIteration):
            steps.send(Answered(researcher, Hypothesis(title="later", overrides=(override,))))
    first, second = (three.history.experiments.get(index) for index, _ in thought)
    assert (first.parent, second) == ("faster", None)
    assert "lr: 0.2 " in shown(three, first.commit, "config.yaml")
    told = [note.text for note in three.history.notes]
    assert "'later' was put on faster instead of baseline: baseline fell while it was thought of" in told
    assert newest(three).text.startswith("'later' cannot be put on faster, the best by now: it changes lr")
