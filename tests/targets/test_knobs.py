"""Settings wherever they live: found, turned with the smallest edit, checked against their type."""

import json
import tomllib

import pytest
import yaml
from tests.targets.test_command import request, target

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.ports.plugins import knob_finder
from autoresearch.ports.target import ScriptKnob
from autoresearch.targets import knobs
from autoresearch.targets.knobs import SETTINGS, spell

FLAGS = {
    "lr": {"flag": "--lr", "type": "float", "default": 0.1},
    "shuffle": {"flag": "--shuffle", "off": "--no-shuffle", "type": "bool", "default": False},
    "kind": {"flag": "--kind", "type": "str", "default": "adam", "choices": ["adam", "sgd"]},
    "size": {"env": "SIZE", "type": "int", "default": 32},
    "model.dim": {"argument": "model.dim", "type": "int", "default": 8},
}
MODULE = """LR = 0.1  # steps
GAMMA, LAM = 0.99, -1
NAME: str = "a"
USED = 1
USED = 2
é = "ü"; DEPTH = 3


def f():
    LR = 5
"""


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    (folder / "train.py").write_text(MODULE)
    (folder / "config.toml").write_text('# top\nlr = 1e-3 # small\n[model]\ndim = 8\nkind = "a"\n')
    return folder


def test_an_override_of_each_place_reaches_the_run(tree):
    """Flags replace what the command says of them, arguments and variables are added, and the survey tells all of it."""
    made = target("python3", "train.py", "--lr", "0.1", "model.dim=4", knobs=FLAGS)
    wanted = ["lr=1e-5", "shuffle=true", "size=64", "model.dim=16", "kind=sgd"]
    assert made.apply(tree, wanted) == (SETTINGS,)
    job = made.job(request(tree))
    words = ("python3", "train.py", "--lr", "1.0e-05", "model.dim=16", "--shuffle", "--kind", "sgd")
    assert (job.argv, job.env["SIZE"]) == (words, "64")
    assert made.survey(tree).facts.values == {"lr": 1e-5, "shuffle": True, "kind": "sgd", "size": 64, "model.dim": 16}
    assert made.apply(tree, wanted) == ()
    made.apply(tree, ["shuffle=false", "~lr"])
    assert made.job(request(tree)).argv[2:4] == ("--lr", "0.1")
    assert "--no-shuffle" in made.job(request(tree)).argv


def test_a_value_that_begins_with_a_dash_is_no_flag(tree):
    """`--lr -0.5` would be read as two flags."""
    made = target("python3", "train.py", knobs=FLAGS)
    made.apply(tree, ["lr=-0.5"])
    assert made.job(request(tree)).argv[-1] == "--lr=-0.5"


@pytest.mark.parametrize(("override", "why"), [
    ("lr=high", "takes a number"), ("lr=1,5", "takes a number"), ("lr=1_000", "takes a number"), ("lr=nan", "takes a number"),
    ("size=1.5", "takes a whole number"), ("size=true", "takes a whole number"), ("shuffle=maybe", "takes true or false"),
    ("kind=rmsprop", "is one of adam, sgd"), ("lrr=1", "did you mean 'lr'"),
])  # fmt: skip
def test_a_value_that_does_not_fit_is_refused_by_name(tree, override, why):
    """Nothing is written then."""
    with pytest.raises(RecipeError, match=why):
        target("python3", "train.py", knobs=FLAGS).apply(tree, ["size=1", override])
    assert not (tree / SETTINGS).exists()


