"""The researchers of a campaign as a chain: who is asked next, who rests, and which area all of them should leave."""

from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter

from autoresearch.engine.context import Context
from autoresearch.engine.supply import brief_for, tried_ideas, verdicts_to_learn_from
from autoresearch.errors import (
    AutoresearchError,
    FruitlessError,
    RecipeError,
    RepositoryError,
    ResearcherError,
    UnfitError,
    crossing,
)
from autoresearch.experiment.attendance import (
    FRUITLESS,
    NO_IDEA,
    PROPOSED,
    ResearcherAsked,
    ResearcherBack,
    ResearcherDropped,
    ResearcherOut,
    useless,
)
from autoresearch.experiment.briefing import SETTLED, brief_text, next_area, plateaus, tried_of
from autoresearch.experiment.events import ExperimentAbandoned, PlateauReached
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.hypothesis import BY_HAND, Brief, Hypothesis
from autoresearch.experiment.insights import vetted
from autoresearch.git import contents, diffs, worktree
from autoresearch.machine import disk
from autoresearch.ports import plugins
from autoresearch.ports.researcher import Believer, Biller, Mender, Researcher, Witness
from autoresearch.scheduling.exploration import Turn, order, patience
from autoresearch.scheduling.exploration import why_nobody as in_words
from autoresearch.scheduling.lineages import earned, earned_shares
from autoresearch.scheduling.next_move import board
from autoresearch.verdict.evidence import Evidence

_SHOWN = 3


def in_turn(ctx: Context) -> list[Researcher]:
    """Researchers in the order they are to be asked, by what each has proposed so far; who fell out lately, last."""
    turn, now = [ctx.researchers[place] for place in order(_turns(ctx))], ctx.clock()
    found = ctx.history.attendance
    return sorted(turn, key=lambda one: (found.rests(one.name, now), one.name in found.dropped))


def why_nobody(ctx: Context) -> str:
    """Why there is no proposal although nobody was in trouble."""
    return in_words([researcher.name for researcher in ctx.researchers], _turns(ctx))


def send_to_rest(ctx: Context, source: str, refusals: tuple[str, ...]) -> None:
    """Tell a person when a researcher has just been refused for the last time before it rests."""
    turn = next((turn for one, turn in zip(ctx.researchers, _turns(ctx), strict=True) if one.name == source), None)
    if turn is not None and turn.refused == turn.patience:
        ctx.note(
            f"researcher {source} rests: its last {turn.refused} proposals were refused or none, the last one because "
            f"{refusals[0] if refusals else 'of its change'}; it is asked again once something is kept, a person "
            f"steers, or the campaign is run anew"
        )


def mark_plateaus(ctx: Context) -> None:
    """Write down each area that has come to a plateau since this was last asked (R115)."""
    found = plateaus(ctx.history)
    known = {(past.area, past.ideas) for past in ctx.history.plateaus}
    worn = tuple(each.area for each in found)
    for each in found:
        if (each.area, each.ideas[:SETTLED]) not in known:
            ctx.record(PlateauReached(ctx.clock(), each.area, each.ideas[:SETTLED], next_area(worn)))


def drop_useless(ctx: Context) -> None:
    """Ask those last from now on whose ideas came to nothing while others' were kept, and write down the numbers."""
    tested: dict[str, list[bool]] = {one.name: [] for one in ctx.researchers}
    for idea in tried_ideas(ctx):
        if idea.status in {"keep", "discard"} and idea.value is not None:
            tested.get(idea.source, []).append(idea.status == "keep")
    for name, why in useless(tested).items() if len(tested) > 1 else ():
        if name not in ctx.history.attendance.dropped:
            ctx.record(ResearcherDropped(ctx.clock(), name, why))


def _told(ctx: Context, researcher: Researcher, brief: Brief) -> Brief:
    """The brief with what the others' models say of the campaign; one that fails says nothing."""
    said = []
    for one in ctx.researchers:
        if one is not researcher and isinstance(one, Believer):
            try:
                with crossing(ResearcherError, f"what researcher {one.name} believes could not be read"):
                    said.append(str(one.belief(brief)))
            except ResearcherError as error:
                ctx.note(ctx.redactor.clean(str(error)))
    return replace(brief, belief="\n".join(filter(None, said)))


