"""The report as one self-contained HTML page, and its parts: nothing on it comes from elsewhere."""

from collections.abc import Callable, Iterable, Sequence
from itertools import zip_longest

from autoresearch.report import curves, drawing, figure
from autoresearch.report.attempts import ReportLine
from autoresearch.report.lineage import lineage
from autoresearch.report.pages import (
    AREA_HEAD,
    STANDINGS,
    area_rows,
    caution_words,
    claim_words,
    cost_words,
    facts,
    number,
    standing,
    time_words,
    two_figures,
    what_to_do,
)
from autoresearch.report.plain_text import interval, safe
from autoresearch.report.report import Report

SCROLL = '<div class="scroll" role="group" aria-label="what may be wider than the page" tabindex="0">'
"""Keys scroll it, too."""

Link = Callable[[int], str]
"""Where the page of an attempt of this number is."""

_NAMED = frozenset(
    ("value", "effect", "runs", "area", "attempts", "keep", "discard", "crash", "best effect", "minutes", "attempted",
     "kept", "baseline", "best", "metric", "seed", "for", "expected", "integrity", "run")
)  # fmt: skip
"""Headings that are said beside their cell where a row is not a line; other cells speak for themselves."""

_SORT = '<button type="button" class="sort">{}</button>'
_LISTED = 100
"""Attempts that the page lists under one word; the table and the Markdown have all."""


def html(report: Report) -> str:
    """The whole page."""
    body = "\n".join(filter(None, (f"<h1>{safe(report.campaign)}</h1>", *sections(report, report.entries).values())))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f"script-src '{drawing.SCRIPT_HASH}'\">\n"
        f"<title>{safe(report.campaign)}</title>\n<style>{drawing.STYLE}</style>\n</head>\n<body>\n{body}\n"
        f"<script>{drawing.SCRIPT}</script></body>\n</html>\n"
    )


def sections(report: Report, shown: Sequence[ReportLine], link: Link | None = None) -> dict[str, str]:
    """The page's parts by name, in order; a part with nothing to say is empty.

    Args:
        report: The report.
        shown: The attempts that its table lists.
        link: Where an attempt has a page of its own; None: nowhere.
    """
    advice = what_to_do(report)
    return {
        "headline": f'<p class="headline">{safe(report.headline)}</p>'
        + (f"<p>{safe(advice)}</p>" if advice else "")
        + "".join(f"<p>{safe(line)}</p>" for line in (*report.integrity, *filter(None, [cost_words(report)]))),
        "facts": _html_facts(report),
        "plot": f"{SCROLL}{drawing.svg(figure.progress(report))}</div>",
        "curves": _curves(report),
        "believed": _believed(report),
        "lineage": _lineage(report, link),
        "attempts": _attempts(shown, link),
        "areas": _html_areas(report),
        "spend": _html_spend(report),
        "researchers": _html_listing("Researchers", report.researchers),
        "attention": _html_listing("Needs your attention", report.attention),
        "steering": _html_listing("Your instructions during the campaign", report.steering),
    }


def _curves(report: Report) -> str:
    if not report.curves:
        return ""
    title = f"{report.campaign}: {' and '.join(one.label for one in report.curves)}"
    drawn = drawing.svg(curves.drawing(title, report.objective.metric, report.curves))
    said = f'<p class="faint">{safe(text)}</p>' if (text := curves.told(report.curves)) else ""
    return f"<h2>Curves at equal steps</h2>{SCROLL}{drawn}</div>{said}"


def _lineage(report: Report, link: Link | None) -> str:
    if len(report.entries) < 2:
        return ""
    said = "Down the thick line: what the best is made of. Beside it: what was made from it and did not go on."
    return f'<h2>Lineage</h2>{drawing.svg(lineage(report, link), "tree")}<p class="faint">{said}</p>'


def _html_facts(report: Report) -> str:
    return "<dl>" + "".join(f"<dt>{safe(label)}</dt><dd>{safe(text)}</dd>" for label, text in facts(report)) + "</dl>"


