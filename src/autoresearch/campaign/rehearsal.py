"""A command that nobody knows yet, run for a short while as a campaign would run it, and what it left.

It runs in a worktree of the commit and in the sandbox of runs, under a time limit of its own. Every number is read by
the metric sources that will read the runs of the campaign, so that what is shown is what will be measured.
"""

import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatchcase
from itertools import count
from pathlib import Path

from autoresearch.config.schema import CampaignConfig
from autoresearch.engine.reach import sandbox_of, unconfined
from autoresearch.errors import AutoresearchError
from autoresearch.git import contents, diffs, refs, worktree
from autoresearch.machine import disk, lock_owner
from autoresearch.metrics import BELONGS, FOREIGN, FOUND_BY, KEPT_HERE, OWN_FORMATS
from autoresearch.ports import plugins
from autoresearch.ports.dialect import Dialect
from autoresearch.ports.launcher import Enforcer, Launcher
from autoresearch.ports.metric_source import readings_of, sources_of
from autoresearch.ports.target import WORK, RunRequest, Survey, Target
from autoresearch.records.paths import EXCLUDED, RUN_LOG, CampaignPaths, Layout
from autoresearch.report.plain_text import number as told
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.known_metrics import direction_of
from autoresearch.run.measurement import Measurement, Objective
from autoresearch.run.printed_result import ambiguous, names_in, near_line, table_rows
from autoresearch.supervision import run_folder

NAME = "rehearsal"
_OWNER = "owner.json"
_HELP_S = 30.0
_LONGEST_LOG = 4 << 20
_OURS = frozenset({RUN_LOG, run_folder.SPEC, run_folder.STATE, run_folder.EXIT, run_folder.TROUBLE})
_MOST_NAMES, _MOST_FILES = 60, 40
_WORDS = (
    "accuracy",
    "acc",
    "loss",
    "score",
    "reward",
    "return",
    "f1",
    "auc",
    "perplexity",
    "error",
    "rmse",
    "mse",
    "mae",
)


@dataclass(frozen=True, kw_only=True)
class FoundNumber:
    """A number that a run gave.

    Attributes:
        name: What it is called there.
        where: Where it was found, in words.
        source: What `target.source` has to be for a campaign to read it.
        last: Its last value.
        points: How many values it has.
        step: The step of the last one, None where steps are only counted.
        unclear: Why it is no result as it stands; empty when it is one.
    """

    name: str
    where: str
    source: Mapping[str, object]
    last: float
    points: int = 1
    step: int | None = None
    unclear: str = ""


@dataclass(frozen=True, kw_only=True)
class RehearsedRun:
    """One run and what it left.

    Attributes:
        folder: Its folder; gone with the rehearsal.
        status: How it ended.
        seconds: How long it ran.
        log: The end of what it printed.
        numbers: Every number that was found.
        absent: Files that it did not find although the checkout has them: git does not.
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
            numbers=tuple(_spoken(folder, log, dialect) if dialect else _numbers(folder, log)),
            absent=_absent(self.root, self.tree, log),
            foreign=tuple(f"{name}/ is there: {cure}" for name, cure in FOREIGN.items() if _has(folder, name)),
            altered=self._put_right(),
        )

    def _put_right(self) -> tuple[str, ...]:
        """What a run did to files of the worktree. The commit's are put back, for they are read, and run, again."""
        altered = contents.edited_paths(self.tree, self.commit)
        known = diffs.files_of(self.root, self.commit)
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
    _clear_away(paths)
    place = Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=paths.private))
    disk.replace(place / _OWNER, json.dumps(asdict(lock_owner.here())))
    try:
        with worktree.passing(root, paths.worktrees, commit) as tree:
            worktree.populate_submodules(root, tree)
            below = where.resolve().relative_to(root.resolve()).as_posix()
            directory = "" if below == "." else below
            yield Stage(root=root, commit=commit, tree=tree, place=place, paths=paths, directory=directory, wait=wait)
    finally:
        disk.delete(place)


def _clear_away(paths: CampaignPaths) -> None:
    """Take away stages whose process was killed, with what still runs on them; what may be somebody's stays."""
    for place in sorted(paths.private.glob(f"{NAME}-*")):
        try:
            owner = lock_owner.read(json.loads((place / _OWNER).read_bytes()))
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if lock_owner.alive(owner, owner.since) is not False:
            continue
        launcher: Enforcer = plugins.make("launchers", "local", options={}, folder=place)
        runs = [file.stem for file in (place / ".runs").glob("*.json")]
        if [left for run_id in runs for left in launcher.force(run_id, "cancelled", "its rehearsal was killed")]:
            continue
        disk.delete(place)


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


