"""Weights of ideas that were not kept go; everything that a person may still want stays."""

from types import MethodType

from autoresearch.campaign import beginning, opening
from autoresearch.engine import settlement
from autoresearch.targets.nemo_rl import saves


def test_weights_of_a_discarded_idea_go_and_those_of_the_others_stay(finished):
    """Numbers stay as well, and so does an idea that somebody pinned, until the pin is taken away."""
    opened = opening.open_campaign(finished.root)
    ctx = beginning.make_context(opened)
    ctx.campaign = ctx.campaign.model_copy(update={"run": ctx.campaign.run.model_copy(update={"checkpoints": "kept"})})
    ctx.target.weights = MethodType(lambda _self, folder: saves.weights(folder), ctx.target)
    left = {}
    for run in ctx.history.runs.values():
        step = ctx.paths.run(run.planned.experiment, run.planned.number) / "checkpoints" / "step_1"
        (step / "policy").mkdir(parents=True, exist_ok=True)
        (step / "policy" / "weights.bin").write_bytes(bytes(1000))
        (step / "training_info.json").touch()
        left[run.run_id] = step
    dropped = {entry.name for entry in ctx.history.judged if entry.judged.verdict.status.value != "keep"}
    assert len(dropped) > 1
    pinned, there = min(dropped), []

    def heard(event) -> None:
        if "its checkpoints are deleted, " in getattr(event, "text", ""):
            name = event.text.partition(":")[0]
            there.append((name, any((left[run.run_id] / "policy").exists() for run in ctx.history.runs_of(name))))

    ctx.listeners = [*ctx.listeners, heard]
    (ctx.paths.experiment(pinned) / "pinned").touch()
    for turn, going in enumerate((dropped - {pinned}, dropped)):
        settlement.publish_missing(ctx)
        gone = {
            run.planned.experiment for run in ctx.history.runs.values() if not (left[run.run_id] / "policy").exists()
        }
        assert gone == going
        (ctx.paths.experiment(pinned) / "pinned").unlink() if not turn else None
    assert all((step / "training_info.json").exists() for step in left.values())
    assert sorted(there) == sorted((name, True) for name in dropped), "noted before it is deleted, once"
