"""What every researcher promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from autoresearch.experiment.hypothesis import Brief, Hypothesis, Tried
from autoresearch.ports.researcher import Researcher
from autoresearch.testing.shape import gaps, made_with

ResearcherMaker = Callable[[], Researcher]


class ResearcherContract:
    """What every researcher promises.

    Give fixtures `make` (a new researcher each call) and `brief` (one that it has an idea for).
    """

    def test_it_has_the_shape_of_a_researcher(self, make: ResearcherMaker) -> None:
        """Every attribute and method of the port, and it is made with `options=` and `folder=`."""
        assert gaps(make(), Researcher) == ()
        assert made_with(type(make()), "options", "folder") == ""

    def test_an_idea_is_a_hypothesis_with_a_change(self, make: ResearcherMaker, brief: Brief, tmp_path: Path) -> None:
        """It has a title on one line, and overrides, a patch or an edited tree."""
        tree = tmp_path / "tree"
        tree.mkdir()
        idea = make().propose(brief, tree)
        assert isinstance(idea, Hypothesis)
        assert idea.title
        assert "\n" not in idea.title
        assert idea.overrides or idea.patch or any(tree.iterdir())

    def test_nothing_that_a_crash_could_lose_is_kept(self, make: ResearcherMaker, brief: Brief, tmp_path: Path) -> None:
        """One that was made anew has the same idea as one that has been asked before."""
        asked = make()
        asked.propose(brief, tmp_path)
        assert asked.propose(brief, tmp_path) == make().propose(brief, tmp_path)

    def test_nothing_is_proposed_twice(self, make: ResearcherMaker, brief: Brief, tmp_path: Path) -> None:
        """What was tried and discarded is not proposed again."""
        first, name = make().propose(brief, tmp_path), make().name
        assert first is not None
        overrides, source = first.overrides, first.source or name
        done = Tried(brief.index, "done", first.title, first.area, overrides, overrides, "discard", source=source)
        second = make().propose(replace(brief, index=brief.index + 1, tried=(*brief.tried, done)), tmp_path)
        assert second is None or (second.overrides, second.patch) != (first.overrides, first.patch)

    def test_its_name_is_said(self, make: ResearcherMaker, brief: Brief, tmp_path: Path) -> None:
        """An idea that names its source names its researcher."""
        idea = make().propose(brief, tmp_path)
        assert idea is not None
        assert idea.source in {"", make().name}
