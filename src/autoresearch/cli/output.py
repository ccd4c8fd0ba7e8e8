"""What is said: words for people, JSON for machines, plans and experiments driven by hand. No other module prints."""

from __future__ import annotations

import dataclasses
import io
import json
import math
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autoresearch.report.plain_text import entries, number, table, told_unverified, wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoresearch.campaign.plan import Plan
    from autoresearch.campaign.status import DrivenExperiment
    from autoresearch.config.schema import CampaignConfig
    from autoresearch.records.row import Row

SCHEMA_VERSION = 2
"""Of what `--json` writes: raised when a key goes or means something else; new keys do not raise it."""

CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t"}
"""What could steer a terminal, made visible."""


def speak_anything() -> None:
    """Let a character that this terminal's encoding lacks be written as a code instead of being an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


_QUIET: list[bool] = []


def be_quiet() -> None:
    """Say nothing more to a person; JSON is still written."""
    _QUIET.append(True)


def say(text: str = "") -> None:
    """One line or block for a person; what could steer a terminal (an escape in a title) is made visible.

    Not so a line end of two characters: a diff of such a file is to apply as it is shown.
    """
    if not _QUIET:
        _write(text)


def _write(text: str) -> None:
    show("\r\n".join(part.translate(CONTROLS) for part in f"{text}\n".split("\r\n")))


def show(text: str) -> None:
    """Text as it is, without a line end of ours: a run's log may have its colours."""
    sys.stdout.write(text)
    sys.stdout.flush()


def emit(value: object) -> None:
    """An object as JSON: dataclasses become objects, NaN and infinities null; it says which form it has."""
    document = _plain(value)
    if "$schema" not in document:
        document = {"schema_version": SCHEMA_VERSION, **document}
    _write(json.dumps(document, indent=2, ensure_ascii=False))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def terminal_width() -> int | None:
    """Characters in a line of the terminal; None when the output goes elsewhere."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def on_terminal() -> bool:
    """Whether a person can be asked and shown a live view."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def plan_document(plan: Plan) -> dict[str, Any]:
    """The plan for `--json`."""
    survey = plan.survey
    return {
        "campaign": campaign_document(plan.campaign),
        "root": plan.root,
        "branch": plan.branch,
        "base_commit": plan.base_commit,
        "changes": plan.changes,
        "objective": survey.objective,
        "lineage": survey.lineage,
        "command": survey.command,
        "resources": survey.resources,
        "minutes": survey.minutes,
        "setup_minutes": survey.setup_minutes,
        "steps": survey.steps,
        "gpu_hours_per_run": plan.gpu_hours_per_run,
        "standard_error": survey.standard_error,
        "plumbing": survey.plumbing,
        "protect": survey.protect,
        "protect_keys": survey.protect_keys,
        "stop": plan.rule,
        "cost": plan.cost,
        "runs": plan.runs,
        "hours_per_run": plan.hours_per_run,
        "runs_that_fit": plan.runs_that_fit,
        "recommendation": plan.recommendation,
        "storage": plan.storage,
        "warnings": plan.warnings,
    }


def campaign_document(campaign: CampaignConfig) -> dict[str, Any]:
    """The campaign file for `--json`."""
    return campaign.model_dump(mode="json")


def driven_text(one: DrivenExperiment, width: int | None = None) -> str:
    """One of them, with everything needed to go on, broken to `width` characters; None: never."""
    edited = {"editing": "edit the files there", "crashed": "fix the crash there"}.get(one.state, "")
    rows = [
        ("experiment", f"#{one.index} {one.name}: {one.area}: {one.title}"),
        ("branch", f"{one.branch}{f' at {one.commit[:7]}' if one.commit else ''}, from {one.parent}"),
        ("worktree", one.worktree if edited else ""),
        ("brief", one.brief),
        ("state", f"{one.state}{f': {one.reason}' if one.reason else ''}"),
        ("runs", f"{one.runs}{f', mean {number(one.value)}' if one.value is not None else ''}" if one.runs else ""),
        ("next", ", then: ".join(part for part in (edited, one.next) if part)),
    ]
    return entries(rows, width, 12)


_NARROW = ("#", "status", "value", "effect", "runs", "minutes", "description")
_WHOLE = ("#", "branch", *_NARROW[1:], "reason")
_ELSEWHERE = "branch and reason of a row: autoresearch show N; all columns: autoresearch ledger | less -S"


def ledger_text(rows: Sequence[Row], width: int | None = None) -> str:
    """Rows of the ledger; where `width` has no room for all columns, a table for each campaign with what fits.

    Number, verdict, value and effect stand before what is cut.
    """
    cells = [_row(row) for row in rows]
    whole = table(_WHOLE, [(c[0], row.branch, *c[1:], row.reason) for c, row in zip(cells, rows, strict=True)])
    alone = told_unverified((row.index, str(row.extra.get("integrity", ""))) for row in rows)
    if width is None or max(map(len, whole.splitlines())) <= width:
        return f"{whole}\n{alone}" if alone else whole
    found: dict[str, list[Sequence[object]]] = {}
    for row, made in zip(rows, cells, strict=True):
        found.setdefault(row.branch.rpartition("/")[0].removeprefix("autoresearch/"), []).append(made)
    tables = [f"{campaign}\n{table(_NARROW, body, width)}" for campaign, body in found.items()]
    told = [wrapped(alone, width)] if alone else []
    return "\n\n".join([*tables, *told, wrapped(_ELSEWHERE, width, others="")])


def _row(row: Row) -> tuple[object, ...]:
    return (
        row.index, row.status, number(row.metric_value), number(row.effect, "+.3g"), row.runs,
        f"{row.elapsed_min:.1f}", row.description,
    )  # fmt: skip
