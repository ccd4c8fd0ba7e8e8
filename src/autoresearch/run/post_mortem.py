"""What a log and the scheduler say about the death of a run, by the table of signatures. Pure functions.

A signature is a WARNING and never an early kill: frameworks survive some of these errors, and a model may print the
very words in an answer. Only what follows the last sign of progress counts. Once a run is known to have crashed,
`post_mortem` makes the finding FATAL.
"""

import re
from collections.abc import Iterable
from dataclasses import replace

from autoresearch.run.crash_signatures import ENVIRONMENT, IDEA, SIGNATURES, UNHANDLED, UNKNOWN, Signature
from autoresearch.run.job import JobState, JobStatus
from autoresearch.run.symptom import Severity, Symptom, clean, excerpt

PROGRESS = re.compile(r"📊 Training Results:|^train step \d+/\d+|^=+ Step \d+/\d+ =+$")
"""A line that only a run that goes on prints (NeMo-RL's; a general script may have none)."""

MAX_EVIDENCE = 240

_GUESSES = re.compile(
    r"(?i)\b(?:possible|potential|likely)(?: root)? causes?\b|\bthis (?:may|might|can|could) be (?:caused|due)\b"
)
_ANSWER = re.compile(
    r"""(?ix)^\W*(?:sample|answer|response|prompt|completion|generation|generated|rollout|assistant|user|output|text
    |message|content|question|solution|prediction|reply)s?\b[^:=]{0,40}[:=]"""
)


def _telling(line: str) -> str:
    """What a line says of the run: no model's answer, and no list of what may have been the cause."""
    if _ANSWER.match(line):
        return ""
    guess = _GUESSES.search(line)
    return line[: guess.start()] if guess else line


def crash_symptoms(log_tail: str) -> tuple[Symptom, ...]:
    """Signatures found behind the last sign of progress, in the order of the table.

    The last matching line is the evidence: a chained traceback ends with the error that mattered to the driver.
    """
    lines = [_telling(clean(line)) for line in log_tail.split("\n")]
    start = max((index for index, line in enumerate(lines) if PROGRESS.search(line)), default=-1)
    found = _matches(lines[start + 1 :], SIGNATURES) or _matches(lines[start + 1 :], (UNHANDLED,))
    return tuple(Symptom(one.name, Severity.WARNING, line, one.fault, one.advice) for one, line in found)


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

    Without a signature and without a word from the launcher the cause is `unexplained-crash`, so that a mere warning
    about the idea is never taken for the reason.
    """
    known = {signature.name for signature in (*SIGNATURES, UNHANDLED)}
    found = [replace(one, severity=Severity.FATAL) if one.name in known else one for one in symptoms]
    names = {one.name for one in found}
    found = [*(one for one in status_symptoms(status) if one.name not in names), *found]
    if not any(one.severity is Severity.FATAL for one in found):
        found.append(_unexplained(status, log_tail))
    return worst_first(found)


def _unexplained(status: JobStatus, log_tail: str) -> Symptom:
    code = "no exit code" if status.exit_code is None else f"exit code {status.exit_code}"
    last = excerpt(log_tail, lines=1)
    told = f"{code}, last line: {last}" if last else f"{status.reason or code}, nothing was printed"
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
