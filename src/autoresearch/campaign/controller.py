"""Holding a campaign: one controller at a time, ended in good order, and in somebody's name.

Before one is held: what its first run would send.

Keeps what people read up to date while the loop works: session memory, lock heartbeat, report, live view.
"""

import contextlib
import getpass
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import FrameType

from autoresearch.campaign import beginning, opening, preflight
from autoresearch.campaign.opening import Opened
from autoresearch.campaign.plan import Plan
from autoresearch.campaign.session_writer import checkpoint, note_recovery, remember, renew_insights, start_memory
from autoresearch.campaign.standing import Reading, reading_of
from autoresearch.campaign.surroundings import settled_target, target_of
from autoresearch.config.stop_rule import StopLimits
from autoresearch.engine.context import Context, JobBuilder, elsewhere
from autoresearch.errors import CampaignError, HeldError, LedgerError, RepositoryError, StorageError
from autoresearch.experiment import events as happened
from autoresearch.experiment import names as naming
from autoresearch.experiment.events import Event
from autoresearch.experiment.history import History
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import companion, refs, worktree
from autoresearch.machine import disk, lock_owner, processes, turns
from autoresearch.machine.lock import CampaignLock
from autoresearch.machine.turns import SharedTurn
from autoresearch.ports.target import Saver
from autoresearch.records import clearance, finding, mirror, volume
from autoresearch.records.clearance import Clearable
from autoresearch.records.paths import CampaignPaths
from autoresearch.report import drawing, figure
from autoresearch.report.html_page import html
from autoresearch.report.pages import markdown
from autoresearch.report.plain_text import leaner
from autoresearch.report.report import Known, Report, build
from autoresearch.run.job import Submission
from autoresearch.run.placement import room
from autoresearch.secrets.redactor import Redactor


@contextlib.contextmanager
def hold_campaign(where: Path, name: str | None, *, take_over: bool = False) -> Iterator[tuple[Opened, CampaignLock]]:
    """The campaign, read while nobody else works on it, and the lock that keeps it so.

    Raises:
        HeldError: Another controller is at work on it.
    """
    opening.bring_back(where, name)
    paths = finding.find(where, name)
    lock = CampaignLock(paths.lock)
    if found := [one for one in turns.hands(paths.turns) if one.lives or not take_over]:
        raise HeldError(
            f"campaign {paths.name} is held by {found[0].owner}, which follows experiment {found[0].at}; "
            f"watch it, or stop it first (autoresearch stop)"
        )
    try:
        lock.acquire(take_over=take_over)
    except HeldError as error:
        raise HeldError(f"campaign {paths.name} is {error}") from None
    with lock, companion.resident(paths.root, refs.common_dir(paths.root)):
        opened = opening.open_campaign(where, paths.name)
        mirror.refuse_doubted(paths)
        yield opened, lock


@contextlib.contextmanager
def take_turns(
    where: Path, name: str | None, index: int = 0, *, take_over: bool = False
) -> Iterator[tuple[Opened, SharedTurn]]:
    """The campaign, read in a turn of one's own among those who drive its experiments by hand.

    Args:
        where: A directory of the repository.
        name: The campaign's name.
        index: The experiment whose runs are followed; 0 for a moment's work.
        take_over: Also replace a holder of whom nothing is known, such as one on another host.

    Raises:
        HeldError: A controller is at work on it, or somebody follows this experiment.
    """
    opening.bring_back(where, name)
    paths = finding.find(where, name)
    turn = SharedTurn(path=paths.lock, folder=paths.turns, index=index)
    try:
        turn.own.acquire(take_over=take_over)
        with turn.own:
            turn.take(take_over=take_over)
            try:
                opened = opening.open_campaign(where, paths.name)
                mirror.refuse_doubted(paths)
                yield opened, turn
            finally:
                turn.give()
    except HeldError as error:
        raise HeldError(f"campaign {paths.name} is {error}" if str(error).startswith("held") else str(error)) from None


def refuse_unapproved(opened: Opened, approved_by: str = "", *, named: bool) -> None:
    """Refuse to begin what nobody approves: neither a person now, nor the file that a person wrote.

    Args:
        opened: A campaign that has not begun.
        approved_by: Who approves it now, unread; empty for nobody.
        named: As for `refuse_unread`.

    Raises:
        CampaignError: Nobody does, or an agent planned it.
    """
    if not approved_by and opened.campaign.approval.plan != "auto":
        raise CampaignError(
            f"the plan of {opened.paths.name} is not approved, so nothing was started; read it and approve it with "
            f"campaign.approve(campaign.plan()), or with: autoresearch run"
        )
    refuse_unread(opened, named=named)


def refuse_unread(opened: Opened, *, named: bool) -> None:
    """Refuse to approve unread what an agent has planned, unless the campaign was named: a person may mean another.

    Args:
        opened: A campaign that has not begun.
        named: Whether the person said which campaign they mean.

    Raises:
        CampaignError: An agent planned it, and nobody said its name.
    """
    agent = disk.read(opened.paths.proposal).decode(errors="replace").strip()
    if agent and not named:
        name = opened.paths.name
        raise CampaignError(
            f"campaign {name} was planned by {agent} and has not been reviewed; review it with: autoresearch run "
            f"--campaign {name}, or continue another one by its name"
        )


