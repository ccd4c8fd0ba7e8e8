"""A result, taken up again: what was kept as one clean branch, and a campaign that goes on.

`adopt` makes a branch of signed-off commits with the very files that were
measured; no checkout is touched. `extend` grants a campaign more than its stop rule did.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.campaign import consent, controller, opening, standing
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.surroundings import settled_target
from autoresearch.config import stop_phrase
from autoresearch.errors import CampaignError
from autoresearch.experiment import events as happened
from autoresearch.experiment import names
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import commits, diffs, objects, refs, worktree
from autoresearch.machine import disk
from autoresearch.ports.target import MeasuredRun, Suited, SuiteScript
from autoresearch.report import adoption
from autoresearch.report.pages import claim_words
from autoresearch.report.report import Report
from autoresearch.scheduling.stop_check import StopState, check, extended, spent_by

_ADOPTED = "adopted"
_MORE = re.compile(r"\b(?:more|further|another|additional)\b", re.IGNORECASE)
_ALONE = re.compile(r"^\s*(\d+) (?:more|further)[\s.!]*$", re.IGNORECASE)
"""A number by itself, as in `20 more`: it counts what the table counts."""
_BESIDES = re.compile(r"(?<!kept )\b(?:ideas?|hypothes[ie]s|tries|try|trials?|iterations?)\b", re.IGNORECASE)
"""What a stop rule counts besides the baseline; nobody grants a second one."""


@dataclass(frozen=True, kw_only=True)
class Adopted:
    """What was kept, as a branch to merge.

    Attributes:
        branch: The branch.
        commit: Its full hash.
        arm: The experiment or bundle that it holds.
        measured: The branch that was measured, whose files it has.
        standing: What the campaign says of it, in a sentence.
        changes: Titles of its changes, oldest first.
        together: Names of changes that stand in one commit, because no arm had the first of them by itself and git
            cannot take them apart.
        unsupported: Its changes that runs speak against, each in words.
        onto: What is checked out: a branch, or a short commit.
        conflicts: Files in which it conflicts with that.
        by_hand: What a merge leaves to do by hand; empty for nothing.
        text: The file with the text of a pull request.
        kept: Where another text that stood there is now; None without one.
        script: The file with a test for the project's own suite; None where none was asked for.
        script_place: Where in the repository that belongs.
    """

    branch: str
    commit: str
    arm: str
    measured: str
    standing: str
    changes: tuple[str, ...]
    together: tuple[str, ...]
    unsupported: tuple[str, ...]
    onto: str
    conflicts: tuple[str, ...]
    by_hand: str
    text: Path
    kept: Path | None = None
    script: Path | None = None
    script_place: str = ""


def adopt(campaign: Campaign, index: int | None = None, *, test_suite: bool = False) -> Adopted:
    """Make one clean branch of what was kept: a signed-off commit for each change, on the commit the campaign began on.

    The same result gives the same branch again. Its files are, byte for byte, those that were measured.

    Args:
        campaign: The campaign.
        index: Number of the experiment to adopt with all that it is built on; None for the best, if fresh seeds speak
            for it, without a member that they do not support.
        test_suite: Whether a test for the project's own suite is written besides.

    Raises:
        CampaignError: There is nothing to adopt, or nothing that fresh seeds speak for; or no such test can be written.
    """
    opened = opening.open_campaign(campaign.where, campaign.name)
    history, root = opened.history, opened.paths.root
    report = controller.report_of(standing.read(opened), campaign.clock())
    arm = _chosen(opened, report, index)
    ideas = history.lineage(arm)
    suite = _suite_script(opened, arm) if test_suite else None
    changes = adoption.changes(report, history, ideas)
    commit, together = _as_commits(opened, arm, changes)
    branch = _branch(root, opened.paths.name, commit)
    head = refs.head_commit(root)
    text = opened.paths.pull_request
    left = adoption.by_hand(objects.files_of(root, commit))
    words = adoption.pull_request(report, arm, ideas, branch, history.arm_branch(arm), left)
    kept = _written(text, opening.redactor(root).clean(words))
    script = opened.paths.suite_script(Path(suite.place).name) if suite else None
    if suite and script:
        _written(script, opening.redactor(root).clean(suite.text))
        script.chmod(0o755)
    return Adopted(
        branch=branch,
        commit=commit,
        arm=arm,
        measured=history.arm_branch(arm),
        standing=adoption.standing_of(report, arm),
        changes=tuple(change.title for change in changes),
        together=together,
        unsupported=tuple(claim_words(entry) for entry in adoption.unsupported(report, ideas)),
        onto=refs.current_branch(root) or head[:7],
        conflicts=diffs.merge_tree(root, head, commit).conflicts,
        by_hand=left,
        text=text,
        kept=kept,
        script=script,
        script_place=suite.place if suite else "",
    )


def _suite_script(opened: opening.Opened, arm: str) -> SuiteScript:
    """A test for the project's own suite, with the figures of an arm's runs."""
    history, paths, alone = opened.history, opened.paths, opened.campaign.evaluate and opened.campaign.evaluate.alone
    target = settled_target(opened.campaign, history)
    runs = tuple(
        MeasuredRun(seed=run.planned.seed, minutes=run.wall_s / 60, measurement=run.measurement, apart=bool(alone))
        for run in history.current_runs(arm)
        if run.valid and run.wall_s and run.measurement
    )
    if not isinstance(target, Suited) or not runs:
        what = (
            "no run of it has a number" if runs == () else f"a target {opened.campaign.target.type} has no test suite"
        )
        raise CampaignError(f"{what}, so no test script can be written; leave --test-suite out")
    with worktree.passing(paths.root, paths.worktrees, history.arm_commit(arm)) as tree:
        return target.test_suite(tree, runs)


def _written(file: Path, words: str) -> Path | None:
    """Write the text; another that was there may hold a person's words, so it stays, under the name returned."""
    kept = None
    if file.exists() and file.read_bytes() != words.encode():
        names_beside = (file.with_name(f"{file.stem}-{number}{file.suffix}") for number in itertools.count(1))
        kept = file.rename(next(name for name in names_beside if not name.exists()))
    disk.replace(file, words)
    return kept


