"""Ideas from a coding agent: it edits one worktree, headless and contained, and the program decides about the rest.

The agent's process exists only while it edits. Its diff is the change; its answer is words. What goes wrong with it is
a trouble that the campaign tells of and waits out (no login, no quota, no model, a program that fails), or a call that
gave no idea (hang, refusal, nothing changed): it is on the bill, and no attempt is spent.
"""

import json
import shlex
import stat
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoresearch.errors import FruitlessError, ResearcherError
from autoresearch.experiment import attendance
from autoresearch.experiment.attendance import ResearcherAsked
from autoresearch.experiment.briefing import failure_text, plain, sections, task_of
from autoresearch.experiment.hypothesis import AREAS, Brief, Hypothesis
from autoresearch.git import contents, refs, worktree
from autoresearch.guards.custody import Custody
from autoresearch.machine import disk
from autoresearch.researchers.agent import answer as agent_answer
from autoresearch.researchers.agent import dry_run, prices, transcript, troubles
from autoresearch.researchers.agent.answer import Answer
from autoresearch.researchers.agent.invocation import Caller, Result, as_json, fill, template
from autoresearch.researchers.agent.options import AgentOptions
from autoresearch.researchers.agent.purse import Purse
from autoresearch.researchers.agent.transcript import Said
from autoresearch.researchers.agent.troubles import Trouble
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor

_TEMPLATES = ("propose", "repair", "answer", "learn", "cross", "simplify", "explain")
_PARTS = (
    "objective", "steering", "task", "recipe", "runs", "symptoms", "insights", "tried", "more", "scope",
    "crash", "failure", "answer", "check",
)  # fmt: skip
"""What a template may name."""

_MOST_PAIRS = 4
_ASLEEP = {Trouble.LOGIN, Trouble.QUOTA, Trouble.RATE, Trouble.MODEL, Trouble.CONTEXT}
"""Troubles that another call would meet again."""


