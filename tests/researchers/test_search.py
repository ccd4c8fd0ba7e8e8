"""The search researcher: inside its space, never twice, informed by what came before, and clear about mistakes."""

from dataclasses import replace
from statistics import median

import pytest

from autoresearch.core.hypothesis import Brief, Facts, Tried
from autoresearch.core.metric import Direction, Objective
from autoresearch.errors import CampaignError, ResearcherError
from autoresearch.researchers.search import SearchResearcher, read_space

pytest.importorskip("optuna")
LOSS = Objective("lower the loss", "val:loss", Direction.MINIMIZE)
SPACE = {"x": {"type": "float", "low": -1.0, "high": 1.0}}


def researcher(space=None, **options: object):
    return SearchResearcher(options={"space": space or {}, **options}, folder=None)


def brief(values, tried=(), *, space=None, traits=(), **more: object):
    facts = Facts(values, frozenset(traits), space=space or {})
    return Brief("c", len(tried) + 2, more.pop("objective", LOSS), facts=facts, tried=tuple(tried), **more)


def campaign(one, values, score, attempts):
    """Values reached when every proposal is tried from the baseline; a score of None is a crash."""
    tried = [Tried(1, "baseline", "baseline", status="keep", value=score(values))]
    for index in range(2, attempts + 2):
        idea = one.propose(brief(values, tried), None)
        if idea is None:
            break
        point = {**values, **{key: float(value) for key, value in (item.split("=") for item in idea.overrides)}}
        value = score(point)
        status = "crash" if value is None else "discard"
        tried.append(Tried(index, f"e{index}", idea.title, "", idea.overrides, idea.overrides, status, value))
    return tried


def bowl(point):
    return (point["x"] - 0.31) ** 2


def test_proposals_stay_inside_and_never_repeat():
    """Thirty proposals of a one-dimensional space are thirty different points of it."""
    tried = campaign(researcher(SPACE), {"x": 0.9}, bowl, 30)[1:]
    points = [float(item.overrides[0].removeprefix("x=")) for item in tried]
    assert len(set(points)) == 30
    assert all(-1 <= point <= 1 for point in points)


def test_history_makes_it_better_than_chance():
    """After twenty proposals on a parabola the best is closer than the best of twenty random ones usually is."""
    found = min(item.value for item in campaign(researcher(SPACE), {"x": -0.9}, bowl, 20)[1:])
    chance = [
        min(item.value for item in campaign(researcher(SPACE, seed=seed, random_first=99), {"x": -0.9}, bowl, 20)[1:])
        for seed in range(1, 8)
    ]
    assert found < median(chance)


def test_equal_briefs_give_equal_points():
    """The seed and the ledger decide, nothing else."""
    tried = campaign(researcher(SPACE), {"x": 0.0}, bowl, 8)
    asked = brief({"x": 0.0}, tried)
    assert researcher(SPACE).propose(asked, None) == researcher(SPACE).propose(asked, None)
    assert researcher(SPACE).propose(asked, None) != researcher(SPACE, seed=1).propose(asked, None)


def test_crashes_and_running_experiments_do_not_stop_it():
    """Half of the space crashes: the search goes on and still finds the other half."""
    tried = campaign(researcher(SPACE), {"x": 0.5}, lambda at: None if at["x"] < 0 else bowl(at), 15)
    assert len(tried) == 16
    assert {item.status for item in tried} >= {"crash", "discard"}
    running = replace(tried[-1], status="", value=None)
    assert researcher(SPACE).propose(brief({"x": 0.5}, [*tried[:-1], running]), None) is not None


def test_a_small_space_ends():
    """Two choices, one of them the present one: one proposal, then none."""
    one = researcher({"mode": ["fast", "slow"]})
    first = one.propose(brief({"mode": "fast"}), None)
    assert first.overrides == ("mode=slow",)
    tried = [Tried(2, "e2", first.title, config=first.overrides, status="discard", value=1.0)]
    assert one.propose(brief({"mode": "fast"}, tried), None) is None


