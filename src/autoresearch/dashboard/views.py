"""The dashboard's pages as HTML: what the report and the status say, in their words and with their numbers.

Whatever a log, an agent or a person wrote is escaped; no page holds a script or a style of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from autoresearch.campaign.status import CampaignStatus, RunningRun
from autoresearch.dashboard import forms
from autoresearch.experiment.experiment import Experiment
from autoresearch.mcp.answers import Page, Shown
from autoresearch.report import curves as drawings
from autoresearch.report import drawing, html_page, pages
from autoresearch.report.attempts import ReportLine
from autoresearch.report.curves import DrawnCurves
from autoresearch.report.plain_text import duration, interval, number, safe
from autoresearch.report.report import Report

MOST_ROWS = 200
"""Attempts that a campaign's page lists; all of them stand on a page of their own."""

_PARTS = (
    "state", "headline", "answers", "running", "plot", "facts", "curves", "believed", "lineage", "attempts", "areas",
    "spend", "researchers", "attention", "steering", "happened", "deeds",
)  # fmt: skip
_CAMPAIGNS = ("campaign", "state", "attempted", "kept", "baseline", "best", "metric", "what is next")
_FLYING = ("experiment", "purpose", "seed", "for", "expected", "state")
_RUNS = ("run", "purpose", "seed", "state", "minutes", "value", "integrity", "what happened")
_NEWLINE = "\n"
_SIGNS = {"+": "add", "-": "gone", "@": "hunk"}


def page(title: str, body: str, *, news: str = "", way: Sequence[tuple[str, str]] = ()) -> str:
    """A whole page.

    Args:
        title: Its title.
        body: What stands on it.
        news: Address that says when it is out of date; empty for a page that stays.
        way: Links that lead back, outermost first.
    """
    steps = " / ".join(f'<a href="{safe(there)}">{safe(name)}</a>' for name, there in (("campaigns", "/"), *way))
    told = f' data-news="{safe(news)}"' if news else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{safe(title)}</title>\n<link rel="stylesheet" href="/static/style.css">\n'
        '<link rel="icon" href="data:,">\n<script src="/static/live.js" defer></script>\n</head>\n'
        f"<body{told}>\n<nav>{steps}</nav>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def campaigns(found: Iterable[CampaignStatus | tuple[str, str, str]]) -> str:
    """The campaigns of a repository; one that cannot be read is a name and the reason."""
    rows = [_unread(*one) if isinstance(one, tuple) else _campaign(one) for one in found]
    if not rows:
        return page(
            "autoresearch", "<h1>Campaigns</h1><p>No campaign yet; begin with: <code>autoresearch init</code></p>"
        )
    listing = html_page.grid(_CAMPAIGNS, rows)
    return page("autoresearch", f'<h1>Campaigns</h1><section id="campaigns">{listing}</section>', news="/news")


def _campaign(status: CampaignStatus) -> str:
    cells = (
        f'<a href="{safe(forms.home(status.campaign))}">{safe(status.campaign)}</a>', _badge(status.state),
        str(status.attempted), str(status.keep), number(status.baseline),
        f"{number(status.best)} {_faint(status.best_from)}" if status.best is not None else "",
        safe(status.metric), safe("; ".join(status.waiting) or status.stop),
    )  # fmt: skip
    return html_page.row(_CAMPAIGNS, cells)


def _unread(name: str, state: str, why: str) -> str:
    linked = f'<a href="{safe(forms.home(name))}">{safe(name)}</a>'
    return html_page.row(_CAMPAIGNS, (linked, _badge(state), "", "", "", "", "", safe(why)))


def planned(name: str, text: str) -> str:
    """A campaign that has not begun: its plan in words."""
    body = (
        f"<h1>{safe(name)}</h1><p>Not begun. Start it with: "
        f"<code>autoresearch run --campaign {safe(name)}</code></p>{_block('plan', text.split(_NEWLINE))}"
    )
    return page(name, body, news=f"{forms.home(name)}/news")


