"""The dashboard's pages as HTML: what the report and the status say, in their words and with their numbers.

Whatever a log, an agent or a person wrote is escaped; no page holds a script or a style of its own.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from autoresearch.campaign.status import CampaignStatus, RunningRun
from autoresearch.experiment.experiment import Experiment
from autoresearch.mcp.answers import Page, Shown
from autoresearch.report import curves as drawings
from autoresearch.report import drawing, pages
from autoresearch.report.curves import DrawnCurves
from autoresearch.report.plain_text import duration, interval, number, safe
from autoresearch.report.report import Report, ReportLine

MOST_ROWS = 200
"""Attempts that a campaign's page lists; all of them stand on a page of their own."""

_NEWLINE = "\n"
_SIGNS = {"+": "add", "-": "gone", "@": "hunk"}


@dataclass(frozen=True, kw_only=True)
class Deeds:
    """What may be done from the browser.

    Attributes:
        allowed: Whether anything may.
        requests: Names of the launches that wait for an answer, with their questions.
        working: Whether a controller is at work.
        flying: Names of the runs that can be cancelled.
    """

    allowed: bool
    requests: tuple[tuple[str, str], ...] = ()
    working: bool = False
    flying: tuple[str, ...] = ()


def home(campaign: str) -> str:
    """Where a campaign's page is."""
    return f"/campaigns/{quote(campaign, safe='')}"


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


def campaigns(found: Iterable[CampaignStatus | tuple[str, str]]) -> str:
    """The campaigns of a repository; one that cannot be read is a name and the reason."""
    rows = "".join(_unreadable(*one) if isinstance(one, tuple) else _campaign(one) for one in found)
    if not rows:
        return page(
            "autoresearch", "<h1>Campaigns</h1><p>No campaign yet; begin with: <code>autoresearch init</code></p>"
        )
    head = pages.heading(("campaign", "state", "attempted", "kept", "baseline", "best", "metric", "what is next"))
    listing = f"{pages.SCROLL}<table>{head}{rows}</table></div>"
    return page("autoresearch", f'<h1>Campaigns</h1><section id="campaigns">{listing}</section>', news="/news")


def _campaign(status: CampaignStatus) -> str:
    cells = (
        f'<a href="{safe(home(status.campaign))}">{safe(status.campaign)}</a>', _badge(status.state),
        str(status.attempted), str(status.keep), number(status.baseline),
        f"{number(status.best)} {_faint(status.best_from)}" if status.best is not None else "",
        safe(status.metric), safe("; ".join(status.waiting) or status.stop),
    )  # fmt: skip
    return _row(cells)


def _unreadable(name: str, why: str) -> str:
    return _row((safe(name), _badge("unreadable"), "", "", "", "", "", safe(why)))


def planned(name: str, text: str) -> str:
    """A campaign that has not begun: its plan in words."""
    body = (
        f"<h1>{safe(name)}</h1><p>Not begun. Start it with: "
        f"<code>autoresearch run --campaign {safe(name)}</code></p>{_block('plan', text.split(_NEWLINE))}"
    )
    return page(name, body, news=f"{home(name)}/news")


def campaign(
    status: CampaignStatus,
    report: Report,
    happened: Sequence[str],
    deeds: Deeds,
    live: Sequence[DrawnCurves] = (),
    *,
    everything: bool = False,
) -> str:
    """One campaign: what the report says, and what goes on.

    Args:
        status: Where it stands.
        report: Its report.
        happened: What happened last, a line each.
        deeds: What may be done from here.
        live: DrawnCurves of the runs in flight.
        everything: List every attempt.
    """
    there = home(status.campaign)
    shown = report.entries if everything else report.entries[-MOST_ROWS:]
    parts = pages.sections(report, shown, lambda index: f"{there}/experiments/{index}")
    if left := len(report.entries) - len(shown):
        parts["attempts"] += f'<p><a href="{there}?all=1">and {left} earlier ones</a></p>'
    parts["attempts"] += _choice(there) if len(report.entries) > 1 else ""
    told = (*status.waiting, *status.held_back, status.question, *status.cautions)
    parts = {
        "state": _state(status, told),
        "headline": parts.pop("headline"),
        "answers": _answers(there, deeds),
        "running": running(status, report, live),
        "plot": parts.pop("plot"),
        **parts,
        "happened": f"<h2>What happened last</h2>{_block('what happened last', happened)}" if happened else "",
        "deeds": _deeds(there, deeds, status),
    }
    body = "\n".join(f'<section id="{name}">{text}</section>' for name, text in parts.items())
    return page(status.campaign, f"<h1>{safe(status.campaign)}</h1>\n{body}", news=f"{there}/news")