def test_a_constant_is_edited_where_it_stands(tree):
    """Only the bytes of its literal change; a name that is bound twice, or not at the top, is none."""
    named = {name: {"constant": name, "file": "train.py"} for name in ("LR", "GAMMA", "LAM", "DEPTH", "NAME")}
    made = target("python3", "train.py", knobs=named)
    assert made.survey(tree).facts.values == {"LR": 0.1, "GAMMA": 0.99, "LAM": -1, "DEPTH": 3, "NAME": "a"}
    made.apply(tree, ["LR=1e-4", "LAM=2", "DEPTH=5", "NAME='b'"])
    after = MODULE.replace("LR = 0.1 ", "LR = 0.0001 ").replace("-1", "2").replace("DEPTH = 3", "DEPTH = 5")
    assert (tree / "train.py").read_text() == after.replace('"a"', "'b'")
    with pytest.raises(RecipeError, match="no plain value at its top, once"):
        target("python3", "train.py", knobs={"USED": {"constant": "USED", "file": "train.py"}}).survey(tree)


def test_a_toml_file_is_edited_where_it_stands(tree):
    """The value's text changes and nothing else; the kind of the number stays."""
    made = target("python3", "train.py", config="config.toml")
    assert made.apply(tree, ["lr=1", "model.dim=16", 'model.kind="b"']) == ("config.toml",)
    text = (tree / "config.toml").read_text()
    assert text == '# top\nlr = 1.0 # small\n[model]\ndim = 16\nkind = "b"\n'
    assert tomllib.loads(text)["model"] == {"dim": 16, "kind": "b"}
    with pytest.raises(RecipeError, match="a key that the configuration file has"):
        made.apply(tree, ["model.dimension=1"])


@pytest.mark.parametrize("value", [1e-5, 1e22, 0.1, -3.0, 2.5e-300, 123456789.0])
def test_numbers_are_spelled_so_that_yaml_of_both_kinds_json_and_python_read_them(value):
    """YAML 1.1 takes `1e-05` for a text."""
    assert [read(spell(value)) for read in (float, yaml.safe_load, json.loads)] == [value] * 3


def test_what_stands_for_false_in_a_file_does_so_in_an_override(tree):
    """`no` beside a `yes` is no text, which would be true; what the two kinds of YAML read as two numbers is refused."""
    text = "on_policy: yes\nname: no-op\nmask: 012\nclock: 1:30\n"
    (tree / "c.yaml").write_text(text)
    knobs.edit_document(tree, "c.yaml", ["on_policy=no", "name=off"])
    found = yaml.safe_load((tree / "c.yaml").read_text())
    assert (found["on_policy"], found["name"]) == (False, "off")
    for word in ("mask=017", "clock=2:45"):
        with pytest.raises(RecipeError, match="write a decimal number"):
            knobs.edit_document(tree, "c.yaml", [word])


@pytest.mark.parametrize("wrong", [{"lr": 3}, {"lr": {"flag": "--lr", "env": "LR"}}, {"lr": {"flag": "--lr", "tpye": "x"}},
                                   {"lr": {"constant": "LR"}}, {"lr": {"flag": "--lr", "type": "number"}}])  # fmt: skip
def test_a_knob_that_is_not_understood_is_refused(wrong):
    """At once, by name."""
    with pytest.raises(CampaignError, match=r"target\.knobs, lr"):
        target(knobs=wrong)


ARGPARSE = """usage: t.py [-h] [--lr LR]

options:
  -h, --help            show this help message and exit
  --learning_rate LEARNING_RATE, --learning-rate LEARNING_RATE
                        The initial learning rate for AdamW. (default: 5e-05)
  -b, --batch-size N    rows of a step (default: 32)
  --kind {adam,sgd}     (default: adam)
  --fp16                half precision
  --out OUT             where to write
"""
CLICK = """Usage: c.py [OPTIONS]

Options:
  --lr FLOAT                Learning rate  [default: 0.1]
  --shuffle / --no-shuffle
  --help                    Show this message and exit.
"""
TYRO = """usage: t.py [-h] [OPTIONS]

\u256d\u2500 options \u2500\u2500\u2500\u2500\u256e
\u2502 -h, --help              show this help message and exit \u2502
\u2502 --optim.lr FLOAT        Rate. (default: 0.001)          \u2502
\u2502 --fast, --no-fast       (default: True)                 \u2502
\u2570\u2500\u2500\u2500\u2500\u256f
"""


