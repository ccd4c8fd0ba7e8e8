"""A command that nobody knows yet, run for a short while as a campaign would run it, and what it left.

It runs in a worktree of the commit and in the sandbox of runs, under a time limit of its own. Every number is read by
the metric sources that will read the runs of the campaign, so that what is shown is what will be measured.

Besides, what is left of rehearsals whose process was killed, those of plans included.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import NamedTuple

from autoresearch.campaign import beginning
from autoresearch.campaign.own_script.found_numbers import FoundNumber, numbers_of, spoken_numbers
from autoresearch.campaign.surroundings import target_of
from autoresearch.config.schema import CampaignConfig
from autoresearch.engine import first_runs
from autoresearch.errors import CampaignError
from autoresearch.git import contents, objects, refs, submodules, worktree
from autoresearch.guards.reach import sandbox_of, unconfined
from autoresearch.machine import disk, lock_owner
from autoresearch.metrics import FOREIGN, KEPT_HERE
from autoresearch.ports import plugins
from autoresearch.ports.dialect import Dialect
from autoresearch.ports.launcher import Enforcer, Launcher
from autoresearch.ports.metric_source import readings_of, sources_of
from autoresearch.ports.target import WORK, RunRequest, Survey, Target
from autoresearch.records import clearance, finding, volume
from autoresearch.records.clearance import Clearable
from autoresearch.records.paths import EXCLUDED, RUN_LOG, CampaignPaths, Layout
from autoresearch.report.plain_text import number as told
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Measurement, Objective

NAME = "rehearsal"
_OWNER = "owner.json"
_HELP_S = 30.0
_LONGEST_LOG = 4 << 20
_MOST_BESIDE = 40


@dataclass(frozen=True, kw_only=True)
class RehearsedRun:
    """One run and what it left.

    Attributes:
        folder: Its folder; gone with the rehearsal.
        status: How it ended.
        seconds: How long it ran.
        log: The end of what it printed.
        numbers: Every number that was found.
        absent: Files that it did not find although the checkout has them: git does not. By their place in it.
        foreign: Folders of trackers that are not read, with what to do.
        altered: Files of the worktree that it wrote to, new ones too.
    """

    folder: Path
    status: JobStatus
    seconds: float
    log: str
    numbers: tuple[FoundNumber, ...] = ()
    absent: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether it came to its own end, and well."""
        return self.status.state is JobState.SUCCEEDED


@dataclass(kw_only=True)
class Stage:
    """Where a command is rehearsed: a worktree of a commit and a folder beside it, both gone afterwards."""

    root: Path
    commit: str
    tree: Path
    place: Path
    paths: CampaignPaths
    directory: str
    wait: Callable[[], None]
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    inputs: dict[str, str] = field(default_factory=dict)
    """What is linked into each run, by its place: data that the checkout has and the commit has not."""

    def help(self, argv: Sequence[str]) -> str:
        """What the command prints when asked for help; empty when it does not know how to help."""
        run = self.run((*argv, "--help"), 0, _HELP_S)
        return run.log if run.whole else ""

    def run(
        self,
        argv: Sequence[str],
        seed: int,
        limit_s: float,
        seed_env: str = "SEED",
        seed_at: object = None,
        dialect: Dialect | None = None,
    ) -> RehearsedRun:
        """Run the command once, as the runs of a campaign are; numbers are looked for where its dialect has them."""
        options: dict[str, object] = {
            "start_in": "folder",
            "seed_env": seed_env,
            "env": kept_here() | (dict(dialect.env) if dialect else {}),
            "directory": self.directory,
        }
        options |= {"seed_at": seed_at} if seed_at else {}
        options |= {"inputs": self.inputs} if self.inputs else {}
        target = _target(argv, {"metric": "nothing yet", "direction": "maximize"}, options)
        campaign = CampaignConfig.of({"campaign": NAME, "command": list(argv), "target": {"type": "command"}}, NAME)
        folder = self.place / f"run-{next(self.numbers)}"
        folder.mkdir()
        run_id = f"{NAME}-{os.getpid()}-{folder.name}"
        request = RunRequest(
            run_id=run_id,
            tree=self.tree,
            folder=folder,
            log=folder / RUN_LOG,
            seed=seed,
            limit_s=limit_s,
            commit=self.commit,
        )
        job = replace(target.job(request), grace_s=campaign.run.grace)
        launcher: Launcher = plugins.make("launchers", "local", options={}, folder=self.place)
        if not unconfined(campaign, launcher, job.resources):
            survey = Survey(objective=Objective("", "nothing yet"), command=tuple(argv))
            job = replace(job, sandbox=sandbox_of(campaign, self.paths, survey, job, self.commit, NAME, 1))
        status = self._followed(launcher, launcher.submit(launcher.plan(job)))
        began = status.started_at or status.submitted_at or 0.0
        log = _log(folder)
        return RehearsedRun(
            folder=folder,
            status=status,
            seconds=status.ran_s or max(0.0, (status.ended_at or began) - began),
            log=log,
            numbers=tuple(spoken_numbers(folder, log, dialect) if dialect else numbers_of(folder, log)),
            absent=_absent(self.root, self.tree, folder, self.directory, log),
            foreign=tuple(f"{name}/ is there: {cure}" for name, cure in FOREIGN.items() if _has(folder, name)),
            altered=self._put_right(),
        )

    def supply(self, paths: Sequence[str]) -> bool:
        """Have data that git ignores linked into further runs; whether any was not before.

        What lies in the same folder, and the commit has not either, comes along: a script often asks for one file of
        several without missing it.
        """
        near = [path for folder in {Path(path).parent for path in paths} for path in self._beside(folder)]
        new = {path: str(self.root / path) for path in (*paths, *near) if path not in self.inputs}
        self.inputs |= new
        return bool(new)

    def _beside(self, folder: Path) -> list[str]:
        found = sorted((self.root / folder).iterdir()) if folder.parts else []
        files = [str(path.relative_to(self.root)) for path in found[:_MOST_BESIDE] if path.is_file()]
        return [path for path in files if not (self.tree / path).exists()]

    def _put_right(self) -> tuple[str, ...]:
        """What a run did to files of the worktree. The commit's are put back, for they are read, and run, again."""
        altered = contents.edited_paths(self.tree, self.commit)
        known = objects.files_of(self.root, self.commit)
        contents.put_back(self.tree, self.commit, known.intersection(altered))
        for path in (self.tree / path for path in altered if path not in known):
            if contents.is_endless(path):
                path.unlink()
        return altered

    def _followed(self, launcher: Launcher, job_id: str) -> JobStatus:
        try:
            while not (status := launcher.states([job_id])[job_id]).state.ended:
                self.wait()
            return status
        finally:
            launcher.cancel(job_id)


