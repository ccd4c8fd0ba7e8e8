"""The report as Markdown, for a terminal, a pull request or a chat."""

from collections.abc import Iterable, Sequence

from autoresearch.report.phrases import (
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
from autoresearch.report.report import Report, interval


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [
        f"# {report.campaign}",
        f"**{_clean(report.headline)}**",
        "\n".join(f"- {_clean(line)}" for line in report.integrity),
        _facts(report),
        "![progress](progress.svg)",
        _standings(report),
        _experiments(report),
        _areas(report),
        _spend(report),
        _listing("Needs your attention", report.attention),
        _listing("Your instructions during the campaign", report.steering),
        _reproduce(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(report: Report) -> str:
    return "\n".join(f"- {label}: {_clean(text)}" for label, text in facts(report, mark="`"))


def _standings(report: Report) -> str:
    lines = ["## What can be believed"]
    for word, meaning in STANDINGS.items():
        found = [entry for entry in report.entries if standing(entry) == word]
        if found:
            lines += ["", f"**{word}** ({meaning}):", "", *(f"- {_clean(claim_words(entry))}" for entry in found)]
    if len(lines) == 1:
        lines += ["", "Nothing has been judged yet."]
    caution = caution_words(report)
    lines += ["", caution] if caution else []
    return "\n".join(lines)


def _experiments(report: Report) -> str:
    rows = [
        (
            entry.index, entry.status, number(entry.value), interval(entry.effect, entry.low, entry.high), entry.runs,
            entry.area, entry.title, entry.reason, f"`{entry.branch}`",
        )
        for entry in report.entries
    ]  # fmt: skip
    head = ("#", "verdict", "value", "effect", "runs", "area", "hypothesis", "why", "branch")
    return "## All experiments\n\n" + table(head, rows)


def _areas(report: Report) -> str:
    return "## By area\n\n" + table(AREA_HEAD, area_rows(report)) if report.areas else ""


def _spend(report: Report) -> str:
    rows = [(spend.purpose, spend.runs, f"{spend.minutes:.1f}", f"{spend.gpu_hours:.2f}") for spend in report.spend]
    head = ("purpose", "runs", "minutes", "GPU-hours")
    return f"## Spend\n\n{table(head, rows)}\n\n{time_words(report)}" if rows else ""


def _listing(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {_clean(item)}" for item in items)]) if items else ""


def _reproduce(report: Report) -> str:
    if not report.incumbent_branch:
        return ""
    return (
        "## Inspect and reproduce\n\n```sh\n"
        f"git log --oneline {report.base_commit}..{report.incumbent_branch}\n"
        f"git diff {report.base_commit} {report.incumbent_branch}\n"
        "git log --notes=autoresearch --branches='autoresearch/*'\n```"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; pipes and line breaks in cells cannot break it."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(cell: object) -> str:
    return _clean(str(cell)).replace("|", "\\|")


def _clean(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")
