"""What NeMo-RL prints (commit 7ea279abf), as data.

The step counter on standard output restarts every epoch, while event files, rollout files and checkpoints use the
global step. Validation and checkpoint lines print the global step, so they re-anchor the count, also in a log read
from its middle.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from autoresearch.run.log_patterns import Grammar, scan
from autoresearch.run.measurement import Completion, Readings
from autoresearch.run.symptom import clean

_NUMBER = r"([+-]?(?:nan|inf|\d[\d.]*(?:e[+-]?\d+)?))"
_BULLET = r"^\s*• "

_AMONG = r"^step_metrics=\{.*?'%s': (?:np\.\w+\()?"
"""Before one of the numbers that the single controller prints as a dictionary, in place of a block of results."""

_END = r"(?=$|[ ,)}])"

_GIVEN = ("accuracy", "preference_loss", "sft_loss", "rewards_chosen_mean", "rewards_rejected_mean")
"""What DPO and RM print of a training step, by the names of their fields; `loss` is among them in lower case."""

PATTERNS: dict[str, str] = {
    "train/loss": rf"(?:{_BULLET}(?:Policy )?[Ll]oss: |{_AMONG % 'loss'}){_NUMBER}{_END}",
    "train/critic/loss": rf"{_BULLET}Critic Loss: {_NUMBER}$",
    "train/reward": rf"(?:{_BULLET}Avg (?:Total )?Reward: |{_AMONG % 'reward'}){_NUMBER}{_END}",
    **{f"train/{name}": rf"{_BULLET}{name}: {_NUMBER}$" for name in _GIVEN},
    "train/filtered_reward": rf"{_BULLET}Avg Filtered Reward: {_NUMBER}$",
    "train/gen_kl_error": rf"{_BULLET}Generation KL Error: {_NUMBER}$",
    "train/mean_gen_tokens_per_sample": rf"{_BULLET}Mean Generation Length: {_NUMBER}$",
    "timing/train/total_step_time": rf"{_BULLET}Total step time: {_NUMBER}s$",
    "timing/train/generation": rf"{_BULLET}generation: {_NUMBER}s \(",
    "validation/accuracy": rf"{_BULLET}Accuracy: {_NUMBER}$",
    **{f"validation{{section}}/{name}": rf"{_BULLET}Validation {name}: {_NUMBER}$" for name in ("loss", *_GIVEN)},
}
"""Pattern by logger tag. SFT prints its `validation/val_loss` as `Validation loss`, hence `validation/loss` here."""

STEP = r"^=+ Step (\d+)/\d+"
CLOSING = r"^train step (\d+)/\d+"
"""The single controller prints its step last, below the numbers."""

ANCHOR = r"^(?:▶ Starting validation at step |Saving checkpoint for step )(\d+)"
SECTION = r"Validation Results(?: for `(.+?)` set)?:"

LOG_OPTIONS: dict[str, object] = {
    "patterns": PATTERNS,
    "step": STEP,
    "anchor": ANCHOR,
    "section": SECTION,
    "restarts": True,
    "closing": CLOSING,
    "path": "run.log",
}
"""Options of the metric source `logs` that reads a NeMo-RL log as event files would be read."""

PRINTED_AS = {"validation/val_loss": "validation/loss", "validation/total_reward/mean": "validation/accuracy"}
"""Logger tag → tag of the printed line, where the two differ. GRPO prints the mean reward as `Accuracy`."""

_GRAMMAR = Grammar(
    values={tag: re.compile(text) for tag, text in PATTERNS.items()},
    step=re.compile(STEP),
    anchor=re.compile(ANCHOR),
    section=re.compile(SECTION),
    restarts=True,
    closing=re.compile(CLOSING),
)

_ENDINGS = (
    (re.compile(r"reached the early-stop threshold \(([\d.]+) >= ([\d.]+)\)"), Completion.EARLY_STOPPED),
    (re.compile(r"^Timeout (?:has been )?reached, stopping training early"), Completion.TIMED_OUT),
    (re.compile(r"^Max (?:number of )?steps (?:has been )?reached, stopping training"), Completion.DONE),
    (re.compile(r"^Configured step/epoch limit has been reached, stopping training"), Completion.DONE),
)
_STEP_OF = re.compile(r"^(?:=+ Step |train step )(\d+)/(\d+)")
_EPOCH_OF = re.compile(r"^=+ Epoch (\d+)/(-?\d+) =+$")
_FACTS = {
    "log_dir": re.compile(r"^📊 Using log directory: (.+)$"),
    "checkpoint_dir": re.compile(r"^📊 Using checkpoint directory: (.+)$"),
    "wandb": re.compile(r"(https://wandb\.ai/[A-Za-z0-9_./-]+/runs/[A-Za-z0-9_-]+)"),
}

_GENERATED = re.compile(r"Processed prompts: +100%")
"""What vLLM prints when it has answered a batch. It redraws the line, so carriage returns stand in it."""


def milestones(text: str) -> tuple[str, ...]:
    """What a person waits for after a launch (R256, R257): where the run can be watched, and that rollouts work."""
    link = _FACTS["wandb"].search(text)
    told = [f"Weights & Biases has it at {link.group(1)}"] if link else []
    return (*told, *(["its first batch of rollouts is complete"] if _GENERATED.search(text) else []))


@dataclass(frozen=True, kw_only=True)
class Printed:
    """What a log, or the tail of one, says besides numbers.

    Attributes:
        ending: How the run says it ended; None when it does not say.
        ending_line: The line that says so.
        step: Last step header as (step within the epoch, steps per epoch).
        epoch: Last epoch header as (epoch, epochs); epochs is not positive when unlimited.
        wandb: Link to the run on Weights & Biases.
        log_dir: Log folder the run announced.
        checkpoint_dir: Checkpoint folder the run announced.
    """

    ending: Completion | None = None
    ending_line: str = ""
    step: tuple[int, int] | None = None
    epoch: tuple[int, int] | None = None
    wandb: str = ""
    log_dir: str = ""
    checkpoint_dir: str = ""

    @property
    def ran_out(self) -> bool:
        """Whether the last step of the last epoch was begun: such a run ends without a word."""
        if self.step is None or self.step[0] != self.step[1]:
            return False
        return self.epoch is None or self.epoch[0] == self.epoch[1]

    def target(self, steps: int | None) -> int | None:
        """Step at which the run is complete: `steps` as configured, or fewer when the data run out before."""
        if self.step is None or self.epoch is None or self.epoch[1] <= 0:
            return steps
        available = self.step[1] * self.epoch[1]
        if steps is None:
            return available if self.epoch[1] == 1 else None
        return min(steps, available)


def read(text: str) -> Readings:
    """Series by logger tag from a log or its tail, at global steps."""
    return Readings(series=scan(text.split("\n"), _GRAMMAR))


def with_tail(readings: Mapping[str, Readings], log_tail: str) -> dict[str, Readings]:
    """The same readings, the log's tail standing in where no source could read numbers from the whole log."""
    known = dict(readings)
    if "logs" not in known or not known["logs"].series:
        files = known["logs"].files if "logs" in known else ()
        known["logs"] = Readings(series=read(log_tail).series, files=files)
    return known


def facts(text: str) -> Printed:
    """Everything a log says besides numbers; of repeated lines the last counts."""
    said: dict[str, str] = {}
    ending: Completion | None = None
    ending_line, step, epoch = "", None, None
    for line in map(clean, text.split("\n")):
        step, epoch = _pair(_STEP_OF, line) or step, _pair(_EPOCH_OF, line) or epoch
        for pattern, completion in _ENDINGS:
            if pattern.search(line):
                ending, ending_line = completion, line.strip()
        said |= {name: found.group(1).strip() for name, one in _FACTS.items() if (found := one.search(line))}
    return Printed(ending=ending, ending_line=ending_line, step=step, epoch=epoch, **said)


def _pair(pattern: re.Pattern[str], line: str) -> tuple[int, int] | None:
    found = pattern.search(line)
    return (int(found.group(1)[:15]), int(found.group(2)[:15])) if found else None