def _numbers(folder: Path, log: str) -> Iterator[FoundNumber]:
    """Every number of a run, files before what is printed."""
    for where, source in _files(folder):
        yield from _read(folder, where, source)
    names = names_in(log)[:_MOST_NAMES]
    for name in names:
        yield from _read(folder, "printed", {"type": "stdout"}, name)
    rows = {name: row for name, row in list(table_rows(log).items())[:_MOST_NAMES] if name not in names}
    for name, row in rows.items():
        yield from _read(folder, "a row of a table", {"type": "stdout", "patterns": {name: row}}, name)
    known = [name for name in (*names, *rows) if direction_of(name)]
    for word in () if known else _WORDS:
        near = near_line(word, log, sentences=True)
        if near is not None:
            yield from _read(
                folder, f"printed as {near[0].strip()[:60]!r}", {"type": "stdout", "patterns": {word: near[1]}}, word
            )
            return


def _spoken(folder: Path, log: str, dialect: Dialect) -> Iterator[FoundNumber]:
    """Numbers where a dialect has them, each from the best place, and then whatever else there is."""
    told: dict[str, FoundNumber] = {}
    for source in dialect.sources:
        for one in _read(folder, f"{source.get('path', source['type'])}", source):
            told.setdefault(one.name, one)
    printed = plugins.dialect_finder().printed_sources(dialect, log)
    for name in [name for name in printed if name not in told][:_MOST_NAMES]:
        told |= {one.name: one for one in _read(folder, "printed", printed[name], name)}
    yield from told.values()
    yield from (one for one in _numbers(folder, log) if one.name not in told)


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


def ambiguous_number(log: str) -> str:
    """What a log says in place of a number behind a name that is known for results; empty where it says none."""
    return next(filter(None, (ambiguous(word, log) for word in _WORDS)), "")


def kept_here(*trackers: str) -> dict[str, str]:
    """Variables by which trackers write into the folder of the run; of all trackers where none is named.

    What a person has set is theirs and stays.
    """
    said = [variables for name, variables in KEPT_HERE.items() if not trackers or name in trackers]
    return {name: value for one in said for name, value in one.items() if name not in os.environ}


def _files(folder: Path) -> Iterator[tuple[str, dict[str, object]]]:
    """Files that may hold numbers, those of one name together, with the source that reads them."""
    for kind in OWN_FORMATS:
        yield kind, {"type": kind}
    found: dict[tuple[str, str], set[str]] = {}
    for base, _, names in disk.walk(folder, 20):
        for name in names:
            kind = next((kind for kind, glob in FOUND_BY.items() if fnmatchcase(name.lower(), glob)), "")
            path = Path(base, name)
            theirs = set(path.relative_to(folder).parts[:-1]) & set(BELONGS)
            if kind and not theirs and not path.is_symlink() and not (Path(base) == folder and name in _OURS):
                found.setdefault((kind, name), set()).add(str(path.relative_to(folder)))
    for (kind, name), places in sorted(found.items())[:_MOST_FILES]:
        for place in (name,) if _alike(places) else sorted(places):
            glob = place if "/" not in place else f"*{place.removeprefix('work/')}"
            yield glob.lstrip("*"), {"type": kind, "path": glob}


def _alike(places: set[str]) -> bool:
    """Whether files of one name are those of one run: alone, or in folders that differ in a number only."""
    return len({re.sub(r"\d+", "#", place) for place in places}) == 1


def _read(folder: Path, where: str, source: Mapping[str, object], tag: str = "") -> Iterator[FoundNumber]:
    with suppress(AutoresearchError):
        spec = plugins.chosen_source(source, tag, one_result=bool(tag))
        readings = readings_of(plugins.make("metrics", spec.name, options=spec.options), folder)
        unclear = (
            f"two results: {readings.conflict[0]!r}, and later {readings.conflict[1]!r}" if readings.conflict else ""
        )
        for name, series in sorted(readings.series.items()):
            if last := series.last:
                steps = None if tag or series.steps == tuple(range(1, len(series.steps) + 1)) else last[0]
                yield FoundNumber(
                    name=name,
                    where=where,
                    source=source,
                    last=last[1],
                    points=len(series.steps),
                    step=steps,
                    unclear=unclear,
                )


def _absent(root: Path, tree: Path, log: str) -> tuple[str, ...]:
    """Paths that a run missed although the checkout has them."""
    lines = [line for line in log.splitlines() if re.search(r"No such file|not found|does not exist", line)]
    named = [path for line in lines for path in re.findall(r"['\"]([^'\"\n]{1,300})['\"]", line)]
    here = [path for path in dict.fromkeys(named) if not Path(path).is_absolute() and ".." not in path]
    return tuple(path for path in here if (root / path).exists() and not (tree / path).exists())


def _has(folder: Path, name: str) -> bool:
    return any((folder / below / name).is_dir() for below in ("", WORK))
