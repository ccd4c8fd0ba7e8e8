"""The numbers that verdicts must give, worked out anew with scipy: tests/golden/verdict_numbers.json.

    python tools/golden_numbers.py           # says whether they are those of the file
    python tools/golden_numbers.py --write   # writes it

`golden_boards` has the campaigns that are asked about, `golden_formulas` the formulas, `golden_edges` the numbers at
which advice changes. It needs `pip install scipy`, which nothing else does.
"""

import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from golden_boards import BOARDS, FIGURES, Board
from golden_edges import edges
from golden_formulas import (
    belief,
    claims,
    compare,
    correlation,
    credited,
    drift,
    least_proven,
    scale,
    scatter,
    screened,
    smallest,
)
from scipy import stats

FILE = Path(__file__).resolve().parents[1] / "tests/golden/verdict_numbers.json"

_FORMULAS = {"claims": claims, "drift": drift, "screened": screened, "smallest": smallest, "scale": scale}


def asked(board: Board, question: Sequence[Any]) -> Any:
    """The answer to one question about a board."""
    kind, *more = question
    if kind == "compare":
        return compare(board, *more)
    if kind == "credited":
        return credited(board, *more)
    if kind == "belief":
        return belief(board, *more)
    return _FORMULAS[kind](board)


def figures() -> dict[str, list[list[float]]]:
    """Distributions by scipy: arguments, then the number."""
    normal, student = stats.norm, stats.t
    unit = [[z, float(normal.pdf(z) - abs(z) * normal.cdf(-abs(z)))] for z in FIGURES["z"]]
    return {
        "normal_cdf": [[z, float(normal.cdf(z))] for z in FIGURES["z"]],
        "normal_quantile": [[p, float(normal.ppf(p))] for p in FIGURES["p"]],
        "t_cdf": [[t, f, float(student.cdf(t, f))] for t in FIGURES["z"] for f in FIGURES["freedom"]],
        "t_quantile": [[p, f, float(student.ppf(p, f))] for p in FIGURES["p"] for f in FIGURES["freedom"]],
        "t_to_z": [[t, f, float(normal.ppf(student.cdf(t, f)))] for t in FIGURES["t"] for f in FIGURES["freedom"]],
        "unit_loss": unit,
        "least_proven": [[*given, least_proven(*given)] for given in FIGURES["proofs"]],
        "proof_chance": [
            [gain, unsure, *given, float(normal.cdf((gain - least_proven(*given)) / math.hypot(unsure, given[0])))]
            for gain, unsure in ((2.0, 0.5), (6.0, 1.0))
            for given in FIGURES["proofs"]
        ],
    }


def numbers() -> dict[str, Any]:
    """All of them."""
    pooled = [[groups, *scatter(groups)] for groups in FIGURES["groups"]]
    rhos = [[groups, sigma, *correlation(groups, sigma)] for groups, sigma in FIGURES["pairs"]]
    errors = [[a, b, float(stats.sem(np.array(a) - np.array(b)) / math.sqrt(2))] for a, b in FIGURES["samples"]]
    boards = [{"name": name, "board": board.plain(), "asked": [[q, asked(board, q)] for q in questions]}
              for name, (board, questions) in BOARDS.items()]  # fmt: skip
    return {
        **figures(),
        "pooled": pooled,
        "correlation": rhos,
        "paired_error": errors,
        "boards": boards,
        "edges": edges(),
    }


def main() -> int:
    """Compare or write; 1 where they differ."""
    text = _written(json.loads(json.dumps(numbers()), parse_float=lambda said: float(f"{float(said):.8g}")))
    if "--write" in sys.argv:
        FILE.write_text(text)
        return 0
    same = FILE.exists() and _same(json.loads(FILE.read_text()), json.loads(text))
    print("as in the file" if same else "differs from the file: python tools/golden_numbers.py --write; git diff")
    return int(not same)


def _same(one: Any, other: Any) -> bool:
    """Whether two documents are alike to seven digits, as other versions of scipy may differ beyond."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-9)
    return bool(one == other)


def _written(body: dict[str, list[Any]]) -> str:
    """JSON with a line for every number asked for."""
    parts = [' "' + name + '": [\n  ' + ",\n  ".join(map(json.dumps, rows)) + "\n ]" for name, rows in body.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


if __name__ == "__main__":
    raise SystemExit(main())