def _chosen(opened: opening.Opened, report: Report, index: int | None) -> str:
    """The arm that is adopted."""
    if index is None:
        if why := adoption.objection(report):
            raise CampaignError(
                f"{why.rstrip('.')}. To adopt an experiment all the same, name it: autoresearch adopt N"
            )
        return report.leaner_arm or report.incumbent
    entry = opened.experiment(index)
    if not entry.commit or entry.name == BASELINE:
        what = "is the baseline itself" if entry.commit else "has no commit"
        raise CampaignError(f"experiment {index} {what}, so there is nothing to adopt")
    if entry.committed and entry.committed.breaches:
        raise CampaignError(f"experiment {index} broke the rules ({entry.committed.breaches[0]}) and is not adopted")
    return entry.name


def _as_commits(
    opened: opening.Opened, arm: str, changes: Sequence[adoption.AdoptedChange]
) -> tuple[str, tuple[str, ...]]:
    """A commit for each change, the last with the arm's own files; and which changes had to be put into one."""
    history, root = opened.history, opened.paths.root
    assert history.started is not None  # noqa: S101 - its report was made
    who, at, clean = commits.identity(root), history.started.at, opening.redactor(root).clean
    made = {history.lineage(one): one for one in (*history.bundles, *(e.name for e in history.kept))}
    commit, waiting = history.started.base_commit, list[adoption.AdoptedChange]()
    together: tuple[str, ...] = ()
    for number, change in enumerate(changes, start=1):
        waiting.append(change)
        names_so_far = tuple(one.name for one in changes[:number])
        last = number == len(changes)
        prefix = arm if last else made.get(names_so_far, "")
        tree = f"{history.arm_commit(prefix)}^{{tree}}" if prefix and history.arm_commit(prefix) else None
        if tree is None and len(waiting) == 1:
            entry = history.experiment(change.name)
            tree = diffs.merge_tree(root, commit, entry.commit, base=entry.parent_commit).tree
        if tree is None:
            continue
        together += tuple(one.name for one in waiting) if len(waiting) > 1 else ()
        commit = commits.commit_tree(root, tree, [commit], clean(_joined(waiting)), who, at)
        waiting = []
    return commit, together


def _joined(changes: Sequence[adoption.AdoptedChange]) -> str:
    """The message of one commit for these changes."""
    if len(changes) == 1:
        return changes[0].message
    parts = [change.message.rpartition("\n\n") for change in changes]
    subject = f"{len(changes)} changes that stand on each other"
    return "\n\n".join([subject, *(body for body, _, _ in parts), "\n".join(trailer for _, _, trailer in parts)])


def _branch(root: Path, campaign: str, commit: str) -> str:
    """A branch of ours at this commit: the one that has it, else the first name that is free."""
    first = f"{names.PREFIX}/{_ADOPTED}/{campaign}"
    for number in itertools.count(1):
        branch = first if number == 1 else f"{first}-{number}"
        if way := refs.in_the_way(root, branch):
            if way.startswith(f"{branch}/"):
                continue
            cure = f"give it another name: git branch -m {way} NAME"
            raise CampaignError(f"no branch below {way} can be made while that is a branch itself; {cure}")
        if refs.branch_commit(root, branch) in {None, commit}:
            refs.create_branch(root, branch, commit)
            return branch
    raise AssertionError


def extend(campaign: Campaign, words: str) -> StopState:
    """Grant a campaign more than its stop rule did: it goes on with its noise, its seeds and its memory.

    Args:
        campaign: The campaign; it may have ended, and it may be at work.
        words: What is granted on top, as in a stop rule: `20 more experiments`, `4 hours more`, `until Monday 9:00`.

    Returns:
        What is left now.

    Raises:
        CampaignError: Nothing is granted, it cannot be granted on the way, or no person was proved to say so.
    """
    opened = opening.open_to_act(campaign.where, campaign.name)
    reading, now = standing.read(opened), campaign.clock()
    assert opened.limits is not None  # noqa: S101 - it has begun
    said = _BESIDES.sub("experiments", _MORE.sub(" ", _ALONE.sub(r"\1 experiments", words)))
    if not said.strip(" .!0123456789"):
        raise CampaignError(f"nothing is granted by {words!r}: say for example autoresearch extend '12 experiments'")
    more = stop_phrase.parse(said)
    limits = extended(opened.limits, more, spent_by(opened.history, reading.objective), reading.objective, now)
    clean, who = opening.redactor(opened.paths.root).clean, campaign.by or controller.person()
    word = happened.Resumed(at=now, by=who, words=clean(words.strip()), limits=limits.plain())
    consent.record(opened, word)
    return check(limits, spent_by(opened.history, reading.objective), now)
