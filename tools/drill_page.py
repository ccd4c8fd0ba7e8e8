"""What the drills have found, as tables for a page; no number in them is typed."""

import os
import platform
import re
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from drill import Outcome

STAGES = ("start", "baseline", "explore", "repeat", "repair", "screen", "confirm", "settle", "all")
"""In the order of a campaign; `all` is a drill that lasts from the first to the last."""


def tables(outcomes: "Sequence[Outcome]", kinds: Sequence[str], seconds: float) -> str:
    """Passed of carried out: places down and faults across, then stages down."""
    kinds = [kind for kind in kinds if any(o.drill.kind == kind for o in outcomes)]
    points = dict.fromkeys(o.drill.point for o in outcomes)
    stages = [stage for stage in STAGES if any(o.drill.stage == stage for o in outcomes)]
    by_place = _table("place", [(p, [o for o in outcomes if o.drill.point == p]) for p in points], kinds)
    by_stage = _table("stage", [(s, [o for o in outcomes if o.drill.stage == s]) for s in stages], kinds)
    codes = Counter(o.code for o in outcomes)
    ends = ", ".join(f"{n} {_ended(code)}" for code, n in codes.most_common())
    head = f"{_when(seconds)}: {len(outcomes)} drills, {_failed(outcomes)} failed. When struck, {ends}."
    return f"{head}\n\n{by_stage}\n\n{by_place}"


def soaked(outcomes: "Sequence[Outcome]", seed: int, seconds: float) -> str:
    """How many campaigns, how many faults of which kind, and how many went wrong."""
    faults = Counter(drill.kind for o in outcomes for drill in (*o.before, o.drill))
    kinds = ", ".join(f"{n} {kind}" for kind, n in faults.most_common())
    return (
        f"{_when(seconds)}, `--seed {seed}`: {len(outcomes)} campaigns with {faults.total()} faults ({kinds}), "
        f"{_failed(outcomes)} failed."
    )


def fill(page: Path, mark: str, text: str) -> None:
    """Put a text between `<!-- mark -->` and `<!-- /mark -->`; a page without them is refused."""
    old = page.read_text()
    new, found = re.subn(
        rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", lambda m: f"{m[1]}{text}\n{m[2]}", old, flags=re.DOTALL
    )
    if found != 1:
        raise SystemExit(f"{page} has no place between <!-- {mark} --> and <!-- /{mark} -->")
    page.write_text(new)


def _table(head: str, rows: "Sequence[tuple[str, Sequence[Outcome]]]", kinds: Sequence[str]) -> str:
    lines = [f"| {head} | " + " | ".join(kinds) + " |", "| --- |" + " --- |" * len(kinds)]
    for name, found in (*rows, ("**all**", [o for _, part in rows for o in part])):
        cells = ([o for o in found if o.drill.kind == kind] for kind in kinds)
        counts = (f"{len(cell) - _failed(cell)}/{len(cell)}" if cell else "" for cell in cells)
        lines.append(f"| {name} | " + " | ".join(counts) + " |")
    return "\n".join(lines)


def _failed(outcomes: "Sequence[Outcome]") -> int:
    return sum(bool(o.problems) for o in outcomes)


def _ended(code: int) -> str:
    words = {0: "went on to the end", 1: "ended with one line and exit code 1", -9: "were killed"}
    return words.get(code, f"ended with {code}")


def _when(seconds: float) -> str:
    """Day, machine, and how long it took."""
    day = time.strftime("%d %B %Y", time.gmtime()).lstrip("0")
    here = f"{platform.system()} with {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{day}, {here}, {seconds / 60:.0f} minutes"
