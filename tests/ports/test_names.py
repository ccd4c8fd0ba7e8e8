"""What an adapter can do is an attribute of it; its name is nobody's business but its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from autoresearch.ports import plugins

SOURCE = Path(__file__).resolve().parents[2] / "src" / "autoresearch"
NAMES = {name for room in plugins.ROOMS for name in plugins.names(room)} - {"auto"}
"""Names of adapters; `auto` is a value of other keys as well."""
HOMES = tuple(f"{room.table.removeprefix('autoresearch.').replace('.', '/')}/" for room in plugins.ROOMS.values())
ELSEWHERE = [
    path
    for path in sorted(SOURCE.rglob("*.py"))
    if not str(path.relative_to(SOURCE)).startswith((*HOMES, "examples/tree/"))
]
OTHER_MEANINGS = {("extras.py", "file")}
"""Places where the word is not an adapter's name: the scheme of a URL."""


def compared(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names of adapters in comparisons, in cases of a match and in sets that hold nothing else."""
    for node in ast.walk(tree):
        parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        parts += [node.value] if isinstance(node, ast.MatchValue) else []
        parts += [node] if isinstance(node, ast.Set) else []
        for part in parts:
            words = {str(one.value) for one in ast.walk(part) if isinstance(one, ast.Constant)}
            if words and words <= NAMES:
                yield node.lineno, ", ".join(sorted(words))


def test_no_name_of_an_adapter_is_compared_outside_its_room():
    """A second launcher of this machine is treated like ours, and so is somebody else's list of ideas."""
    found = {
        (str(path.relative_to(SOURCE)), words)
        for path in ELSEWHERE
        for _, words in compared(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found - OTHER_MEANINGS == set()


@pytest.mark.parametrize(
    "line",
    ['kind == "local"', 'name not in {"local", "scripted"}', 'HERE = frozenset({"slurm"})', '"file" in names',
     'match kind:\n    case "ray": pass'],
)  # fmt: skip
def test_the_check_sees_a_comparison_when_there_is_one(line):
    """The forms that stood in the program once."""
    assert list(compared(ast.parse(line)))
