"""Whose doing the end of a run was, on what evidence, and what follows. Pure.

Only a run's own ending, with evidence that ties it to the change, is held against an idea. What a machine, an operator,
a site's rule or this program did costs the idea nothing, and what nobody can tell is nobody's fault: such a run is made
again from a small budget of its own. Words alone never accuse: what the idea changed, where the error was raised and
whether the parent fails alike outrank them. The sentences themselves are data, in `crash_signatures`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from autoresearch.run import collapse
from autoresearch.run.complaint import LOOK, held_by_others, kept_out
from autoresearch.run.crash_signatures import BY_NAME, ENVIRONMENT, IDEA, UNHANDLED, Signature
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.measurement import Completion
from autoresearch.run.post_mortem import (
    NOTHING,
    Change,
    Place,
    crash_symptoms,
    error_symptom,
    own_error,
    places,
    post_mortem,
    ties,
    unusual,
)
from autoresearch.run.symptom import Severity, Symptom

TRIES, TRIES_UNKNOWN = 2, 1
"""How often a run is made again that the machine or somebody took away, and one whose end nobody can explain."""

TRIES_NEVER_BEGUN = 1000
"""The same for one that its launcher never began: a person looks at it each time, for the campaign stops."""

_CACHED = re.compile(r"\.triton/|triton/cache|torchinductor|inductor_cache|torch_compile_cache|/\.cache/")


class Who(StrEnum):
    """Who ended a run."""

    IDEA = "idea"
    ENVIRONMENT = "environment"
    """What a run needs around it: environments, caches, images, services, storage, the network between GPUs."""
    NODE = "node"
    OPERATOR = "operator"
    """A person or a program of theirs: a cancel, a kill."""
    SITE = "site rule"
    PROGRAM = "program"
    """This program itself."""
    UNKNOWN = "unknown"


class Follows(StrEnum):
    """What an ending brings about."""

    AGAIN = "run again"
    MEND = "mend"
    """A slip: mended on its branch where a researcher can, else a crash."""
    CRASH = "crash"
    """A failed run, without a number."""
    DISCARD = "discard"
    """A memory or stability limit that the idea itself hit."""


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How a run without a number ended.

    Attributes:
        what: What happened, a stable kebab-case name such as `oom-gpu` or `cancelled`.
        who: Whose doing it was.
        evidence: The line or the words that show it.
        source: Where they are from: `launcher`, `supervisor`, `log`, `curves`, `measurement` or `controller`.
        because: Why it is theirs, in words.
        follows: What follows from it.
        tries: How often a run that ends so is made again at the most.
        cure: What a person may do about it.
        doubtful: Whether it is held against the idea and a sick machine may have made it as well.
        own_word: Whether all that excuses it is what the run itself printed or did, and the idea wrote that code.
    """

    what: str
    who: Who
    evidence: str
    source: str
    because: str = ""
    follows: Follows = Follows.CRASH
    tries: int = 0
    cure: str = ""
    doubtful: bool = False
    own_word: bool = False

    @property
    def excused(self) -> bool:
        """Whether it says nothing about what was run."""
        return self.follows is Follows.AGAIN

    @property
    def by_itself(self) -> bool:
        """Whether a run can bring it about alone, by what it prints or does."""
        return self.source == "log" or self.what in {"killed", "stalled"} or "all of it was stopped" in self.evidence

    @property
    def broken_cache(self) -> str:
        """What it says of a broken cache; empty where none broke."""
        return self.evidence if self.what == "cache-broken" or (self.excused and _CACHED.search(self.evidence)) else ""

    @property
    def sentence(self) -> str:
        """Who and what, with the evidence and the cure, in words for a row."""
        why = f" ({self.because})" if self.because else ""
        said = f"{self.who}: {self.what}: {self.evidence.rstrip('. ')}{why}"
        return f"{said}. {self.cure}" if self.cure else said