def _turns(ctx: Context) -> list[Turn]:
    made, asked = ctx.history.tally.proposed, list(ctx.asked.values())
    shares = _earned(ctx) if ctx.campaign.lineages.ask == "gain" else {}
    return [
        Turn(
            made.get(one.name, 0) + asked.count(one.name), shares.get(one.name, spec.share), spec.limit,
            ctx.history.refused.get(one.name, 0), patience(spec.patience, finite=one.finite),
        )
        for one, spec in zip(ctx.researchers, ctx.campaign.researcher, strict=True)
    ]  # fmt: skip


def _earned(ctx: Context) -> dict[str, float]:
    """The part of the ideas to come that each researcher has earned."""
    rules, names = ctx.campaign.lineages, [one.name for one in ctx.researchers]
    evidence = Evidence(board(ctx.history, ctx.campaign, ctx.survey.objective, ctx.outlook()))
    found = earned(ctx.history, evidence, names, ctx.campaign.usd_per_gpu_hour)
    return dict(zip(names, earned_shares(found, rules.floor), strict=True))


@dataclass(frozen=True)
class Proposal:
    """An idea as it stands in a worktree: the hypothesis, and why it could not be applied, if so."""

    hypothesis: Hypothesis
    refused: str = ""


_PROPOSAL = TypeAdapter(Proposal)


def is_clean(ctx: Context, hypothesis: Hypothesis) -> bool:
    """Whether an attempt's worktree holds what its commit holds: an editor or a patch may leave ignored files too."""
    return not hypothesis.patch and not _edits(ctx, hypothesis.source)


def _edits(ctx: Context, source: str) -> bool:
    """Whether a researcher, or a hand, works in the worktree itself and may leave more there than its commit holds."""
    return source == BY_HAND or source in ctx.editors


def kept_proposal(path: Path) -> Proposal | None:
    try:
        return _PROPOSAL.validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True)
class Question:
    """Who is to be asked for which attempt, what it is told, and the worktree that it finds."""

    index: int
    researcher: Researcher
    brief: Brief
    tree: Path


@dataclass(frozen=True)
class Answered:
    """What came of it: what was found, or what was raised, by the one that was asked (it, or one made alike)."""

    asked: Researcher
    found: object = None
    failure: BaseException | None = None


Asking = Generator[Question, Answered, Proposal | None]


def put(question: Question, asked: Researcher | None = None) -> Answered:
    """Ask, and wait for the answer; nothing of the campaign is touched, so that any thread may."""
    one = asked or question.researcher
    try:
        return Answered(one, one.propose(question.brief, question.tree))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - told by whoever takes the answer in
        return Answered(one, failure=error)