def _state(status: CampaignStatus, told: Iterable[str]) -> str:
    reason = f" {_faint(status.reason)}" if status.reason else ""
    counts = f"{status.keep} kept, {status.discard} discarded, {status.crash} crashed"
    spent = f"; {status.gpu_hours:.1f} GPU-hours" if status.gpu_hours else ""
    lines = "".join(f'<p class="waits">{safe(text)}</p>' for text in told if text)
    stop = "" if status.state == "ended" else f" {safe(status.stop)}"
    return f"<p>{_badge(status.state)}{reason}{stop}<br>{_faint(counts + spent)}</p>{lines}"


def running(status: CampaignStatus, report: Report, live: Sequence[DrawnCurves]) -> str:
    """The runs in flight and their curves beside the incumbent's, as a part of the page; empty while there are none."""
    there, found = home(status.campaign), status.running
    if not found:
        return ""
    title = f"{status.campaign}: curves of the runs in flight"
    drawn = f"{pages.SCROLL}{_drawn(title, report.objective.metric, live)}</div>" if live else ""
    numbers = {entry.name: entry.index for entry in report.entries}
    rows = "".join(_run_in_flight(there, run, numbers.get(run.experiment)) for run in found)
    head = pages.heading(("experiment", "purpose", "seed", "for", "expected", "state"))
    return f"<h2>Running now</h2>{pages.SCROLL}<table>{head}{rows}</table></div>{drawn}"


def _drawn(title: str, metric: str, found: Sequence[DrawnCurves]) -> str:
    return drawing.svg(drawings.drawing(title, metric, found))


def _run_in_flight(there: str, run: RunningRun, index: int | None) -> str:
    name = safe(run.experiment)
    linked = name if index is None else f'<a href="{there}/experiments/{index}">{name}</a>'
    most = f"at most {duration(run.predicted_s)}" if run.predicted_s else ""
    return _row((linked, safe(run.purpose), str(run.seed), duration(run.elapsed_s), most, safe(run.told)))


def _answers(there: str, deeds: Deeds) -> str:
    if not deeds.allowed:
        return ""
    return "".join(
        f'<form method="post" action="{there}/deeds/answer"><p>{safe(question)} '
        f'<input type="hidden" name="request" value="{safe(request)}">'
        f'<button name="granted" value="yes">approve {safe(request)}</button> '
        '<button name="granted" value="no">deny</button></p></form>'
        for request, question in deeds.requests
    )


def _deeds(there: str, deeds: Deeds, status: CampaignStatus) -> str:
    """Forms for what a person may ask for now."""
    if not deeds.allowed:
        return ""
    steer = _form(there, "steer", "steer", "what the next proposals should take into account")
    pause, resume = _form(there, "pause", "pause", ""), _form(there, "resume", "resume", "")
    halt = _form(there, "stop", "stop after the runs in flight", "") + _form(there, "stop-now", "stop now", "")
    more = _form(there, "extend", "grant more", "20 more experiments, or 4 hours more")
    found = [steer, resume if status.state in {"paused", "stopping", "stopped"} else pause if deeds.working else ""]
    one = _cancelling(there, deeds.flying) if deeds.flying else ""
    return f"<h2>Act</h2>{''.join([*found, one, halt if deeds.working else '', more])}"


def _cancelling(there: str, flying: Iterable[str]) -> str:
    options = "".join(f"<option>{safe(name)}</option>" for name in flying)
    return (
        f'<form method="post" action="{there}/deeds/cancel"><select name="run" aria-label="the run to end">{options}'
        '</select> <input name="text" required maxlength="2000" aria-label="why this run is ended" '
        'placeholder="why; its row will say so"> <button>cancel this run</button></form>'
    )


def _form(there: str, verb: str, label: str, asks: str) -> str:
    words = f'<input name="text" required maxlength="2000" aria-label="{asks}" placeholder="{asks}"> ' if asks else ""
    return f'<form method="post" action="{there}/deeds/{verb}">{words}<button>{label}</button></form>'


def _choice(there: str) -> str:
    asks = "two to five numbers, as in: 3 5 8"
    return (
        f'<form method="get" action="{there}/compare"><input name="numbers" required maxlength="40" '
        f'aria-label="{asks}" placeholder="{asks}"> <button>compare</button></form>'
    )


