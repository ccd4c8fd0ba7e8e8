"""The report in words: those that all its forms share, and the whole as Markdown, for a terminal or a pull request."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from autoresearch.experiment.outcome import BASELINE, Status
from autoresearch.report import costs
from autoresearch.report.attempts import ReportLine
from autoresearch.report.plain_text import interval
from autoresearch.report.report import Report
from autoresearch.verdict.arms import counted
from autoresearch.verdict.claims import Standing
from autoresearch.verdict.drift import Drift

STANDINGS = {
    "proven": "confirmed on fresh seeds, which had no part in selection",
    "unverified": "fresh seeds agree, by the runs' own word alone, which their code could have written: not proven",
    "measured": "no seed changed a number, so one run says what there is",
    "implausible": "cannot be what it looks like: look, then `autoresearch overrule N keep --reason ...`",
    "likely": "probably true, not proven",
    "unresolved": "too few runs to tell",
    "refuted": "probably no improvement",
    "crashed": "no valid run, so nothing is known of the idea itself",
}
"""What the words mean under which attempts are listed, best first."""

PLOTTED = "![progress](progress.svg)"
"""Where the head of the report ends in Markdown."""
_SPEND_HEAD = ("purpose", "runs", "minutes", "GPU-hours")
AREA_HEAD = ("area", "attempts", "keep", "discard", "crash", "best effect", "minutes")


def markdown(report: Report) -> str:
    """The whole report."""
    parts = [
        f"# {report.campaign}",
        f"**{clean(report.headline)}**",
        clean(what_to_do(report)),
        "\n".join(f"- {clean(line)}" for line in report.integrity),
        cost_words(report),
        _facts(report),
        PLOTTED,
        _standings(report),
        _experiments(report),
        _areas(report),
        _spend(report),
        _listing("Researchers", report.researchers),
        _listing("Needs your attention", report.attention),
        _listing("Your instructions during the campaign", report.steering),
        _reproduce(report),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(report: Report) -> str:
    return "\n".join(f"- {label}: {clean(text)}" for label, text in facts(report, mark="`"))


def _standings(report: Report) -> str:
    lines = ["## What can be believed"]
    for word, meaning in STANDINGS.items():
        found = [entry for entry in report.entries if standing(entry) == word]
        if found:
            lines += ["", f"**{word}** ({meaning}):", "", *(f"- {clean(claim_words(entry))}" for entry in found)]
    if len(lines) == 1:
        lines += ["", "Nothing has been judged yet."]
    lines += ["", told] if (told := two_figures(report)) else []
    caution = caution_words(report)
    lines += ["", caution] if caution else []
    return "\n".join(lines)


def _experiments(report: Report) -> str:
    rows = [
        (
            entry.index, entry.status, number(entry.value), interval(entry.effect, entry.low, entry.high), entry.runs,
            entry.integrity, entry.area, entry.title, entry.reason, f"`{entry.branch}`",
        )
        for entry in report.entries
    ]  # fmt: skip
    head = ("#", "verdict", "value", "effect", "runs", "integrity", "area", "hypothesis", "why", "branch")
    return "## All experiments\n\n" + table(head, rows)


def _areas(report: Report) -> str:
    return "## By area\n\n" + table(AREA_HEAD, area_rows(report)) if report.areas else ""


def _spend(report: Report) -> str:
    rows = [(spend.purpose, spend.runs, f"{spend.minutes:.1f}", f"{spend.gpu_hours:.2f}") for spend in report.spend]
    return f"## Spend\n\n{table(_SPEND_HEAD, rows)}\n\n{time_words(report)}" if rows else ""


def _listing(title: str, items: Sequence[str]) -> str:
    return "\n".join([f"## {title}", "", *(f"- {clean(item)}" for item in items)]) if items else ""


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
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in (head, ["---"] * len(head), *rows))


def _cell(cell: object) -> str:
    return clean(str(cell)).replace("|", "\\|")


def clean(text: str) -> str:
    """A text as one line of Markdown that begins no tag."""
    return " ".join(text.split()).replace("<", "&lt;")


def what_to_do(report: Report) -> str:
    """What the best is made of and, once fresh seeds speak for it and the campaign is over, what to do with it."""
    held = [entry for entry in report.entries if entry.name in report.held]
    less = f"{report.leaner[:1].upper()}{report.leaner[1:]}." if report.leaner else ""
    take = "Take it over with: autoresearch adopt" if report.reason and confirmed(report) and not less else ""
    told = "; ".join(f"#{entry.index} {entry.title}" for entry in held)
    made = f"It is made of {told}." if len(held) > 1 else ""
    against = [f"#{entry.index}" for entry in held if standing(entry) == Standing.REFUTED] if made else []
    doubt = f"Runs speak against {' and '.join(against)}, which came along with the rest." if against else ""
    return " ".join(filter(None, (made, doubt, less, take)))


def cost_words(report: Report) -> str:
    """What all of it cost, in a sentence; empty before anything ran."""
    return f"The campaign took {costs.added(report.spend, report.usd_per_gpu_hour)}." if report.spend else ""


def confirmed(report: Report) -> bool:
    """Whether fresh seeds speak for the best, believed or not; or no seed changes what it measures."""
    whole = report.claims.campaign
    if whole is None or report.incumbent == BASELINE:
        return False
    likely = whole.fresh and whole.standing in {Standing.PROVEN, Standing.UNVERIFIED, Standing.LIKELY}
    return likely or whole.standing is Standing.MEASURED


def drift_words(drift: Drift) -> str:
    """The trend of the machine in one sentence, no stronger and no weaker than its interval."""
    trend = f"{drift.total:+.3g} [{drift.low:+.3g}, {drift.high:+.3g}] over the campaign, from {drift.repeats} repeats"
    if drift.shown:
        return f"The same code gave different values over time: {trend}; compare only runs made at about the same time."
    if drift.low > 0 or drift.high < 0:
        return f"The same code may have drifted over time, but this is not certain: {trend} (90 % interval)."
    return f"No drift over time beyond chance: {trend} (90 % interval)."


def standing(entry: ReportLine) -> str:
    """Where an attempt stands in the lists of what can be believed: a claim's word, `crashed`, or empty for none."""
    if entry.claim is None:
        return ""
    if entry.status == Status.CRASH:
        return "crashed"
    return str(Standing.REFUTED if _failed(entry) else entry.claim.standing)


