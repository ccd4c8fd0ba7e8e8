"""Numbers that a script prints in rows: tables of names and numbers, columns under a heading, lists behind a step."""

import re
from itertools import pairwise

from autoresearch.run.printed_result import END, NUMBER, OF_WHAT
from autoresearch.run.symptom import clean

_WIDEST_ROW = 200
_BAR = "[|\u2502\u2503]"
_ROW = re.compile(
    rf"(?:{_BAR}\s*)?([A-Za-z](?:[^\s|\u2502\u2503:=]| (?! ))*)(\s*(?:{_BAR}|\t| {{2}})\s*){NUMBER}(?:\s*%)?\s*{_BAR}?"
)
"""A row of two cells, a name and a number, between bars or wide gaps."""


def table_rows(log: str) -> dict[str, str]:
    """The rows of a printed table of names and numbers, each name with the pattern that takes its row alone.

    Empty where there are not two names: what stands alone is no table.

    Args:
        log: The end of the run's output.
    """
    rows: dict[str, str] = {}
    for line in map(clean, log.split("\n")):
        found = _ROW.fullmatch(line.strip()) if len(line) <= _WIDEST_ROW else None
        if found:
            name, gap = found.groups()
            bar = re.search(_BAR, gap)
            apart = rf"\s*{re.escape(bar.group())}\s*" if bar else r"\s+"
            words = r"\s+".join(re.escape(word) for word in name.split())
            rows.setdefault(" ".join(name.split()), rf"^\s*{_BAR}?\s*{words}{apart}([-+.eE0-9]+)")
    return rows if len(rows) > 1 else {}


_COUNTED = re.compile(r"(?i)^\W{0,2}(steps?|epochs?|iter(?:ation)?s?|episodes?|rounds?|generations?)\W{1,3}\d+")
_LISTED = re.compile(
    rf"(?:^|[,;|:])\s*((?:(?i:{OF_WHAT}) )?[A-Za-z_][\w/.@-]*)[ ]+(?={NUMBER}{END}%?\s*(?:[,;|]|$))", re.ASCII
)


def listed_in(log: str) -> dict[str, dict[str, object]]:
    """Names in lines of several numbers with a step, as `step 20: train loss 3.9, val loss 3.91`, with what reads each.

    Args:
        log: The end of the run's output.
    """
    found: dict[str, dict[str, object]] = {}
    for line in map(clean, log.split("\n")):
        counted = _COUNTED.match(line) if len(line) <= _WIDEST_ROW else None
        if counted:
            step = rf"(?i)^\W{{0,2}}{counted.group(1)}\W{{1,3}}(\d+)"
            for name in _LISTED.findall(line[counted.end() :]):
                words = r"\s+".join(re.escape(word) for word in name.split())
                own = rf"(?i)^\W{{0,2}}{counted.group(1)}\b.*[,;|:]\s*{words}\s+([-+.eE0-9]+)(?!,?\w)"
                found.setdefault(name, {"type": "stdout", "patterns": {name: own}, "step": step})
    return found


_CELL = r"[-+.:%\deEnaif]+"
_GAP = r"[\s|\u2502\u2503]"
_HEADING = re.compile(r"\s*[A-Za-z#][\w/.%#-]*(?:[ \t]+[A-Za-z#%][\w/.%#-]*){1,30}\s*")
_FIRST_COLUMN = frozenset({"gen", "generation", "epoch", "step", "iter", "iteration", "round", "episode", "it"})


def columns_in(log: str) -> dict[str, dict[str, object]]:
    """Columns of numbers under a heading, by name, with what reads each; bars may divide them; the first may count.

    Args:
        log: The end of the run's output.
    """
    found: dict[str, dict[str, object]] = {}
    lines = (re.sub(rf"{_GAP}+", " ", clean(line)) for line in log.split("\n"))
    for heading, row in pairwise(line for line in lines if line.strip(" -=+")):
        names, cells = heading.split(), row.split()
        if len(names) != len(cells) or not _HEADING.fullmatch(heading) or len(set(names)) < len(names):
            continue
        if not all(re.fullmatch(_CELL, cell) and re.search(r"\d|nan|inf", cell) for cell in cells):
            continue
        counts = names[0].lower().rstrip("s") in _FIRST_COLUMN
        step = {"step": rf"^{_GAP}*(\d+)(?:{_GAP}+{_CELL}){{{len(names) - 1}}}{_GAP}*$"} if counts else {}
        for at, name in enumerate(names):
            if not (counts and at == 0) and re.fullmatch(NUMBER, cells[at]):
                behind = rf"(?:{_GAP}+{_CELL}){{{len(names) - 1 - at}}}{_GAP}*$"
                own = rf"^{_GAP}*(?:{_CELL}{_GAP}+){{{at}}}([-+.eE0-9]+){behind}"
                found.setdefault(name, {"type": "stdout", "patterns": {name: own}, **step})
    return found
