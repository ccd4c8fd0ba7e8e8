"""The report as one self-contained HTML page: no script, no font and no picture from elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape

from autoresearch.report import figure
from autoresearch.report.markdown import (
    AREA_HEAD,
    STANDINGS,
    area_rows,
    caution_words,
    claim_words,
    facts,
    number,
    standing,
    time_words,
)
from autoresearch.report.report import Report, ReportLine, interval

_STYLE = """
:root { color-scheme: light; --ink: #1f2933; --faint: #616e7c; --line: #e4e7eb; --keep: #1a7f37; --crash: #cf222e; }
body { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; color: var(--ink);
       max-width: 1080px; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.headline { font-size: 1.15rem; margin: .4rem 0 1rem; } .faint { color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; } dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
svg { max-width: 100%; height: auto; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--faint); font-weight: 500; white-space: nowrap; } td.number { font-variant-numeric: tabular-nums;
white-space: nowrap; }
.badge { font-weight: 600; } .keep { color: var(--keep); } .crash { color: var(--crash); }
.discard, .open { color: var(--faint); } code { font-size: .85em; overflow-wrap: anywhere; }
details { margin: .15rem 0; } summary { cursor: pointer; }
"""


def html(report: Report) -> str:
    """The whole page."""
    body = "\n".join(
        part
        for part in (
            f"<h1>{_t(report.campaign)}</h1>",
            f'<p class="headline">{_t(report.headline)}</p>',
            "".join(f"<p>{_t(line)}</p>" for line in report.integrity),
            _facts(report),
            f'<div class="scroll">{_inline(figure.progress(report))}</div>',
            _believed(report),
            _attempts(report),
            _areas(report),
            _spend(report),
            _listing("Needs your attention", report.attention),
            _listing("Your instructions during the campaign", report.steering),
        )
        if part
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_t(report.campaign)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _inline(drawing: figure.Drawing) -> str:
    return figure.svg(drawing)


def _facts(report: Report) -> str:
    return "<dl>" + "".join(f"<dt>{_t(label)}</dt><dd>{_t(text)}</dd>" for label, text in facts(report)) + "</dl>"


def _believed(report: Report) -> str:
    parts = ["<h2>What can be believed</h2>"]
    for word, meaning in STANDINGS.items():
        entries = [entry for entry in report.entries if standing(entry) == word]
        if entries:
            items = "".join(f"<li>{_t(claim_words(entry))}</li>" for entry in entries)
            parts.append(f'<p><span class="badge">{word}</span> ({meaning})</p><ul>{items}</ul>')
    parts.append(f'<p class="faint">{_t(caution_words(report))}</p>')
    return "\n".join(parts)


def _attempts(report: Report) -> str:
    head = ("#", "verdict", "value", "effect", "runs", "area", "hypothesis and evidence")
    rows = "".join(_attempt(entry) for entry in report.entries)
    return f'<h2>All experiments</h2><div class="scroll"><table>{_head(head)}{rows}</table></div>'


def _attempt(entry: ReportLine) -> str:
    details = [
        ("why", entry.reason),
        ("branch", f"{entry.branch} ({entry.commit}), from {entry.parent}"),
        ("overrides", "  ".join(entry.overrides)),
        ("runs", ", ".join(f"{value:.4g}" for value in entry.values)),
        ("watched", "; ".join(entry.watched)),
        ("symptoms", "; ".join(entry.symptoms)),
        ("proposed by", entry.source),
        ("log", entry.log),
    ]
    listed = "".join(f"<dt>{label}</dt><dd><code>{_t(text)}</code></dd>" for label, text in details if text)
    return (
        f'<tr><td class="number">{entry.index}</td><td class="badge {entry.status}">{entry.status}</td>'
        f'<td class="number">{number(entry.value)}</td>'
        f'<td class="number">{_t(interval(entry.effect, entry.low, entry.high))}</td>'
        f'<td class="number">{entry.runs}</td><td>{_t(entry.area)}</td>'
        f"<td><details><summary>{_t(entry.title)}</summary><dl>{listed}</dl></details></td></tr>\n"
    )


def _areas(report: Report) -> str:
    return f"<h2>By area</h2>{_table(AREA_HEAD, area_rows(report))}" if report.areas else ""


def _spend(report: Report) -> str:
    if not report.spend:
        return ""
    drawn, total = _inline(figure.spend(report)), time_words(report)
    return f'<h2>Spend</h2><div class="scroll">{drawn}</div><p class="faint">{total}</p>'


def _listing(title: str, items: Sequence[str]) -> str:
    return f"<h2>{title}</h2><ul>{''.join(f'<li>{_t(item)}</li>' for item in items)}</ul>" if items else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    body = "".join(f"<tr>{''.join(f'<td>{_t(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="scroll"><table>{_head(head)}{body}</table></div>'


def _head(cells: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<th>{cell}</th>' for cell in cells)}</tr>"


def _t(text: str) -> str:
    """Text as HTML; control characters, which no page may hold, become spaces."""
    return escape("".join(char if char.isprintable() else " " for char in text))
