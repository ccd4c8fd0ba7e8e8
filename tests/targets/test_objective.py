import re

import pytest

from autoresearch.errors import CampaignError
from autoresearch.run.measurement import Direction
from autoresearch.targets.nemo_rl import objective as metric
from autoresearch.targets.recipe.load import load

GRPO = "examples/configs/grpo_math_1B.yaml"
SFT = "examples/configs/sft.yaml"
DPO = "examples/configs/dpo.yaml"
GYM = "examples/nemo_gym/grpo_nanov3.yaml"
XTOKEN = "examples/configs/xtoken_multiteacher_off_policy_distillation.yaml"
SINGLE = "examples/configs/grpo_math_1B_megatron_single_controller.yaml"
UP, DOWN = Direction.MAXIMIZE, Direction.MINIMIZE


@pytest.mark.parametrize(
    ("recipe", "name", "tag", "direction"),
    [
        (GRPO, "val:accuracy", "validation/accuracy", UP),
        (SFT, "val:val_loss", "validation/val_loss", DOWN),
        (DPO, "val:validation-default_loss", "validation-default/loss", DOWN),
        ("examples/configs/rm.yaml", "val:validation-default_loss", "validation-default/loss", DOWN),
        ("examples/configs/ppo_math_1B.yaml", "val:accuracy", "validation/accuracy", UP),
        ("examples/configs/distillation_math.yaml", "val:accuracy", "validation/accuracy", UP),
        (GYM, "val:total_reward/mean", "validation/total_reward/mean", UP),
        (XTOKEN, "train:loss", "train/loss", DOWN),
        (SINGLE, "train:reward", "train/reward", UP),
    ],
)
def test_each_algorithm_has_its_own_metric(nemo, placeholders, recipe, name, tag, direction):
    """The recipe's metric, the logger's tag for it, and which way is better."""
    objective = metric.objective_for(load(nemo, recipe))
    assert (objective.metric, objective.tag, objective.direction) == (name, tag, direction)


@pytest.mark.parametrize(
    ("recipe", "spelling", "name"),
    [
        (GRPO, "val:accuracy", "val:accuracy"),
        (GRPO, "validation/accuracy", "val:accuracy"),
        (GRPO, "val_accuracy", "val:accuracy"),
        (GRPO, "val_reward", "val:accuracy"),
        (GRPO, "accuracy", "val:accuracy"),
        (GRPO, "train/loss", "train:loss"),
        (GRPO, "timing/train/total_step_time", "timing/train/total_step_time"),
        (SFT, "val_loss", "val:val_loss"),
        (SFT, "validation/val_loss", "val:val_loss"),
        (DPO, "validation-default/loss", "val:validation-default_loss"),
        (DPO, "validation-default_loss", "val:validation-default_loss"),
        (DPO, "validation-default/accuracy", "val:validation-default_accuracy"),
        (GYM, "validation/total_reward/mean", "val:total_reward/mean"),
        (GYM, "total_reward/mean", "val:total_reward/mean"),
    ],
)
def test_a_metric_may_be_named_in_any_of_its_spellings(nemo, placeholders, recipe, spelling, name):
    """R281: config key, logger tag, saved key and the spelling of hand-written notes are one metric."""
    assert metric.objective_for(load(nemo, recipe), spelling).metric == name


@pytest.mark.parametrize(
    ("goal", "tag", "direction"),
    [
        ("raise throughput", "performance/tokens_per_sec_per_gpu", UP),
        ("make a step faster", "timing/train/total_step_time", DOWN),
        ("lower generation latency", "timing/train/generation", DOWN),
        ("use less GPU memory", metric.PEAK_MEMORY, DOWN),
        ("improve training stability", "train/token_mult_prob_error", DOWN),
        ("raise validation accuracy", "validation/accuracy", UP),
        ("faster, without losing accuracy", "validation/accuracy", UP),
    ],
)
def test_the_goals_words_choose_the_objective(nemo, goal, tag, direction):
    """R1: throughput, latency, memory, stability and step time are objectives with a tag and a direction of their own."""
    objective = metric.objective_for(load(nemo, GRPO), goal=goal)
    assert (objective.tag, objective.direction) == (tag, direction)


