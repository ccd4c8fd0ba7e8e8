"""The search researcher: inside its space, never twice, informed by what came before, and clear about mistakes."""

from dataclasses import replace
from statistics import mean

import pytest

from autoresearch.errors import CampaignError, ResearcherError
from autoresearch.experiment.hypothesis import Brief, Facts, Tried
from autoresearch.run.measurement import Direction, Objective
from autoresearch.testing.researchers import ResearcherContract

pytest.importorskip("numpy")
from autoresearch.researchers.search.candidates import read_past
from autoresearch.researchers.search.researcher import SearchResearcher
from autoresearch.researchers.search.space import read_space

LOSS = Objective("lower the loss", "val:loss", Direction.MINIMIZE)
SPACE = {"x": {"type": "float", "low": -1.0, "high": 1.0}}


class TestSearch(ResearcherContract):
    """What every researcher promises."""

    @pytest.fixture
    def make(self, tmp_path):
        return lambda: SearchResearcher(options={"space": {"lr": [1e-5, 1e-2]}}, folder=tmp_path)

    @pytest.fixture
    def brief(self):
        return brief({"lr": 1e-3})


def researcher(space=None, **options: object):
    return SearchResearcher(options={"space": space or {}, **options}, folder=None)


def brief(values, tried=(), *, space=None, traits=(), origin=None, **more: object):
    """A brief at a parent with these values; `origin` are the recipe's own, if they differ."""
    facts = Facts(values, frozenset(traits), space=space or {})
    first = Tried(index=1, name="baseline", title="baseline", status="keep", value=1.0, runs=3)
    tried = tuple(tried) if tried and tried[0].name == "baseline" else (first, *tried)
    goal = more.pop("objective", LOSS)
    return Brief(
        campaign="c", index=len(tried) + 1, objective=goal, facts=facts, tried=tried, origin=origin or values, **more
    )


def settings(overrides):
    return {key: float(value) for key, _, value in (item.partition("=") for item in overrides)}


def campaign(one, values, score, attempts):
    """Values reached when every proposal is tried from the baseline; a score of None is a crash."""
    tried = [Tried(index=1, name="baseline", title="baseline", status="keep", value=score(values), runs=1)]
    for index in range(2, attempts + 2):
        idea = one.propose(brief(values, tried), None)
        if idea is None:
            break
        value = score({**values, **settings(idea.overrides)})
        status = "crash" if value is None else "discard"
        tried.append(
            Tried(
                index=index,
                name=f"e{index}",
                title=idea.title,
                area="",
                overrides=idea.overrides,
                config=idea.overrides,
                status=status,
                value=value,
                source="search",
            )
        )
    return tried


def bowl(point):
    return (point["x"] - 0.31) ** 2


def valley(point):
    """Five knobs, of which three matter, one far more than the others."""
    return 4 * (point["a"] - 0.8) ** 2 + (point["b"] - 0.3) ** 2 + 0.5 * (point["c"] - 0.1) ** 2


VALLEY = {key: [0.0, 1.0] for key in "abcde"}


def best(tried):
    return min(item.value for item in tried if item.value is not None)


def test_proposals_stay_inside_and_never_repeat():
    """Twenty proposals of a one-dimensional space are twenty different points of it."""
    tried = campaign(researcher(SPACE), {"x": 0.9}, bowl, 20)[1:]
    points = [float(item.overrides[0].removeprefix("x=")) for item in tried]
    assert len(set(points)) == 20
    assert all(-1 <= point <= 1 for point in points)


def test_history_makes_it_better_than_chance():
    """Twelve proposals in five dimensions end far lower than twelve points spread evenly do."""
    values = dict.fromkeys("abcde", 0.5)
    spaces = {key: {"type": "float", "low": 0.0, "high": 1.0} for key in "abcde"}
    found = mean(best(campaign(researcher(spaces, seed=seed), values, valley, 12)) for seed in range(2))
    chance = mean(best(campaign(researcher(spaces, seed=seed, spread=12), values, valley, 12)) for seed in range(2))
    assert found < chance / 2


def test_equal_briefs_give_equal_points():
    """The seed and the ledger decide, nothing else."""
    tried = campaign(researcher(SPACE), {"x": 0.0}, bowl, 5)
    asked = brief({"x": 0.0}, tried)
    assert researcher(SPACE).propose(asked, None) == researcher(SPACE).propose(asked, None)
    assert researcher(SPACE).propose(asked, None) != researcher(SPACE, seed=1).propose(asked, None)


