"""What the researchers of a campaign could propose in it, known before it begins: nobody waits a night for nothing."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import AutoresearchError, CampaignError, RecipeError
from autoresearch.experiment.hypothesis import Brief, Hypothesis
from autoresearch.git import worktree
from autoresearch.ports import plugins
from autoresearch.ports.researcher import Researcher, Supplier, Supply
from autoresearch.ports.target import ScriptKnob, Survey, Target
from autoresearch.records.paths import Layout

_MOST_TOLD = 5
_ON_BASE = ("incumbent", "baseline")


def supplies(campaign: CampaignConfig, root: Path, survey: Survey) -> tuple[Supply, ...]:
    """What each researcher of the file has for the recipe as it is.

    Raises:
        CampaignError: One has options that it cannot work with, such as a list that is not there.
    """
    return tuple(_supply(campaign, root, survey, place) for place in range(len(campaign.researcher)))


def _supply(campaign: CampaignConfig, root: Path, survey: Survey, place: int) -> Supply:
    spec, scope = campaign.researcher[place], campaign.scope
    options = {"root": str(root), "seed": campaign.run.first_seed, **spec.options()}
    with TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        try:
            one: Researcher = plugins.make("researchers", spec.type, options=options, folder=Path(folder))
        except CampaignError:
            raise
        except AutoresearchError as error:
            return Supply(f"`run` will refuse it: {error}")
    brief = Brief(
        campaign=campaign.campaign,
        index=2,
        objective=survey.objective,
        facts=survey.facts,
        protect_keys=(*survey.protect_keys, *scope.protect_keys),
        origin=survey.facts.values,
    )
    return one.supply(brief) if isinstance(one, Supplier) else Supply("")


def why_none(campaign: CampaignConfig, found: Sequence[Supply]) -> str:
    """Why no researcher could propose anything, in words; empty when one could, or all is driven by hand."""
    if not found or any(one.most != 0 for one in found):
        return ""
    said = "; ".join(f"{spec.type}: {one.told}" for spec, one in zip(campaign.researcher, found, strict=True))
    return (
        f"nobody could propose anything here ({said}): name ideas with --ideas FILE, knobs with target.knobs or "
        f"target.space for --researcher search, or let `autoresearch init -- COMMAND` find them; --set researcher=[] "
        f"is for what is driven by hand alone"
    )


def told(campaign: CampaignConfig, found: Sequence[Supply]) -> str:
    """Who proposes, in order, with what each has."""
    each = zip(campaign.researcher, found or [Supply("")] * len(campaign.researcher), strict=True)
    return ", then ".join(f"{spec.type} ({one.told})" if one.told else spec.type for spec, one in each)


def search_instead(draft: CampaignConfig, root: Path, survey: Survey) -> dict[str, object] | None:
    """A search, where nobody was named and who would be asked has nothing for such a recipe; None where nothing is."""
    space = survey.facts.space or _searchable(survey)
    if not space or not why_none(draft, supplies(draft, root, survey)):
        return None
    return {"type": "search", "knobs": 2, **({} if survey.facts.space else {"space": space})}


def _searchable(survey: Survey) -> dict[str, object]:
    """A space over the keys of a configuration file, as far as their names and values tell one."""
    known = [
        ScriptKnob(name=key, place="key", at=key, kind=type(value).__name__, default=value)
        for key, value in survey.facts.values.items()
        if isinstance(value, bool | int | float)
    ]
    return plugins.knob_finder().space_of(known)


def refused_ideas(root: Path, commit: str, target: Target, found: Sequence[Supply]) -> tuple[str, ...]:
    """Listed ideas whose overrides cannot be applied to a commit, or are another's; each is tried on a fresh tree.

    Raises:
        CampaignError: None of them can be, and nobody else has any.
    """
    ideas = [
        idea for one in found for idea in one.ideas if idea.overrides and not idea.patch and idea.parent in _ON_BASE
    ]
    if not ideas:
        return ()
    tree = Layout(root).campaign("dry").worktree(f".dry-{os.getpid()}")
    worktree.add(root, tree, commit)
    known: dict[Made, str] = {(): "the baseline, which says so already"}
    try:
        failed = [problem for idea in ideas if (problem := _problem(target, tree, commit, idea, known))]
    finally:
        worktree.remove(root, tree)
    all_ = sum(len(one.ideas) for one in found)
    if len(failed) == all_ and all(one.ideas or one.most == 0 for one in found):
        raise CampaignError(f"none of the {all_} listed ideas can be applied: {failed[0]}")
    return tuple(_shown(failed))


Made = tuple[tuple[str, bytes], ...]
"""Files as an idea's overrides leave them."""


def _problem(target: Target, tree: Path, commit: str, idea: Hypothesis, known: dict[Made, str]) -> str:
    """Why an idea is no experiment of its own, empty where it is one; `known` learns what it makes of the files."""
    try:
        changed = target.apply(tree, idea.overrides)
    except RecipeError as error:
        return str(error)
    made = tuple((path, (tree / path).read_bytes()) for path in sorted(changed))
    new = set(worktree.added(tree, commit))
    for path in new:
        (tree / path).unlink()
    worktree.put_back(tree, commit, set(changed) - new)
    if made in known:
        return f"{idea.title!r} is a duplicate of {known[made]}"
    known[made] = repr(idea.title)
    return ""


def _shown(failed: Sequence[str]) -> Iterator[str]:
    yield from (f"a listed idea cannot be applied: {problem}" for problem in failed[:_MOST_TOLD])
    if len(failed) > _MOST_TOLD:
        yield f"{len(failed) - _MOST_TOLD} more listed ideas cannot be applied"