def _believed(report: Report) -> str:
    parts = ["<h2>What can be believed</h2>"]
    if drawn := figure.intervals(report):
        told = "Gain over the parent with its 90 % interval; filled: kept; dashed: no gain."
        parts.append(f'{SCROLL}{drawing.svg(drawn)}</div><p class="faint">{told}</p>')
    known: dict[str, list[ReportLine]] = {}
    for entry in report.entries:
        known.setdefault(standing(entry), []).append(entry)
    for word, meaning in STANDINGS.items():
        if entries := known.get(word):
            items = "".join(f"<li>{safe(claim_words(entry))}</li>" for entry in entries[-_LISTED:])
            items += f"<li>and {len(entries) - _LISTED} earlier ones</li>" if len(entries) > _LISTED else ""
            parts.append(f'<p><span class="badge">{word}</span> ({meaning})</p><ul>{items}</ul>')
    parts += [f'<p class="faint">{safe(told)}</p>' for told in (two_figures(report), caution_words(report)) if told]
    return "\n".join(parts)


_HEAD = ("#", "verdict", "value", "effect", "runs", "area", "hypothesis and evidence")


def _attempts(shown: Sequence[ReportLine], link: Link | None) -> str:
    return f"<h2>All experiments</h2>{grid(_HEAD, (_attempt(entry, link) for entry in shown), sort=True)}"


def _attempt(entry: ReportLine, link: Link | None) -> str:
    details = [
        ("why", entry.reason),
        ("integrity", entry.integrity),
        ("branch", f"{entry.branch} ({entry.commit}), from {entry.parent}"),
        ("overrides", "  ".join(entry.overrides)),
        ("runs", ", ".join(f"{value:.4g}" for value in entry.values)),
        ("watched", "; ".join(entry.watched)),
        ("symptoms", "; ".join(entry.symptoms)),
        ("proposed by", entry.source),
        ("log", entry.log),
    ]
    listed = "".join(f"<dt>{label}</dt><dd><code>{safe(text)}</code></dd>" for label, text in details if text)
    number_of_it = f'<a href="{safe(link(entry.index))}">{entry.index}</a>' if link else str(entry.index)
    more = f"<details><summary>{safe(entry.title)}</summary><dl>{listed}</dl></details>"
    cells = (
        number_of_it, entry.status, number(entry.value), safe(interval(entry.effect, entry.low, entry.high)),
        str(entry.runs), safe(entry.area), more,
    )  # fmt: skip
    kinds = ("number", f"badge {entry.status}", "number", "number", "number")
    return row(_HEAD, cells, kinds, name=f"n{entry.index}")


def _html_areas(report: Report) -> str:
    return f"<h2>By area</h2>{_table(AREA_HEAD, area_rows(report))}" if report.areas else ""


def _html_spend(report: Report) -> str:
    if not report.spend:
        return ""
    return f'<h2>Spend</h2>{SCROLL}{drawing.svg(figure.spend(report))}</div><p class="faint">{time_words(report)}</p>'


def _html_listing(title: str, items: Sequence[str]) -> str:
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{safe(item)}</li>' for item in items)}</ul>" if items else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    return grid(head, (row(head, [safe(str(cell)) for cell in cells]) for cells in rows))


def grid(head: Sequence[str], rows: Iterable[str], *, sort: bool = False) -> str:
    """A table; where there is no room for its columns, each row is a few lines that name their figures.

    Args:
        head: Headings of its columns, as HTML.
        rows: Its rows, made by `row` with the same headings.
        sort: Whether the heading of a column sorts by it.
    """
    cells = "".join(f'<th role="columnheader">{_SORT.format(one) if sort else one}</th>' for one in head)
    kind = "head sorts" if sort else "head"
    return (
        f'{SCROLL}<table class="rows" role="table"><tbody role="rowgroup"><tr class="{kind}" role="row">{cells}</tr>'
        f"{''.join(rows)}</tbody></table></div>"
    )


def row(head: Sequence[str], cells: Sequence[str], kinds: Sequence[str] = (), name: str = "") -> str:
    """A row of `grid`: its cells as HTML, the classes of the first of them, and the row's own id."""
    own = f' id="{name}"' if name else ""
    body = "".join(_cell(*one) for one in zip_longest(head, cells, kinds, fillvalue=""))
    return f'<tr{own} role="row">{body}</tr>\n'


def _cell(heading: str, cell: str, kind: str) -> str:
    words = f' data-label="{safe(heading)}"' if heading in _NAMED or heading[1:].isdecimal() else ""
    named = f' class="{kind}"' if kind else ""
    return f'<td role="cell"{named}{words}>{cell}</td>'