def test_accuracy_is_said_to_be_mean_reward(nemo):
    """GRPO's accuracy is explained as what it is; an SFT loss is a loss."""
    assert "mean reward over rollouts of the validation set" in metric.objective_for(load(nemo, GRPO)).meaning
    assert "loss" in metric.objective_for(load(nemo, SFT)).meaning


def test_a_direction_that_cannot_be_known_is_asked_for(nemo):
    """A metric of the user's own needs its direction said."""
    with pytest.raises(CampaignError, match="is not a known one"):
        metric.objective_for(load(nemo, GRPO), "train/zorp")
    assert metric.objective_for(load(nemo, GRPO), "train/zorp", "minimize").direction is DOWN


@pytest.mark.parametrize(
    ("recipe", "overrides", "warning"),
    [
        (GRPO, ["checkpointing.metric_name=null"], "metric_name is null"),
        (GRPO, ["checkpointing.metric_name=train:loss"], "rewards memorising"),
        (
            GRPO,
            ["grpo.val_period=0"],
            r"never validates while training \(grpo.val_period is 0, from grpo.val_period=0\)",
        ),
        (GRPO, ["checkpointing.save_period=15"], "out of step with validation"),
        (GRPO, ["grpo.val_period=0", "~data.train.split_validation_size"], "has no validation data"),
        (GRPO, ["checkpointing.higher_is_better=false"], "check which way"),
        (SINGLE, [], "does not validate"),
    ],
)
def test_what_a_maintainer_would_point_out(nemo, recipe, overrides, warning):
    """Null, train-only, never validated, no validation data, saved out of step: each is said in one sentence."""
    composed = load(nemo, recipe, overrides)
    found = metric.warnings(composed, metric.objective_for(composed))
    assert any(re.search(warning, one) for one in found)


def test_a_sound_recipe_has_nothing_to_point_out(nemo):
    """Warnings are about something: a recipe that validates in step gets none."""
    composed = load(nemo, GRPO)
    assert metric.warnings(composed, metric.objective_for(composed)) == ()


def test_a_recipe_without_validation_data_is_judged_by_what_it_trains_on(nemo):
    """`val:` metrics of such a recipe would never appear, and asking for a validation would end the run at its start."""
    bare = ["grpo.val_period=0", "~data.train.split_validation_size"]
    assert metric.own_metric(load(nemo, GRPO, bare)) == "train:reward"
    assert metric.own_metric(load(nemo, GRPO, bare[:1])) == "val:accuracy"


@pytest.mark.parametrize(("recipe", "named", "meant"), [
    (GRPO, "val:acuracy", "val:accuracy"),
    (GRPO, "val:", "val:accuracy"),
    (SFT, "val:loss", "val:val_loss"),
    (DPO, "val:validation_default_loss", "val:validation-default_loss"),
])  # fmt: skip
def test_a_metric_that_nothing_logs_is_pointed_out(nemo, recipe, named, meant):
    """Upstream notices it at the first save after a validation, when the GPUs have been paid for."""
    composed = load(nemo, recipe, (f"checkpointing.metric_name='{named}'",))
    found = metric.warnings(composed, metric.objective_for(composed))
    assert any(
        f"which no validation logs, so a run fails at its first save; did you mean {meant}?" in one for one in found
    )


@pytest.mark.parametrize("named", ["val:pass_k", "val:total_reward/mean", "val:my_own_number", "train:acuracy"])
def test_a_metric_of_ones_own_is_taken_as_it_is(nemo, named):
    """Environments report numbers under names that nobody here can know."""
    composed = load(nemo, GRPO, (f"checkpointing.metric_name={named}",))
    assert not any(
        "no validation logs" in one
        for one in metric.warnings(composed, metric.objective_for(composed, direction="maximize"))
    )
