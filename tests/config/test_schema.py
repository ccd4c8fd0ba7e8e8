"""The campaign file: whatever stands in it is understood or refused in words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError

KEYS = [*CampaignConfig.model_fields, "type", "parallel", "policy", "metric", "grace", "env", "allow", "x", "", "a.b"]
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["auto", "local", "file"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)
DOCUMENTS = VALUES | st.dictionaries(st.sampled_from(KEYS) | st.integers(), VALUES, max_size=6).map(
    lambda made: {"campaign": "a", **made}
)


@settings(deadline=None, max_examples=150)
@given(DOCUMENTS)
def test_any_document_is_a_campaign_or_a_campaign_error(document):
    """No parsed file, however odd, ends in another exception; the error is about the file it names."""
    try:
        made = CampaignConfig.of(document, "night.yaml")
    except CampaignError as error:
        made, told = None, str(error)
    if made is None:
        assert told.startswith("night.yaml: ")
    else:
        assert CampaignConfig.of(made.model_dump(mode="json"), "again") == made


@pytest.mark.parametrize(("part", "key", "meant"), [
    ("objective", "metrik", "metric"), ("verdict", "wort", "worth"), ("scope", "protct", "protect"),
    ("approval", "lunch", "launch"), ("run", "first_sed", "first_seed"),
])  # fmt: skip
def test_an_unknown_key_names_the_nearest_at_every_level(part, key, meant):
    """The path of the key and what was probably meant."""
    with pytest.raises(CampaignError, match=rf"'{part}\.{key}': did you mean '{meant}'"):
        CampaignConfig.of({"campaign": "a", part: {key: 1}})


@pytest.mark.parametrize("name", ["", "A", "a b", "-a", "a-", "a..b", "a.lock", "ü", "a/b"])
def test_a_name_that_no_branch_can_bear_is_refused(name):
    """The name becomes part of every branch."""
    with pytest.raises(CampaignError, match="branch names"):
        CampaignConfig.of({"campaign": name})


@pytest.mark.parametrize(("part", "usual"), [("target", "nemo-rl"), ("launcher", "local")])
def test_an_option_of_the_usual_adapter_needs_no_type_beside_it(part, usual):
    """`--set target.steps=5` without a word about the target is about the one there is without it."""
    assert getattr(CampaignConfig.of({"campaign": "a", part: {"steps": 5}}), part).type == usual


def test_an_adapter_may_be_named_by_a_word_or_by_a_mapping():
    """`local` and `{type: local}` are one thing; several researchers are asked in their order."""
    short = CampaignConfig.of({"campaign": "a", "launcher": "local", "researcher": "search"})
    long = CampaignConfig.of({"campaign": "a", "launcher": {"type": "local"}, "researcher": [{"type": "search"}]})
    assert short == long


def test_a_command_is_a_list_of_words():
    """One string would have to be split by guessing; the line shows how to write it."""
    with pytest.raises(CampaignError, match=r"list of words, for example \['python', 'train.py'\]"):
        CampaignConfig.of({"campaign": "a", "command": "python train.py"})


@pytest.mark.parametrize(("key", "off"), [("sandbox", "off"), ("network", "off"), ("stall_minutes", 0.0)])
def test_off_means_off_as_yaml_reads_it(key, off):
    """YAML 1.1 reads a bare `off` as false: what a person wrote is what is meant."""
    assert getattr(CampaignConfig.of({"campaign": "a", "run": {key: False}}).run, key) == off