def campaign(
    status: CampaignStatus,
    report: Report,
    happened: Sequence[str],
    deeds: forms.Deeds,
    live: Sequence[DrawnCurves] = (),
    *,
    turn: int = 1,
) -> str:
    """One campaign: what the report says, and what goes on.

    Args:
        status: Where it stands.
        report: Its report.
        happened: What happened last, a line each.
        deeds: What may be done from here.
        live: DrawnCurves of the runs in flight.
        turn: Which page of its table, the newest attempts first.
    """
    there = forms.home(status.campaign)
    turns = max(1, -(-len(report.entries) // MOST_ROWS))
    turn = min(max(1, turn), turns)
    end = len(report.entries) - (turn - 1) * MOST_ROWS
    shown = report.entries[max(0, end - MOST_ROWS) : end]
    parts = html_page.sections(report, shown, lambda index: f"{there}/experiments/{index}")
    parts["attempts"] += _turns(there, turn, turns) if turns > 1 else ""
    parts["attempts"] += forms.choice(there) if len(report.entries) > 1 else ""
    cautions = () if report.leaner else status.cautions  # the headline's own words say it
    told = (*status.waiting, *status.held_back, status.question, *cautions)
    parts |= {
        "state": _state(status, told),
        "answers": forms.answers(there, deeds),
        "running": running(status, report, live),
        "happened": f"<h2>What happened last</h2>{_block('what happened last', happened)}" if happened else "",
        "deeds": forms.acting(there, deeds, status),
    }
    body = "\n".join(f'<section id="{name}">{parts[name]}</section>' for name in _PARTS)
    return page(status.campaign, f"<h1>{safe(status.campaign)}</h1>\n{body}", news=f"{there}/news")


def _turns(there: str, turn: int, turns: int) -> str:
    """Links to newer and to earlier attempts."""
    near = sorted({1, turn - 1, turn, turn + 1, turns} & set(range(1, turns + 1)))
    links = (f"<b>{one}</b>" if one == turn else f'<a href="{there}?turn={one}#attempts">{one}</a>' for one in near)
    return f'<p class="turns">{MOST_ROWS} at a time, the newest first; page {" ".join(links)} of {turns}</p>'


def being_read(campaign: str, beginning: str = "") -> str:
    """A long campaign whose journal is being read: what its controller wrote and drew last, until the page fills.

    Args:
        campaign: Its name.
        beginning: How its report begins, as Markdown; empty for none.
    """
    there = forms.home(campaign)
    drawn = f'<p><img src="{there}/plot.svg" alt="progress of {safe(campaign)}, as it was drawn last"></p>'
    told = "<p>Its journal is being read; this page fills by itself when that is done.</p>"
    headline, *words = [one.strip() for one in beginning.split("\n\n")[1:] if one.strip()] or [""]
    known = {
        "state": told,
        "headline": f'<p class="headline">{_unmarked(headline)}</p>' if headline else "",
        "plot": drawn,
        "facts": "".join(map(_written, words)),
    }
    body = "\n".join(f'<section id="{name}">{known.get(name, "")}</section>' for name in _PARTS)
    return page(campaign, f"<h1>{safe(campaign)}</h1>\n{body}", news=f"{there}/news")


def _written(paragraph: str) -> str:
    """A paragraph of the report, or its list of facts."""
    if not paragraph.startswith("- "):
        return f"<p>{_unmarked(paragraph)}</p>"
    facts = (line.removeprefix("- ").partition(": ") for line in paragraph.splitlines())
    return f"<dl>{''.join(f'<dt>{_unmarked(label)}</dt><dd>{_unmarked(text)}</dd>' for label, _, text in facts)}</dl>"


def _unmarked(text: str) -> str:
    """What a paragraph in Markdown says, without its marks."""
    return safe(text.replace("**", "").replace("`", "").replace("&lt;", "<"))


def _state(status: CampaignStatus, told: Iterable[str]) -> str:
    reason = f" {_faint(status.reason)}" if status.reason else ""
    counts = f"{status.keep} kept, {status.discard} discarded, {status.crash} crashed"
    spent = f"; {status.gpus}" if status.gpus else ""
    lines = "".join(f'<p class="waits">{safe(text)}</p>' for text in told if text)
    stop = "" if status.state == "ended" else f" {safe(status.stop)}"
    return f"<p>{_badge(status.state)}{reason}{stop}<br>{_faint(counts + spent)}</p>{lines}"


def running(status: CampaignStatus, report: Report, live: Sequence[DrawnCurves]) -> str:
    """The runs in flight and their curves beside the incumbent's, as a part of the page; empty while there are none."""
    there, found = forms.home(status.campaign), status.running
    if not found:
        return ""
    title = f"{status.campaign}: curves of the runs in flight"
    drawn = f"{html_page.SCROLL}{_drawn(title, report.objective.metric, live)}</div>" if live else ""
    numbers = {entry.name: entry.index for entry in report.entries}
    rows = [_run_in_flight(there, run, numbers.get(run.experiment)) for run in found]
    return f"<h2>Running now</h2>{html_page.grid(_FLYING, rows)}{drawn}"


def _drawn(title: str, metric: str, found: Sequence[DrawnCurves]) -> str:
    return drawing.svg(drawings.drawing(title, metric, found))


def _run_in_flight(there: str, run: RunningRun, index: int | None) -> str:
    name = safe(run.experiment)
    linked = name if index is None else f'<a href="{there}/experiments/{index}">{name}</a>'
    most = f"at most {duration(run.predicted_s)}" if run.predicted_s else ""
    cells = (linked, safe(run.purpose), str(run.seed), duration(run.elapsed_s), most, safe(run.told))
    return html_page.row(_FLYING, cells)


def compared(status: CampaignStatus, report: Report, indices: Sequence[int], found: Sequence[DrawnCurves]) -> str:
    """Experiments side by side, and their curves in one drawing.

    Args:
        status: Where the campaign stands.
        report: Its report.
        indices: Their numbers; each is one of the report.
        found: Their curves.
    """
    there, known = forms.home(status.campaign), {entry.index: entry for entry in report.entries}
    chosen = [known[index] for index in indices]
    labels = ("", *(f"#{one.index}" for one in chosen))
    links = (f'<a href="{there}/experiments/{one.index}">#{one.index}</a>' for one in chosen)
    rows = [
        html_page.row(labels, (_faint(label), *map(safe, cells)), ("whole",))
        for label, cells in _side_by_side(chosen)
        if any(cells)
    ]
    title = f"{status.campaign}: curves of {', '.join(f'#{index}' for index in indices)}"
    drawn = f"{html_page.SCROLL}{_drawn(title, report.objective.metric, found)}</div>" if found else ""
    said = f'<p class="faint">{safe(drawings.told(found))}</p>' if found else "<p>None of them has a curve.</p>"
    body = f'<h1>Compared</h1>\n<section id="table">{html_page.grid(("experiment", *links), rows)}</section>'
    body += f'\n<section id="curves"><h2>Curves at equal steps</h2>{drawn}{said}</section>'
    return page("compared", body, news=f"{there}/news", way=((status.campaign, there),))


def _side_by_side(chosen: Sequence[ReportLine]) -> list[tuple[str, list[str]]]:
    tell: tuple[tuple[str, Callable[[ReportLine], str]], ...] = (
        ("hypothesis", lambda one: one.title),
        ("verdict", lambda one: one.status),
        ("value", lambda one: number(one.value)),
        ("effect", lambda one: interval(one.effect, one.low, one.high)),
        ("standing", pages.standing),
        ("runs", lambda one: ", ".join(f"{value:.4g}" for value in one.values)),
        ("why", lambda one: one.reason),
        ("integrity", lambda one: one.integrity),
        ("area", lambda one: one.area),
        ("made from", lambda one: one.parent),
        ("overrides", lambda one: "  ".join(one.overrides)),
        ("symptoms", lambda one: "; ".join(one.symptoms)),
        ("minutes", lambda one: f"{one.minutes:.1f}"),
        ("branch", lambda one: one.branch),
    )
    return [(label, [text(one) for one in chosen]) for label, text in tell]


def receipt(campaign: str, said: str) -> str:
    """What came of something that was asked for."""
    back = forms.home(campaign)
    return page(
        campaign,
        f'<h1>{safe(campaign)}</h1><p>{safe(said)}</p><p><a href="{back}">back</a></p>',
        way=((campaign, back),),
    )


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What lies beside an experiment.

    Attributes:
        diff: What it changed.
        brief: What whoever made it was told.
        log: The end of its newest log.
        submission: The request of its newest run, as it was sent.
        environment: Command, variables and machine that it was sent from.
        symptoms: What its runs' health showed, a sentence each.
        curves: Of the baseline and of itself, where they have any.
    """

    diff: Page
    brief: Page
    log: Page
    submission: Page
    environment: Page
    symptoms: tuple[str, ...] = ()
    curves: tuple[DrawnCurves, ...] = ()


def experiment(status: CampaignStatus, entry: Experiment, found: Shown, beside: Beside, *, acts: bool = False) -> str:
    """One experiment: its idea, its change, its verdict with the evidence, its curves and its log."""
    there, verdict = forms.home(status.campaign), entry.verdict
    judged = f"{found.verdict}: {found.reason} (by {verdict.by})" if verdict else "open"
    rows = [
        ("verdict", judged),
        ("effect", interval(verdict.effect, verdict.low, verdict.high) if verdict else ""),
        ("value", number(verdict.value) if verdict else ""),
        ("area", found.area),
        ("why it should help", found.why),
        ("proposed by", found.source),
        ("overrides", "  ".join(found.overrides)),
        ("parent", f"{found.parent} at {entry.parent_commit[:7]}"),
        ("branch", f"{found.branch} at {found.commit[:7]}"),
        ("files", ", ".join(found.files)),
        ("breaches", "; ".join(found.breaches)),
        ("to watch", "; ".join(entry.hypothesis.watch)),
        ("watched", "; ".join(found.watched)),
        ("health of its runs", "; ".join(beside.symptoms)),
        ("make a run again", f"autoresearch reproduce {found.index} --campaign {status.campaign}"),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{safe(text)}</dd>" for label, text in rows if text)
    parts = {
        "idea": f"<dl>{listed}</dl>",
        "runs": _runs(found),
        "curves": _own_curves(status, found, beside.curves),
        "diff": f"<h2>What it changed</h2>{_shown('diff', beside.diff, _marked)}" if found.commit else "",
        "brief": _folded("What its author was told", "brief", beside.brief),
        "sent": _folded("How its newest run was submitted", "submission", beside.submission)
        + _folded("Where it was sent from", "environment", beside.environment),
        "log": f"<h2>End of its newest log</h2>{_shown('log', beside.log)}" if beside.log.text else "",
        "overrule": forms.overruling(there, entry.index, str(verdict.status)) if acts and verdict else "",
    }  # fmt: skip
    body = "\n".join(f'<section id="{name}">{text}</section>' for name, text in parts.items())
    name = f"#{found.index} {found.title}"
    way = ((status.campaign, there),)
    return page(name, f"<h1>{safe(name)}</h1>\n{body}", news=f"{there}/news", way=way)


def _folded(title: str, name: str, found: Page) -> str:
    return f"<details><summary>{title}</summary>{_shown(name, found)}</details>" if found.text else ""


def _own_curves(status: CampaignStatus, found: Shown, drawn: Sequence[DrawnCurves]) -> str:
    if not drawn:
        return ""
    picture = _drawn(f"curves of #{found.index}", status.metric, drawn)
    return f"<h2>Curves at equal steps</h2>{html_page.SCROLL}{picture}</div>"


def _runs(found: Shown) -> str:
    rows = [
        html_page.row(_RUNS, (
            str(run.number), safe(run.purpose), str(run.seed), safe(run.state), number(run.minutes, ".1f"),
            number(run.value), safe(run.integrity), safe(run.told),
        ))
        for run in found.runs
    ]  # fmt: skip
    return f"<h2>Runs</h2>{html_page.grid(_RUNS, rows)}" if rows else "<p>No run of its own.</p>"


def problem(said: str) -> str:
    """Why there is nothing to show."""
    return page("autoresearch", f"<h1>Nothing to show</h1><p>{safe(said)}</p>")


def _marked(line: str) -> str:
    """A line of a diff, as added, gone or a heading; its sign stays, so colour is not needed."""
    kind = "file" if line.startswith(("+++", "---", "diff ")) else _SIGNS.get(line[:1], "")
    return f'<span class="{kind}">{safe(line)}</span>' if kind else safe(line)


def _shown(name: str, found: Page, line: Callable[[str], str] = safe) -> str:
    """A text of several lines, and what of it was left out."""
    return f"{_cut(found)}{_block(name, found.text.split(_NEWLINE), line)}"


def _block(name: str, lines: Iterable[str], line: Callable[[str], str] = safe) -> str:
    """Lines as they are; one can scroll in them with keys."""
    body = _NEWLINE.join(map(line, lines))
    return f'<pre class="{name.rsplit(maxsplit=1)[-1]}" tabindex="0" role="region" aria-label="{name}">{body}</pre>'


def _cut(shown: Page) -> str:
    where = f"; all of it: {shown.path}" if shown.path else ""
    return f'<p class="faint">Left out: {safe(shown.cut + where)}</p>' if shown.cut else ""


def _badge(state: str) -> str:
    return f'<span class="state">{safe(state)}</span>'


def _faint(text: str) -> str:
    return f'<span class="faint">{safe(text)}</span>' if text else ""