def ask_for_proposal(ctx: Context, entry: Experiment, tree: Path) -> Asking:
    """The first idea any researcher has, applied to a worktree of the parent it asks for.

    Whoever drives this puts each question and sends its answer; everything between two questions is the loop's.

    Everybody finds a fresh worktree: what was left there by whoever had no idea, or failed, is in nobody else's commit.

    Without one the attempt is given up: for good when every researcher said that it has no more, for a while when one
    of them could not do its part (no quota, no login) or gave nothing this time. One that never can says so, and is
    waited for by nobody.
    """
    troubles, fruitless, for_good = list[str](), list[str](), list[str]()
    for researcher in in_turn(ctx):
        _fresh(ctx, tree, entry.opened.parent_commit)
        brief = _told(ctx, researcher, brief_for(ctx, entry.index, entry.opened.parent))
        before = contents.stamps(tree) if not researcher.edits else frozenset()
        answer = yield Question(entry.index, researcher, brief, tree)
        try:
            hypothesis = _idea_of(ctx, answer)
        except ResearcherError as error:
            why = ctx.redactor.clean(str(error))
            told = for_good if isinstance(error, UnfitError) else troubles
            (fruitless if isinstance(error, FruitlessError) else told).append(f"{researcher.name}: {why}")
            settle_bills(ctx, answer.asked, entry.index, error)
            continue
        finally:
            collect_notes(ctx, answer.asked)
        settle_bills(ctx, answer.asked, entry.index, None, works=hypothesis is not None)
        if hypothesis is None:
            continue
        hypothesis = without_secrets(ctx, replace(hypothesis, source=hypothesis.source or researcher.name))
        parent = _parent(ctx, hypothesis, entry)
        commit = ctx.history.arm_commit(parent)
        if commit != entry.opened.parent_commit or _meddled(ctx, researcher, tree, commit, before):
            _fresh(ctx, tree, commit)
        hypothesis = replace(hypothesis, parent=parent)
        disk.replace(ctx.paths.attempt_brief(entry.index), ctx.redactor.clean(brief_text(brief)), lasting=False)
        return Proposal(hypothesis, _apply(ctx, tree, hypothesis))
    soon = bool(fruitless) and not troubles
    why = "; ".join((*troubles, *fruitless, *for_good)) or why_nobody(ctx)
    ctx.record(ExperimentAbandoned(ctx.clock(), entry.index, why, exhausted=not troubles and not soon, soon=soon))
    return None


def settle_bills(
    ctx: Context, researcher: Researcher | Mender, index: int, error: ResearcherError | None, *, works: bool = False
) -> None:
    """Write down what the calls of a researcher cost, and that it fell out or is back.

    Args:
        ctx: The campaign.
        researcher: Who was asked.
        index: For which attempt.
        error: What it failed of, None for nothing.
        works: Whether it gave an idea.
    """
    name, found = researcher.name, _bills(ctx, researcher)
    for bill in found:
        why, due = ctx.redactor.clean(bill.why), verdicts_to_learn_from(ctx) if bill.verdicts else 0
        said = [replace(line, text=ctx.redactor.clean(line.text)) for line in bill.learned if due]
        lines = vetted(said, ctx.history.each(tried_of), ctx.survey.facts.values)
        told = replace(bill, learned=lines, verdicts=due)
        ctx.record(replace(told, at=ctx.clock(), index=index, researcher=name, why=why))
    if isinstance(error, FruitlessError):
        if not any(bill.outcome == FRUITLESS for bill in found):
            why = ctx.redactor.clean(str(error))
            ctx.record(ResearcherAsked(at=ctx.clock(), index=index, researcher=name, outcome=FRUITLESS, why=why))
        send_to_rest(ctx, name, (ctx.redactor.clean(str(error)),))
    elif error is not None and not isinstance(error, UnfitError):
        reason = ctx.redactor.clean(str(error))
        ctx.record(ResearcherOut(at=ctx.clock(), researcher=name, trouble=error.trouble, reason=reason))
        return
    answered = works or any(bill.outcome in {PROPOSED, NO_IDEA, FRUITLESS} for bill in found)
    if answered and name in ctx.history.attendance.out:
        ctx.record(ResearcherBack(ctx.clock(), name))


def _bills(ctx: Context, researcher: Researcher | Mender) -> tuple[ResearcherAsked, ...]:
    if not isinstance(researcher, Biller):
        return ()
    try:
        with crossing(ResearcherError, f"what researcher {researcher.name} cost could not be read"):
            found = tuple(researcher.bills())
    except ResearcherError as error:
        ctx.note(ctx.redactor.clean(str(error)))
        return ()
    if wrong := next((why for one in found if (why := plugins.misfit(ResearcherAsked, one, "bill"))), ""):
        ctx.note(ctx.redactor.clean(f"the {wrong} of researcher {researcher.name}, and is not counted"))
        return ()
    return found