@pytest.mark.parametrize(("told", "found"), [
    (ARGPARSE, {"learning_rate": ("float", 5e-05), "batch_size": ("int", 32), "kind": ("str", "adam"),
                "fp16": ("bool", False), "out": ("", None)}),
    (CLICK, {"lr": ("float", 0.1), "shuffle": ("bool", False)}),
    (TYRO, {"optim.lr": ("float", 0.001), "fast": ("bool", True)}),
])  # fmt: skip
def test_flags_are_read_from_what_a_command_prints_for_help(tmp_path, told, found):
    """Of argparse, transformers, click and tyro: names, types and defaults where they are told."""
    assert {one.name: (one.kind, one.default) for one in knob_finder().find_knobs(tmp_path, ["x"], told)} == found


def test_what_the_source_says_completes_the_help(tmp_path):
    """A default that the help text keeps to itself stands in the call; a constant that is only a default is no knob."""
    (tmp_path / "t.py").write_text(
        "import argparse, os\nLR = 0.1\nDEPTH = 2\nWD = float(os.environ.get('WD', '0.01'))\n"
        "p = argparse.ArgumentParser()\np.add_argument('--lr', type=float, default=LR)\n"
        "p.add_argument('--seed', type=int, default=0)\n"
    )
    finder = knob_finder()
    found = finder.find_knobs(tmp_path, ["python3", "t.py"], "options:\n  --lr LR\n  --seed SEED\n")
    places = {one.name: (one.place, one.default) for one in found}
    assert places == {"lr": ("flag", 0.1), "seed": ("flag", 0), "WD": ("env", 0.01), "DEPTH": ("constant", 2)}
    assert finder.seed_of(found).at == "--seed"
    assert finder.space_of(found)["lr"] == {"type": "float", "low": 0.01, "high": 1.0, "log": True}


