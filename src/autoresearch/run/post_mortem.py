"""What a log and the scheduler say about the death of a run, by the table of signatures. Pure functions.

A signature is a WARNING and never an early kill: frameworks survive some of these errors, and a model may print the
very words in an answer. Only what follows the last sign of progress counts. Once a run is known to have crashed,
`post_mortem` makes the finding FATAL.

A tie binds an error to what an idea changed. It is a fact and never a resemblance of words alone: a frame in a file of
the change, a changed key or value that the message names, a key that takes memory behind an exhausted memory.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from autoresearch.run import complaint
from autoresearch.run.crash_signatures import BY_NAME, ENVIRONMENT, IDEA, SIGNATURES, UNHANDLED, UNKNOWN, Signature
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.symptom import Severity, Symptom, clean, excerpt

PROGRESS = re.compile(r"📊 Training Results:|^train step \d+/\d+|^=+ Step \d+/\d+ =+$")
"""A line that only a run that goes on prints (NeMo-RL's; a general script may have none)."""

MAX_EVIDENCE = 240

_GUESSES = re.compile(
    r"(?i)\b(?:possible|potential|likely)(?: root)? (?:causes?|reasons?)\b"
    r"|\bthis (?:may|might|can|could) be (?:caused|due)\b"
)
_RANK_OF = re.compile(r"^(?:\[(?:rank ?)?\d{1,5}\]:? )+(?=\S)")
"""Whose line it is, by launchers of several processes."""

_TRIED_AGAIN = re.compile(r"(?i)\bretrying\b|\bentering retry loop\b|\bwill (?:be )?retr(?:y|ied)\b")
"""What was tried again ended nothing by itself."""

_QUOTED = re.compile(r"^(?:\([^)\n]*\) *)?(?:\[[^\]\n]*\]:? *)?\s{2,}\S")
_ANSWER = re.compile(
    r"""(?ix)^\W*(?:sample|answer|response|prompt|completion|generation|generated|rollout|assistant|user|output|text
    |message|content|question|solution|prediction|reply)s?\b[^:=]{0,40}[:=]"""
)

_CONFIGURATION = (".yaml", ".yml", ".json", ".toml", ".ini", ".cfg")


_FRAMED = re.compile(r'^\W*(?:\([^)\n]*\) *)?(?:\[[^\]\n]*\]:? *)?File "[^"\n]+", line \d+')


def _without_source(lines: Iterable[str]) -> Iterable[str]:
    """Lines without the source that a traceback quotes below a frame: what code would say was not said."""
    framed = False
    for line in lines:
        yield "" if framed and _QUOTED.match(line) else line
        framed = bool(_FRAMED.match(line))


def _telling(line: str) -> str:
    """What a line says of the run: no model's answer, and no list of what may have been the cause."""
    if _ANSWER.match(line):
        return ""
    guess = _GUESSES.search(line)
    return line[: guess.start()] if guess else line


def crash_symptoms(log_tail: str) -> tuple[Symptom, ...]:
    """Signatures found behind the last sign of progress, in the order of the table.

    The last matching line is the evidence: a chained traceback ends with the error that mattered to the driver. Where
    a traceback ended the process, what was printed and outlived before it is held against nobody.
    """
    rest = _said(log_tail)
    told = [line if not _TRIED_AGAIN.search(line) else "" for line in rest]
    last = told[_outlived(rest) :]
    strong = [pair for one in SIGNATURES for pair in _matches(told if one.fault == ENVIRONMENT else last, (one,))]
    found = strong or _matches(rest, (UNHANDLED,))
    return tuple(Symptom(one.name, Severity.WARNING, line, one.fault, one.advice) for one, line in found)


def _said(log_tail: str, *, whole: bool = False) -> list[str]:
    """What a log says behind its last sign of progress, or in `whole`."""
    lines = [_telling(line) for line in _without_source(clean(line) for line in log_tail.split("\n"))]
    return (
        lines
        if whole
        else lines[max((index for index, line in enumerate(lines) if PROGRESS.search(line)), default=-1) + 1 :]
    )


def _outlived(lines: Sequence[str]) -> int:
    """How many lines stand before what ended the process; 0 where no traceback did."""
    known = complaint.tracebacks(lines)
    if (place := complaint.escaped(known)) is None:
        return 0
    named = bool(_matches([known[place].error], SIGNATURES))
    return known[complaint.led_to(known, place, handled=not named)].at.start


def unusual(log_tail: str, usual: str) -> str:
    """A log without what its parent's complete run complains of in the same words: that ended nothing."""
    return "\n".join(complaint.unusual(_said(log_tail), _said(usual, whole=True))) if usual else log_tail


def _of_kind(log_tail: str) -> tuple[Symptom, ...]:
    """What an error without a known sentence is; one that the repository's own code raised is of no kind."""
    lines = [_RANK_OF.sub("", line) for line in _said(log_tail)]
    raised = _matches(lines, (UNHANDLED,))
    frames = complaint.FRAME.findall("\n".join(lines)) if raised else []
    if frames and (home := complaint.raised_by(frames[-1])):
        return (_fatal(BY_NAME[home], raised[0][1]),)
    if frames and not _INSTALLED.search(frames[-1]):
        return ()
    if kind := complaint.kind([line for _, line in raised] or lines):
        name, line, words = kind
        return (_fatal(BY_NAME[name], _shortened(line, words)),)
    return tuple(_fatal(*one) for one in raised)


def _fatal(one: Signature, line: str) -> Symptom:
    return Symptom(one.name, Severity.FATAL, line, one.fault, one.advice)


def _matches(lines: list[str], signatures: Iterable[Signature]) -> list[tuple[Signature, str]]:
    found = []
    for signature in signatures:
        shown = next((line for line in reversed(lines) if signature.pattern.search(line)), None)
        if shown is not None:
            found.append((signature, _shortened(shown, signature.pattern)))
    return found


def _shortened(line: str, pattern: re.Pattern[str]) -> str:
    text = line.strip()
    if len(text) <= MAX_EVIDENCE:
        return text
    found = pattern.search(text)
    start = max(0, found.start() - 40) if found else 0
    return f"{'...' if start else ''}{text[start : start + MAX_EVIDENCE - 6]}..."


def post_mortem(symptoms: Iterable[Symptom], status: JobStatus, log_tail: str) -> tuple[Symptom, ...]:
    """The same findings about a run that is known to have crashed: its cause first, and FATAL.

    Without a signature and without a word from the launcher the cause is the kind of its last complaint, else
    `unexplained-crash`, so that a mere warning about the idea is never taken for the reason.
    """
    known = {signature.name for signature in (*SIGNATURES, UNHANDLED)}
    found = [replace(one, severity=Severity.FATAL) if one.name in known else one for one in symptoms]
    names = {one.name for one in found}
    found = [*(one for one in status_symptoms(status) if one.name not in names), *found]
    if not any(one.severity is Severity.FATAL and one.name != UNHANDLED.name for one in found):
        found = [*(kind := _of_kind(log_tail)), *(one for one in found if not kind or one.name != UNHANDLED.name)]
    if not any(one.severity is Severity.FATAL for one in found):
        found.append(_unexplained(status, log_tail))
    return worst_first(found)


def _unexplained(status: JobStatus, log_tail: str) -> Symptom:
    code = "no exit code" if status.exit_code is None else f"exit code {status.exit_code}"
    last = excerpt(log_tail, lines=1)
    silent = "nothing of its own was printed" if log_tail else "nothing was printed"
    told = f"{code}, last line: {last}" if last else f"{status.reason or code}, {silent}"
    advice = "Read the end of the log; if it says nothing, run again once."
    return Symptom("unexplained-crash", Severity.FATAL, told, UNKNOWN, advice)


_RANK = {Severity.FATAL: 0, Severity.WARNING: 1, Severity.INFO: 2}


def worst_first(symptoms: Iterable[Symptom]) -> tuple[Symptom, ...]:
    """Most severe first; equals keep their order."""
    return tuple(sorted(symptoms, key=lambda symptom: _RANK[symptom.severity]))


_BY_STATE = {
    JobState.OUT_OF_MEMORY: ("oom-host", IDEA),
    JobState.NODE_FAILED: ("actor-died", ENVIRONMENT),
    JobState.PREEMPTED: ("preempted", ENVIRONMENT),
    JobState.VANISHED: ("vanished", ENVIRONMENT),
}


def status_symptoms(status: JobStatus) -> tuple[Symptom, ...]:
    """What the scheduler itself says about a death."""
    if status.state not in _BY_STATE:
        return ()
    name, fault = _BY_STATE[status.state]
    known = {signature.name: signature.advice for signature in SIGNATURES}
    advice = known.get(name, "The launcher lost track of the job: check the scheduler, then run again.")
    where = f" on {status.node}" if status.node else ""
    evidence = f"the launcher says {status.state.value}{where}" + (f": {status.reason}" if status.reason else "")
    return (Symptom(name, Severity.FATAL, evidence, fault, advice),)


@dataclass(frozen=True)
class Change:
    """What an idea changed against its parent.

    Attributes:
        assignments: Recipe keys with their new values, as `key=value`.
        files: Files, relative to the repository.
        own_files: Whether it edited files itself, and not only through assignments.
    """

    assignments: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own_files: bool = False

    def __bool__(self) -> bool:
        """Whether it changed anything; the baseline did not."""
        return bool(self.assignments or self.files)

    @property
    def keys(self) -> tuple[str, ...]:
        """Changed keys, without the marks of an override."""
        return tuple(each.partition("=")[0].strip().lstrip("+~") for each in self.assignments)

    @property
    def values(self) -> tuple[str, ...]:
        """Their new values."""
        return tuple(each.partition("=")[2].strip().strip("'\"") for each in self.assignments)

    @property
    def code(self) -> tuple[str, ...]:
        """Files it edited that are no configuration."""
        return tuple(file for file in self.files if not file.endswith(_CONFIGURATION)) if self.own_files else ()


NOTHING = Change()
"""What the baseline changed."""


class Place(StrEnum):
    """Where a frame of a traceback lies."""

    CHANGED = "changed"
    """In a file that the idea edited."""
    REPOSITORY = "repository"
    INSTALLED = "installed"
    """Site-packages, the image's third party, the language's own library."""


_INSTALLED = re.compile(r"(?:site|dist)-packages/|/(?:3rdparty|third_?party)/|/lib(?:64)?/python\d|^/(?:opt|usr)/|^<")
_MANY = 60
_INTERRUPTED = re.compile(r"(?:KeyboardInterrupt|SystemExit)\b")


def places(log: str, change: Change, tree: str, message: str) -> tuple[Place, ...]:
    """Where the frames of the traceback lie that a message belongs to, outermost first; the last one's when none does.

    Whoever prints a second traceback with the same words takes nothing off a first one through a file of the change.
    """
    known = complaint.tracebacks(_said(log))
    words = message.strip().strip(".")
    own = [one for one in known if words and any(words in line for line in one.lines)]
    found = [tuple(_place(path, change, tree) for path in one.frames[-_MANY:]) for one in own or known[-1:]]
    return next((one for one in reversed(found) if Place.CHANGED in one), found[-1] if found else ())


def own_error(log: str, change: Change, tree: str) -> tuple[str, bool]:
    """What a file of the change raised last, and whether nothing was raised before it or since; empty for nothing.

    Not an error in words that a machine's end has as well: nobody can tell from a log who made those up.
    """
    known = complaint.tracebacks(_said(log)) if change.code else []
    last = complaint.escaped(known)
    for place, one in reversed([*enumerate(known)]):
        if _place(one.frames[-1], change, tree) is Place.CHANGED and one.error and not _may_be_the_machines(one.error):
            return one.error, place == last and not one.follows
    return "", False


def _may_be_the_machines(error: str) -> bool:
    told = _matches([error], SIGNATURES)
    return bool(_INTERRUPTED.match(error)) or any(one.fault != IDEA or one.needs == "memory" for one, _ in told)


def error_symptom(line: str) -> Symptom:
    """What the line of an error is taken for by itself."""
    told = _matches([line], SIGNATURES) or [(UNHANDLED, _shortened(line, UNHANDLED.pattern))]
    return _fatal(*told[0])


def _place(path: str, change: Change, tree: str) -> Place:
    inside = path.removeprefix(tree).lstrip("/") if tree and path.startswith(tree) else path
    if any(inside == file or path.endswith(f"/{file}") for file in change.code):
        return Place.CHANGED
    return Place.INSTALLED if _INSTALLED.search(inside) else Place.REPOSITORY


_MEMORY = re.compile(
    r"batch|micro|seq|len(?:gth)?s?$|length|token|generations|samples|rollout|mem|cache|hidden|layers|width|depth|size"
    r"|_dim|heads|model|dtype|precision|offload|checkpointing|parallel|prompts|context|rank|workers|buffer|replica"
    r"|coloc|shard|bf16|fp(?:8|16|32)|optimizer$|optim$|window|envs",
    re.IGNORECASE,
)
_RESOURCES = re.compile(r"nodes?$|gpus?|cluster|parallel|replica|workers|world_size|devices?", re.IGNORECASE)
_COMMON = frozenset({"name", "type", "value", "path", "key", "true", "false", "none", "null", "model", "data", "error"})


_GROWS = re.compile(
    r"batch|micro|seq|len(?:gth)?s?$|length|token|generations|samples|rollout|hidden|layers|width|depth|prompts|context"
    r"|rank$|cache|utilization|window|envs|buffer",
    re.IGNORECASE,
)


def reduced(assignments: Sequence[str], before: Mapping[str, object]) -> tuple[str, ...]:
    """Half of what an idea enlarged of what takes memory, as assignments; empty where nothing lies in between.

    Args:
        assignments: Its recipe keys with their new values.
        before: Its parent's values, by key.
    """
    found = []
    for each in assignments:
        key, _, said = each.partition("=")
        plain = key.strip().lstrip("+~")
        leaf = plain.rpartition(".")[2]
        half = _half(said.strip(), before.get(plain)) if _GROWS.search(leaf) and "parallel" not in leaf else ""
        if half:
            found.append(f"{key}={half}")
    return tuple(found)


def _half(said: str, before: object) -> str:
    if isinstance(before, bool) or not isinstance(before, int | float) or not re.fullmatch(r"\d+(?:\.\d+)?", said):
        return ""
    if isinstance(before, int) and said.isdigit():
        whole = int(said) // 2 if int(said) // 2 > before else (int(said) + before) // 2
        return str(whole) if before < whole < int(said) else ""
    middle = f"{(float(said) + before) / 2:.6g}"
    return middle if before < float(middle) < float(said) else ""


def ties(change: Change, needs: str, message: str, found: Sequence[Place]) -> str:
    """What ties an error to the change, in words; empty when nothing does.

    Args:
        change: What the idea changed.
        needs: What would tie it, see `crash_signatures.Signature.needs`.
        message: The line that shows the error.
        found: Where its frames lie.
    """
    if not change or not needs:
        return ""
    if needs == "memory":
        return _memory(change, found)
    if needs == "change":
        about = _OF_A_KEY.search(message)
        own = {part for key in change.keys for part in key.split(".")}
        strange = about and not change.own_files and about[1].rpartition(".")[2] not in own
        return "" if strange or not (change.assignments or change.own_files) else "the idea changed the configuration"
    if needs == "resources":
        touched = next((key for key in change.keys if _RESOURCES.search(key)), "")
        return f"the idea changed {touched}" if touched else ""
    named = _named(change, message)
    if needs == "named":
        return named
    code = _code(change, found)
    if needs == "size":
        return code or named or _memory(change, found)
    return code or named or (_own_code(change, found) if needs == "slip" else "")


_OF_A_KEY = re.compile(r"\b(?:[Kk]ey|[Oo]verride|[Oo]ption|[Aa]ttribute) '([\w.]+)'")
"""An error of the configuration that says which key it is about."""


def _memory(change: Change, found: Sequence[Place]) -> str:
    if Place.CHANGED in found:
        return "raised in a file that the idea changed"
    touched = next((key for key in change.keys if _MEMORY.search(key.rpartition(".")[2])), "")
    if touched:
        return f"the idea changed {touched}, which takes memory"
    return f"the idea changed the code of {change.code[0]}" if change.code else ""


def _code(change: Change, found: Sequence[Place]) -> str:
    if Place.CHANGED in found:
        return "raised in a file that the idea changed"
    if change.code and found and found[-1] is Place.REPOSITORY:
        return f"raised in the repository, where the idea changed {change.code[0]}"
    return ""


def _own_code(change: Change, found: Sequence[Place]) -> str:
    return f"the idea changed the code of {change.code[0]}" if change.code and not found else ""


def _named(change: Change, message: str) -> str:
    words = [*(key.rpartition(".")[2] for key in change.keys), *change.values, *change.code]
    for word in words:
        telling = len(word) > 1 and word.lower() not in _COMMON and not re.fullmatch(r"[-+.\d]{1,2}", word)
        if telling and re.search(rf"(?<![\w.]){re.escape(word)}(?!\w)", message, re.IGNORECASE):
            return f"it names {word}, which the idea changed"
    return ""
