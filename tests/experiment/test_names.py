"""Names round-trip, are valid where they are used, and never clash."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.experiment import names
from autoresearch.machine import processes

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,61}", fullmatch=True)
LABEL = r"[a-z][a-z0-9-]{0,61}[a-z0-9]"
ODD = ["", "...", "a..b", "x.lock", "-rf", "Größeres Δ-Clipping, schneller!", "学习率加倍", "a" * 300, "refs/heads/x", "@{-1}",
       "Raise lr\tto 3e-6\n", "🚀", "~^:?*[\\", "HEAD", "\ud800"]  # fmt: skip


@pytest.mark.parametrize("title", ODD)
def test_git_itself_accepts_a_slug_of_anything(title):
    """The rules in `git check-ref-format` are git's, so git is asked."""
    name = names.branch("2026-11-23-grpo-tiny", names.slug(title))
    assert processes.run(["git", "check-ref-format", "--branch", name], check=False).code == 0


@given(st.text(), st.sets(st.text(max_size=3)))
def test_a_slug_is_short_plain_and_new(title, taken):
    """Any title gives a branch that is readable on a terminal and not in use."""
    taken |= {names.slug(title), names.slug(title, {names.slug(title)})}
    slug = names.slug(title, taken)
    assert slug not in taken
    assert len(slug) <= names.SLUG_LENGTH
    assert names.slug(slug) == slug


def test_a_second_slug_is_number_two():
    """Counted as a person would, the first without a number."""
    assert [names.slug("more", set(taken)) for taken in ((), ("more",), ("more", "more-2"))] == [
        "more",
        "more-2",
        "more-3",
    ]


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Lower the KL penalty to 0.01", "lower-the-kl-penalty-to-0-01"),
        ("Déjà vu", "deja-vu"),
        ("Prompt: use a compact schema so that answers are never truncated", "prompt-use-a-compact-schema-so-that"),
        ("baseline", "baseline"),
    ],
)
def test_a_slug_keeps_the_words(title, slug):
    """A person recognises the hypothesis in the branch (R41)."""
    assert names.slug(title) == slug


@given(NAMES, NAMES)
def test_a_branch_says_where_it_belongs(campaign, experiment):
    """What was formatted parses to the same two names, as a branch and as a full ref."""
    name = names.branch(campaign, experiment)
    assert names.parse_branch(name) == names.parse_branch(f"refs/heads/{name}") == (campaign, experiment)


@given(st.text())
def test_a_branch_that_parses_was_formatted_here(name):
    """Nothing that is not ours is taken for ours, whatever it looks like."""
    parsed = names.parse_branch(f"autoresearch/{name}")
    assert parsed is None or names.branch(*parsed) == f"autoresearch/{name}"
    assert names.parse_branch(name) is None or name.startswith("autoresearch/")


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", "x.lock", "x.", "-x", "a b", "é", "a\n", "x" * 64])
def test_a_name_that_git_would_refuse_is_refused_first(name):
    """The message proposes a name that works."""
    with pytest.raises(CampaignError, match="for example"):
        names.branch(name, "baseline")


PARTS = st.tuples(st.one_of(st.sampled_from(["a", "a-b", "a--b", "A-B", "b"]), st.text(max_size=70)), st.sampled_from(["b", "b-c", "c", "c-1", "x" * 60]), st.integers(1, 99))  # fmt: skip


@given(PARTS, PARTS)
def test_two_runs_never_share_an_id(one, other):
    """Also where the parts could be joined to the same text, or are cut."""
    assert (names.run_id(*one) == names.run_id(*other)) == (one == other)


@given(st.text(), st.text(), st.integers(0))
def test_a_run_id_is_a_label(campaign, experiment, number):
    """Slurm takes any name; Kubernetes wants lowercase letters, digits and dashes, a letter first, at most 63."""
    assert re.fullmatch(LABEL, names.run_id(campaign, experiment, number))


def test_a_run_id_is_readable():
    """Where nothing has to be cut the parts stand there as they are."""
    assert names.run_id("2026-11-23-grpo", "lower-kl", 3) == "ar-2026-11-23-grpo--lower-kl--3"


@pytest.mark.parametrize(("name", "limit", "start", "length"), [
    ("abcd-efgh-ijkl-mn", 17, "abcd-efgh-ijkl-mn", 17),  # it fits to the last character
    ("a" * 30, 29, "a" * 18 + "-", 29),  # ten of a digest, a dash, and all that is left
    ("abcdef-ghijkl-mnopqrstuvwxyz", 24, "abcdef-ghijkl-", 24),  # between words, with the dash that follows
    ("abcdef-ghijkl-mnopqrstuvwxyz", 23, "abcdef-", 17),
    ("ab-ghijklmnopqrstuvwxyz", 20, "ab-ghijkl-", 20),  # within a word where half would be lost
])  # fmt: skip
def test_a_shortened_name_keeps_as_much_as_fits(name, limit, start, length):
    """Whole words where that leaves half, ten characters of a digest, and nothing of a name that fits is lost."""
    short = names.shorten(name, limit)
    assert (short[: len(start)], len(short)) == (start, length)


@given(st.from_regex(LABEL, fullmatch=True), st.from_regex(LABEL, fullmatch=True), st.integers(16, 63))
def test_shortened_names_fit_and_stay_apart(one, other, limit):
    """A scheduler with a smaller limit gets names as distinct as ours."""
    short = names.shorten(one, limit)
    assert re.fullmatch(LABEL, short)
    assert len(short) <= limit
    assert (names.shorten(one, limit) == names.shorten(other, limit)) == (one == other)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("Qwen/Qwen2.5-1.5B", "2026-11-23-grpo-qwen2-5-1-5b"),
        ("/models/llama 3/", "2026-11-23-grpo-llama-3"),
        ("", "2026-11-23-grpo"),
        ("模型", "2026-11-23-grpo"),
    ],
)
def test_a_campaign_is_named_by_day_algorithm_and_model(model, name):
    """The proposal is a valid name, whatever the model is called."""
    assert names.check_name(names.campaign_name(date(2026, 11, 23), "GRPO", model)) == name
