"""NeMo-RL validation rollouts: `val_data_step<N>.jsonl`, one line per rollout with its reward.

The mean over a file is what the recipe calls accuracy; the single rewards give its standard error and paired tests.
Lines with one prompt share its difficulty: several generations of it follow each other, a set that is repeated (AIME)
comes round again. A prompt counts once, with the mean of its lines, so that n is the number of prompts and the standard
error is honest. Where prompts are repeated unevenly, each stands for its share of the lines: its sum over the mean
number of lines per prompt, which keeps the mean of all (the ratio estimator of a cluster sample).
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

from autoresearch.errors import CampaignError
from autoresearch.metrics.safe_read import (
    Found,
    Version,
    files_below,
    lines_of,
    number,
    open_found,
    parse_json,
    refuse_unknown,
    remember,
    unread,
    whole,
)
from autoresearch.run.measurement import Readings, SampleSet, Series

TAG = "val_data/reward"
"""Tag of the mean reward over the validation set."""

_FILE = re.compile(r"(?:^|/)val_data_step(\d{1,15})\.jsonl$")


class SampleSource:
    """Rewards of single validation samples per step, and their mean as the series `val_data/reward`.

    Options:
        generations: Lines per prompt that follow each other; by default lines with equal prompts belong together.
    """

    name = "samples"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, {"generations"}, self.name)
        wanted = (options or {}).get("generations")
        self._generations = whole(wanted)
        if wanted is not None and (self._generations is None or self._generations < 1):
            raise CampaignError(f"metric source option 'generations' must be a positive whole number, not {wanted!r}")
        self._known: dict[Path, tuple[Version, _Rollouts]] = {}

    def read(self, folder: Path) -> Readings:
        """Every validation below `folder`; of two files for one step the newer counts."""
        by_step: dict[int, SampleSet] = {}
        files, notes = [], []
        for item in files_below(folder, "val_data_step*.jsonl"):
            named = _FILE.search(item.name)
            if not named:
                continue
            files.append(item.name)
            rollouts = self._rollouts(item)
            notes += [f"{item.name}: {note}" for note in rollouts.notes()]
            step = int(named.group(1))
            if rollouts.rewards:
                by_step[step] = SampleSet(step, self._per_prompt(rollouts), _fingerprint(rollouts.prompts))
        samples = tuple(by_step[step] for step in sorted(by_step))
        mean = Series.of(TAG, ((each.step, _mean(each.rewards)) for each in samples))
        return Readings({TAG: mean} if samples else {}, samples, tuple(files), tuple(notes))

    def _rollouts(self, item: Found) -> "_Rollouts":
        version, rollouts = self._known.get(item.path, (None, None))
        if version != item.version or rollouts is None:
            try:
                rollouts = _read_rollouts(item)
            except OSError as error:
                return _Rollouts(unread(error))  # the same file may be there again at the next look
            remember(self._known, item.path, (item.version, rollouts))
        return rollouts

    def _per_prompt(self, rollouts: "_Rollouts") -> tuple[float, ...]:
        rewards, size = rollouts.rewards, self._generations
        if size is None:
            return _clustered(rewards, rollouts.prompts)
        return tuple(_mean(rewards[start : start + size]) for start in range(0, len(rewards), size))


class _Rollouts:
    """Rewards and prompts of one file, line by line."""

    def __init__(self, problem: str = "") -> None:
        self.rewards: list[float] = []
        self.prompts: list[bytes] = []
        self.skipped, self.problem = 0, problem

    def notes(self) -> Iterator[str]:
        if self.skipped:
            yield f"{self.skipped} torn or unreadable lines were skipped"
        if self.problem:
            yield self.problem


def _read_rollouts(item: Found) -> _Rollouts:
    rollouts = _Rollouts()
    with open_found(item) as stream:
        for line in lines_of(stream):
            _take(line, rollouts)
    return rollouts


def _take(line: bytes, rollouts: _Rollouts) -> None:
    if not line.strip():
        return
    document = parse_json(line)
    reward = _reward(document)
    if reward is None:
        rollouts.skipped += 1
        return
    rollouts.rewards.append(reward)
    asked = _prompt(document.get("content")).encode("utf-8", "replace")
    rollouts.prompts.append(hashlib.blake2b(asked, digest_size=8).digest())


def _reward(document: Any) -> float | None:
    """`rewards` is a list of one number in files of today; a plain number is understood as well."""
    raw = document.get("rewards") if isinstance(document, dict) else None
    if isinstance(raw, list):
        raw = raw[0] if len(raw) == 1 else None
    return None if isinstance(raw, str) else number(raw)


def _prompt(content: Any) -> str:
    """Everything said before the model's first answer."""
    if isinstance(content, list) and len(content) == 1 and isinstance(content[0], list):
        content = content[0]
    if not isinstance(content, list):
        return repr(content)
    asked = []
    for message in content:
        if isinstance(message, dict) and message.get("role") == "assistant":
            break
        asked.append(repr(message))
    return "\n".join(asked)


def _clustered(rewards: list[float], prompts: list[bytes]) -> tuple[float, ...]:
    """One number per prompt, in order of first appearance.

    One prompt for all says nothing: a game may open every episode with the same words.
    """
    lines = Counter(prompts)
    if len(lines) in {1, len(prompts)}:
        return tuple(rewards)
    sums = dict.fromkeys(lines, 0.0)
    for prompt, reward in zip(prompts, rewards, strict=True):
        sums[prompt] += reward
    usual = len(prompts) / len(lines)
    return tuple(total / usual for total in sums.values())


def _fingerprint(prompts: list[bytes]) -> str:
    """Equal for two validations that asked the same prompts in the same order."""
    return hashlib.blake2b(b"".join(prompts), digest_size=8).hexdigest()


def _mean(rewards: tuple[float, ...] | list[float]) -> float:
    return fmean(rewards) if all(map(math.isfinite, rewards)) else math.nan