def _idea_of(ctx: Context, answer: Answered) -> Hypothesis | None:
    """What a researcher answers; whatever else it does instead of that is a failure of it alone.

    Raises:
        ResearcherError: It could not do its part, or its code is broken: the others are asked all the same.
    """
    researcher, found, error = answer.asked, answer.found, answer.failure
    if isinstance(error, AutoresearchError):
        raise error
    if error is not None:
        raise _broken(ctx, researcher, f"it failed: {type(error).__name__}: {error}") from error
    if found is not None and not isinstance(found, Hypothesis):
        raise _broken(ctx, researcher, f"it answered {type(found).__name__} instead of a hypothesis")
    if wrong := plugins.misfit(Hypothesis | None, found, "hypothesis"):
        raise _broken(ctx, researcher, f"its {wrong}")
    return found


def _broken(ctx: Context, researcher: Researcher, how: str) -> ResearcherError:
    """The failure; a person reads it, once, also where somebody else has the next idea."""
    told = ctx.redactor.clean(f"researcher {researcher.name} does not work and is passed over: {how}")
    if told not in {note.text for note in ctx.history.notes}:
        ctx.note(told)
    return ResearcherError(how)


Stamps = frozenset[tuple[str, int, int, int, int]]
"""What `contents.stamps` told before somebody was asked."""


def _meddled(ctx: Context, researcher: Researcher, tree: Path, commit: str, before: Stamps) -> bool:
    """Whether a researcher that says it edits nothing has edited the tree; a person is told where its edits went."""
    if researcher.edits or before == contents.stamps(tree):
        return False
    files = contents.edited_paths(tree, commit)
    if files:
        ctx.note(
            f"researcher {researcher.name} edited {', '.join(files[:_SHOWN])} and does not say that it `edits`: what "
            f"it changed was thrown away, its overrides and patch count"
        )
    return bool(files)


def collect_notes(ctx: Context, researcher: object) -> None:
    """Write down what a researcher has to tell about its own work."""
    if not isinstance(researcher, Witness):
        return
    try:
        with crossing(ResearcherError, "a researcher's own notes could not be read"):
            texts = tuple(map(str, researcher.notes()))
    except ResearcherError as error:
        texts = (str(error),)
    for text in texts:
        ctx.note(ctx.redactor.clean(text))


def without_secrets(ctx: Context, hypothesis: Hypothesis) -> Hypothesis:
    """A hypothesis with secrets taken out of its words; overrides and patch are what will run, and stay as they are."""
    clean = ctx.redactor.clean
    return replace(
        hypothesis,
        title=clean(hypothesis.title),
        rationale=clean(hypothesis.rationale),
        watch=tuple(clean(item) for item in hypothesis.watch),
    )


def _fresh(ctx: Context, tree: Path, commit: str) -> None:
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, commit)


def _parent(ctx: Context, hypothesis: Hypothesis, entry: Experiment) -> str:
    """The arm a hypothesis starts from; one that cannot be one falls back to the attempt's own, with a note."""
    if hypothesis.parent == "incumbent":
        return entry.opened.parent
    if why := unfit(ctx, hypothesis.parent):
        ctx.note(f"{hypothesis.title!r} asks for parent {hypothesis.parent!r}, which {why}; using its default")
        return entry.opened.parent
    return hypothesis.parent


def unfit(ctx: Context, arm: str) -> str:
    """Why nothing may be built on an arm, empty when it may: guards compare with the parent, so it must be clean."""
    if arm in ctx.history.bundles:
        return "could not be merged" if ctx.history.bundles[arm].conflict else ""
    try:
        committed = ctx.history.experiment(arm).committed
    except KeyError:
        return "does not exist"
    if ctx.history.has_yardstick(arm):
        return "is measured with a yardstick of its own"
    return "was refused" if committed and committed.breaches else ""


def _apply(ctx: Context, tree: Path, hypothesis: Hypothesis) -> str:
    """Write overrides and patch into the tree; why they cannot be applied, empty when they were."""
    try:
        if hypothesis.overrides:
            ctx.target.apply(tree, hypothesis.overrides)
        if hypothesis.patch:
            diffs.apply_patch(tree, hypothesis.patch)
    except (RecipeError, RepositoryError) as error:
        return str(error)
    return ""
