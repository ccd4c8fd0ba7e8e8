r"""Plays runs from a script, without processes and without a clock: for tests of the loop and for simulations.

```yaml
launcher:
  type: scripted
  script:
    "*bad-idea*": {states: [queued, running, failed], exit_code: 1, log: "CUDA out of memory\n"}
    "*":          {states: [running, succeeded], value: [0.41, 0.43], files: {metrics.json: '{"score": {value}}'}}
```

The first pattern (fnmatch) that fits the run id counts. Each call of `states` takes a run one word further; it stays at
the last, so a script that ends in `running` runs for ever. The word `outage` makes that one call fail as an unreachable
scheduler would. `answers` are for the first submissions of the runs that fit: `refused`, `not-now` or `outage`; each is
used up by one call, then runs are taken. `waits` is why a queued run waits, and `stuck` that it cannot come by itself.
`value` may be a list: the runs that fit the pattern take its numbers in the order they are submitted,
the last one again and again. In `log` and `files`, `{value}` and `{run_id}` are replaced. The log is written when the
run is submitted, the files when it succeeds or fails. Everything lies on disk, so a new launcher carries on.
"""

import json
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import quote

from pydantic import BaseModel, Field, ValidationError

from autoresearch.errors import LauncherError, NotNowError, RefusedError, wrong_option
from autoresearch.machine import fault_points
from autoresearch.run.job import Job, JobState, JobStatus, Submission
from autoresearch.supervision import run_folder


class Part(BaseModel, frozen=True, extra="forbid"):
    """What one pattern of run ids plays."""

    states: tuple[JobState | Literal["outage"], ...] = Field(
        default=(JobState.RUNNING, JobState.SUCCEEDED), min_length=1
    )
    """One for each call of `states`."""

    answers: tuple[Literal["refused", "not-now", "outage"], ...] = ()
    """What the scheduler answers to the first submissions, one each."""

    waits: str = ""
    """Why a queued run waits."""

    stuck: bool = False
    """Whether that cannot pass by itself."""

    exit_code: int | None = None
    """Exit code once it has ended; None: 0 on success, 1 otherwise."""

    value: float | tuple[float, ...] = ()
    """What `{value}` stands for, one for all or one per run."""

    log: str = "score: {value}\n"
    """Text of the run's log."""

    files: Mapping[str, str] = Field(default_factory=dict)
    """Texts of files in the run's folder."""


class Script(BaseModel, frozen=True, extra="forbid"):
    """Options of the scripted launcher."""

    script: Mapping[str, Part] = Field(default_factory=dict)
    """Pattern of run ids to what they play, the first that fits."""

    @classmethod
    def parse(cls, options: Mapping[str, object]) -> Self:
        """Validated options; raises LauncherError."""
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            raise LauncherError(wrong_option("the scripted launcher", cls, error)) from error

    def part(self, run_id: str) -> tuple[str, Part]:
        """The pattern that fits a run, and its part; without one, plain success."""
        return next(((key, part) for key, part in self.script.items() if fnmatchcase(run_id, key)), ("", Part()))


