import json
from contextlib import nullcontext

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from autoresearch.errors import RecipeError
from autoresearch.targets.recipe import composition
from autoresearch.targets.recipe.load import load, show
from autoresearch.targets.recipe.recipe import jsonable
from autoresearch.targets.recipe.yaml_text import same

GRPO = "examples/configs/grpo_math_1B.yaml"
DEEP = "examples/configs/recipes/llm/grpo-qwen2.5-7b-instruct-4n8g-megatron.yaml"


def write(folder, /, **files: str):
    """Recipe files by name in a folder."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text)
    return folder


@pytest.mark.parametrize(
    ("every", "count"), [(12, 14), pytest.param(1, 166, marks=pytest.mark.full)], ids=["each twelfth", "all"]
)
def test_configs_compose_to_what_nemo_rl_makes_of_them(nemo, placeholders, every, count):
    """Configs of every kind equal upstream's own result, value by value and type by type."""
    expected = {path.relative_to(nemo / "resolved").with_suffix(""): path for path in nemo.rglob("resolved/**/*.json")}
    asked = sorted(expected)[::every]
    got = {recipe: jsonable(load(nemo, recipe).resolved()) for recipe in asked}
    different = [recipe for recipe in asked if not same(got[recipe], json.loads(expected[recipe].read_text()))]
    assert (len(asked), different) == (count, [])


def test_every_value_has_an_origin_in_the_lineage(nemo, placeholders):
    """Each key of a deep recipe is said to come from one of its files."""
    recipe = load(nemo, DEEP)
    assert set(recipe.origins().values()) <= set(recipe.lineage)
    assert recipe.lineage[0] == DEEP
    assert recipe.lineage[-1] == GRPO


def test_the_nearest_file_is_the_origin(tmp_path):
    """A value is said to come from the child when the child sets it, from the parent otherwise."""
    root = write(tmp_path, top="a: {x: 1, y: 2}\n", child="defaults: top.yaml\na: {x: 3}\n")
    recipe = load(root, "child.yaml", ["a.y=4"])
    assert recipe.origin("a.x") == "child.yaml"
    assert recipe.origin("a.y") == "a.y=4"
    assert load(root, "child.yaml").origin("a.y") == "top.yaml"


def test_a_later_parent_wins_over_an_earlier_one(tmp_path):
    """With a list of parents, the last has the say, and the child over both."""
    root = write(tmp_path, one="x: 1\ny: 1\nz: 1\n", two="x: 2\ny: 2\n", child="defaults: [one.yaml, two.yaml]\nx: 3\n")
    recipe = load(root, "child.yaml")
    assert recipe.resolved() == {"x": 3, "y": 2, "z": 1}
    assert recipe.lineage == ("child.yaml", "two.yaml", "one.yaml")


def test_override_drops_what_parents_say_about_a_section(tmp_path):
    """`_override_` works on top-level sections, and nested it stays as a literal key, as upstream has it."""
    root = write(tmp_path, top="a: {x: 1, n: {p: 1}}\nb: {x: 1, n: {p: 1}}\n")
    write(root, child="defaults: top.yaml\na: {_override_: true, y: 2}\nb: {n: {_override_: true, q: 2}}\n")
    assert load(root, "child.yaml").resolved() == {
        "a": {"y": 2},
        "b": {"x": 1, "n": {"p": 1, "_override_": True, "q": 2}},
    }


def test_a_mandatory_value_survives_and_does_not_hide_a_parents(tmp_path):
    """`???` is kept as text where nothing fills it; in a child it leaves the parent's value."""
    root = write(tmp_path, top="a: {x: '???', y: 1}\n", child="defaults: top.yaml\na:\n  y: ???\n")
    assert load(root, "child.yaml").resolved() == {"a": {"x": "???", "y": 1}}


def test_resolvers_compute(tmp_path):
    """add, mul, div and max do what NeMo-RL's do; division gives a float."""
    root = write(tmp_path, r="a: 6\nb: ['${add:${a},1}', '${mul:${a},2}', '${div:${a},4}', '${max:${a},9}']\n")
    assert load(root, "r.yaml").resolved()["b"] == [7, 12, 1.5, 9]


