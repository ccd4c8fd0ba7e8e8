"""Flags read from what real parsers print for `--help`.

Recorded from click 8.5.1, typer 0.29.2, tyro 1.0.17, jsonargparse 4.53.0, pyrallis 0.3.1 and transformers 5.24.0 (`HfArgumentParser`), each
with the same settings, at 100 columns.
"""

from pathlib import Path

import pytest

from autoresearch.ports.plugins import knob_finder

HELP = Path(__file__).parents[1] / "golden" / "help"
SOURCE = """from dataclasses import dataclass, field
from typing import Literal
from transformers import HfArgumentParser
@dataclass
class Arguments:
    learning_rate: float = field(default=5e-5)
    layers: int = 3
    optimizer: Literal["adam", "sgd"] = "adam"
    seed: int = 42
"""


def found(tree: Path, parser: str) -> dict[str, tuple]:
    told = (HELP / f"{parser}.txt").read_text(encoding="utf-8")
    knobs = knob_finder().find_knobs(tree, ["python3", "train.py"], told)
    return {one.at: (one.kind, one.default, one.choices, one.off) for one in knobs}


@pytest.mark.parametrize(
    ("parser", "rest"),
    [
        ("click", {"--optimizer": ("str", "adam", ("adam", "sgd"), ""), "--name": ("str", None, (), "")}),
        ("typer", {"--optimizer": ("str", "adam", (), "")}),
        ("tyro", {"--optimizer": ("str", "adam", ("adam", "sgd"), "")}),
    ],
)
def test_types_defaults_choices_and_switches_are_read(tmp_path, parser, rest):
    """A number, a whole number, one of several, a switch with its opposite."""
    common = {"--lr": ("float", 0.1, (), ""), "--layers": ("int", 3, (), ""), "--seed": ("int", 0, (), "")}
    assert found(tmp_path, parser) == common | rest | {"--shuffle": ("bool", True, (), "--no-shuffle")}


def test_jsonargparse_says_types_in_its_words_and_spells_a_switch_as_a_value(tmp_path):
    """`--shuffle true`; what only prints or loads settings has no value that could be turned."""
    read = found(tmp_path, "jsonargparse")
    assert read["--lr"] == ("float", 0.1, (), "")
    assert read["--shuffle"] == ("str", "true", ("true", "false"), "")
    assert "print_config" not in knob_finder().space_of(
        knob_finder().find_knobs(tmp_path, ["x"], "--print_config  Print.")
    )


def test_a_type_in_small_letters_is_what_a_flag_takes(tmp_path):
    """pyrallis writes `--optim.lr float`: a number and no switch, and its `bool` is a word behind the flag."""
    read = found(tmp_path, "pyrallis")
    assert (read["--optim.lr"], read["--layers"]) == (("float", None, (), ""), ("int", 3, (), ""))
    assert read["--optim.nesterov"] == ("str", None, ("true", "false"), "")
    assert knob_finder().find_knobs(tmp_path, ["x"], "  --verbose  say more")[0].kind == "bool"


def test_a_value_in_the_command_is_its_flags_in_either_spelling(tmp_path):
    """`--learning-rate 0.1` where the source has `learning_rate`: parsers of fields take both."""
    (tmp_path / "train.py").write_text(SOURCE)
    for word in ("--learning-rate=0.1", "--learning_rate=0.1"):
        found = knob_finder().find_knobs(tmp_path, ["python3", "train.py", word], "")
        assert [one.default for one in found if one.name == "learning_rate"] == [0.1]


def test_what_hf_argument_parser_leaves_out_is_in_the_source(tmp_path):
    """Its help tells a default only where a field has a help text."""
    (tmp_path / "train.py").write_text(SOURCE)
    read = found(tmp_path, "hf")
    assert read["--learning_rate"] == ("float", 5e-05, (), "")
    assert read["--seed"] == ("int", 42, (), "")
    assert read["--optimizer"] == ("str", "adam", ("adam", "sgd"), "")
