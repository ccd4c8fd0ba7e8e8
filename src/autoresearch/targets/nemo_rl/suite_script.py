"""A script for `tests/test_suites`, as NeMo-RL's maintainers keep one for each recipe.

Its layout is theirs. Every number in it was measured, or is what the recipe says; where runs do not tell one
there is a comment in its place.
"""

import math
import shlex
from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, Context
from pathlib import PurePosixPath

from autoresearch.errors import CampaignError
from autoresearch.ports.target import MeasuredRun, SuiteScript
from autoresearch.run.job import Resources
from autoresearch.run.measurement import Direction, Objective
from autoresearch.targets.nemo_rl.cost import TestScript
from autoresearch.targets.recipe.recipe import Recipe

_RECIPES, _SUITES = "examples/configs/recipes/", "tests/test_suites/"
_DIGITS = 4
_LAST_STEP = 'to_entries | .[] | select(.key == "train/loss") | .value | keys | map(tonumber) | max'
_TEXT = """\
#!/bin/bash
# Of {count} run{s} that autoresearch measured, seed{s} {seeds}.
SCRIPT_DIR=$( cd -- "$( dirname -- "${{BASH_SOURCE[0]}}" )" &> /dev/null && pwd)
source $SCRIPT_DIR/common.env
{exports}
# ===== BEGIN CONFIG =====
NUM_NODES={nodes}
GPUS_PER_NODE={gpus}
STEPS_PER_RUN={steps}
MAX_STEPS={steps}
NUM_RUNS=$(( (MAX_STEPS + STEPS_PER_RUN - 1) / STEPS_PER_RUN ))  # Round up
NUM_MINUTES={minutes}  # the longest of the measured runs took {longest:.1f}
# ===== END CONFIG =====

exit_if_max_steps_reached

# Run the experiment
cd $PROJECT_ROOT
uv run {entry} \\
    --config $CONFIG_PATH \\
    {algorithm}.max_num_steps=$MAX_STEPS \\
    logger.log_dir=$LOG_DIR \\
    logger.wandb_enabled=True \\
    logger.wandb.project=nemo-rl \\
    logger.wandb.name=$EXP_NAME \\
    logger.monitor_gpus=True \\
    logger.tensorboard_enabled=True \\
    checkpointing.enabled=True \\
    checkpointing.checkpoint_dir=$CKPT_DIR \\
    $@ \\
    2>&1 | tee $RUN_LOG

# Convert tensorboard logs to json
uv run tests/json_dump_tb_logs.py $LOG_DIR --output_path $JSON_METRICS

# Only run metrics if the target step is reached
if [[ $(jq '{last}' $JSON_METRICS) -ge $MAX_STEPS ]]; then
{check}
fi
"""


def suite_script(
    recipe: Recipe,
    objective: Objective,
    entry: str,
    needs: Resources,
    runs: Sequence[MeasuredRun],
    script: TestScript | None,
) -> SuiteScript:
    """The script of a recipe, with the figures of its measured runs.

    Args:
        recipe: The composed recipe.
        objective: What it was judged by.
        entry: The training script.
        needs: Nodes and GPUs of a run.
        runs: Its runs that have a number.
        script: The test script that the recipe or a parent has already, whose exports are taken over.

    Raises:
        CampaignError: The suite could not find the recipe, or no run tells how many steps and minutes it takes.
    """
    if not recipe.path.startswith(_RECIPES):
        raise CampaignError(
            f"{recipe.path} is outside {_RECIPES}, the only place where a script of {_SUITES} finds a recipe; adopt "
            "without --test-suite, or copy the recipe there first"
        )
    reached = [run.measurement.last_step for run in runs if run.measurement.last_step]
    if not reached:
        raise CampaignError(
            "no measured run says how many steps it made, so no test script can; leave --test-suite out"
        )
    place = PurePosixPath(_SUITES + recipe.path.removeprefix(_RECIPES)).with_suffix(".sh")
    longest = max(run.minutes for run in runs)
    exports = "".join(
        f"export {name}={shlex.quote(value)}\n" for name, value in (script.exports if script else {}).items()
    )
    text = _TEXT.format(
        count=len(runs),
        s="s" * (len(runs) != 1),
        seeds=", ".join(str(run.seed) for run in runs),
        exports=f"\n{exports}" if exports else "",
        nodes=needs.nodes,
        gpus=needs.gpus_per_node,
        steps=min(reached),
        minutes=math.ceil(longest),
        longest=longest,
        entry=entry,
        algorithm=recipe.algorithm,
        last=_LAST_STEP,
        check="\n".join(f"    {line}" for line in _check(objective, runs)),
    )
    return SuiteScript(place=str(place), text=text)


def _check(objective: Objective, runs: Sequence[MeasuredRun]) -> Sequence[str]:
    """What holds a later run to what was measured, or why nothing does: a branch of bash is never empty."""
    steps = {run.measurement.step for run in runs}
    values = [run.measurement.value for run in runs if run.measurement.value is not None]
    step = next(iter(steps)) if len(steps) == 1 else None
    if not objective.tag or step is None or not values or any(run.apart for run in runs):
        return (
            f"# The measured values of {objective.metric} are no single figure of the event files: none is checked.",
            ":",
        )
    more = objective.direction is Direction.MAXIMIZE
    worst, sign, word = (min(values), ">=", "lowest") if more else (max(values), "<=", "highest")
    lenient = Context(prec=_DIGITS, rounding=ROUND_FLOOR if more else ROUND_CEILING)
    return (
        f"# The {word} of {len(values)} measured, to {_DIGITS} digits. By chance alone a run is worse than all of them",
        f"# about one time in {len(values) + 1}: widen it by what a false alarm costs you.",
        "uv run tests/check_metrics.py $JSON_METRICS \\",
        f"""    'data["{objective.tag}"]["{step}"] {sign} {lenient.create_decimal(repr(worst))}'""",
    )
