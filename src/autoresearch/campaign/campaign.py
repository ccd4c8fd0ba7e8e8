"""One campaign, opened: its verbs are all that a surface ever calls, and what a script or a notebook works with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from autoresearch.campaign import late
from autoresearch.errors import CampaignError, HeldError, UsageError
from autoresearch.experiment import names
from autoresearch.machine.clock import SteadyClock
from autoresearch.records import finding
from autoresearch.records.ledger import Ledger
from autoresearch.records.paths import CampaignPaths
from autoresearch.records.row import Row

if TYPE_CHECKING:
    from autoresearch.campaign import beginning, consent, controller, opening

    # isort: split
    from autoresearch.campaign import planning, preflight, session_writer, standing
    from autoresearch.campaign.by_hand import ByHand
    from autoresearch.campaign.plan import Plan, PlanRequest
    from autoresearch.campaign.status import CampaignStatus, Judged, RunningRun
    from autoresearch.config.schema import CampaignConfig
    from autoresearch.experiment import events as happened
    from autoresearch.experiment.events import Event
    from autoresearch.experiment.experiment import Experiment, Run
    from autoresearch.records import consistency, journal, volume
    from autoresearch.report import event_lines
    from autoresearch.run.job import Submission
else:
    # A verb loads what it needs, when it does: whoever only looks waits for no engine.
    beginning, consent, controller, opening = late("campaign", "beginning", "consent", "controller", "opening")
    planning, preflight, session_writer = late("campaign", "planning", "preflight", "session_writer")
    (standing,), (happened,) = late("campaign", "standing"), late("experiment", "events")
    (event_lines,) = late("report", "event_lines")
    consistency, journal, volume = late("records", "consistency", "journal", "volume")


@dataclass(kw_only=True)
class Campaign:
    """A repository, and the campaign in it that a person means.

    Attributes:
        where: Directory the person stands in.
        name: Campaign name; None means the one worked on last.
        by: In whose name things are done; empty for the person at this terminal.
        picked: Whether the name is the one worked on last, and not one that a person has said.
        clock: Unix time in seconds.
    """

    where: Path
    name: str | None = None
    by: str = ""
    picked: bool = False
    clock: Callable[[], float] = field(default=time.time, repr=False)
    _curves: standing.LiveCurves | None = field(default=None, repr=False)
    _working: opening.Opened | None = field(default=None, repr=False)

    def bound(self) -> Campaign:
        """Itself, from now on the campaign that is meant now: it stays this one, whatever is worked on meanwhile."""
        self.name, self.picked = self.paths().name, self.picked or self.name is None
        return self

    # -- before -------------------------------------------------------------------------------------------------

    def draft(self, request: PlanRequest) -> Plan:
        """What a campaign would be; nothing is written."""
        return planning.make(self.where, request, self.clock)

    def write(self, plan: Plan, agent: str = "", notes: Mapping[str, str] | None = None) -> Path:
        """Write a plan's campaign file and return its path; an existing one is never overwritten.

        Args:
            plan: What is to be run.
            agent: Which agent planned it; empty for a person. Then a person who approves it unread says its name.
            notes: What the file says above its keys.
        """
        path = beginning.write(plan, agent, notes)
        self.name = plan.campaign.campaign
        return path

    def plan(self) -> Plan:
        """The plan as it is written now: what a person reads before they approve it."""
        opened = opening.open_campaign(self.where, self.name)
        return planning.examine(opened.campaign, opened.paths.root, now=None if opened.limits else self.clock())

    def approve(self, plan: Plan | None = None, *, by: str = "", take_over: bool = False, starts: bool = False) -> str:
        """Approve the written plan; its stop rule counts from now. Returns the campaign's name.

        Args:
            plan: What the person has read; approval of it is none of anything else. None: approved unread.
            by: Who approves, for the record; empty for whoever is logged in.
            take_over: As for `run`.
            starts: It is given with the command that starts the campaign, which asks for a passphrase alone.

        Raises:
            CampaignError: It was approved before, changed since, cannot be carried out, or an agent planned it unread.
        """
        with controller.hold_campaign(self.where, self.name, take_over=take_over) as (opened, _):
            if started := opened.history.started:
                raise CampaignError(f"the plan of {opened.paths.name} was approved by {started.approved_by} already")
            if plan is None:
                controller.refuse_unread(opened, named=self._named())
            else:
                planning.refuse_another(plan, opened.campaign, opened.paths)
            proof = consent.prove(opened, "approve the plan", starts=starts)
            beginning.begin_campaign(opened, by or self._who(), self.clock, proof)
            context = beginning.make_context(opened, self.clock, proposing=False)
            session_writer.start_memory(context)
            beginning.note_missing_secrets(context)
            return opened.paths.name

    # -- the run ------------------------------------------------------------------------------------------------

    def run(
        self,
        on_event: Callable[[Event], None] | None = None,
        *,
        on_line: Callable[[str], None] | None = None,
        on_look: Callable[[], None] | None = None,
        poll_s: float = 0.5,
        approved_by: str = "",
        take_over: bool = False,
    ) -> CampaignStatus:
        """Work on the campaign until it ends or a person asks for the end; returns where it stands then.

        Interrupted, as by Ctrl-C or an interrupted notebook, runs in flight go on; a later `run` goes on with them.

        Args:
            on_event: Called with every event.
            on_line: Called with every event that a person would read, as one line: `print` will do.
            on_look: Called after every look at the jobs; for live views.
            poll_s: Seconds between two looks.
            approved_by: Who approves the plan unread, where it was not approved yet; empty for nobody.
            take_over: Take the campaign from a controller on another host that is known to be dead.

        Raises:
            CampaignError: Its plan is not approved.
            HeldError: Another controller is at work on it.
        """
        from autoresearch.campaign.tracking import tell_trackers  # noqa: PLC0415
        from autoresearch.engine.loop import Loop  # noqa: PLC0415 - whoever only looks needs no engine

        with controller.hold_campaign(self.where, self.name, take_over=take_over) as (opened, lock):
            clock = SteadyClock(self.clock, not_before=opened.history.last_at)
            if fresh := opened.history.started is None:
                controller.refuse_unapproved(opened, approved_by, named=self._named())
                proof = consent.prove(opened, "approve the plan", starts=True)
                beginning.begin_campaign(opened, approved_by or self._who(), clock, proof)
            context = beginning.make_context(opened, clock)
            context.listeners += [heard for heard in (on_event, event_lines.teller(on_line, context.history)) if heard]
            reporter = controller.Reporter(ctx=context, beat=lock.refresh, poll=on_look or (lambda: None))
            self._working = replace(opened, history=context.history)
            try:
                with volume.site_ready(context.paths), controller.terminable(), tell_trackers(context) as tracking:
                    reporter.start()
                    if fresh:
                        beginning.note_missing_secrets(context)
                    Loop(ctx=context, poll_s=poll_s, refresh=tracking.before(reporter.refresh)).run()
            finally:
                self._working = None
        return self.status()

    def detach(self, poll_s: float = 0.5, *, take_over: bool = False) -> int:
        """Run in a process of its own that survives this terminal or notebook; returns its process id.

        Raises:
            CampaignError: Its plan is not approved; nothing is started.
            HeldError: Another controller is at work; nothing is started.
        """
        with controller.hold_campaign(self.where, self.name, take_over=take_over) as (opened, _):
            if opened.history.started is None:
                controller.refuse_unapproved(opened, named=self._named())
            paths = opened.paths
        process_id = controller.detach(paths, "run", "--yes", poll_s=poll_s)
        controller.await_begin(process_id, lambda: bool(self.status().controller))
        return process_id

    def by_hand(self) -> ByHand:
        """The verbs for experiments that are driven one by one."""
        from autoresearch.campaign.by_hand import ByHand  # noqa: PLC0415 - whoever only looks needs no engine

        return ByHand(self.where, self.name, self.clock, self._who())

    # -- steering -----------------------------------------------------------------------------------------------

    def steer(self, text: str) -> str:
        """Steer the researchers; it is added to what was said before. Returns what comes of it, in words."""
        if not text.strip():
            raise UsageError("no text given; for example: autoresearch steer 'try smaller batches'")
        opened = self._acting()
        word = happened.Steered(self.clock(), self._clean(text.strip()), self._who())
        consent.record(opened, word, own=bool(self.by))
        then = "the next brief carries it"
        ended = "the campaign has ended, so no brief follows until it is granted more: autoresearch extend"
        return f"recorded; {ended if opened.history.ended else then}"

    def pause(self, reason: str = "") -> str:
        """Pause the campaign until `resume`; runs in flight go on. Returns what that means now, in words."""
        opened = self._acting(ends=True)
        opened.journal.append(happened.Paused(self.clock(), self._clean(reason), self._who()))
        ended = "it has ended, and nothing starts either when more is granted"
        return f"paused: {ended if opened.history.ended else 'no new runs start, runs in flight continue'}"

    def resume(self) -> None:
        """Let a paused or stopped campaign go on."""
        opened = self._acting()
        if opened.history.paused is None and opened.history.stop is None:
            raise CampaignError(f"campaign {opened.paths.name} is not paused; continue it with: autoresearch run")
        consent.record(opened, happened.Resumed(self.clock(), self._who()), own=bool(self.by))

    def stop(self, reason: str = "", *, now: bool = False) -> str:
        """Ask for the end: after the runs in flight, or `now`, ending them. Returns what will happen, in words.

        Without a controller at work, runs that go on by themselves are ended here.

        Raises:
            CampaignError: Nobody works on the campaign and nothing of it runs, or runs would have to be waited for.
        """
        opened = self._acting(ends=True)
        flying = len(opened.history.in_flight())
        if finding.at_work(opened.paths):
            word = happened.StopRequested(self.clock(), self._who(), now, self._clean(reason))
            consent.record(opened, word, own=bool(self.by))
            return "asked to stop " + ("now" if now else "after the runs in flight")
        if not flying:
            raise CampaignError(
                f"campaign {opened.paths.name} has no controller and no runs in flight: there is nothing to stop"
            )
        if not now:
            raise CampaignError(
                f"nobody works on {opened.paths.name}, and {flying} of its runs go on by themselves; end them with: "
                f"autoresearch stop --now, or let them count with: autoresearch run"
            )
        request = happened.StopRequested(self.clock(), self._who(), now, self._clean(reason))
        request = consent.proved(opened, request, own=bool(self.by))

        def ask(event: Event) -> None:
            if isinstance(event, happened.ControllerStarted):
                opened.journal.append(request)

        self.run(ask)
        left = "1 run in flight was left" if flying == 1 else f"{flying} runs in flight were left"
        return f"nobody worked on the campaign; {left}: ended now, or counted where it had finished by itself"

    def answer(self, request: str | None, *, granted: bool, reason: str = "") -> str:
        """Answer a launch that waits for a person; without a name the only one waiting. Returns the request's name."""
        opened = self._acting()
        open_ones = [key for key in opened.history.approvals if key not in opened.history.answers]
        if request is None and len(open_ones) == 1:
            request = open_ones[0]
        if request is None or request not in open_ones:
            waiting = ", ".join(open_ones) or "none"
            raise CampaignError(f"which launch? waiting for approval: {waiting}")
        who, why = self._who(), self._clean(reason)
        given = happened.ApprovalGiven(at=self.clock(), request=request, granted=granted, by=who, reason=why)
        consent.record(opened, given)
        return request

    def overrule(self, index: int, verdict: str, *, reason: str) -> str:
        """Change a verdict to `keep`, `discard` or `crash`; the reason is kept. Returns what it does to the best."""
        return consent.overrule(self._acting(), index, verdict, self._clean(reason), self._who(), self.clock())

    # -- reading ------------------------------------------------------------------------------------------------

    def status(self) -> CampaignStatus:
        """Where the campaign stands; while it is run from here, as the controller sees it, without reading anything."""
        if self._working is not None:
            return standing.status_of(self._working, self.clock(), held=True)
        return standing.status_now(opening.open_campaign(self.where, self.name), self.clock())

    def campaigns(self) -> list[str]:
        """Names of the repository's campaigns, the one worked on last first."""
        return finding.names(finding.find_layout(self.where))

    def paths(self) -> CampaignPaths:
        """Where the campaign's things lie; its journal is not read."""
        return finding.find(self.where, self.name)

    def config(self) -> CampaignConfig:
        """The campaign file."""
        return opening.open_campaign(self.where, self.name).campaign

    def verdicts(self) -> tuple[Judged, ...]:
        """Every experiment with a verdict, by number, as the verdicts are now: a person may have overruled one."""
        return self.status().verdicts

    def rows(self) -> tuple[Row, ...]:
        """The campaign's rows of the ledger, one per attempted experiment, as they were written."""
        mine = f"{names.campaign_prefix(self.paths().name)}/"
        return tuple(row for row in self.ledger() if row.branch.startswith(mine))

    def number(self, words: str) -> int:
        """The number of an attempt that was given by number or by name."""
        return standing.number_of(opening.open_campaign(self.where, self.name), words)

    def experiment(self, index: int) -> Experiment:
        """One attempt with everything known about it."""
        return opening.open_campaign(self.where, self.name).experiment(index)

    def runs(self, index: int) -> list[Run]:
        """Runs of one attempt, oldest first."""
        opened = opening.open_campaign(self.where, self.name)
        return list(opened.history.runs_of(opened.experiment(index).name))

    def log(self, index: int) -> Path:
        """The newest run log of one attempt."""
        opened = opening.open_campaign(self.where, self.name)
        entry = opened.experiment(index)
        path = standing.log_of(opened, index)
        if not path.exists():
            raise CampaignError(volume.why_no_log(opened.paths, entry, opened.history.runs_of(entry.name), path))
        return path

    def diff(self, index: int) -> str:
        """What one attempt changed against its parent."""
        return standing.diff_of(opening.open_campaign(self.where, self.name), index)

    def ledger(self) -> tuple[Row, ...]:
        """Every row of the repository's ledger, those of other campaigns included."""
        return Ledger(finding.find_layout(self.where).ledger).rows()

    def report(self) -> tuple[Path, ...]:
        """Write the report anew and return the paths of its files."""
        opened = self._started()
        return controller.write_report(standing.read(opened), self.clock(), opening.redactor(opened.paths.root))

    def memory(self) -> str:
        """One bounded page with all that is needed to go on after everything was forgotten."""
        opened = self._started()
        return session_writer.recall(opened.paths, opening.redactor(opened.paths.root))

    def checkpoint(self) -> Path:
        """Write the session memory now and return its folder."""
        opened = self._started()
        redactor = opening.redactor(opened.paths.root)
        return session_writer.remember_read(standing.read(opened), redactor, "checkpoint asked for", self.clock())

    def curve(self, run: RunningRun) -> tuple[tuple[int, float], ...]:
        """The metric so far of a run in flight, as (step, value); empty when nothing was measured yet."""
        self._curves = self._curves or standing.LiveCurves()
        return self._curves.curve(self.where, run)

    def check(self) -> list[str]:
        """What ledger, journal and notes do not say alike, one sentence each."""
        paths = self.paths()
        return consistency.disagreements(paths, journal.Journal(paths.journal))

    def rebuild(self) -> str:
        """Make ledger, notes and journal say the same again; what was there is kept. Returns what was done, in words.

        Where there is no campaign, as in a clone, the git notes say what the ledger was.
        """
        opening.bring_back(self.where, self.name)
        if self.name is None and not self.campaigns():
            return consistency.rebuild_ledger_from_notes(finding.find_layout(self.where))
        paths = self.paths()
        if finding.at_work(paths):
            raise HeldError(f"a controller is at work on {paths.name}; stop it first (autoresearch stop), then rebuild")
        return consistency.rebuild_records(paths, self.clock())

    def doctor(self) -> tuple[preflight.Check, ...]:
        """What this machine and repository offer and lack."""
        return preflight.examine(self.where)

    def dry_run(self, plan: Plan) -> Submission:
        """The first submission of a plan as it would be sent; nothing is sent and nothing is left behind."""
        name = plan.campaign.campaign
        history = opening.open_campaign(self.where, name).history if name in self.campaigns() else None
        return controller.first_submission(plan, self.clock, history)

    # -- inside -------------------------------------------------------------------------------------------------

    def _who(self) -> str:
        return self.by or controller.person()

    def _named(self) -> bool:
        return self.name is not None and not self.picked

    def _acting(self, *, ends: bool = False) -> opening.Opened:
        return self._begun(opening.open_to_act(self.where, self.name, ends=ends))

    def _started(self) -> opening.Opened:
        return self._begun(opening.open_campaign(self.where, self.name))

    @staticmethod
    def _begun(opened: opening.Opened) -> opening.Opened:
        if opened.history.started is None:
            raise finding.not_begun(opened.paths)
        return opened

    def _clean(self, text: str) -> str:
        """A text without the secrets of this environment and repository."""
        return opening.redactor(finding.find_layout(self.where).root).clean(text)
