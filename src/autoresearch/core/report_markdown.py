"""The report as Markdown, for a terminal, a pull request or a chat."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from autoresearch.core.report import Report, claim_words, drift_words, interval, risk_words, standing

_STANDINGS = {
    "proven": "confirmed on fresh seeds, which had no part in selection",
    "likely": "probably true, not proven",
    "unresolved": "too few runs to tell",
    "refuted": "probably no improvement",
    "crashed": "no valid run, so nothing is known of the idea itself",
}


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [
        f"# {report.campaign}",
        f"**{_clean(report.headline)}**",
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
    objective = report.objective
    when = datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    noise = "not measured" if report.noise is None else f"{report.noise:.3g} between runs of the same code"
    rows = [
        ("goal", f"{report.goal}: {objective.direction} `{objective.metric}`"),
        ("the metric is", objective.meaning),
        ("recipe", f"`{report.recipe}` from commit `{report.base_commit}`" if report.recipe else ""),
        ("baseline", _number(report.baseline)),
        ("best", _best(report)),
        ("noise", noise),
        ("judged by", f"policy `{report.policy}`"),
        ("budget", report.state),
        ("ended", report.reason),
        ("as of", when),
    ]
    return "\n".join(f"- {label}: {_clean(text)}" for label, text in rows if text)


def _standings(report: Report) -> str:
    lines = ["## What can be believed"]
    for word, meaning in _STANDINGS.items():
        found = [entry for entry in report.entries if standing(entry) == word]
        if found:
            lines += ["", f"**{word}** ({meaning}):", "", *(f"- {_clean(claim_words(entry))}" for entry in found)]
    if len(lines) == 1:
        lines += ["", "Nothing has been judged yet."]
    caution = [risk_words(report), drift_words(report.drift) if report.drift else ""]
    lines += ["", *filter(None, caution)] if any(caution) else []
    return "\n".join(lines)


def _experiments(report: Report) -> str:
    rows = [
        (
            entry.index, entry.status, _number(entry.value), interval(entry.effect, entry.low, entry.high), entry.runs,
            entry.area, entry.title, entry.reason, f"`{entry.branch}`",
        )
        for entry in report.entries
    ]  # fmt: skip
    head = ("#", "verdict", "value", "effect", "runs", "area", "hypothesis", "why", "branch")
    return "## All experiments\n\n" + table(head, rows)


def _areas(report: Report) -> str:
    rows = [
        (area.name, area.attempts, area.keep, area.discard, area.crash, interval(area.best, None, None),
         f"{area.minutes:.1f}")
        for area in report.areas
    ]  # fmt: skip
    head = ("area", "attempts", "keep", "discard", "crash", "best effect", "minutes")
    return "## By area\n\n" + table(head, rows) if rows else ""


def _spend(report: Report) -> str:
    rows = [(spend.purpose, spend.runs, f"{spend.minutes:.1f}", f"{spend.gpu_hours:.2f}") for spend in report.spend]
    total = sum(spend.minutes for spend in report.spend if spend.runs)
    told = (
        f"{total:.1f} minutes of runs in {report.wall_minutes:.1f} minutes of campaign, "
        f"{report.queue_minutes:.1f} minutes in queues."
    )
    return "## Spend\n\n" + table(("purpose", "runs", "minutes", "GPU-hours"), rows) + f"\n\n{told}" if rows else ""


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


def _best(report: Report) -> str:
    told = f", {report.best_from}" if report.best_from else ""
    return f"{_number(report.best)}{told} ({report.incumbent}, branch `{report.incumbent_branch}`)"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"