@dataclass(frozen=True, kw_only=True)
class Account:
    """All that is known of a run that gave no number.

    Attributes:
        status: The launcher's word, with what the supervisor wrote.
        completion: How far it came.
        symptoms: What the target saw in it, worst first.
        log: The end of its log, cleaned of secrets.
        change: What its idea changed; that of the baseline is empty.
        tree: Folder of the code it ran, absolute.
        held: What its sandbox mounted over in there, relative to it; empty without one.
        cancelled: Why the controller ended it, empty when it did not.
        hopeless: Whether that was for being far behind its parent.
        refused: Whether that was because its launcher would never have begun it.
        parent: What the newest run of its parent died of, empty when that gave a number.
        usual: The log of a complete run of its parent, cleaned of secrets; empty when there is none.
        before: What earlier runs of the same code died of that only their own words excuse, outages left out.
    """

    status: JobStatus
    completion: Completion = Completion.UNKNOWN
    symptoms: tuple[Symptom, ...] = ()
    log: str = ""
    change: Change = NOTHING
    tree: str = ""
    held: tuple[str, ...] = ()
    cancelled: str = ""
    hopeless: bool = False
    refused: bool = False
    parent: str = ""
    usual: str = ""
    before: tuple[str, ...] = ()


def judge(known: Account) -> Ending:
    """The ending of a run that gave no number: the controller's word first, then the launcher's, then the log's."""
    known = _without_the_usual(known)
    found = _by_controller(known) or _by_launcher(known) or _by_log(known)
    if found.who is Who.IDEA and known.parent == found.what and not known.hopeless:
        return _again(replace(found, who=Who.ENVIRONMENT, because="its parent now fails alike"), TRIES)
    return _in_its_own_words(found, known) if found.excused else found


def _without_the_usual(known: Account) -> Account:
    """What its parent's complete run complains of as well is neither cause nor symptom."""
    log = unusual(known.log, known.usual)
    if log == known.log:
        return known
    symptoms = [one for one in known.symptoms if one.name not in {*BY_NAME, UNHANDLED.name}]
    if len(symptoms) < len(known.symptoms):
        symptoms = [*crash_symptoms(log), *symptoms]
    return replace(known, log=log, symptoms=tuple(symptoms))


def _in_its_own_words(found: Ending, known: Account) -> Ending:
    """What code of the idea's printed, or did to itself, excuses a run twice: a third end alike is the idea's."""
    if not (known.change.code and found.by_itself) or known.parent == found.what:
        return found
    if known.before.count(found.what) < TRIES:
        return replace(found, own_word=True)
    because = "the third end of this kind, and nothing but its own words lays it on others"
    found = replace(found, who=Who.IDEA, because=because, own_word=True, cure=LOOK)
    return replace(found, follows=Follows.CRASH, tries=0, doubtful=True)


def _again(found: Ending, tries: int) -> Ending:
    return replace(found, follows=Follows.AGAIN, tries=tries)


# -- what we did ourselves -----------------------------------------------------------------------------------------


def _by_controller(known: Account) -> Ending | None:
    if not known.cancelled:
        return None
    ended = Ending(what="cancelled", who=Who.OPERATOR, evidence=known.cancelled, source="controller")
    if known.refused:
        return _again(replace(ended, what="never-begun", who=Who.SITE), TRIES_NEVER_BEGUN)
    if known.hopeless:
        return replace(ended, what="hopeless", who=Who.IDEA, source="curves", follows=Follows.DISCARD)
    if known.completion is Completion.STALLED:
        told = known.cancelled.removeprefix("stalled: ")
        where = "The end of its log tells where it hung."
        return _again(replace(ended, what="stalled", who=Who.UNKNOWN, evidence=told, cure=where), TRIES_UNKNOWN)
    fatal = _fatal(known.symptoms)
    if fatal and fatal.fault == IDEA:
        return replace(_held(fatal, known), evidence=known.cancelled)
    return ended


# -- what the launcher and the supervisor say ----------------------------------------------------------------------

_OUR_FAILURE = re.compile(r"\bthe supervisor failed\b")
_TOLD_TO_STOP = re.compile(r"\basked to stop by \w+")
_NOT_TAKEN = re.compile(r"\bcould not be submitted\b")
_NEVER_BEGUN = re.compile(r"(?i)JobLaunchFailure|launch.?fail|\bprolog\b|PrologFailed|RaisedSignal:53")
_NO_EXIT_FILE = re.compile(r"\bleft no exit file\b")
_KILLED = re.compile(
    r"ended by signal SIG(?:KILL|TERM|HUP|INT|QUIT|USR1|USR2)\b|exited with code (?:129|130|137|143)\b"
)
_KERNEL_KILLS = re.compile(r"out-of-memory killer struck")

_TAKEN = {
    JobState.VANISHED: ("vanished", Who.ENVIRONMENT, "Check the scheduler and the run's folder."),
    JobState.NODE_FAILED: ("node-failed", Who.NODE, "Leave the node out if it fails again."),
    JobState.PREEMPTED: ("preempted", Who.SITE, "The scheduler took the node back."),
}