class AgentResearcher:
    """Asks a coding agent for one change at a time.

    Args:
        options: See `AgentOptions`.
        folder: Keeps the agent's login, what it has cost, and the evidence of its calls.

    Raises:
        CampaignError: An option is not understood, the agent is not installed, a template asks for what is not there,
            or the sandbox that was asked for does not work.
    """

    name = "agent"
    edits = True
    finite = False

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        self.options = AgentOptions.of(options)
        self.folder = folder
        self._caller = Caller(self.options, folder)
        self._notes: list[str] = []
        self._bills: list[ResearcherAsked] = []
        self._verdicts = 0
        self.purse = Purse(folder)
        prompts = self.options.prompts and self.options.root / self.options.prompts
        self._templates = {name: template(f"{name}.md", prompts) for name in _TEMPLATES}
        nothing = dict.fromkeys(_PARTS, "")
        for name in ("propose", "repair"):
            fill(self._templates[name], nothing)

    def join(self, first: object) -> None:
        """Count together with the first of its kind: one purse, whoever pays."""
        self.purse = first.purse if isinstance(first, AgentResearcher) else self.purse

    @classmethod
    def instructions(cls, options: Mapping[str, Any]) -> tuple[str, ...]:
        """Globs of what its agent reads of a repository, beside what every agent is known to read."""
        return tuple(f"**/{glob}" for glob in AgentOptions.of(options).adapter().instructions)

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """The agent's change, standing in `tree`, and its words about it; None when it says that it has no idea.

        Raises:
            FruitlessError: It was called as often as it may, and nothing can be committed; the tree is as it was.
            ResearcherError: It could not work for a reason that time or a person may mend; the tree is as it was.
        """
        self._count_lost()
        if over := self.purse.used_up(self.options):
            self._note_once(f"the agent {over}; it is not asked again")
            return None
        commit = refs.head_commit(tree)
        why = ""
        for number in range(1, self.options.tries + 1):
            label = f"{brief.index}-{number}"
            prompt = self._prompt("propose", brief, label)
            result = self._call(label, brief, prompt, tree)
            found = self._found(brief.index, result, tree, commit)
            if not isinstance(found, str):
                self._record(brief.index, result, attendance.PROPOSED if found else attendance.NO_IDEA)
                return found
            if self._caller.interrupted:
                self._record(brief.index, result, attendance.AGAIN, found)
                raise ResearcherError(found)
            why, failed = found, self._failed(result, contents.edited_paths(tree, commit))
            self._fresh(tree, commit)
            last = (
                number == self.options.tries
                or result.ending.word == "timed-out"
                or bool(self.purse.used_up(self.options))
            )
            ended = attendance.TROUBLE if failed else attendance.FRUITLESS
            self._record(brief.index, result, ended if last else attendance.AGAIN, why)
            if last and failed:
                self._record_trouble(result, why)
                raise ResearcherError(f"{why}; {_TODO_ELSE}", trouble=Trouble.FAILURE)
            if last:
                break
        raise FruitlessError(why)

    def _found(self, index: int, result: Result, tree: Path, commit: str) -> Hypothesis | str | None:
        """As `_verdict`, with the call on the bill where it ends in trouble."""
        try:
            return self._verdict(result, tree, commit)
        except ResearcherError as error:
            self._record(index, result, attendance.TROUBLE, str(error))
            raise

    def repair(self, brief: Brief, tree: object, crash: str) -> bool:
        """Have the agent mend a trivial crash in the experiment's worktree; False when it changed nothing.

        Raises:
            ResearcherError: It could not work.
        """
        tree = Path(str(tree))
        commit = refs.head_commit(tree)
        label = f"{brief.index}-repair"
        prompt = self._prompt("repair", brief, label, plain(self._redactor().clean(crash), 1000))
        result = self._call(label, brief, prompt, tree)
        found = self._found(brief.index, result, tree, commit)
        mended = isinstance(found, Hypothesis) and bool(contents.edited_paths(tree, commit))
        why = "" if mended else str(found or "it changed nothing")
        self._record(brief.index, result, attendance.MENDED if mended else attendance.NOT_MENDED, why)
        if not mended:
            self._fresh(tree, commit)  # the engine attaches it to its branch again
        return mended

    def at_once(self) -> int:
        """How many made alike may be at work together.

        None beside anything else without a sandbox, for what is compared afterwards is the whole repository; one where
        they would share a home; else as many as its bounds leave room for.
        """
        if self._caller.uncontained:
            return 0
        return 1 if self.options.home is not None else self.purse.at_once(self.options)

    def interrupt(self) -> None:
        """End the call that is under way, and begin no other."""
        self._caller.interrupt()

    def notes(self) -> tuple[str, ...]:
        """What a person should be able to read about the calls since the last time this was asked."""
        said, self._notes = tuple(self._notes), []
        return said

    def bills(self) -> tuple[ResearcherAsked, ...]:
        """Its calls since the last time this was asked."""
        found, self._bills = tuple(self._bills), []
        return found

    def evidence(self, index: int) -> Path:
        """The folder with the files about an attempt's calls; it need not exist."""
        return self.folder / "evidence" / str(index)

    # -- one call -------------------------------------------------------------------------------------------------

    def _prompt(self, name: str, brief: Brief, label: str, crash: str = "") -> str:
        parts = {"answer_file": str(self._caller.answer_file(label)), "areas": ", ".join(AREAS)}
        self._verdicts = brief.learn if self.options.insights and name == "propose" else 0
        parts["learn"] = self._templates["learn"] if self._verdicts else ""
        check = shlex.quote(str(self._caller.answer_file(label).with_name(dry_run.SCRIPT)))
        task = task_of(brief) if self.options.tasks else ""
        pair = {"pair": " or ".join(f"`{branch}`" for branch in brief.beside[-_MOST_PAIRS:])}
        parts = {
            **sections(brief),
            "crash": crash,
            "failure": failure_text(brief.failure) if crash else "",
            "task": fill(self._templates[task], pair) if task else "",
            "answer": fill(self._templates["answer"], parts),
            "check": check,
        }
        return self._redactor().clean(fill(self._templates[name], parts))

    def _call(self, label: str, brief: Brief, prompt: str, tree: Path) -> Result:
        place = self.evidence(brief.index)
        place.mkdir(parents=True, exist_ok=True)
        disk.replace(place / "agent-prompt.md", prompt)
        self._count_lost()
        if self._caller.uncontained:
            self._note_once(
                f"the agent works without a sandbox ({self._caller.uncontained}): it can reach everything this account "
                f"can; what it moves in git or in the records is put back or reported afterwards"
            )
        with self.purse.call(self.options.max_cost_usd) as left:
            custody = Custody.take(self.options.root, tree, self.folder.parent.parent, bool(self._caller.uncontained))
            try:
                result = self._caller.call(label, prompt, tree, left, brief)
            finally:
                self._notes += custody.settle(place / "kept")
                self._notes += _tamed(tree)
            return self._priced(result)

    def _verdict(self, result: Result, tree: Path, commit: str) -> Hypothesis | str | None:
        """The proposal, None for a stated lack of ideas, or why there is nothing to commit.

        Raises:
            ResearcherError: Neither another try nor a row would help: the agent cannot work now.
        """
        edited = contents.edited_paths(tree, commit)
        answer, ending = result.answer, result.ending
        if ending.word in {"exited", "lost"} and ending.code == 0 and answer and answer.no_idea and not edited:
            self._notes.append(f"the agent has no further idea: {answer.no_idea}")
            return None
        changed = bool(edited or (answer and answer.overrides))
        if changed and ending.word == "exited" and (ending.code == 0 or answer):
            return self._hypothesis(answer or Answer(), edited, tree)
        # A turn that ended in good order says itself what was wrong; what such an agent logs beside it is noise.
        stderr = "" if ending.code == 0 else result.stderr
        why = self._redactor().clean(transcript.reason(result.said, stderr))
        kind = self._kind(result, stderr)
        if ending.word == "not-started" or kind in _ASLEEP:
            words = ending.reason if ending.word == "not-started" else f"{kind}: {why}"
            self._record_trouble(result, words)
            told = f"{self.options.agent} cannot work now: {words}; {_TODO.get(kind, _TODO_ELSE)}"
            raise ResearcherError(told, trouble=kind if kind in _ASLEEP else Trouble.FAILURE)
        if ending.word != "exited":
            return f"the agent was stopped: {ending.reason}"
        if ending.code != 0:
            return f"the agent failed: {ending.reason}: {why}"
        word = f"{Trouble.REFUSAL}: " if troubles.refuses(result.said.text) else ""
        return f"the agent changed nothing: {word}{why}"

    def _kind(self, result: Result, stderr: str) -> Trouble:
        """The trouble that its program is in; one that ended in good order and states none is in none."""
        said, ending = result.said, result.ending
        told = said.error or not result.stdout.strip()  # one that waits for its model in silence says why beside it
        if ending.word != "exited" and not (ending.word == "timed-out" and told):
            return Trouble.UNKNOWN
        words = stderr
        if self._caller.adapter.talks and ending.code != 0 and not troubles.in_words(stderr):
            words = f"{stderr}\n{troubles.last_words(result.stdout)}"
        return transcript.trouble(said, words)

    def _failed(self, result: Result, edited: tuple[str, ...]) -> bool:
        """Whether its program failed and left nothing, whatever its words: that is a trouble of its own."""
        return result.ending.word == "exited" and result.ending.code != 0 and not edited

    def _hypothesis(self, answer: Answer, edited: tuple[str, ...], tree: Path) -> Hypothesis:
        if not answer.title:
            self._notes.append("the agent did not say what its change is for")
        shown = ", ".join(edited[:3]) + (", ..." if len(edited) > 3 else "")
        hypothesis = answer.hypothesis(self.name, f"unexplained edit of {shown or 'the recipe'}")
        if answer.overrides and (leading_out := [path for path in edited if (tree / path).is_symlink()]):
            self._notes.append(f"its overrides are not applied: {leading_out[0]} has become a symbolic link")
            hypothesis = replace(hypothesis, overrides=())
        if answer.parent and not edited:  # what it edited stands on the parent that it was given
            hypothesis = replace(hypothesis, parent=answer.parent)
        clean = self._redactor().clean
        return replace(hypothesis, title=clean(hypothesis.title), rationale=clean(hypothesis.rationale))

    def _fresh(self, tree: Path, commit: str) -> None:
        worktree.remove(self.options.root, tree)
        worktree.add(self.options.root, tree, commit)

    # -- records --------------------------------------------------------------------------------------------------

    def _record(self, index: int, result: Result, outcome: str, why: str = "") -> None:
        """Put the call on the bill, add it to `agent.json`, and what it printed to `agent.log`, without secrets."""
        self._bill(result, outcome, plain(self._redactor().clean(why)))
        place, clean = self.evidence(index), self._redactor().clean
        outcome, file = clean(f"{outcome}: {why}" if why else outcome)[:500], place / "agent.json"
        try:
            document = json.loads(file.read_bytes())
        except (OSError, ValueError):
            document = {"agent": self.options.agent, "model": self.options.model, "log": "agent.log", "calls": []}
        said, ending = result.said, result.ending
        asked = [{key: clean(word) for key, word in one.items()} for one in said.asked]
        document["sandbox"] = self._caller.uncontained or "bubblewrap"
        document["calls"].append(
            {
                "at": result.at, "seconds": ending.wall_s, "ending": ending.word, "reason": ending.reason,
                "exit_code": ending.code, "processes_ended": ending.ended, "tokens_in": said.tokens_in,
                "tokens_out": said.tokens_out, "cost_usd": said.cost_usd, "turns": said.turns,
                "model": said.model, "outcome": outcome, "error": plain(clean(said.error)),
                **({"asked": asked} if asked else {}),
                **({"dry_runs": [clean(one) for one in result.dry_runs]} if result.dry_runs else {}),
            }
        )  # fmt: skip
        disk.replace(file, as_json(document))
        with (place / "agent.log").open("a", encoding="utf-8", errors="replace") as log:
            for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
                log.write(f"== call {len(document['calls'])}, {name}\n{transcript.shortened(text, clean)}\n")

    def _record_trouble(self, result: Result, words: str) -> None:
        """Troubles belong to no experiment: the last one is kept in the researcher's own folder."""
        said = result.said
        document = {"at": result.at, "trouble": words, "exit_code": result.ending.code, "cost_usd": said.cost_usd}
        disk.replace(self.folder / "trouble.json", as_json(document))

    def _priced(self, result: Result) -> Result:
        """The call with its model and what it cost, as said or by the price of its tokens; both are added up."""
        said, usage = result.said, result.answer.usage if result.answer else agent_answer.Usage()
        if self._caller.adapter.silent:
            said = replace(said, **usage.model_dump())
        said = replace(said, model=said.model or self.options.model)
        price = prices.price(said.model, self.options.prices) if said.cost_usd is None else None
        tokens = (said.tokens_in or 0) + (said.tokens_out or 0)
        if price and tokens:
            money = prices.cost_usd(price, said.tokens_in or 0, said.tokens_cached or 0, said.tokens_out or 0)
            said = replace(said, cost_usd=money, priced=True)
        worked = result.ending.word != "exited" or result.ending.code == 0
        self.purse.pay(said.cost_usd, tokens, worked=worked)
        return replace(result, said=said)

    def _bill(self, result: Result, outcome: str, why: str) -> None:
        said: Said = result.said
        self._bills.append(
            ResearcherAsked(
                at=result.at + result.ending.wall_s, index=0, researcher=self.name, outcome=outcome, why=why,
                agent=self.options.agent, model=said.model, seconds=round(result.ending.wall_s, 3),
                tokens_in=said.tokens_in, tokens_out=said.tokens_out, cost_usd=said.cost_usd, priced=said.priced,
                learned=result.answer.learned if result.answer else (), verdicts=self._verdicts if result.answer else 0,
            )
        )  # fmt: skip

    def _count_lost(self) -> None:
        calls, usd, why = self.purse.lost()
        self._notes += [why] * bool(calls)
        lost = ResearcherAsked(
            at=time.time(), index=0, researcher=self.name, outcome=attendance.AGAIN, why=why, agent=self.options.agent,
            model=self.options.model, cost_usd=usd, priced=usd is not None,
        )  # fmt: skip
        self._bills += [lost] * calls

    def _note_once(self, text: str) -> None:
        if text not in self.purse.told:
            self.purse.told.add(text)
            self._notes.append(text)

    def _redactor(self) -> Redactor:
        return environment.of_repository(self.options.root)


