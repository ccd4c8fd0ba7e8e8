"""What every researcher promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from autoresearch.experiment.hypothesis import Brief, Hypothesis, Tried
from autoresearch.ports.plugins import gaps, made_with
from autoresearch.ports.researcher import Researcher
from autoresearch.testing.user_files import changed, contents

ResearcherMaker = Callable[[], Researcher]
TreeMaker = Callable[[], Path]

_MANY = 200


@dataclass(frozen=True)
class Asked:
    """What came of one question: the idea, and the files that the researcher changed in the tree itself."""

    idea: Hypothesis | None
    edits: tuple[tuple[str, bytes | None], ...]

    @property
    def change(self) -> tuple[object, ...] | None:
        """What would be committed, None without an idea."""
        return None if self.idea is None else (self.idea.overrides, self.idea.patch, self.edits)


class ResearcherContract:
    """What every researcher promises.

    Give it the fixtures `make` (a new researcher each call, on the same scratch folder) and `brief` (one that it has an
    idea for); and `fresh` (the tree of the brief as its commit has it, anew each call) when it looks into the tree.
    """

    @pytest.fixture
    def fresh(self, tmp_path: Path) -> TreeMaker:
        """An empty folder, another one each call."""

        def make_tree() -> Path:
            number = 1 + sum(1 for _ in tmp_path.glob("tree-*"))
            (tmp_path / f"tree-{number}").mkdir()
            return tmp_path / f"tree-{number}"

        return make_tree

    def test_it_has_the_shape_of_a_researcher(self, make: ResearcherMaker) -> None:
        """Every attribute and method of the port, and it is made with `options=` and `folder=`."""
        assert gaps("researchers", make()) == ()
        assert made_with(type(make()), "options", "folder") == ""

    def test_it_can_be_given_a_name(self, make: ResearcherMaker) -> None:
        """A second one of its kind in a campaign is told apart by a number in its name."""
        one, name = make(), make().name
        one.name = f"{name}-2"
        assert (one.name, make().name) == (f"{name}-2", name)

    def test_an_idea_is_a_hypothesis_with_a_change(self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker) -> None:
        """It has a title on one line, and overrides, a patch or an edited tree."""
        answer = ask(make(), brief, fresh())
        assert isinstance(answer.idea, Hypothesis)
        assert answer.idea.title.strip()
        assert "\n" not in answer.idea.title
        assert answer.change != ((), "", ())

    def test_it_edits_the_tree_only_when_it_says_so(
        self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker
    ) -> None:
        """What stands in the tree beside overrides and patch would be committed with them."""
        researcher = make()
        assert ask(researcher, brief, fresh()).edits == () or researcher.edits

    def test_nothing_that_a_crash_could_lose_is_kept(
        self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker
    ) -> None:
        """One that was made anew has the same idea as one that has been asked before."""
        asked = make()
        first = ask(asked, brief, fresh())
        assert ask(asked, brief, fresh()) == ask(make(), brief, fresh()) == first

    def test_nothing_is_proposed_twice(self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker) -> None:
        """What was tried and discarded is not proposed again."""
        first = ask(make(), brief, fresh())
        second = ask(make(), after(brief, first.idea, make().name), fresh())
        assert second.change is None or second.change != first.change

    def test_a_finite_one_comes_to_an_end(self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker) -> None:
        """One that has each idea once says None after the last of them, and goes on saying it."""
        researcher = make()
        if not researcher.finite:
            pytest.skip("it does not say that its ideas are finite")
        for _ in range(_MANY):
            idea = ask(researcher, brief, fresh()).idea
            if idea is None:
                break
            brief = after(brief, idea, researcher.name)
        assert idea is None
        assert ask(make(), brief, fresh()).idea is None

    def test_its_name_is_said(self, make: ResearcherMaker, brief: Brief, fresh: TreeMaker) -> None:
        """An idea that names its source names its researcher."""
        idea = ask(make(), brief, fresh()).idea
        assert idea is not None
        assert idea.source in {"", make().name}


def ask(researcher: Researcher, brief: Brief, tree: Path) -> Asked:
    """Ask for one idea, and see what has changed in the tree."""
    before = _files(tree)
    idea = researcher.propose(brief, tree)
    now = _files(tree)
    return Asked(idea, tuple((path, now.get(path)) for path in sorted(changed(before, now))))


def after(brief: Brief, idea: Hypothesis | None, name: str) -> Brief:
    """The brief of the next attempt, when this idea of the researcher called `name` was tried and discarded."""
    assert idea is not None
    source = idea.source or name
    done = Tried(
        index=brief.index,
        name=f"e{brief.index}",
        title=idea.title,
        area=idea.area,
        overrides=idea.overrides,
        config=idea.overrides,
        status="discard",
        source=source,
    )
    return replace(brief, index=brief.index + 1, tried=(*brief.tried, done))


def _files(tree: Path) -> dict[str, bytes]:
    return {path: content for path, content in contents(tree).items() if path.partition("/")[0] != ".git"}
