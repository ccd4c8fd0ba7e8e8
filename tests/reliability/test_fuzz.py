"""Whatever stands in a campaign file: a campaign, or one clear error; found failures stay as examples."""

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from autoresearch.config.campaign_file import parse_yaml
from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError

GOOD = {
    "campaign": "night",
    "objective": {"metric": "score"},
    "stop": "4 experiments",
    "launcher": {"type": "local", "parallel": 2},
    "researcher": [{"type": "file", "path": "ideas.yaml"}],
    "verdict": {"policy": "greedy", "confirm": 0.2},
    "scope": {"allow": ["**"], "max_files": 3},
    "run": {"env": {"A": "b"}, "grace": 1.0, "min_free_gb": 0.5},
}
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12) | st.dates()
TREES = st.recursive(LEAVES, lambda kids: st.lists(kids, max_size=3) | st.dictionaries(LEAVES, kids, max_size=3))
KEYS = st.sampled_from([*CampaignConfig.model_fields, "campain", "", "type", "\0"])


def read(text: str) -> CampaignConfig | None:
    """The campaign, or None when it was refused as it should be."""
    try:
        return CampaignConfig.of(parse_yaml(text, "campaign.yaml"), "campaign.yaml")
    except CampaignError as error:
        assert str(error).startswith("campaign.yaml")  # noqa: PT017
        return None


@given(text=st.text(max_size=200))
@example(text="campaign: a\ncampaign: b\n")
@example(text="? [a, b]\n: c\n")
@example(text="a: &x [*x]\n")
@example(text="a: !!python/object:os.system {}\n")
@example(text="a: 2001-99-99\n")
@example(text="[" * 400)
@settings(max_examples=150, deadline=None)
def test_any_text_is_a_campaign_or_a_clear_error(text):
    """Text of any kind."""
    read(text)


@given(changes=st.dictionaries(KEYS, TREES, max_size=3))
@settings(max_examples=150, deadline=None)
def test_any_value_under_any_key_is_taken_or_refused_by_name(changes):
    """A good file with values of any kind and shape in it; what is taken survives being written and read again."""
    found = read(yaml.safe_dump({**GOOD, **changes}))
    if found is not None:
        assert CampaignConfig.of(found.model_dump(mode="json")) == found


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_good_file_with_a_few_characters_changed(data):
    """Slips of the keyboard: cut, doubled or replaced characters anywhere."""
    text = yaml.safe_dump(GOOD, sort_keys=False)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text = text[:place] + data.draw(st.text(max_size=2)) + text[place + data.draw(st.integers(0, 2)) :]
    found = read(text)
    if found is not None:
        assert CampaignConfig.of(found.model_dump(mode="json")) == found
