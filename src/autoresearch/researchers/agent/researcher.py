"""Ideas from a coding agent: it edits one worktree, headless and contained, and the program decides about the rest.

The agent's process exists only while it edits. Its diff is the change; its answer is words. What goes wrong with it is
a trouble that the campaign waits out (no login, no quota, rate limit), or an attempt that says so in its row (hang,
crash, refusal, nothing changed), and never the end of the campaign.
"""

import json
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from autoresearch.errors import ResearcherError
from autoresearch.experiment.briefing import plain, sections
from autoresearch.experiment.hypothesis import AREAS, Brief, Hypothesis
from autoresearch.git import refs, worktree
from autoresearch.guards.custody import Custody
from autoresearch.guards.scope import Scope
from autoresearch.machine import disk
from autoresearch.researchers.agent import answer as agent_answer
from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.answer import Answer
from autoresearch.researchers.agent.invocation import Caller, Result, as_json, fill, template
from autoresearch.researchers.agent.options import AgentOptions
from autoresearch.researchers.agent.transcript import Trouble
from autoresearch.secrets import environment
from autoresearch.secrets.redactor import Redactor

_MOST_TRANSCRIPT = 256 * 1024
_NOT_A_CHANGE = "no change"


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
    """It works in the worktree itself."""
    finite = False

    def __init__(self, *, options: Mapping[str, Any], folder: Path) -> None:
        self.options = AgentOptions.of(options)
        self.folder = folder
        self._caller = Caller(self.options, folder)
        self._notes: list[str] = []
        self._told = False
        prompts = self.options.prompts and self.options.root / self.options.prompts
        self._templates = {name: template(f"{name}.md", prompts) for name in ("propose", "repair", "answer")}
        nothing = dict.fromkeys(
            ("objective", "steering", "recipe", "symptoms", "tried", "scope", "crash", "answer"), ""
        )
        for name in ("propose", "repair"):
            fill(self._templates[name], nothing)

    def propose(self, brief: Brief, tree: Path) -> Hypothesis | None:
        """The agent's change, standing in `tree`, and its words about it; None when it says that it has no idea.

        Raises:
            ResearcherError: It could not work for a reason that time or a person may mend; the tree is as it was.
        """
        if self._spent() >= (self.options.max_cost_usd or float("inf")):
            self._notes.append(f"the agent has used up its {self.options.max_cost_usd:g} USD; it is not asked again")
            return None
        commit = refs.head_commit(tree)
        why = ""
        for number in range(1, self.options.tries + 1):
            label = f"{brief.index}-{number}"
            prompt = self._prompt("propose", brief, label)
            result = self._call(label, brief, prompt, tree)
            found = self._verdict(result, tree, commit)
            self._record(brief.index, result, found if isinstance(found, str) else "proposed")
            if not isinstance(found, str):
                return found
            why = found
            self._fresh(tree, commit)
            self._notes.append(f"agent, attempt {brief.index}, call {number} of {self.options.tries}: {why}")
        return Hypothesis(title=plain(f"{_NOT_A_CHANGE}: {why}", 120), area="agent", rationale=why, source=self.name)

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
        found = self._verdict(result, tree, commit)
        mended = isinstance(found, Hypothesis) and bool(worktree.edited_paths(tree, commit))
        self._record(brief.index, result, "mended" if mended else f"not repaired: {found}"[:500])
        if not mended:
            self._undo(tree, commit)
        return mended

    def notes(self) -> tuple[str, ...]:
        """What a person should be able to read about the calls since the last time this was asked."""
        said, self._notes = tuple(self._notes), []
        return said

    def evidence(self, index: int) -> Path:
        """The folder with the files about an attempt's calls; it need not exist."""
        return self.folder / "evidence" / str(index)

    # -- one call -------------------------------------------------------------------------------------------------

    def _prompt(self, name: str, brief: Brief, label: str, crash: str = "") -> str:
        parts = {"answer_file": str(self._caller.answer_file(label)), "areas": ", ".join(AREAS)}
        parts = {**sections(brief), "crash": crash, "answer": fill(self._templates["answer"], parts)}
        return self._redactor().clean(fill(self._templates[name], parts))

    def _call(self, label: str, brief: Brief, prompt: str, tree: Path) -> Result:
        place = self.evidence(brief.index)
        place.mkdir(parents=True, exist_ok=True)
        disk.replace(place / "agent-prompt.md", prompt)
        if self._caller.uncontained and not self._told:
            self._told = True
            self._notes.append(
                f"the agent works without a sandbox ({self._caller.uncontained}): it can reach everything this account "
                f"can; what it moves in git or in the records is put back or reported afterwards"
            )
        left = None if self.options.max_cost_usd is None else self.options.max_cost_usd - self._spent()
        custody = Custody.take(self.options.root, tree, self.folder.parent.parent, bool(self._caller.uncontained))
        try:
            result = self._caller.call(label, prompt, tree, left, _scope(brief))
        finally:
            self._notes += custody.settle(place / "kept")
            self._notes += _tamed(tree)
        self._spend(result.said.cost_usd or 0.0)
        return result

    def _verdict(self, result: Result, tree: Path, commit: str) -> Hypothesis | str | None:
        """The proposal, None for a stated lack of ideas, or why there is nothing to commit.

        Raises:
            ResearcherError: Neither another try nor a row would help: the agent cannot work now.
        """
        edited = worktree.edited_paths(tree, commit)
        answer, ending = result.answer, result.ending
        if ending.word in {"exited", "lost"} and ending.code == 0 and answer and answer.no_idea and not edited:
            self._notes.append(f"the agent has no further idea: {answer.no_idea}")
            return None
        changed = bool(edited or (answer and answer.overrides))
        if changed and ending.word == "exited" and (ending.code == 0 or answer):
            return self._hypothesis(answer or Answer(), edited, tree)
        # A turn that ended in good order says itself what was wrong; what such an agent logs beside it is noise.
        stderr = "" if self.options.protocol == "acp" and ending.code == 0 else result.stderr
        why = transcript.reason(result.said, stderr)
        told = ending.word == "exited" or (ending.word == "timed-out" and result.said.error)
        kind = transcript.trouble(result.said, stderr) if told else Trouble.UNKNOWN
        if ending.word == "not-started" or kind in {Trouble.LOGIN, Trouble.QUOTA, Trouble.RATE}:
            words = ending.reason if ending.word == "not-started" else f"{kind}: {self._redactor().clean(plain(why))}"
            self._record_trouble(result, words)
            raise ResearcherError(f"{self.options.agent} cannot work now: {words}; {_TODO.get(kind, _TODO_ELSE)}")
        if ending.word != "exited":
            return f"the agent was stopped: {ending.reason}"
        if ending.code != 0:
            return self._redactor().clean(f"the agent failed: {ending.reason}: {plain(why)}")
        return self._redactor().clean(f"the agent changed nothing ({kind}): {plain(why)}")

    def _hypothesis(self, answer: Answer, edited: tuple[str, ...], tree: Path) -> Hypothesis:
        if not answer.title:
            self._notes.append("the agent did not say what its change is for")
        shown = ", ".join(edited[:3]) + (", ..." if len(edited) > 3 else "")
        hypothesis = answer.hypothesis(self.name, f"unexplained edit of {shown or 'the recipe'}")
        if answer.overrides and (leading_out := [path for path in edited if (tree / path).is_symlink()]):
            self._notes.append(f"its overrides are not applied: {leading_out[0]} has become a symbolic link")
            hypothesis = replace(hypothesis, overrides=())
        clean = self._redactor().clean
        return replace(hypothesis, title=clean(hypothesis.title), rationale=clean(hypothesis.rationale))

    def _fresh(self, tree: Path, commit: str) -> None:
        worktree.remove(self.options.root, tree)
        worktree.add(self.options.root, tree, commit)

    def _undo(self, tree: Path, commit: str) -> None:
        """Put an experiment's own worktree back; the engine attaches it to its branch again."""
        self._fresh(tree, commit)

    # -- records --------------------------------------------------------------------------------------------------

    def _record(self, index: int, result: Result, outcome: str) -> None:
        """Add the call to `agent.json`, and what it printed to `agent.log`, without secrets."""
        place = self.evidence(index)
        file, clean = place / "agent.json", self._redactor().clean
        try:
            document = json.loads(file.read_bytes())
        except (OSError, ValueError):
            document = {
                "agent": self.options.agent,
                "model": self.options.model,
                "log": "agent.log",
                "calls": [],
            }
        said, ending = result.said, result.ending
        asked = [{key: clean(word) for key, word in one.items()} for one in said.asked]
        document["sandbox"] = self._caller.uncontained or "bubblewrap"
        document["calls"].append(
            {
                "at": result.at, "seconds": ending.wall_s, "ending": ending.word, "reason": ending.reason,
                "exit_code": ending.code, "processes_ended": ending.ended, "tokens_in": said.tokens_in,
                "tokens_out": said.tokens_out, "cost_usd": said.cost_usd, "turns": said.turns,
                "outcome": clean(outcome), "error": clean(plain(said.error)),
                **({"asked": asked} if asked else {}),
            }
        )  # fmt: skip
        disk.replace(file, as_json(document))
        with (place / "agent.log").open("a", encoding="utf-8", errors="replace") as log:
            for name, text in (("stdout", result.stdout), ("stderr", result.stderr)):
                log.write(f"== call {len(document['calls'])}, {name}\n{clean(_bounded(text))}\n")

    def _record_trouble(self, result: Result, words: str) -> None:
        """Troubles belong to no experiment: the last one is kept in the researcher's own folder."""
        said = result.said
        document = {"at": result.at, "trouble": words, "exit_code": result.ending.code, "cost_usd": said.cost_usd}
        disk.replace(self.folder / "trouble.json", as_json(document))

    def _spent(self) -> float:
        try:
            return float(json.loads((self.folder / "spent.json").read_bytes())["usd"])
        except (OSError, ValueError, KeyError, TypeError):
            return 0.0

    def _spend(self, usd: float) -> None:
        if usd:
            disk.replace(self.folder / "spent.json", as_json({"usd": round(self._spent() + usd, 6)}))

    def _redactor(self) -> Redactor:
        return environment.of_repository(self.options.root)


_TODO = {
    Trouble.LOGIN: "log in, or set its key and name the variable in `env_allow`; it is retried automatically",
    Trouble.QUOTA: "raise its quota or name another researcher; it is retried automatically",
    Trouble.RATE: "it is retried automatically",
}
_TODO_ELSE = "see that it is installed and can be started"


def _scope(brief: Brief) -> Scope:
    """What an agent that asks is answered by; the guards on the commit know more, such as recipe keys and sizes."""
    return Scope(allow=brief.allow or ("**",), protect=brief.protect, subject=brief.subject)


def _bounded(text: str) -> str:
    if len(text) <= _MOST_TRANSCRIPT:
        return text
    half = _MOST_TRANSCRIPT // 2
    return f"{text[:half]}\n[{len(text) - 2 * half} characters left out]\n{text[-half:]}"


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