def _failed(entry: ReportLine) -> bool:
    """Whether an attempt was turned down for the way in which its runs failed, without any number of its own."""
    return entry.status == Status.DISCARD and not entry.runs


def two_figures(report: Report) -> str:
    """Why an effect has another figure in the tables, in a sentence; empty where none has."""
    found = [(one.effect, one.claim.effect) for one in report.entries if one.claim and one.claim.effect is not None]
    if all(judged is None or judged == claimed for judged, claimed in found):
        return ""
    return (
        "An effect here is what all runs together say, with the luck of having been chosen taken out; one on fresh "
        "seeds alone is as measured, for they chose nothing. The tables have each as it was measured for its verdict."
    )


def risk_words(report: Report) -> str:
    """The probability that something called proven is not true, as a sentence; empty when nothing is called proven."""
    if not any(standing(entry) == Standing.PROVEN for entry in report.entries):
        return ""
    chance = report.claims.false_chance
    percent = f"{chance:.1%}" if chance >= 0.001 else "below 0.1%"
    return f"Probability that at least one proven claim is false: {percent}."


def claim_words(entry: ReportLine) -> str:
    """An attempt's line in the lists of what can be believed."""
    claim = entry.claim
    head = f"#{entry.index} {entry.title}: "
    if claim is None or entry.status == Status.CRASH or _failed(entry):
        return head + entry.reason
    effect = interval(claim.effect, claim.low, claim.high)
    if not effect:
        return f"{head}no comparison of its own; {entry.reason}"
    if claim.why:
        return f"{head}{effect}: {claim.why}"
    among = not claim.fresh and 0 < entry.fresh < claim.runs
    on = counted(claim.runs, "fresh seed" if claim.fresh else "run" if among else "selection run")
    on += f", {entry.fresh} of them on fresh seeds" if among else ""
    alone = ", unverified" if claim.standing is not Standing.UNVERIFIED and entry.integrity == "unverified" else ""
    collapsed = claim.standing is Standing.REFUTED and claim.runs == 1 and (claim.high or 0.0) > 0
    unless = ", unless that one run collapsed" if collapsed else ""
    return f"{head}{effect} on {on}{alone}{unless}"


def facts(report: Report, mark: str = "") -> list[tuple[str, str]]:
    """The head of the report as labels and texts.

    Args:
        report: What to describe.
        mark: What names from a file or a command line stand between, such as a backtick.
    """
    objective = report.objective
    noise = "not measured" if report.noise is None else f"{report.noise:.3g} between runs of the same code"
    recipe = f"{mark}{report.recipe}{mark} from commit {mark}{report.base_commit}{mark}"
    rows = [
        ("goal", f"{report.goal}: {objective.direction} {mark}{objective.metric}{mark}"),
        ("the metric is", objective.meaning),
        ("recipe", recipe if report.recipe else ""),
        ("baseline", _baseline(report)),
        ("best", _best(report, mark)),
        ("noise", noise),
        ("judged by", f"policy {mark}{report.policy}{mark}"),
        ("budget", report.state),
        ("ended", report.reason),
        ("as of", datetime.fromtimestamp(report.at, UTC).strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return [(label, text) for label, text in rows if text]


def _baseline(report: Report) -> str:
    return "" if report.baseline is None else f"{number(report.baseline)}, mean of {report.baseline_from}"


def _best(report: Report, mark: str) -> str:
    if report.best is None:
        return ""
    basis = f", {report.best_from}" if report.best_from else ""
    basis += f", {report.measured_by}" if report.measured_by and report.incumbent != BASELINE else ""
    return f"{number(report.best)}{basis} ({report.incumbent}, branch {mark}{report.incumbent_branch}{mark})"


def area_rows(report: Report) -> list[Sequence[object]]:
    """The cells below `AREA_HEAD`."""
    return [
        (area.name, area.attempts, area.keep, area.discard, area.crash, interval(area.best, None, None),
         f"{area.minutes:.1f}")
        for area in report.areas
    ]  # fmt: skip


def caution_words(report: Report) -> str:
    """How far the claims can be trusted: the risk of a false one, and drift; empty when there is nothing to say."""
    return " ".join(filter(None, (risk_words(report), drift_words(report.drift) if report.drift else "")))


def time_words(report: Report) -> str:
    """Minutes of runs, of the campaign, and in queues, and what GPUs cost, in words."""
    total = sum(spend.minutes for spend in report.spend if spend.runs)
    gpus = costs.gpu_words(sum(spend.gpu_hours for spend in report.spend), report.usd_per_gpu_hour)
    return (
        f"{total:.1f} minutes of runs in {report.wall_minutes:.1f} minutes of campaign, "
        f"{report.queue_minutes:.1f} minutes in queues.{f' {gpus}.' if gpus else ''}"
    )


def number(value: float | None) -> str:
    """A value of the metric as reports show it, empty for none."""
    return "" if value is None else f"{value:.4g}"