def test_other_spellings_and_other_researchers_count_as_tried():
    """A point that a person's list reached is not proposed again."""
    tried = [Tried(2, "e2", "mine", config=("n=+2",), status="discard", value=1.0, source="file")]
    tried.append(Tried(3, "e3", "mine", config=("n=3.0",), status="discard", value=1.0, source="file"))
    assert researcher({"n": [1, 3]}).propose(brief({"n": 1}, tried), None) is None


def test_experiments_off_the_parents_line_are_placed_where_they_were():
    """What the parent moved is not assumed of experiments that started elsewhere."""
    from autoresearch.researchers.search import _point

    space = read_space({"x": [0.0, 1.0], "y": [0.0, 1.0]})
    aside = Tried(3, "e3", "aside", config=("y=0.5",), status="discard", value=0.0)
    assert _point(aside, {"y": 0.2}, space) == {"y": 0.5}
    assert _point(aside, {"x": 0.1, "y": 0.2}, space) == {"x": 0.1, "y": 0.5}


def test_few_knobs_move_at_once():
    """A proposal turns at most `knobs` of many, so that its verdict says something about a cause."""
    space = {f"k{number}": [0.0, 1.0] for number in range(6)}
    values = dict.fromkeys(space, 0.5)
    assert len(researcher(space, knobs=1).propose(brief(values), None).overrides) == 1
    assert len(researcher(space).propose(brief(values), None).overrides) == 2


def test_the_batch_follows_its_factors():
    """More prompts per step make the training batch larger by the same factor."""
    key, batch = "grpo.num_prompts_per_step", "policy.train_global_batch_size"
    values = {key: 32, "grpo.num_generations_per_prompt": 16, batch: 512, "policy.train_micro_batch_size": 4}
    idea = researcher({key: [8, 128]}).propose(brief(values, traits=["grpo"]), None)
    assert [item.partition("=")[0] for item in idea.overrides] == [key, batch]
    assert idea.overrides[1].startswith(f"{batch}='${{mul:")


def test_the_derived_space_is_used_when_none_is_declared():
    """Without a `space` the recipe's own knobs are searched; a recipe without any is told so."""
    derived = {"lr": {"type": "float", "low": 1e-6, "high": 1e-4, "log": True}}
    idea = researcher().propose(brief({"lr": 1e-5}, space=derived), None)
    assert 1e-6 <= float(idea.overrides[0].removeprefix("lr=")) <= 1e-4
    with pytest.raises(ResearcherError, match="nothing to search"):
        researcher().propose(brief({"lr": 1e-5}), None)


def test_a_declared_space_is_checked_against_the_recipe():
    """A misspelt key and a protected one are named."""
    with pytest.raises(ResearcherError, match="no key lrr"):
        researcher({"lrr": [0.1, 0.2]}).propose(brief({"lr": 0.1}), None)
    with pytest.raises(ResearcherError, match=r"grpo\.seed is protected"):
        researcher({"grpo.seed": [1, 9]}).propose(brief({"grpo.seed": 1}, protect_keys=("grpo.seed",)), None)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"type": "float", "low": 2.0, "high": 1.0}, "low < high"),
        ({"type": "float", "low": 0.0, "high": 1.0, "log": True}, "low > 0"),
        ({"type": "categorical", "choices": [1]}, "two choices"),
        ({"type": "gaussian", "low": 0, "high": 1}, "none of float"),
        ({"low": 0, "high": 1, "step": 2}, "Extra inputs"),
        (3, "valid dictionary"),
    ],
)
def test_a_space_that_is_not_understood_is_refused_at_the_start(spec, words):
    """The message names the knob and shows how to write one."""
    with pytest.raises(CampaignError, match=rf"search space, lr: .*{words}.*write for example"):
        researcher({"lr": spec})