def _overruling(there: str, index: int, status: str) -> str:
    options = "".join(f"<option>{word}</option>" for word in ("keep", "discard", "crash") if word != status)
    return (
        f'<h2>Overrule</h2><form method="post" action="{there}/deeds/overrule">'
        f'<input type="hidden" name="index" value="{index}">'
        f'<select name="verdict" aria-label="the verdict that you give">{options}</select> '
        '<input name="text" required maxlength="2000" aria-label="why" placeholder="why; it is recorded as yours"> '
        "<button>overrule</button></form>"
    )


def compared(status: CampaignStatus, report: Report, indices: Sequence[int], found: Sequence[DrawnCurves]) -> str:
    """Experiments side by side, and their curves in one drawing.

    Args:
        status: Where the campaign stands.
        report: Its report.
        indices: Their numbers; each is one of the report.
        found: Their curves.
    """
    there, known = home(status.campaign), {entry.index: entry for entry in report.entries}
    chosen = [known[index] for index in indices]
    head = pages.heading(
        ("experiment", *(f'<a href="{there}/experiments/{one.index}">#{one.index}</a>' for one in chosen))
    )
    rows = "".join(
        _row((f'<span class="faint">{label}</span>', *map(safe, cells)))
        for label, cells in _side_by_side(chosen)
        if any(cells)
    )
    title = f"{status.campaign}: curves of {', '.join(f'#{index}' for index in indices)}"
    drawn = f"{pages.SCROLL}{_drawn(title, report.objective.metric, found)}</div>" if found else ""
    said = f'<p class="faint">{safe(drawings.told(found))}</p>' if found else "<p>None of them has a curve.</p>"
    body = f'<h1>Compared</h1>\n<section id="table">{pages.SCROLL}<table>{head}{rows}</table></div></section>'
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
    back = home(campaign)
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
        curves: Of the baseline and of itself, where they have any.
    """

    diff: Page
    brief: Page
    log: Page
    curves: tuple[DrawnCurves, ...] = ()


def experiment(status: CampaignStatus, entry: Experiment, found: Shown, beside: Beside, *, acts: bool = False) -> str:
    """One experiment: its idea, its change, its verdict with the evidence, its curves and its log."""
    there, verdict = home(status.campaign), entry.verdict
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
        ("make a run again", f"autoresearch reproduce {found.index} --campaign {status.campaign}"),
    ]
    listed = "".join(f"<dt>{label}</dt><dd>{safe(text)}</dd>" for label, text in rows if text)
    parts = {
        "idea": f"<dl>{listed}</dl>",
        "runs": _runs(found),
        "curves": _own_curves(status, found, beside.curves),
        "diff": f"<h2>What it changed</h2>{_shown('diff', beside.diff, _marked)}" if found.commit else "",
        "brief": f"<details><summary>What its author was told</summary>{_shown('brief', beside.brief)}</details>"
        if beside.brief.text else "",
        "log": f"<h2>End of its newest log</h2>{_shown('log', beside.log)}" if beside.log.text else "",
        "overrule": _overruling(there, entry.index, str(verdict.status)) if acts and verdict else "",
    }  # fmt: skip
    body = "\n".join(f'<section id="{name}">{text}</section>' for name, text in parts.items())
    name = f"#{found.index} {found.title}"
    way = ((status.campaign, there),)
    return page(name, f"<h1>{safe(name)}</h1>\n{body}", news=f"{there}/news", way=way)


def _own_curves(status: CampaignStatus, found: Shown, drawn: Sequence[DrawnCurves]) -> str:
    if not drawn:
        return ""
    picture = _drawn(f"curves of #{found.index}", status.metric, drawn)
    return f"<h2>Curves at equal steps</h2>{pages.SCROLL}{picture}</div>"


def _runs(found: Shown) -> str:
    rows = "".join(
        _row((
            str(run.number), safe(run.purpose), str(run.seed), safe(run.state), number(run.minutes, ".1f"),
            number(run.value), safe(run.integrity), safe(run.told),
        ))
        for run in found.runs
    )  # fmt: skip
    head = pages.heading(("run", "purpose", "seed", "state", "minutes", "value", "integrity", "what happened"))
    return f"<h2>Runs</h2>{pages.SCROLL}<table>{head}{rows}</table></div>" if rows else "<p>No run of its own.</p>"


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


def _row(cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>\n"