def test_a_missing_variable_is_named_and_the_rest_is_still_read(nemo, monkeypatch):
    """Without HF_HOME the whole config cannot be resolved, but its other values can be looked at."""
    monkeypatch.delenv("HF_HOME", raising=False)
    recipe = load(nemo, "examples/configs/recipes/llm/mopd-qwen3-1.7b-3n8g-megatron-pack.yaml")
    with pytest.raises(RecipeError, match=r"data.*data_path.*HF_HOME is not set; export HF_HOME"):
        recipe.resolved()
    assert recipe.get("grpo.seed") == 42
    assert set(recipe.unresolved) == {"data.train.data_path", "data.validation.data_path"}


def test_show_gives_values_with_their_sources(nemo):
    """`recipe show` can print lineage and origins as JSON, and the resolved config."""
    shown = show(nemo, GRPO, ["grpo.seed=7"])
    assert shown["values"]["grpo.seed"] == {"value": 7, "from": "grpo.seed=7"}
    assert shown["lineage"] == [GRPO]
    assert json.loads(json.dumps(show(nemo, GRPO, resolved=True), allow_nan=False))["grpo"]["seed"] == 42


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"r": "defaults: gone.yaml\n"}, r"r\.yaml: its parent 'gone.yaml' does not exist at gone\.yaml"),
        ({"r": "defaults: parent.yml\n", "parent": "a: 1\n"}, r"did you mean parent\.yaml\?"),
        ({"r": "- a\n- b\n"}, r"r\.yaml: is a list, not a mapping"),
        ({"r": "just words\n"}, r"r\.yaml: is a str, not a mapping"),
        ({"r": "defaults: null\n"}, r"`defaults` is None; give the path"),
        ({"r": "defaults: 5\n"}, r"`defaults` is 5; give the path"),
        ({"r": "defaults: s.yaml\n", "s": "defaults: r.yaml\n"}, r"cycle \(r\.yaml -> s\.yaml -> r\.yaml\)"),
        ({"r": "a: 1\nb: 2\na: 3\n"}, r"r\.yaml, line 3: duplicate key a .* keep one"),
        ({"r": "a: [1, 2\n"}, r"r\.yaml, line 2: not YAML"),
        ({"r": "a: ${oops\n"}, r"r\.yaml: a cannot be used|r\.yaml: .*interpolation"),
        ({"r": "defaults: p.yaml\na: ${b}\n", "p": "b: {c: 1}\n"}, r"top-level 'a' refers to something this file"),
        ({"r": "defaults: p.yaml\na: [1]\n", "p": "a: {c: 1}\n"}, r"r\.yaml: .* does not fit over its parents"),
    ],
)
def test_a_wrong_file_gives_one_clear_line(tmp_path, files, message):
    """Each way a recipe file can be wrong is told with the file, the place and what to do."""
    root = write(tmp_path, **files)
    with pytest.raises(RecipeError, match=message) as caught:
        load(root, "r.yaml").resolved()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("${nowhere}", r"r\.yaml: s\.a \(from r\.yaml\) has no value: .*'nowhere' not found.*; correct the key"),
        ("${nope:1}", r"Unsupported interpolation type nope; NeMo-RL knows add, mul, div, max and oc.env"),
        ("${s.a}", r"has no value: .*circle|s\.a"),
        ("${mul:a,x}", r"s\.a .*has no value"),
        ("${div:1,0}", r"s\.a .*division by zero"),
    ],
)
def test_an_interpolation_without_a_value_names_its_key(tmp_path, value, message):
    """What cannot be resolved is told with its key, its file and the remedy."""
    root = write(tmp_path, r=f"s:\n  a: {value}\n")
    with pytest.raises(RecipeError, match=message):
        load(root, "r.yaml").resolved()