def test_more_is_better_where_the_objective_says_so():
    """The same surface is climbed or descended, as the objective points."""
    up = replace(LOSS, direction=Direction.MAXIMIZE)
    line = enumerate((0.1, -0.7, -0.3, 0.4, 0.7))
    tried = [
        Tried(index=i, name=f"e{i}" if i else "baseline", title="", config=(f"x={x}",), status="discard", value=x)
        for i, x in line
    ]
    one = researcher(SPACE, spread=0)
    low = one.propose(brief({"x": 0.1}, tried), None)
    high = one.propose(brief({"x": 0.1}, tried, objective=up), None)
    assert settings(low.overrides)["x"] < -0.5 < 0.5 < settings(high.overrides)["x"]


def test_crashes_are_kept_away_from():
    """Where half of the space crashes, far fewer than half of the proposals go there."""
    tried = campaign(researcher(SPACE), {"x": 0.5}, lambda at: None if at["x"] < 0 else bowl(at), 14)
    crashed = [item.status == "crash" for item in tried]
    assert len(tried) == 15
    assert 1 <= sum(crashed) <= 4


def test_parallel_proposals_do_not_crowd():
    """While a proposal has no result, the next one looks elsewhere."""
    tried = campaign(researcher(SPACE), {"x": -0.9}, bowl, 6)
    points = []
    for index in range(8, 11):
        idea = researcher(SPACE).propose(brief({"x": -0.9}, tried), None)
        tried.append(Tried(index=index, name=f"e{index}", title="", config=idea.overrides, source="search"))
        points.append(settings(idea.overrides)["x"])
    assert len(set(points)) == 3


def test_a_point_is_reached_from_any_parent():
    """What the parent has moved is put back, to the very value where the point has the recipe's."""
    origin = {"a": 0.123456, "b": 0.5}
    space = {"a": {"type": "float", "low": 0.0, "high": 1.0}, "b": [0.5, 0.7, 0.9]}
    tried = [
        Tried(index=2, name="e2", title="", config=("a=0.9", "b=0.7"), status="keep", value=0.9),
        Tried(index=3, name="e3", title="", config=("a=0.9", "b=0.9"), status="discard", value=1.0),
    ]
    seen = set()
    for seed in range(6):
        asked = brief({"a": 0.9, "b": 0.7}, tried, parent="e2", origin=origin)
        idea = researcher(space, seed=seed).propose(asked, None)
        point = {**asked.facts.values, **settings(idea.overrides)}
        assert set(settings(idea.overrides)) == {key for key in space if point[key] != asked.facts.values[key]}
        seen.add(point["b"])
    assert 0.5 in seen


def test_a_small_space_ends():
    """Two choices, one of them the present one: one proposal, then none."""
    one = researcher({"mode": ["fast", "slow"]})
    first = one.propose(brief({"mode": "fast"}), None)
    assert first.overrides == ("mode=slow",)
    tried = [Tried(index=2, name="e2", title=first.title, config=first.overrides, status="discard", value=1.0)]
    assert one.propose(brief({"mode": "fast"}, tried), None) is None


def test_other_spellings_and_other_researchers_count_as_tried():
    """A point that a person's list reached is not proposed again."""
    tried = [Tried(index=2, name="e2", title="mine", config=("n=+2",), status="discard", value=1.0, source="file")]
    tried.append(Tried(index=3, name="e3", title="mine", config=("n=3.0",), status="discard", value=1.0, source="file"))
    assert researcher({"n": [1, 3]}).propose(brief({"n": 1}, tried), None) is None


def test_a_point_may_be_tried_again_beside_other_settings():
    """What failed beside one setting outside of the space is open beside another."""
    tried = [
        Tried(index=2, name="e2", title="mine", config=("mode=slow",), status="discard", value=2.0),
        Tried(index=3, name="e3", title="mine", config=("other=1",), status="keep", value=0.5),
    ]
    asked = brief({"mode": "fast", "other": 1}, tried, parent="e3", origin={"mode": "fast", "other": 0})
    assert researcher({"mode": ["fast", "slow"]}).propose(asked, None).overrides == ("mode=slow",)


def test_what_an_ended_run_had_reached_is_no_level_to_climb_to():
    """A run that was ended early counts as no better than the median of those that were not."""
    whole = [
        Tried(index=n, name=f"e{n}", title="", config=(f"x={n / 10}",), status="discard", value=float(n), runs=1)
        for n in range(2, 7)
    ]
    more = Tried(index=9, name="e9", title="", config=("x=0.9",), status="discard", value=-5.0, runs=1, partial=True)
    past = read_past(brief({"x": 0.0}, [*whole, more], noise=0.1), read_space(SPACE), ignored=frozenset())
    assert past.observed.levels.max() == -1.0
    assert past.observed.levels[-1] == -3.5