def person() -> str:
    """Who is at this terminal."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def detach(paths: CampaignPaths, *words: str, poll_s: float) -> int:
    """Start a command that works on the campaign in a process of its own, which survives this terminal; its id."""
    options = ("--plain", "--poll", str(poll_s), "--campaign", paths.name)
    argv = (sys.executable, "-m", "autoresearch", *words, *options)
    return processes.start(argv, cwd=paths.root, log=paths.controller_log)


def await_begin(process_id: int, at_work: Callable[[], bool]) -> None:
    """Wait until a detached controller works or is gone: who watches at once would be told that nobody does."""
    until = time.monotonic() + _BEGINS_S
    while lock_owner.is_running(process_id) and not at_work() and time.monotonic() < until:
        time.sleep(0.1)


def job_builder(plan: Plan, history: History | None = None) -> JobBuilder:
    """What makes the jobs of a campaign that may not have begun."""
    campaign = plan.campaign.model_copy(update={"site": volume.site_of_journal(plan.campaign)})
    paths = volume.with_site(CampaignPaths(plan.root, campaign.campaign), campaign)
    preflight.check_recipe(paths.root, plan.base_commit, campaign.recipe)
    return JobBuilder(
        campaign=campaign,
        paths=paths,
        target=settled_target(campaign, history),
        launcher=beginning.launcher_of(campaign, paths),
        survey=plan.survey,
        look=partial(preflight.seen_by, campaign),
    )


def first_submission(plan: Plan, clock: Callable[[], float], history: History | None = None) -> Submission:
    """What the baseline's first run would send now, as it would be kept: planned in a worktree that is gone again.

    Only what does not exist yet can differ: the hash of the baseline's own commit, for which the base's stands in.

    Args:
        plan: The campaign.
        clock: Unix time in seconds.
        history: The campaign so far, where it has begun.
    """
    made = job_builder(plan, history)
    campaign, paths = made.campaign, made.paths
    begun = history.limits if history else None
    baseline = history.baseline if history else None
    place = paths.worktree("1")
    with worktree.passing(paths.root, paths.worktrees, plan.base_commit) as tree:
        survey, now = made.target.survey(tree), clock()
        limits = StopLimits.load(begun) if begun else plan.rule.begin(now, objective=survey.objective)
        request = made.request(
            BASELINE, 1, run_id=naming.run_id(campaign.campaign, BASELINE, 1), tree=tree, seed=campaign.run.first_seed,
            limit_s=limits.run_limit_s(now), commit=(baseline and baseline.commit) or plan.base_commit,
        )  # fmt: skip
        job = made.job(request, BASELINE, 1, plumbing=bool(survey.plumbing))
    submission = made.launcher.plan(elsewhere(job, tree, place))
    then = campaign.evaluate
    after = f"\n\nThen, at {plan.base_commit[:7]}, on what the run left: {' '.join(then.command)}\n" if then else ""
    return replace(submission, text=opening.redactor(paths.root).clean(submission.text) + after)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end the controller as Ctrl-C does: in good order, runs in flight going on.

    A signal that was ignored when we were started stays so: under `nohup` a hang-up ends nothing. Off the main thread
    signals are somebody else's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    heard = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_BEGINS_S = 30.0
_BEAT_S = 15.0
_REPORT_S = 60.0
_REPORT_SHARE = 20.0
"""A report that took a second to write, as a long campaign's does, is not written again for so many."""
_PART = 64
_REQUESTS = (
    happened.Steered,
    happened.Paused,
    happened.Resumed,
    happened.StopRequested,
    happened.VerdictOverruled,
    happened.ApprovalGiven,
)
_CHANGE_THE_REPORT = (
    happened.ExperimentJudged,
    happened.IncumbentDemoted,
    happened.VerdictOverruled,
    happened.CampaignEnded,
)


