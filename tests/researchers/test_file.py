"""The list of ideas: in its order, each once, read again after a restart, and clear about mistakes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.experiment.hypothesis import Brief, Hypothesis, Tried
from autoresearch.researchers.file import FileResearcher, read
from autoresearch.run.measurement import Objective
from autoresearch.testing.researchers import ResearcherContract

TWO = "- {title: First, overrides: [a=1]}\n- {title: Second, overrides: [b=2]}\n"


def brief(*done: Hypothesis):
    tried = tuple(
        Tried(
            index=index + 2,
            name=f"e{index}",
            title=idea.title,
            overrides=idea.overrides,
            status="discard",
            source="file",
        )
        for index, idea in enumerate(done)
    )
    return Brief(campaign="c", index=len(done) + 2, objective=Objective("g", "val:accuracy"), tried=tried)


@pytest.fixture
def ideas(tmp_path):
    path = tmp_path / "ideas.yaml"
    path.write_text(TWO)
    return path


def researcher(path):
    return FileResearcher(options={"path": path.name, "root": str(path.parent)}, folder=path.parent / "scratch")


class TestFile(ResearcherContract):
    """What every researcher promises."""

    @pytest.fixture
    def make(self, ideas):
        return lambda: researcher(ideas)

    @pytest.fixture
    def brief(self):
        return brief()


def test_entries_come_in_their_order_and_then_end(ideas, tmp_path):
    """First, second, no more."""
    one = researcher(ideas)
    first = one.propose(brief(), tmp_path)
    second = one.propose(brief(first), tmp_path)
    assert (first.title, second.title, first.source) == ("First", "Second", "file")
    assert one.propose(brief(first, second), tmp_path) is None


def test_a_restart_goes_on_where_it_was(ideas, tmp_path):
    """A new researcher knows from the ledger what was tried, also when the list is gone."""
    first = researcher(ideas).propose(brief(), tmp_path)
    ideas.unlink()
    assert researcher(ideas).propose(brief(first), tmp_path).title == "Second"


def test_the_same_title_from_somebody_else_is_not_ours(ideas, tmp_path):
    """Only what this list proposed counts as done."""
    other = Tried(index=2, name="e2", title="First", overrides=("a=1",), source="search")
    asked = Brief(campaign="c", index=3, objective=Objective("g", "val:accuracy"), tried=(other,))
    assert researcher(ideas).propose(asked, tmp_path).title == "First"


def test_entries_added_at_the_end_are_taken_in(ideas, tmp_path):
    """A list may grow while the campaign runs."""
    one = researcher(ideas)
    done = (one.propose(brief(), tmp_path),)
    done = (*done, one.propose(brief(*done), tmp_path))
    ideas.write_text(TWO + "- {title: Third, overrides: [c=3]}\n")
    assert one.propose(brief(*done), tmp_path).title == "Third"


def test_a_list_that_breaks_while_the_campaign_runs_costs_nothing(ideas, tmp_path):
    """Half-written YAML is not the end of the campaign: the last good list is used."""
    one = researcher(ideas)
    first = one.propose(brief(), tmp_path)
    ideas.write_text("- {title: Fir")
    assert one.propose(brief(first), tmp_path).title == "Second"


def test_a_patch_may_be_a_file_beside_the_list(ideas, tmp_path):
    """One line is a path, several lines are the patch itself."""
    (tmp_path / "fix.patch").write_text("--- a\n+++ b\n")
    ideas.write_text("- {title: Patched, patch: fix.patch}\n")
    assert read(ideas)[0].patch == "--- a\n+++ b\n"
    ideas.write_text("- {title: Patched, patch: gone.patch}\n")
    with pytest.raises(CampaignError, match=r"patch of 'Patched' cannot be read"):
        read(ideas)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- {title: A, overrides: [a=1]}\n- {titel: B}\n", r"entry 2"),
        ("- {title: A, overrides: a=1}\n", r"entry 1 .'A'.*overrides"),
        ("- {title: A, area: code}\n", r"entry 1 .'A'.*overrides.*patch"),
        ("- {title: A, overrides: [a=1], seeds: 0}\n", r"entry 1 .'A'.*seeds"),
        ("- just words\n", r"entry 1"),
        ("a: [\n", "not valid YAML"),
        ("3\n", "the top"),
    ],
)
def test_a_mistake_is_told_with_its_place(ideas, text, words):
    """The message names the entry, its title where there is one, and the key."""
    ideas.write_text(text)
    with pytest.raises(CampaignError, match=words):
        researcher(ideas)


def test_a_missing_list_is_told(tmp_path):
    """No path, and a path to nothing, are mistakes of the campaign file."""
    with pytest.raises(CampaignError, match="needs the key `path`"):
        FileResearcher(options={}, folder=tmp_path)
    with pytest.raises(CampaignError, match="cannot be read"):
        researcher(tmp_path / "none.yaml")


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    """Whatever a file holds, the answer is a list of ideas or a CampaignError."""
    path = tmp_path_factory.mktemp("any") / "ideas.yaml"
    path.write_text(text, encoding="utf-8", errors="replace")
    try:
        assert isinstance(read(path), tuple)
    except CampaignError:
        pass