def _by_launcher(known: Account) -> Ending | None:
    status = known.status
    told = status.reason or f"the launcher says {status.state.value}"
    said = Ending(what=status.state.value, who=Who.UNKNOWN, evidence=told, source="launcher")
    if _OUR_FAILURE.search(told):
        return _again(replace(said, what="supervisor-failed", who=Who.PROGRAM, source="supervisor"), TRIES)
    if status.state in _TAKEN:
        what, who, cure = _TAKEN[status.state]
        where = f"{told} (on {status.node})" if status.node and status.node not in told else told
        if status.state is JobState.PREEMPTED and _TOLD_TO_STOP.search(told) and " says " not in told:
            what, who, cure = "told-to-stop", Who.OPERATOR, ""
        return _again(replace(said, what=what, who=who, evidence=where, cure=cure), TRIES)
    if status.state is JobState.CANCELLED:
        by = f"cancelled by somebody else ({told})"
        return _again(replace(said, what="cancelled", who=Who.OPERATOR, evidence=by), TRIES)
    if status.state is JobState.TIMED_OUT:
        return replace(said, what="timed-out", who=Who.IDEA, because="a run over its limit is a failure")
    if status.state is JobState.OUT_OF_MEMORY:
        return _out_of_memory(said, known)
    if _NEVER_BEGUN.search(told):
        because = "its command was never reached"
        return _again(replace(said, what="launch-failed", who=Who.NODE, because=because), TRIES)
    if _NO_EXIT_FILE.search(told):
        return _again(
            replace(said, what="no-exit-file", who=Who.ENVIRONMENT, because="its supervisor never ended"), TRIES
        )
    return _killed(said, known)


def _out_of_memory(said: Ending, known: Account) -> Ending:
    """Memory is the idea's where it took some, also within the run's own limit; its baseline has nobody to blame."""
    said = replace(said, what="oom-host", cure=BY_NAME["oom-host"].advice)
    if tie := ties(known.change, "memory", said.evidence, ()):
        return replace(said, who=Who.IDEA, because=tie, follows=Follows.DISCARD)
    if known.change or _KERNEL_KILLS.search(said.evidence):
        return _again(replace(said, because="the idea changed nothing that takes memory"), TRIES_UNKNOWN)
    return said


def _killed(said: Ending, known: Account) -> Ending | None:
    """An end by signal has a sender: neither we nor, as far as the log says, the run itself."""
    if not _KILLED.search(said.evidence):
        return None
    named = _fatal(_causes(known))
    if named and named.name in BY_NAME and named.name != "killed":
        return None
    what = replace(said, what="killed", who=Who.OPERATOR, source="supervisor", because="somebody else sent the signal")
    return _again(what, TRIES_UNKNOWN)


# -- what the run itself says --------------------------------------------------------------------------------------


def _causes(known: Account) -> tuple[Symptom, ...]:
    """What a run can have died of; a curve that has collapsed kills nothing by itself."""
    symptoms = tuple(one for one in known.symptoms if one.name not in collapse.NAMES)
    return symptoms if _fatal(symptoms) else post_mortem(symptoms, known.status, known.log)


def _fatal(symptoms: Sequence[Symptom]) -> Symptom | None:
    return next((one for one in symptoms if one.severity is Severity.FATAL), None)


def _by_log(known: Account) -> Ending:
    if known.completion.whole:
        told = "it ended well and no value of the metric was found"
        return Ending(what="no-metric", who=Who.UNKNOWN, evidence=told, source="log")
    cause = _fatal(_causes(known))
    assert cause is not None  # noqa: S101 - a post mortem always names one
    found = _of(cause, known)
    return _despite(found, known) if found.excused and known.change.code else found


def _despite(found: Ending, known: Account) -> Ending:
    """What a file of the idea's raised last ended the run, whatever was printed beside it; nobody knows that twice."""
    error, alone = own_error(known.log, known.change, known.tree)
    if error and (alone or known.before.count(found.what) >= TRIES):
        return _of(error_symptom(error), known)
    if error:
        return _again(replace(found, who=Who.UNKNOWN, because=f"the idea's own code raised {error}"), TRIES)
    at = places(known.log, known.change, known.tree, found.evidence)
    own = at and at[-1] is Place.CHANGED and found.who is Who.ENVIRONMENT
    return replace(found, who=Who.UNKNOWN, because="raised in a file that the idea changed") if own else found