@dataclass(kw_only=True)
class Reporter:
    """Listens to the campaign and writes what changed.

    Attributes:
        ctx: The campaign at work.
        beat: Refreshes the campaign's lock; raises HeldError when it was taken over.
        poll: Redraws a live view.
        aside: Whether what it hears is others' doing, who write it down themselves; what people ask for is not.
    """

    ctx: Context
    beat: Callable[[], None] = lambda: None
    poll: Callable[[], None] = lambda: None
    aside: bool = False
    _beaten: float = field(default=0.0)
    _reported: float = field(default=0.0)
    _took_s: float = field(default=0.0)
    _stale: bool = True
    _known: Known = field(default_factory=Known)
    _copied: int = 0

    def start(self) -> None:
        """Begin to listen; the session memory is started first, or recovered when it was there before us."""
        if self.ctx.memory.resumed and self.ctx.memory.goal:
            note_recovery(self.ctx)
        else:
            start_memory(self.ctx)
        self.ctx.listeners.append(self.tell)
        self._copy()

    def tell(self, event: Event) -> None:
        """Take note of one event."""
        if self.aside and not isinstance(event, _REQUESTS):
            return
        checkpoint(self.ctx, event)
        if isinstance(event, _CHANGE_THE_REPORT):
            self._stale = True
            renew_insights(self.ctx)
        if isinstance(event, happened.CampaignEnded | happened.ControllerStopped) and self._stale:
            self._write(lasting=True)
        if isinstance(event, (*_CHANGE_THE_REPORT, happened.ControllerStopped)):
            self._copy(last=not isinstance(event, happened.ExperimentJudged))

    def catch_up(self, *, leads: bool) -> None:
        """Hear what was written down while others had their turn; who leads also writes down what people ask for."""
        before = self.tell
        self.aside = True
        if not leads:
            self.ctx.listeners.remove(before)
        try:
            self.ctx.hear()
        finally:
            self.aside = False
            if not leads:
                self.ctx.listeners.append(before)

    def _copy(self, *, last: bool = False) -> None:
        """Copy the journal into git; a long one only once it has grown by a part, or before we leave."""
        try:
            size = self.ctx.paths.journal.stat().st_size
            if last or size - self._copied >= self._copied // _PART:
                self.ctx.journal.settle()
                mirror.save(self.ctx.paths)
                self._copied = size
        except (OSError, LedgerError, RepositoryError, StorageError) as error:
            told = f"the copy of the journal in git could not be written: {error}"
            if told not in {note.text for note in self.ctx.history.notes}:
                self.ctx.note(told)

    def refresh(self) -> None:
        """Called after every step of the loop; does only what is due."""
        now = time.monotonic()
        if now - self._beaten >= _BEAT_S:
            self.beat()
            self._beaten = now
        if self.ctx.memory.due(self.ctx.clock()):
            remember(self.ctx, "half an hour has passed")
        if self._stale and now - self._reported >= max(_REPORT_S, self._took_s * _REPORT_SHARE):
            self._write()
        self.poll()

    def _write(self, *, lasting: bool = False) -> None:
        self._stale, began = False, time.monotonic()
        try:
            now, known = self.ctx.clock(), self._known
            write_report(reading_of(self.ctx), now, self.ctx.redactor, known, lasting=lasting)
        except StorageError as error:
            self.ctx.note(f"the report could not be written: {error}")
        self._reported = time.monotonic()
        self._took_s = self._reported - began


def clearable(opened: Opened) -> tuple[Clearable, ...]:
    """What of a campaign can go; nothing is taken away."""
    target = target_of(opened.campaign)
    weights = target.weights if isinstance(target, Saver) else None
    objective = opened.history.started.objective if opened.history.started else None
    taken = leaner(opened.history, objective)[0] if objective else ""
    return clearance.clearable(opened.paths, opened.history, weights, taken)


def clear(where: Path, name: str | None, kinds: Collection[str], by: str = "") -> tuple[tuple[Clearable, ...], float]:
    """Clear away what can go of these kinds while nobody else works on the campaign; what went, and how many GB.

    Raises:
        HeldError: A controller is at work on it.
    """
    with hold_campaign(where, name) as (opened, _):
        found = tuple(one for one in clearable(opened) if one.kind in kinds)
        gone = clearance.clear(opened.paths, found)
        if found:
            told = f"{by or person()} cleared away {len(found)} of {', '.join(sorted(kinds))}, {room(gone)}"
            opened.journal.append(happened.Noted(at=time.time(), text=told))
        return found, gone


def report_of(reading: Reading, now: float, known: Known | None = None) -> Report:
    """The report as a value, from the records alone; `known` is kept from one report of a campaign to the next."""
    opened = reading.opened
    report = build(opened.history, opened.campaign, reading.objective, reading.outlook(now), now, known)
    ended = (run for run in opened.history.runs.values() if run.ended) if opened.paths.volume else ()
    lost = volume.volume_was_lost(opened.paths, [Path(run.planned.folder) for run in ended])
    told = tuple(filter(None, (mirror.doubt(opened.paths), lost)))
    return replace(report, attention=(*told, *report.attention)) if told else report


def write_report(
    reading: Reading, now: float, redactor: Redactor, known: Known | None = None, *, lasting: bool = True
) -> tuple[Path, ...]:
    """Write `report.md`, `report.html`, `progress.svg` and, where Pillow is installed, `progress.png`; nothing else."""
    report, paths = report_of(reading, now, known), reading.opened.paths
    progress = figure.progress(report)
    files: dict[Path, str | bytes] = {
        paths.report: redactor.clean(markdown(report)),
        paths.report_page: redactor.clean(html(report)),
        paths.progress("svg"): redactor.clean(drawing.svg(progress)),
    }
    files |= {paths.progress("png"): drawn} if (drawn := drawing.png(progress)) else {}
    for path, content in files.items():
        disk.replace(path, content, lasting=lasting, followed=path != [*files][-1])
    return tuple(files)
