import difflib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe import yaml_text
from autoresearch.targets.recipe.edit import apply_overrides
from autoresearch.targets.recipe.load import load

CHILD = "examples/configs/grpo_math_8B.yaml"
FULL = "examples/configs/grpo_math_1B.yaml"
SHARED = "examples/configs/distillation_math.yaml"


def plain(recipe):
    return OmegaConf.to_container(recipe.config, resolve=False)


def edit(checkout, recipe, *overrides: str):
    """Lines taken out and put in by an edit."""
    before = (checkout / recipe).read_text()
    apply_overrides(checkout / recipe, overrides, checkout)
    lines = difflib.unified_diff(before.splitlines(), (checkout / recipe).read_text().splitlines(), lineterm="", n=0)
    return [line for line in lines if line[:2] not in {"--", "++", "@@"}]


def test_a_value_is_replaced_where_it_stands(checkout):
    """One line changes; comments, order and blank lines stay."""
    assert edit(checkout, FULL, "grpo.num_prompts_per_step=64") == [
        "-  num_prompts_per_step: 32",
        "+  num_prompts_per_step: 64",
    ]


def test_a_comment_and_the_users_spelling_are_kept(tmp_path):
    """The comment behind a value stays, quotes stay, and a number is written as it was typed."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text('lr: 1.0e-6   # slow\nname: "a"   # quoted\n\n# the end\n')
    assert apply_overrides(recipe, ["lr=5e-7", "name=b"])
    assert recipe.read_text() == 'lr: 5e-7   # slow\nname: "b"   # quoted\n\n# the end\n'


def test_an_inherited_value_is_added_to_the_child(checkout):
    """Keys of a parent become keys of the child, in the section it already has; the parent is not touched."""
    parent = (checkout / FULL).read_text()
    assert edit(checkout, CHILD, "loss_fn.ratio_clip_max=0.28") == ["+loss_fn:", "+  ratio_clip_max: 0.28"]
    assert (checkout / FULL).read_text() == parent
    assert load(checkout, CHILD).get("loss_fn.ratio_clip_max") == 0.28


def test_an_inherited_value_can_be_nulled(checkout):
    """Null is a value like any other, also where the child says nothing yet."""
    assert edit(checkout, CHILD, "loss_fn.ratio_clip_max=null") == ["+loss_fn:", "+  ratio_clip_max: null"]


def test_what_is_so_already_changes_nothing(checkout):
    """An override that the recipe fulfils leaves the file as it is."""
    assert not apply_overrides(checkout / FULL, ["grpo.seed=42"])


def test_an_inherited_key_cannot_be_deleted(checkout):
    """A child cannot take back what a parent says; the message says where it comes from and what can be done."""
    before = (checkout / CHILD).read_bytes()
    with pytest.raises(RecipeError, match=r"loss_fn\.ratio_clip_max comes from .*grpo_math_1B\.yaml.* set it to null"):
        apply_overrides(checkout / CHILD, ["~loss_fn.ratio_clip_max"], checkout)
    assert (checkout / CHILD).read_bytes() == before


def test_an_own_key_is_deleted(tmp_path):
    """Keys of the file itself go with their whole value, the last of a section leaving it empty."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text("a:\n  x: 1\n  y:\n    z: 2   # deep\nb:\n  only: 3\nc: {p: 1, q: 2}\n")
    apply_overrides(recipe, ["~a.y", "~b.only", "~c.p"])
    assert recipe.read_text() == "a:\n  x: 1\nb: {}\nc: {q: 2}\n"


def test_an_anchored_value_is_changed_in_one_place_only(checkout):
    """Trap 18: what another section repeats by an anchor keeps its value, as with an override on the command line."""
    changed = edit(checkout, SHARED, "policy.max_total_sequence_length=1234")
    recipe = load(checkout, SHARED)
    assert recipe.get("policy.max_total_sequence_length") == 1234
    assert recipe.get("teacher.max_total_sequence_length") == 8192
    assert changed == [
        "-    max_total_sequence_length: 8192",
        "+    max_total_sequence_length: 1234",
        "+    max_total_sequence_length: 8192",
    ]