def test_a_hydra_program_takes_its_keys_as_arguments(tmp_path):
    """Its primary configuration tells the keys, the command line turns them."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "train.yaml").write_text("defaults: [_self_]\noptim:\n  lr: 0.1\n")
    (tmp_path / "t.py").write_text(
        "import hydra\n@hydra.main(config_path='conf', config_name='train')\ndef main(c): pass\nmain()\n"
    )
    (found,) = knob_finder().find_knobs(tmp_path, ["python3", "t.py", "optim.lr=0.2"], "")
    assert (found.name, found.place, found.default) == ("optim.lr", "argument", 0.2)


def test_every_found_knob_is_one_that_the_target_understands(tmp_path):
    """What is written into the campaign file reads back as the same knobs."""
    found = knob_finder().find_knobs(tmp_path, ["x"], ARGPARSE)
    again = knobs.read_knobs(knob_finder().options_of(found))
    assert again == tuple(one for one in found if one.default is not None)


@pytest.mark.parametrize(
    ("name", "value", "low", "high"),
    [
        *(
            ("flip_probability", 0.4, 0.0, 0.9),
            ("p", 1.0, 0.5, 1.0),
            ("gamma", 1.0, 0.5, 1.0),
            ("tau", 0.005, 5e-4, 0.05),
        ),
        *(("clip_coef", 0.2, 0.0, 0.8), ("clip_grad_norm", 0.5, 0.05, 5.0), ("dropout", 0.0, 0.0, 0.3)),
        *(("epsilon", 0.9, 0.6, 0.975), ("alpha", 1.0, 0.1, 10.0)),
    ],
)
def test_what_cannot_be_above_one_is_not_searched_above_it(name, value, low, high):
    """Probabilities, discounts, ratios that clip; what is a length in some unit has a decade on either side."""
    spec = knob_finder().space_of([ScriptKnob(name=name, place="constant", at=name, kind="float", default=value)])[name]
    assert (spec["low"], spec["high"]) == (low, high)


NAMES_DATA = """import argparse, os
DATA, LR = "data/points.json", 0.1
parser = argparse.ArgumentParser()
parser.add_argument("--train", default="points.csv")
parser.add_argument("--folder", default="points")
parser.add_argument("--opt", default="adam")
os.environ.get("HELD", "held.npz")
"""


@pytest.mark.parametrize("name", ["DATA", "train", "folder", "HELD", "held", "files"])
def test_no_idea_turns_what_names_a_file_or_a_folder(tmp_path, name):
    """Of flags, variables, constants and keys alike; what is written reads back, and a person allows it there."""
    (tmp_path / "points").mkdir()
    (tmp_path / "train.py").write_text(NAMES_DATA)
    (tmp_path / "config.yaml").write_text("held: a/b\nfiles: [a.json, 1]\nwd: 0.1\n")
    argv = ["python3", "train.py", "--config=config.yaml"]
    options = knob_finder().offered(knob_finder().find_knobs(tmp_path, argv, ""))
    made = target(*argv, **options)
    assert {key for key, said in options["knobs"].items() if "fixed" not in said} == {"LR", "opt"}
    with pytest.raises(RecipeError, match=f"a person may allow it in the campaign file: .* target.knobs, {name}"):
        made.apply(tmp_path, [f"{name}=easy.json"])
    assert name in made.survey(tmp_path).protect_keys
    assert made.apply(tmp_path, ["wd=0.2"]) == ("config.yaml",)
    options["knobs"][name].pop("fixed")
    assert target(*argv, **options).apply(tmp_path, [f"{name}=easy.json"]) != ()


def test_a_hydra_key_that_names_data_is_watched_where_it_stands(tmp_path):
    """A patch of its file would turn it as an override does, and the guards see both."""
    (tmp_path / "c.yaml").write_text("lr: 0.1\ndata: {path: a.json}\n")
    (tmp_path / "t.py").write_text("@hydra.main(config_path='.', config_name='c')\ndef main(cfg):\n    pass\n")
    options = knob_finder().offered(knob_finder().find_knobs(tmp_path, ["python3", "t.py"], ""))
    made = target("python3", "t.py", **options)
    (tmp_path / "c.yaml").write_text("lr: 0.1\ndata: {path: easy.json}\n")
    assert made.survey(tmp_path).facts.values == {"lr": 0.1, "data.path": "easy.json"}
    assert (made.survey(tmp_path).protect_keys, "config" in options) == (("data.path",), False)


@pytest.mark.parametrize(
    ("source", "searched"),
    [
        ("use(c['lr'], c['momentum'], c['gamma'])", {"lr", "momentum", "gamma"}),
        ("use(c['lr'], c['momentum'], c['gamma'], **c)", {"lr", "momentum", "gamma", "clip"}),
        ("use(c['lr'])", {"lr", "momentum", "gamma", "clip"}),
        ("import broken; use(c['lr'], c['momentum'], c['gamma'])", {"lr", "momentum", "gamma", "clip"}),
        ("import beside; use(c['lr'], c['momentum'], c['gamma'])", {"lr", "momentum", "gamma", "clip"}),
    ],
)
def test_a_key_that_no_code_names_is_not_searched(tmp_path, source, searched):
    """Only where the code reads the keys by name: not where it hands all of them on, or a library may know the others."""
    (tmp_path / "c.json").write_text('{"lr": 0.1, "momentum": 0.9, "gamma": 0.9, "clip": 0.5}')
    (tmp_path / "t.py").write_text(f"import json\nc = json.load(open('c.json'))\n{source}\n")
    (tmp_path / "beside.py").write_text("def use(c): return c.clip\n" if "beside" in source else "")
    (tmp_path / "broken.py").write_text("def use(c) return\n" if "broken" in source else "")
    found = knob_finder().find_knobs(tmp_path, ["python3", "t.py"], "")
    assert set(knob_finder().space_of(found)) == searched
    assert {one.name for one in found if one.unread} == {"lr", "momentum", "gamma", "clip"} - searched