class ScriptedLauncher:
    """Plays a script. The job id is the run id."""

    name = "scripted"
    here = True
    rehearses = True

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = Script.parse(options)
        self._stage = folder.absolute() / ".scripted"

    def plan(self, job: Job) -> Submission:
        """What will be played."""
        pattern, part = self.options.part(job.run_id)
        payload = {"pattern": pattern, "part": part.model_dump(mode="json"), "log": job.log, "argv": list(job.argv)}
        return Submission(job.run_id, self.name, json.dumps(payload, indent=1) + "\n", job.folder, payload)

    def submit(self, submission: Submission) -> str:
        """Put the run on the stage and write its log."""
        if self.find(submission.run_id) is None:
            self._stage.mkdir(parents=True, exist_ok=True)
            part = Part.model_validate(submission.payload["part"])
            pattern = submission.payload["pattern"]
            self._answer(str(pattern), part)
            before = sum(run["pattern"] == pattern for run in self._runs())
            value = _take(part.value, before)
            _write(Path(str(submission.payload["log"])), part.log, submission.run_id, value)
            fault_points.point("launcher.submit")
            fresh = {"folder": submission.folder, "value": value, "at": -1, "cancelled": False}
            run = {**submission.payload, **fresh}
            run_folder.write(self._place(submission.run_id), run)
        return submission.run_id

    def find(self, run_id: str) -> str | None:
        """The run id, if it was submitted."""
        return run_id if self._place(run_id).exists() else None

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """Take every run one word further and say where it stands.

        Raises:
            LauncherError: One of them has come to the word `outage`.
        """
        words = {run_id: self._advance(run_id) for run_id in ids}
        if "outage" in words.values():
            raise LauncherError("the scripted scheduler cannot be reached, as its script says; it will be back")
        return {run_id: self._status(run_id, JobState(word)) for run_id, word in words.items()}

    def cancel(self, job_id: str) -> None:
        """End a run that has not ended."""
        run = run_folder.read(self._place(job_id))
        if run and not _ended(run):
            run_folder.write(self._place(job_id), run | {"cancelled": True})

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """The run itself while it plays."""
        run = run_folder.read(self._place(job_id))
        return (f"scripted run {job_id}",) if run and not _ended(run) else ()

    def _answer(self, pattern: str, part: Part) -> None:
        count = self._stage / f"{quote(pattern, safe='')}.answers"
        given = len(count.read_text(encoding="utf-8")) if count.exists() else 0
        if given < len(part.answers):
            count.write_text("." * (given + 1), encoding="utf-8")
            said = f"the scripted scheduler says {part.answers[given]}"
            raise _ANSWERS[part.answers[given]](said)

    def _place(self, run_id: str) -> Path:
        return self._stage / f"{quote(run_id, safe='')}.json"

    def _runs(self) -> list[dict[str, Any]]:
        return [run for path in self._stage.glob("*.json") if (run := run_folder.read(path))]

    def _advance(self, run_id: str) -> str:
        run = run_folder.read(self._place(run_id))
        if run is None:
            return JobState.VANISHED
        if not _ended(run):
            run["at"] = min(run["at"] + 1, len(run["part"]["states"]) - 1)
            if _word(run) in {JobState.SUCCEEDED, JobState.FAILED}:
                for name, text in run["part"]["files"].items():
                    _write(Path(run["folder"], name), text, run_id, run["value"])
            run_folder.write(self._place(run_id), run)
        return _word(run)

    def _status(self, run_id: str, state: JobState) -> JobStatus:
        run = run_folder.read(self._place(run_id))
        if run and state is JobState.QUEUED:
            return JobStatus(state=state, reason=run["part"]["waits"], stuck=run["part"]["stuck"])
        if run is None or not state.ended:
            return JobStatus(state=state, reason="" if run else f"no run {run_id} was ever submitted from here")
        code = run["part"]["exit_code"]
        return JobStatus(
            state=state, exit_code=int(state is not JobState.SUCCEEDED) if code is None else code, reason=state
        )


_ANSWERS = {"refused": RefusedError, "not-now": NotNowError, "outage": LauncherError}


def _take(value: float | tuple[float, ...], before: int) -> float | None:
    if isinstance(value, float):
        return value
    return value[min(before, len(value) - 1)] if value else None


def _word(run: Mapping[str, Any]) -> str:
    return JobState.CANCELLED if run["cancelled"] else str(run["part"]["states"][max(run["at"], 0)])


def _ended(run: Mapping[str, Any]) -> bool:
    if run["at"] < 0 and not run["cancelled"]:
        return False
    word = _word(run)
    return word != "outage" and JobState(word).ended


def _write(path: Path, text: str, run_id: str, value: float | None) -> None:
    if value is None and "{value}" in text:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("{value}", str(value)).replace("{run_id}", run_id), encoding="utf-8")