def _of(cause: Symptom, known: Account) -> Ending:
    if known.status.uncontained == "" and (kept := kept_out(cause.evidence, known.tree, known.held)):
        who, because = (Who.IDEA, kept[1]) if known.change else (Who.UNKNOWN, "")
        return replace(_said(cause), what=kept[0], who=who, because=because, cure=kept[2])
    signature = BY_NAME.get(cause.name)
    if signature is None:
        return _held(cause, known) if cause.fault == IDEA else _unclassified(cause, known)
    found = places(known.log, known.change, known.tree, cause.evidence)
    if not signature.pattern.search(cause.evidence) and ties(known.change, "code", cause.evidence, found):
        return _unclassified(replace(cause, name=UNHANDLED.name), known)  # of a kind only, and the tie says more
    tie = ties(known.change, signature.needs, cause.evidence, found)
    if tie:
        return _tied(cause, signature, tie)
    return _not_tied(cause, signature, known)


def _said(cause: Symptom) -> Ending:
    return Ending(what=cause.name, who=Who.UNKNOWN, evidence=cause.evidence, source="log", cure=cause.advice)


def _held(cause: Symptom, known: Account) -> Ending:
    """A loss that stays NaN and the like: the curves of the run itself; the baseline has nobody to hold it against."""
    if not known.change:
        return replace(_said(cause), source="curves")
    held = replace(_said(cause), who=Who.IDEA, source="curves", follows=Follows.DISCARD)
    return replace(held, because="its own curves show it")


def _tied(cause: Symptom, signature: Signature, tie: str) -> Ending:
    follows = Follows.MEND if signature.slip else Follows.DISCARD if signature.limit else Follows.CRASH
    return replace(
        _said(cause),
        who=Who.IDEA,
        because=tie,
        follows=follows,
        doubtful=not (signature.slip or signature.needs == "change"),
    )


def _not_tied(cause: Symptom, signature: Signature, known: Account) -> Ending:
    said = _said(cause)
    if signature.fault == ENVIRONMENT:
        return _again(replace(said, who=Who.ENVIRONMENT), TRIES)
    if signature.limit and (others := held_by_others(f"{cause.evidence}\n{known.log}")):
        cure = "Find out who holds the GPU, or leave the node out."
        return _again(replace(said, who=Who.ENVIRONMENT, because=others, cure=cure), TRIES)
    found = places(known.log, known.change, known.tree, cause.evidence)
    if signature.slip:
        if _no_module(cause.evidence, known.change):
            because = "a module is missing, and the idea changed settings only"
            cure = BY_NAME["venv-broken"].advice
            return _again(replace(said, what="venv-broken", who=Who.ENVIRONMENT, because=because, cure=cure), TRIES)
        if found and found[-1] is Place.INSTALLED and known.change:
            because = "raised in installed code, which the idea did not touch"
            cure = "Compare the image or environment with what this commit expects."
            return _again(replace(said, who=Who.ENVIRONMENT, because=because, cure=cure), TRIES)
        if known.change.own_files or not known.change:
            return replace(said, follows=Follows.MEND, doubtful=bool(known.change))
        return _again(replace(said, because="the idea changed settings only, and it names none"), TRIES_UNKNOWN)
    if not known.change:
        return said
    return _again(replace(said, because="nothing ties it to what the idea changed", cure=""), TRIES_UNKNOWN)


_NO_MODULE = re.compile(r"\bNo module named '?(\w+)")


def _no_module(message: str, change: Change) -> bool:
    """Whether a module is missing that nothing an idea set can have named."""
    found = _NO_MODULE.search(message)
    return bool(found and change and not change.own_files and not any(found[1] in value for value in change.values))


def _unclassified(cause: Symptom, known: Account) -> Ending:
    """An error without a signature: the idea's where its own code raised it, else nobody knows."""
    said = _said(cause)
    if not known.change or _NOT_TAKEN.search(known.status.reason):
        return said
    found = places(known.log, known.change, known.tree, cause.evidence)
    if tie := ties(known.change, "code", cause.evidence, found):
        named = bool(ties(known.change, "named", cause.evidence, ()))
        return replace(said, who=Who.IDEA, because=tie, doubtful=not named)
    because = "nothing ties it to what the idea changed"
    if found and found[-1] is Place.INSTALLED:
        because = "raised in installed code"
    return _again(replace(said, because=because), TRIES_UNKNOWN)
