"""What is taken home of a campaign, in words: a commit message for each kept change, and the text of a pull request."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoresearch.experiment.history import History
from autoresearch.experiment.hypothesis import Hypothesis
from autoresearch.ports.target import SETTINGS
from autoresearch.report import costs
from autoresearch.report.attempts import ReportLine
from autoresearch.report.pages import claim_words, clean, confirmed, facts, number, standing, table
from autoresearch.report.plain_text import interval
from autoresearch.report.report import Report
from autoresearch.verdict.claims import Standing

_SUBJECT = 72


@dataclass(frozen=True, kw_only=True)
class AdoptedChange:
    """One kept change, as a commit of the branch that is taken home.

    Attributes:
        name: The experiment that it was.
        title: Its hypothesis.
        message: Subject, reasoning and what was measured; the sign-off is added by the commit.
    """

    name: str
    title: str
    message: str


def objection(report: Report) -> str:
    """Why the best of a campaign is not taken over unless it is named; empty where fresh seeds speak for it."""
    return "" if confirmed(report) else report.headline


def unsupported(report: Report, ideas: Sequence[str]) -> tuple[ReportLine, ...]:
    """Those changes of a result that runs speak against: they came along with the others and are not confirmed."""
    return tuple(entry for entry in _of(report, ideas) if standing(entry) == Standing.REFUTED)


def changes(report: Report, history: History, ideas: Sequence[str]) -> tuple[AdoptedChange, ...]:
    """The kept changes of a result, in the order in which they were built on each other.

    Args:
        report: The campaign's report.
        history: The campaign.
        ideas: Names of the experiments, oldest first.
    """
    found = {entry.name: entry for entry in report.entries}
    return tuple(
        AdoptedChange(
            name=name,
            title=found[name].title,
            message=_plain(_message(report.campaign, found[name], history.experiment(name).hypothesis)),
        )
        for name in ideas
    )


def _message(campaign: str, entry: ReportLine, hypothesis: Hypothesis) -> str:
    subject = " ".join(f"{entry.area}: {entry.title}".split())
    whole = [] if len(subject) <= _SUBJECT else [subject]
    if whole:
        subject = f"{subject[: _SUBJECT - 3].rstrip()}..."
    told = claim_words(entry).partition(": ")[2] if entry.claim else entry.reason
    parts = [subject, *whole, hypothesis.rationale.strip(), _measured(entry, told)]
    if entry.overrides:
        parts.append("Overrides:\n" + "\n".join(f"  {item}" for item in entry.overrides))
    return "\n\n".join([*filter(None, parts), f"Autoresearch-Experiment: {campaign}/{entry.name}"])


def _measured(entry: ReportLine, told: str) -> str:
    word = standing(entry)
    measured = f"Measured: {told}" + (f" ({word})." if word else ".")
    return f"{measured}\n\nA person's word: {entry.overruled}." if entry.overruled else measured


def standing_of(report: Report, arm: str) -> str:
    """What a campaign says of what is adopted: of the best its headline, of anything else how that was judged.

    Args:
        report: The campaign's report.
        arm: The experiment or bundle that is adopted.
    """
    if arm == report.incumbent:
        return report.headline
    if arm == report.leaner_arm:
        return f"{report.leaner[:1].upper()}{report.leaner[1:]}."
    entry = next((one for one in report.entries if one.name == arm), None)
    judged = f" {entry.overruled or f'It was judged {entry.status}: {entry.reason}'}." if entry else ""
    other = (
        f"This is not the best of the campaign ({report.incumbent}), so the headline of the campaign is not about it."
    )
    return f"{other}{judged}"


def by_hand(files: Collection[str]) -> str:
    """What a merge of these files leaves to do by hand, in a sentence; empty for nothing."""
    return (
        f"{SETTINGS} holds settings of the command line or the environment, and no script reads it: "
        "start yours with them, or make them its defaults"
        if SETTINGS in files
        else ""
    )


def pull_request(report: Report, arm: str, ideas: Sequence[str], branch: str, measured: str, left: str = "") -> str:
    """The text of a pull request in Markdown.

    Args:
        report: The campaign's report.
        arm: The experiment or bundle that is adopted.
        ideas: Names of the experiments that it holds, oldest first.
        branch: The branch that it proposes.
        measured: The branch whose runs were measured, which holds the same files.
        left: What is left to do by hand.
    """
    lines = _of(report, ideas)
    title = "; ".join(entry.title for entry in lines)
    rows = [(f"#{entry.index}", entry.title, _effect(entry), standing(entry)) for entry in lines]
    told = dict(facts(report, mark="`"))
    own = ("best",) if arm == report.incumbent else ()
    kept = [(label, told[label]) for label in ("goal", "baseline", *own, "noise", "recipe") if label in told]
    kept += [("a person's word", f"#{entry.index}: {entry.overruled}") for entry in lines if entry.overruled]
    cost = costs.added(report.spend, report.usd_per_gpu_hour)
    one = lines[-1]
    again = [f"autoresearch reproduce {one.index} --campaign {report.campaign}"] if one.name == arm else []
    parts = [
        f"# {_line(title)}",
        _line(standing_of(report, arm)),
        table(("#", "change", "measured", "standing"), rows),
        "\n".join(f"- {label}: {_line(text)}" for label, text in [*kept, ("campaign cost", cost)]),
        _keys(lines),
        _recipe(report, lines),
        f"{left}." if left else "",
        f"The files of `{branch}` are those of `{measured}`, {_tried(one)}. Again:",
        "\n".join(["```sh", f"git diff {measured} {branch}", *again, "```"]),
    ]
    return _plain("\n\n".join(filter(None, parts)) + "\n")


def _tried(entry: ReportLine) -> str:
    return "which is what was measured" if entry.value is not None else "of which no run gave a number"


def _effect(entry: ReportLine) -> str:
    claim = entry.claim
    if claim is None or claim.effect is None:
        return number(entry.value)
    return interval(claim.effect, claim.low, claim.high)


def _keys(lines: Sequence[ReportLine]) -> str:
    """The overrides of all changes together: of two for one key, the later."""
    last = {text.lstrip("+").partition("=")[0]: text for entry in lines for text in entry.overrides}
    return "As overrides:\n\n```\n" + "\n".join(last.values()) + "\n```" if last else ""


def _recipe(report: Report, lines: Sequence[ReportLine]) -> str:
    """A recipe with only what differs from the one that was started from; empty where a change is more than keys."""
    changes = [override for entry in lines for override in entry.overrides]
    if not report.recipe or not all(entry.overrides for entry in lines) or any(one[:1] == "~" for one in changes):
        return ""
    tree: dict[str, Any] = {}
    for change in changes:
        key, _, value = change.lstrip("+").partition("=")
        *above, leaf = key.split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                return ""
        node[leaf] = value
    parent = report.recipe.rpartition("/")[2]
    body = "\n".join(["```yaml", f"defaults: {parent}", *_nested(tree), "```"])
    return f"As a recipe of its own, beside `{report.recipe}` as it is at {report.base_commit}:\n\n{body}"


def _nested(tree: Mapping[str, Any], depth: int = 0) -> Iterator[str]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield f"{'  ' * depth}{key}:"
            yield from _nested(value, depth + 1)
        else:
            yield f"{'  ' * depth}{key}: {value}"


def _of(report: Report, ideas: Sequence[str]) -> tuple[ReportLine, ...]:
    found = {entry.name: entry for entry in report.entries}
    return tuple(found[name] for name in ideas)


def _line(text: str) -> str:
    return clean(_plain(text))


def _plain(text: str) -> str:
    """Without control characters: what is taken home is printed by other terminals than ours."""
    return "".join(one for one in text if one == "\n" or one.isprintable())
