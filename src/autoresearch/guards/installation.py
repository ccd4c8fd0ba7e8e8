"""Without a sandbox a run can write to what all later runs load at their start: that is told, and they have no number.

What is installed is looked at after the baseline, which is trusted, before each run of an idea, and after it. While it
is not as it was, no number counts, whoever changed it: what is compared would not be the ideas. Put back, it counts
again.
"""

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoresearch.experiment.experiment import Run
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.guards.installed import InstalledFiles, look, places
from autoresearch.machine import disk
from autoresearch.run.job import Job, Resources
from autoresearch.supervision import run_folder

_FEW, _EACH_S, _MOST = 2000, 1000, 60_000
"""Files of one look: at least, more for each second that the run took, at most. A look takes a hundredth of a run."""

_FILE, _NOTED = "installed.json", "installed"
_SHOWN = 3
_CURE = "remove what came, install again what was changed, and numbers count again; a sandbox keeps it from runs"


@dataclass(kw_only=True)
class Installation:
    """What is installed where a campaign's runs begin.

    Attributes:
        root: The user's checkout.
        folder: The campaign's, which keeps how it was.
        history: The campaign's replay.
        note: Records something that a person should read, with details.
        reached: Whether runs that need this could write to it.
        seen: What was found, once that was looked for.
    """

    root: Path
    folder: Path
    history: Callable[[], History]
    note: Callable[..., None]
    reached: Callable[[Resources], bool]
    seen: InstalledFiles | None = None

    def before_run(self, run: Run, job: Job) -> None:
        """Look before a run begins; the first one of an idea begins the comparison."""
        seen = self.seen = self.seen or self._found(Path(job.directory), job.argv, job.env, job.resources)
        if not seen.reached or self._is_first():
            return
        if not seen.known and not seen.looks:
            seen.known = look(seen.folders, seen.env, _FEW, self.root, closely=True)
        if not self._digest():
            self._keep(seen)
        seen.look(_MOST if seen.looks and seen.looks[-1] else _FEW)
        seen.since[run.run_id] = len(seen.looks) - 1

    def after_run(self, run: Run, environment: Path) -> str:
        """Why a run that is over has no number: at some time of it this was not as it was; else empty.

        Args:
            run: The run.
            environment: The file that says what was run, for a controller that has not begun it.
        """
        most = min(_MOST, _FEW + int(_EACH_S * (run.wall_s or 0.0)))
        seen = self.seen = self.seen or self._of_kept(run, environment)
        if not seen.reached:
            return ""
        if self._is_first():
            seen.known = look(seen.folders, seen.env, most, self.root, closely=True)
            return ""
        seen.look(most)
        found = seen.during(run.run_id)
        if not found:
            return ""
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        told = ", ".join(found[:_SHOWN]) + more
        text = f"what runs load from outside of their worktree is not as it was before the first idea ran: {told}"
        if text not in {note.text for note in self.history().notes}:
            self.note(text, run=run.run_id, cure=_CURE)
        return f"{text}; {_CURE}"

    def _is_first(self) -> bool:
        """Whether nobody but the baseline, which is trusted, can have written anything yet."""
        history = self.history()
        return not history.bundles and all(one.name == BASELINE for one in history.experiments.values())

    def _of_kept(self, run: Run, environment: Path) -> InstalledFiles:
        ran = run_folder.read(environment) or {}
        argv, env = ran.get("argv"), ran.get("env")
        words = [str(word) for word in argv] if isinstance(argv, list) else []
        own = {str(name): str(text) for name, text in env.items()} if isinstance(env, dict) else {}
        return self._found(Path(str(ran.get("directory") or self.root)), words, own, run.planned.resources)

    def _found(
        self, directory: Path, argv: Sequence[str], own: Mapping[str, str], resources: Resources
    ) -> InstalledFiles:
        env = {**os.environ, **own}
        if not self.reached(resources):
            return InstalledFiles(folders=(), env=env, checkout=self.root, known={}, reached=False)
        if not (digest := self._digest()):
            return InstalledFiles(
                folders=places(directory, argv, env, self.root), env=env, checkout=self.root, known={}
            )
        kept = run_folder.read(self.folder / _FILE) or {}
        if _digest_of(kept) != digest:
            kept = {"known": {}, "folders": places(directory, argv, env, self.root)}
        own = {**env, **kept.get("env", {})}
        again = InstalledFiles(folders=tuple(kept["folders"]), env=own, checkout=self.root, known=kept["known"])
        again.look(_MOST)
        return again

    def _keep(self, seen: InstalledFiles) -> None:
        """For a controller that goes on with the campaign; the journal says what must be in it."""
        kept = {"folders": list(seen.folders), "env": {"PATH": seen.env.get("PATH", "")}, "known": seen.known}
        disk.replace(self.folder / _FILE, json.dumps(kept))
        text = f"runs have no sandbox: what they load from outside of their worktree is compared with {_FILE} now"
        self.note(text, **{_NOTED: _digest_of(kept)})

    def _digest(self) -> str:
        notes = self.history().notes
        return next((note.details[_NOTED] for note in notes if _NOTED in note.details), "")


def _digest_of(kept: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
