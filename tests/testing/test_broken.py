"""The suites notice: an adapter that breaks one promise fails the test of that promise."""

import random
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import pytest

from autoresearch.errors import RecipeError
from autoresearch.experiment.board import Measure, PolicySettings
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.metrics.files import FileSource
from autoresearch.ports import plugins
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.run.measurement import Objective, Readings, Series
from autoresearch.targets.command import CommandTarget
from autoresearch.testing.metric_sources import MetricSourceContract
from autoresearch.testing.policies import PolicyContract, Watched
from autoresearch.testing.researchers import ResearcherContract
from autoresearch.testing.targets import TargetContract, a_request
from autoresearch.testing.trackers import TrackerContract
from autoresearch.verdict.policies import policy
from autoresearch.verdict.simulated_world import World
from autoresearch.verdict.simulation import run_campaign

BRIEF = Brief(campaign="c", index=2, objective=Objective("g", "m"))


@pytest.mark.parametrize("room", plugins.ROOMS)
def test_what_has_nothing_lacks_everything(room):
    """Every attribute, property and method of a port is missed by its suite."""
    port = plugins.port_of(room)
    wanted = {name for name in (*vars(port), *port.__annotations__) if not name.startswith("_")}
    told = gaps(room, SimpleNamespace())
    assert len(told) == len(wanted)
    assert all(any(name in words for words in told) for name in wanted)


def test_a_wrong_type_and_a_wrong_call_are_told():
    """A name that is no text, and a method that takes no argument."""

    class Source:
        name = 3

        def read(self) -> Readings:
            return Readings()

    assert gaps("metrics", Source()) == (
        "`name: str`",
        "read() cannot be called as MetricSource is: too many positional arguments",
    )
    assert "unexpected keyword argument 'options'" in made_with(Source, "options")


class Careless:
    """Reads `value` out of one file with no care at all."""

    name = "careless"

    def __init__(self, *, options) -> None:
        self.known = {}

    def read(self, folder):
        file = folder / "value"
        number = float(file.read_text() or "0")
        (folder / "seen").touch()
        return Readings({"value": Series("value", (1,), (number,))}, files=("value",))


SOURCE_PROMISES = [
    "test_a_folder_without_files_has_no_numbers",
    "test_reading_changes_nothing",
    "test_a_torn_file_gives_no_number_that_was_not_written",
    "test_junk_is_no_number_and_no_error",
]


@pytest.mark.parametrize("promise", SOURCE_PROMISES)
def test_a_careless_source_breaks_its_promises(tmp_path, promise):
    """Missing, torn and foreign files, and a file of its own: each is noticed by its test."""
    (tmp_path / "value").write_text("0.75")
    place = tmp_path / "elsewhere" if "without" in promise else tmp_path
    place.mkdir(exist_ok=True)
    with pytest.raises((AssertionError, FileNotFoundError, ValueError)):
        getattr(MetricSourceContract(), promise)(lambda: Careless(options={}), place)


def test_a_source_that_mixes_runs_is_noticed(tmp_path):
    """Numbers kept from one run show in the next."""

    class Mixing(FileSource):
        kept: ClassVar[dict[str, Series]] = {}

        def read(self, folder) -> Readings:
            found = super().read(folder)
            self.kept.update(found.series)
            return replace(found, series=dict(self.kept))

    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "metrics.json").write_text('{"a": 1}')
    with pytest.raises(AssertionError):
        MetricSourceContract().test_one_source_reads_many_runs(Mixing, tmp_path / "run", tmp_path)


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "c.json").write_text('{"lr": 0.1}')
    return tmp_path / "tree"


class Sloppy(CommandTarget):
    """Leaves notes in the tree, applies half of what is refused, and forgets folder and seed."""

    def __init__(self) -> None:
        super().__init__(command=("true",), objective={"metric": "m"}, options={"config": "c.json"})

    def survey(self, tree):
        (tree / "surveyed").write_text(str(random.random()))
        return super().survey(tree)

    def apply(self, tree, overrides):
        (tree / "c.json").write_text('{"lr": 0.5}')
        if "no such override" in overrides:
            raise RecipeError("no such override")
        return ("c.json", "d.json")

    def job(self, request):
        return replace(super().job(request), env={}, limit_s=None)


def test_a_sloppy_target_breaks_its_promises(tree, tmp_path):
    """Survey, apply and job are each held to their word."""
    suite, request = TargetContract(), a_request(tree, tmp_path / "run")
    with pytest.raises(AssertionError):
        suite.test_a_refused_override_leaves_the_tree_alone(Sloppy, tree, "lr=0.5")
    with pytest.raises(AssertionError):
        suite.test_a_survey_is_the_same_twice_and_changes_nothing(Sloppy, tree)
    with pytest.raises(AssertionError):
        suite.test_apply_changes_the_files_it_names(Sloppy, tree, "lr=0.5")
    with pytest.raises(AssertionError):
        suite.test_a_job_is_the_run_that_was_asked_for(Sloppy, request)
    with pytest.raises(AssertionError):
        suite.test_the_run_learns_its_folder_and_its_seed(Sloppy, request)