_TODO = {
    Trouble.LOGIN: "log in, or set its key and name the variable in `env_allow`; it is retried automatically",
    Trouble.QUOTA: "raise its quota or name another researcher; it is retried automatically",
    Trouble.RATE: "it is retried automatically",
    Trouble.MODEL: "correct `model`, or get access to it; it is retried automatically",
    Trouble.CONTEXT: "choose a model that can read more; it is retried automatically",
}
_TODO_ELSE = "see that it is installed and can be started"


def _tamed(tree: Path) -> list[str]:
    """Take away what no commit can hold and a reader could hang on: pipes, sockets, devices; and the answer's file."""
    found: list[str] = []
    with suppress(OSError):
        (tree / agent_answer.NAME).unlink()
    for place, folders, names in disk.walk(tree):
        folders[:] = [folder for folder in folders if folder != ".git"]
        for name in names:
            path = Path(place, name)
            if not _ordinary(path):
                path.unlink()
                found.append(f"{path.relative_to(tree)}, which was neither a file nor a link, was removed")
    return found[:10]


def _ordinary(path: Path) -> bool:
    """Whether a path is a regular file, or a link to no device, pipe, socket or file that the kernel makes up."""
    try:
        mode = path.stat().st_mode
        if path.is_symlink() and path.resolve().is_relative_to("/proc"):
            return False
    except (OSError, RuntimeError):
        return True
    return stat.S_ISREG(mode) or stat.S_ISDIR(mode)