def test_a_missing_recipe_is_answered_with_the_nearest(nemo):
    """R282: a recipe that does not exist is refused with the ones that do."""
    with pytest.raises(RecipeError, match=r"there is no such recipe; did you mean .*grpo_math_1B\.yaml"):
        load(nemo, "examples/configs/grpo_maths_1B.yaml")
    with pytest.raises(RecipeError, match="is a folder"):
        load(nemo, "examples/configs")


def test_bytes_that_are_not_text_are_refused(tmp_path):
    """A file in another encoding is told apart from a broken recipe."""
    (tmp_path / "r.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(RecipeError, match="byte 3 is not UTF-8"):
        load(tmp_path, "r.yaml")


def test_an_empty_file_is_an_empty_recipe(tmp_path):
    """Upstream reads nothing as `{}`; so do we."""
    assert load(write(tmp_path, r=""), "r.yaml").resolved() == {}


KEYS = st.sampled_from(["a", "b", "c", "_override_", 1])
LEAVES = st.sampled_from([None, True, False, 0, 1.5, "", "x", "???", "${a}", "${.b}", [], [1, 2], {}])
TREES = st.recursive(LEAVES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=6)
FILES = st.dictionaries(KEYS, TREES, max_size=3)


def merged_by_omegaconf(base, over):
    """Upstream's way, written out with omegaconf alone."""
    base, over = OmegaConf.create(base), OmegaConf.create(over)
    for key in list(over.keys()):
        if OmegaConf.is_missing(over, key):
            continue
        if OmegaConf.is_dict(over[key]) and over[key].get("_override_", False):
            over[key].pop("_override_")
            base.pop(key, None)
    return OmegaConf.to_container(OmegaConf.merge(base, over), resolve=False)


@settings(max_examples=150, deadline=None)
@given(FILES, FILES)
def test_merging_is_omegaconfs_for_any_two_files(base, over):
    """The fast merge gives what omegaconf's gives, or an error where that gives one."""
    try:
        expected = merged_by_omegaconf(base, over)
    except (OmegaConfBaseException, TypeError, ValueError, AssertionError, KeyError):
        return
    assert same(composition.merge_file("r.yaml", base, over), expected)


PIECES = st.sampled_from(
    ["a", "lr", "1", "010", "0o7", "1e-6", "1:30", "null", "yes", ": ", ":", ":\t", "- ", "\n", "\n  ", "\r\n", " # x", "#", "[",
     "]", "{", "}", ", ", "'", '"', "|", ">", "|#", "\n  |\n   ", "&a ", "*a", "<<: ", "!", "!!int ", "!!bool ", "?", "? ", "---\n",
     "%", "@", "`", "\ufeff", "\u2028", "\x85", "\x00", "\\", "\u00e9", "\t", "\t# x", "\n\t", "=", "~"]
)  # fmt: skip


def outcome(read, text):
    """What a loader makes of a text; "refused" for whatever it refuses."""
    try:
        return read(text)
    except (yaml.YAMLError, RecursionError):
        return "refused"


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.lists(PIECES, max_size=9).map("".join), st.text(max_size=20)))
@example("lr:\t")
@example("s:\n  x:\t# note\n  y: 1\n")
@example("lr: 1\t# slow\n")
@example("a: [1,\t2]\n")
@example("a: 1\nb: 2\na: 3\n")
@example("a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n  p: 2\n")
@example("a: &x 1\nb: *y\n")
@example("a: 010\nb: 0o7\nc: 1:30\nd: 2001-01-01\n")
@example("a: ! 1\n")
@example("a: !!int x\n")
@example("a: !!bool x\n")
@example("a: |# note\n  b\n")
@example("a: {b?: 1}\n")
@example("\n\ufeffa: 1\n")
def test_any_text_is_read_as_omegaconf_reads_it_or_refused(text):
    """A text is refused exactly where omegaconf's own loader refuses it, and read as it reads it everywhere else."""
    expected = outcome(composition.reference, text)
    assert same(outcome(composition.parse, text), expected)
    shown = expected if isinstance(expected, dict) else {}
    with nullcontext() if isinstance(expected, dict | None) else pytest.raises(RecipeError, match=r"^r\.yaml"):
        assert same(composition.mapping(text, "r.yaml"), shown)
