"""The slowest tests of a run and what each buys, as the table of docs/design/testing.md.

    pytest -q -n 2 -m 'not soak' --durations=0 > log; python tools/slowest.py log [HOW MANY]

Seconds are those of setup, call and teardown together, of all parameters of a test; what it buys is its docstring.
"""

import ast
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"([\d.]+)s (?:setup|call|teardown) +(\S+?)::(?:\w+::)?(\w+)")


def slowest(log: str, most: int) -> list[tuple[str, str, float]]:
    """File, test and seconds of the tests that took longest."""
    spent: Counter[tuple[str, str]] = Counter()
    for seconds, file, test in LINE.findall(log):
        spent[file, test] += float(seconds)  # type: ignore[assignment]
    return [(file, test, seconds) for (file, test), seconds in spent.most_common(most)]


def buys(file: str, test: str) -> tuple[str, str]:
    """The promise in a test's docstring, and whether the test is for CI (`full`) or for everybody."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == test]
    said = [ast.unparse(one) for one in functions[0].decorator_list] if functions else []
    marks = [ast.unparse(node.value) for node in tree.body if isinstance(node, ast.Assign) and _is_mark(node)]
    where = "CI" if any("mark.full" in one for one in (*said, *marks)) else "everybody"
    return (ast.get_docstring(functions[0]) or "" if functions else ""), where


def _is_mark(node: ast.Assign) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets)


def main() -> None:
    """Print the table."""
    log, most = Path(sys.argv[1]).read_text(encoding="utf-8"), int(sys.argv[2]) if len(sys.argv) > 2 else 20
    print("| seconds | test | runs for | buys |\n| --- | --- | --- | --- |")
    for file, test, seconds in slowest(log, most):
        promise, where = buys(file, test)
        name = f"`{file.removeprefix('tests/').removesuffix('.py')}::{test.removeprefix('test_')}`"
        cell = " ".join(promise.split()).replace("|", "/")
        print(f"| {seconds:.0f} | {name} | {where} | {cell} |")


if __name__ == "__main__":
    main()
