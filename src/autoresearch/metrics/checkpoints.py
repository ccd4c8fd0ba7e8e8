"""NeMo-RL checkpoint folders: what `step_N/training_info.json` says of the run at each save.

A save holds the validation metric under the recipe's own spelling (`val:accuracy`) when validation ran at that step.
Older checkpoints are removed by the recipe's `keep_top_k`, so the series may have gaps.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from autoresearch.metrics.safe_read import (
    MAX_BYTES,
    Found,
    files_below,
    number,
    open_found,
    parse_json,
    refuse_unknown,
    unread,
)
from autoresearch.run.measurement import Readings, Series

_SAVE = re.compile(r"(?:^|/)step_(\d{1,15})/training_info\.json$")


class CheckpointSource:
    """Series by key of `training_info.json`, the global step taken from the folder's name."""

    name = "checkpoints"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        refuse_unknown(options or {}, (), self.name)

    def read(self, folder: Path) -> Readings:
        """Every finished save below `folder`, in any checkpoint folder; of two saves of one step the newer counts."""
        points: dict[str, dict[int, float]] = defaultdict(dict)
        files, notes = [], []
        for item in files_below(folder, "training_info.json"):
            saved = _SAVE.search(item.name)
            if not saved:
                continue  # `tmp_step_N` is a save still being written
            files.append(item.name)
            info, problem = _info(item)
            notes += [f"{item.name}: {problem}"] if problem else []
            for key, value in info.items():
                points[key][int(saved.group(1))] = value
        series = {tag: Series.of(tag, values.items()) for tag, values in points.items()}
        return Readings(series=series, files=tuple(files), notes=tuple(notes))


def _info(item: Found) -> tuple[dict[str, float], str]:
    """The numbers of a save, and why there are none."""
    document = None
    try:
        if item.size <= MAX_BYTES:
            with open_found(item) as stream:
                document = parse_json(stream.read(MAX_BYTES))
    except OSError as error:
        return {}, unread(error)
    if not isinstance(document, dict):
        return {}, "no JSON object that can be read; left out"
    numbers = {key: number(raw) for key, raw in document.items() if not isinstance(raw, str)}
    return {key: value for key, value in numbers.items() if value is not None}, ""