class Stubborn:
    """Proposes one thing for ever, and leaves a note in the tree that it did not announce."""

    name, edits, finite = "stubborn", False, True

    def __init__(self, *, options=None, folder=None) -> None:
        pass

    def propose(self, brief, tree):
        (tree / "note").write_text("here")
        return Hypothesis(title="again", overrides=("a=1",))


def test_a_stubborn_researcher_breaks_its_promises(tmp_path):
    """An unannounced edit, the same idea again, and no end."""
    suite = ResearcherContract()

    def fresh() -> Path:
        place = tmp_path / f"tree-{len(list(tmp_path.iterdir()))}"
        place.mkdir()
        return place

    for promise in (
        suite.test_it_edits_the_tree_only_when_it_says_so,
        suite.test_nothing_is_proposed_twice,
        suite.test_a_finite_one_comes_to_an_end,
    ):
        with pytest.raises(AssertionError):
            promise(Stubborn, BRIEF, fresh)


class Bad:
    """Hands on what `greedy` says, but for one thing."""

    name = "bad"

    def __init__(self, spoil) -> None:
        self.spoil, self.inner, self.asked = spoil, policy("greedy"), 0

    def baseline_runs(self, settings: PolicySettings):
        return self.inner.baseline_runs(settings)

    def advise(self, board):
        self.asked += 1
        return self.spoil(self, board, self.inner.advise(board))


def another_arm(bad, board, advice):
    return replace(advice, arm="nowhere") if isinstance(advice, Measure) and board.ideas else advice


def another_seed(bad, board, advice):
    return replace(advice, seed=42) if isinstance(advice, Measure) else advice


def moody(bad, board, advice):
    return replace(advice, seed=bad.asked) if isinstance(advice, Measure) else advice


def greater(bad, board, advice):
    return policy("greedy").advise(replace(board, objective=Objective("g", "m")))


def timely(bad, board, advice):
    return replace(advice, seed=int(time.time())) if isinstance(advice, Measure) else advice


@pytest.mark.parametrize(
    ("spoil", "promise"),
    [
        (another_arm, "test_only_what_exists_is_run"),
        (another_seed, "test_only_what_exists_is_run"),
        (moody, "test_one_board_one_advice"),
        (greater, "test_better_is_never_larger"),
    ],
)
def test_a_policy_that_breaks_a_promise_is_noticed(spoil, promise):
    """An arm that does not exist, a seed that was used, a mood, and more taken for better."""
    watched = Watched(lambda: Bad(spoil))
    watched.said = told(spoil)
    arguments = (watched,) if promise == "test_only_what_exists_is_run" else (lambda: Bad(spoil), watched)
    with pytest.raises(AssertionError):
        getattr(PolicyContract(), promise)(*arguments)


def test_a_policy_that_looks_at_the_clock_is_noticed(monkeypatch):
    """What is advised must follow from the board."""
    with pytest.raises(AssertionError, match="pure"):
        PolicyContract().test_fixed_boards_need_no_clock_and_no_dice(lambda: Bad(timely), monkeypatch)


class Appending:
    """A line for every event, whatever it is."""

    def __init__(self, folder, kinds=("experiment", "run", "some")) -> None:
        self.log, self.kinds = folder / "log", kinds

    def tell(self, event):
        if event.kind.startswith(self.kinds):
            with self.log.open("a") as log:
                log.write(f"{event}\n")


@pytest.fixture
def shown(tmp_path):
    return lambda: (tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""


def test_a_tracker_that_appends_whatever_it_is_told_is_noticed(tmp_path, shown):
    """A campaign that nobody can read, a line too many after a kill, and one for kinds that are yet to come."""
    suite = TrackerContract()
    with pytest.raises(AssertionError):
        suite.test_a_campaign_can_be_read(lambda: Appending(tmp_path, ("steered",)), shown)
    with pytest.raises(AssertionError):
        suite.test_what_is_told_twice_is_shown_once(lambda: Appending(tmp_path), shown)
    with pytest.raises(AssertionError):
        suite.test_an_unknown_kind_is_passed_over(lambda: Appending(tmp_path), shown)


class Forgetful(Appending):
    """Shows how many events it was told, and begins to count anew with every controller."""

    count = 0

    def tell(self, event):
        self.count += 1
        self.log.write_text(str(self.count))


def test_a_tracker_that_forgets_is_noticed(tmp_path, shown):
    """What it was told before the controller was killed is part of what it shows."""
    with pytest.raises(AssertionError):
        TrackerContract().test_a_new_tracker_goes_on_where_the_old_one_was(lambda: Forgetful(tmp_path), shown, 4)


def told(spoil):
    """What a spoilt policy says on the boards of a sound campaign."""
    sound, bad = Watched(lambda: policy("greedy")), Bad(spoil)
    run_campaign(sound, World(runs=20), seed=1)
    return [(board, bad.advise(board)) for board, _ in sound.said]