def test_a_long_campaign_is_fitted_to_the_best_and_the_newest():
    """Time and memory of a proposal are bounded, however much was tried before."""
    tried = [
        Tried(
            index=n,
            name=f"e{n}",
            title="",
            area="",
            overrides=(),
            config=(f"x={n / 2000 - 0.4!r}",),
            status="crash" if n % 9 == 0 else "discard",
            value=None if n % 9 == 0 else n % 500 + 1.0,
        )
        for n in range(2, 1502)
    ]
    past = read_past(brief({"x": 0.0}, tried), read_space(SPACE), ignored=frozenset())
    assert (past.known, len(past.observed.places)) == (1335, 200)
    assert past.observed.levels.max() == -1.0
    assert past.is_new({"x": 0.9})
    assert not past.is_new({"x": "-0.389"})


def test_few_knobs_move_where_that_is_asked_for():
    """With `knobs`, a proposal turns at most so many of the parent's values and leaves the rest to the last digit."""
    values = dict.fromkeys(VALLEY, 0.123456)
    spaces = {key: {"type": "float", "low": 0.0, "high": 1.0} for key in VALLEY}
    for tried in ((), campaign(researcher(spaces, knobs=1), values, valley, 4)):
        assert len(researcher(spaces, knobs=1).propose(brief(values, tried), None).overrides) == 1
        assert len(researcher(spaces, knobs=2).propose(brief(values, tried), None).overrides) <= 2
        assert len(researcher(spaces).propose(brief(values, tried), None).overrides) >= 4


def test_few_knobs_may_move_from_values_that_are_no_choice():
    """A recipe between the choices of two knobs still has neighbours that move one of them."""
    one = researcher({"n": [4, 8, 16], "m": [1, 3, 5]}, knobs=1, spread=0)
    assert len(one.propose(brief({"n": 6, "m": 2}), None).overrides) == 1


def test_whole_points_are_never_bundled():
    """A point of all knobs asks for a run of its own; one of few knobs leaves that to the policy."""
    assert researcher(VALLEY).propose(brief(dict.fromkeys(VALLEY, 0.5)), None).seeds == 1
    assert researcher(VALLEY, knobs=2).propose(brief(dict.fromkeys(VALLEY, 0.5)), None).seeds is None


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
    assert 1e-6 <= settings(idea.overrides)["lr"] <= 1e-4
    with pytest.raises(ResearcherError, match="nothing to search"):
        researcher().propose(brief({"lr": 1e-5}), None)


def test_a_declared_space_is_checked_against_the_recipe():
    """A misspelt key and a protected one are named."""
    with pytest.raises(ResearcherError, match="no key lrr"):
        researcher({"lrr": [0.1, 0.2]}).propose(brief({"lr": 0.1}), None)
    with pytest.raises(ResearcherError, match=r"grpo\.seed is protected"):
        researcher({"grpo.seed": [1, 9]}).propose(brief({"grpo.seed": 1}, protect_keys=("grpo.seed",)), None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"knob": 2}, "no option 'knob'; did you mean 'knobs'"),
        ({"knobs": 0}, "knobs must be a whole number from 1 on, not 0"),
        ({"seed": True}, "seed must be a whole number from 0 on, not True"),
    ],
)
def test_an_option_that_is_not_understood_is_refused_at_the_start(options, words):
    """A misspelt option is not searched without, in silence."""
    with pytest.raises(CampaignError, match=words):
        researcher(**options)


def test_on_a_plateau_no_point_is_a_near_copy_of_another():
    """Where noise is all that levels differ by, each proposal keeps a distance; without noise none is asked for."""
    space = {"x": [0.0, 1.0], "y": [0.0, 1.0]}
    points = [(0.5, 0.5), (0.2, 0.7), (0.8, 0.3), (0.6, 0.9), (0.52, 0.5)]
    tried = [
        Tried(index=i, name=f"e{i}" if i else "baseline", title="", config=(f"x={x}", f"y={y}"), value=0.1 * (i % 3))
        for i, (x, y) in enumerate(points)
    ]
    for index in range(3):
        idea = researcher(space, spread=0).propose(brief({"x": 0.5, "y": 0.5}, tried, noise=0.2), None)
        at = {"x": 0.5, "y": 0.5, **settings(idea.overrides)}
        assert min((at["x"] - x) ** 2 + (at["y"] - y) ** 2 for x, y in points) > 0.14**2
        points.append((at["x"], at["y"]))
        tried.append(Tried(index=9 + index, name=f"n{index}", title="", config=idea.overrides, value=0.1, source="a"))