@contextmanager
def rehearsing(where: Path, wait: Callable[[], None] = lambda: time.sleep(0.1)) -> Iterator[Stage]:
    """A stage for the commit that is checked out; nothing of it is left.

    Args:
        where: The folder the person stands in.
        wait: Called between two looks at a run; it sleeps.
    """
    root = refs.root(where)
    commit = refs.head_commit(root)
    refs.exclude(root, EXCLUDED)
    paths = Layout(root).campaign(NAME)
    paths.private.mkdir(parents=True, exist_ok=True)
    clear_away(paths)
    place = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=paths.private))
    disk.replace(place / _OWNER, json.dumps(asdict(lock_owner.here())))
    try:
        with worktree.passing(root, paths.worktrees, commit) as tree:
            submodules.populate(root, tree)
            below = where.resolve().relative_to(root.resolve()).as_posix()
            directory = "" if below == "." else below
            yield Stage(root=root, commit=commit, tree=tree, place=place, paths=paths, directory=directory, wait=wait)
    finally:
        disk.delete(place)


def killed(paths: CampaignPaths) -> Iterator[Path]:
    """Stages whose process was killed; what may be somebody's is none."""
    for place in sorted(paths.private.glob(f"{NAME}-*")):
        try:
            owner = lock_owner.read(json.loads((place / _OWNER).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if lock_owner.alive(owner, owner.since) is False:
            yield place


def clear_away(paths: CampaignPaths) -> None:
    """Take away stages whose process was killed, with what still runs on them."""
    for place in killed(paths):
        launcher: Enforcer = plugins.make("launchers", "local", options={}, folder=place)
        runs = [file.stem for file in (place / ".runs").glob("*.json")]
        if not [left for run_id in runs for left in launcher.force(run_id, "cancelled", "its rehearsal was killed")]:
            disk.delete(place)


class _Killed(NamedTuple):
    """A plan's rehearsal whose process is known to be gone: its owner file, and whether it was ended since."""

    mark: Path
    over: bool
    number: int
    campaign: CampaignConfig
    paths: CampaignPaths
    name: str
    left: tuple[Path, Path]


def clear_abandoned(root: Path) -> tuple[str, ...]:
    """End the rehearsals of plans whose process was killed, and take away weights and worktree; what was ended.

    One whose process lives, or of which nobody here can know, is left alone, and so is a file that nobody can read.
    """
    ended = [one for one in _killed(root) if not one.over]
    for one in ended:
        _end(one)
        disk.replace(one.mark, json.dumps({**json.loads(one.mark.read_text("utf-8")), "over": True}))
    return tuple(one.name for one in ended)


def killed_rehearsals(where: Path) -> tuple[Clearable, ...]:
    """What is left in a repository of rehearsals whose process was killed, of plans and of `init`."""
    layout = finding.find_layout(where)
    stages = [(stage.name, (stage,)) for stage in killed(layout.campaign(NAME))]
    found = [*((one.name, one.left) for one in _killed(layout.root)), *stages]
    return tuple(clearance.rehearsal(name, places) for name, places in found)


def clear_rehearsals(where: Path) -> tuple[Clearable, ...]:
    """End them and take away all that they left; what went. One of which something is still alive stays."""
    before, layout = killed_rehearsals(where), finding.find_layout(where)
    clear_away(layout.campaign(NAME))
    for place in (place for one in _killed(layout.root) if _end(one) for place in one.left):
        disk.delete(place) if place.is_dir() else place.unlink(missing_ok=True)
    still = {one.name for one in killed_rehearsals(where)}
    return tuple(one for one in before if one.name not in still)


def _end(one: _Killed) -> bool:
    launcher = beginning.launcher_of(one.campaign, one.paths)
    return first_runs.abandon(launcher, target_of(one.campaign), one.paths, one.number)


def _killed(root: Path) -> Iterator[_Killed]:
    for folder in Layout(root).folders():
        for mark in sorted(folder.folder.glob(folder.rehearsal_owner("*").name)):
            try:
                said = json.loads(mark.read_text("utf-8"))
                owner, number = lock_owner.read(said["owner"]), int(said["number"])
                campaign = CampaignConfig.of(said["campaign"], str(mark))
            except (OSError, ValueError, KeyError, TypeError, CampaignError):
                continue
            if lock_owner.alive(owner, owner.since) is False:
                paths = volume.with_site(folder, campaign)
                run = paths.run(first_runs.REHEARSAL, number)
                name = f"{paths.name}/{first_runs.REHEARSAL}/{run.name}"
                yield _Killed(mark, bool(said.get("over")), number, campaign, paths, name, (run, mark))


def measured(
    run: RehearsedRun, argv: Sequence[str], objective: Mapping[str, str], options: Mapping[str, object]
) -> Measurement:
    """What a campaign would measure of a run, with the options it is to have."""
    target = _target(argv, objective, options)
    readings = {name: readings_of(source, run.folder) for name, source in sources_of(target).items()}
    return target.measure(run.folder, run.log, readings, run.status)


def _target(argv: Sequence[str], objective: Mapping[str, str], options: Mapping[str, object]) -> Target:
    made: Target = plugins.make("targets", "command", command=tuple(argv), objective=objective, options=options)
    return made


def _log(folder: Path) -> str:
    with suppress(OSError), (folder / RUN_LOG).open("rb") as stream:
        stream.seek(max(0, os.fstat(stream.fileno()).st_size - _LONGEST_LOG))
        return stream.read().decode("utf-8", "replace")
    return ""


def agreement(values: Sequence[float]) -> str:
    """What the runs of the rehearsal say of noise, in words; nothing that was not measured."""
    if len(values) < 2:
        return "one run, so nothing is known of its noise"
    same = (
        "two runs with one seed agree"
        if values[0] == values[1]
        else (f"two runs with one seed differ: {told(values[0])} and {told(values[1])}")
    )
    if len(values) > 2:
        return f"{same}; another seed gave {told(values[2])}"
    return f"{same}; no other seed was tried, since none is known to reach it"


def writes_beside(folder: Path) -> bool:
    """Whether the run wrote files of its own beside those of the repository."""
    walked = disk.walk(folder / WORK, 20)
    return any(
        not Path(base, name).is_symlink() and "__pycache__" not in base for base, _, names in walked for name in names
    )


def kept_here(*trackers: str) -> dict[str, str]:
    """Variables by which trackers write into the folder of the run; of all trackers where none is named.

    What a person has set is theirs and stays.
    """
    said = [variables for name, variables in KEPT_HERE.items() if not trackers or name in trackers]
    return {name: value for one in said for name, value in one.items() if name not in os.environ}


def _absent(root: Path, tree: Path, folder: Path, below: str, log: str) -> tuple[str, ...]:
    """Paths that a run missed although the checkout has them, by their place in it."""
    lines = [line for line in log.splitlines() if re.search(r"No such file|not found|does not exist|not exist", line)]
    named = [path for line in lines for path in (*re.findall(r"['\"]([^'\"\n]{1,300})['\"]", line), *line.split())]
    found = []
    for path in dict.fromkeys(one.rstrip(".,:;") for one in named):
        absolute = os.path.normpath(folder / WORK / below / path)
        inside = os.path.relpath(absolute, tree if Path(absolute).is_relative_to(tree) else folder / WORK)
        if not inside.startswith(".") and (root / inside).exists() and not (tree / inside).exists():
            found.append(inside)
    return tuple(dict.fromkeys(found))


def _has(folder: Path, name: str) -> bool:
    return any((folder / below / name).is_dir() for below in ("", WORK))