def test_an_anchored_scalar_hands_its_anchor_on(tmp_path):
    """The first repetition of a changed scalar becomes the anchor."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text("a: &len 8\nb: *len\nc: [*len]\n")
    apply_overrides(recipe, ["a=9"])
    assert recipe.read_text() == "a: 9\nb: &len 8\nc: [*len]\n"


def test_a_section_that_is_an_alias_is_refused(tmp_path):
    """What is nothing but a repetition of another section cannot be changed alone; the file stays."""
    recipe = tmp_path / "r.yaml"
    recipe.write_text("a: &s {x: 1}\nb: *s\n")
    with pytest.raises(RecipeError, match=r"b\.x cannot be changed on its own .*anchor \*s"):
        apply_overrides(recipe, ["b.x=2"])
    assert recipe.read_text() == "a: &s {x: 1}\nb: *s\n"


def test_windows_line_ends_and_a_missing_last_one_are_kept(tmp_path):
    """Inserted lines end as the others do."""
    recipe = tmp_path / "r.yaml"
    recipe.write_bytes(b"a:\r\n  x: 1")
    apply_overrides(recipe, ["+a.y=2", "+b.c=z"])
    assert recipe.read_bytes() == b"a:\r\n  x: 1\r\n  y: 2\r\nb:\r\n  c: z\r\n"


def test_an_item_of_a_list_is_edited_in_place(checkout):
    """A list of the file itself keeps its form; only the item changes."""
    changed = edit(checkout, FULL, "policy.scheduler.0.kwargs.start_factor=0.5")
    assert [line.split() for line in changed] == [["-", "start_factor:", "0.1"], ["+", "start_factor:", "0.5"]]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=False),
    st.text(alphabet="ab1.:#-{}[]'\"\\ ,*&?!|>%@`~=é\t", max_size=8),
    st.sampled_from(["yes", "1e3", "1_000", "0x1f", "null", "~", "2001-01-01", "12:30:00", "<<", "=", "${grpo.seed}"]),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=4)


@settings(max_examples=150, deadline=None)
@given(VALUES, st.booleans())
def test_any_value_is_written_so_that_it_reads_back(value, flow):
    """Whatever text a scalar or list gets in a YAML file, it is that value again."""
    text = yaml_text.scalar(value, flow=flow)
    assert yaml_text.reads_as(text, value, flow=flow)


def quoted(value):
    """A value in hydra's grammar."""
    if isinstance(value, str):
        return "'" + value.replace("\\'", "\\\\'").replace("'", "\\'") + "'"
    if isinstance(value, list):
        return "[" + ",".join(map(quoted, value)) + "]"
    return {None: "null", True: "true", False: "false"}.get(value, repr(value))


KEYS = st.sampled_from(
    ["grpo.seed", "policy.optimizer.kwargs.lr", "policy.generation.vllm_kwargs", "data.train", "+grpo.new", "++a.b.c",
     "policy.scheduler", "policy.scheduler.0.name", "~grpo.seed", "~policy.optimizer", "++checkpointing.enabled"]
)  # fmt: skip


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=2), st.sampled_from([FULL, CHILD, SHARED]))
def test_an_edited_file_means_what_the_overrides_meant(checkout, wanted, name):
    """Any overrides on real recipes: the file composes to the same as the command line, or is left alone."""
    overrides = [key if key[0] == "~" else f"{key}={quoted(value)}" for key, value in wanted]
    before = (checkout / name).read_bytes()
    try:
        expected = plain(load(checkout, name, overrides))
        apply_overrides(checkout / name, overrides, checkout)
    except RecipeError:
        assert (checkout / name).read_bytes() == before
        return
    assert yaml_text.same(plain(load(checkout, name)), expected)
    (checkout / name).write_bytes(before)
