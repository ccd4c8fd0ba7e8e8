"""The researchers of a campaign as a chain: who is asked next, who rests, and which area all of them should leave."""

from autoresearch.engine.context import Context
from autoresearch.engine.turns import Turn, order, patience
from autoresearch.engine.turns import why_nobody as in_words
from autoresearch.experiment.events import PlateauReached
from autoresearch.experiment.plateau import SETTLED, next_area, plateaus
from autoresearch.ports import Researcher


def in_turn(ctx: Context) -> list[Researcher]:
    """Researchers in the order they are to be asked, by what each has proposed so far."""
    return [ctx.researchers[place] for place in order(_turns(ctx))]


def why_nobody(ctx: Context) -> str:
    """Why there is no proposal although nobody was in trouble."""
    return in_words([researcher.name for researcher in ctx.researchers], _turns(ctx))


def send_to_rest(ctx: Context, source: str, refusals: tuple[str, ...]) -> None:
    """Tell a person when a researcher has just been refused for the last time before it rests."""
    turn = next((turn for one, turn in zip(ctx.researchers, _turns(ctx), strict=True) if one.name == source), None)
    if turn is not None and turn.refused == turn.patience:
        ctx.note(
            f"researcher {source} rests: its last {turn.refused} proposals were refused, the last one because "
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


def _turns(ctx: Context) -> list[Turn]:
    made = [entry.hypothesis.source for entry in ctx.history.experiments.values() if entry.committed]
    return [
        Turn(
            made.count(one.name), spec.share, spec.limit, ctx.history.refused.get(one.name, 0),
            patience(spec.type, spec.patience),
        )
        for one, spec in zip(ctx.researchers, ctx.campaign.researcher, strict=True)
    ]  # fmt: skip
