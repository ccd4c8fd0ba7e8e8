"""What is wrong with a run, in one line that is safe to show: symptoms, and text of a log without its tricks."""

import re
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a symptom should worry."""

    INFO = "info"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True)
class Symptom:
    """Something a run's own files say about its health.

    Attributes:
        name: Stable kebab-case name that the playbook keys on, e.g. `entropy-collapse`, `oom-gpu`.
        severity: How much it should worry.
        evidence: The numbers or the cleaned log line that show it.
        fault: Whose doing it is: `idea`, `environment` or `unknown`.
        advice: What to try next, in one sentence.
    """

    name: str
    severity: Severity
    evidence: str
    fault: str = "unknown"
    advice: str = ""


MAX_LINE = 4000
"""Characters of a line that patterns are tried on; a printed configuration can be a megabyte in one line."""


_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # colour and cursor movement
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # window titles and links
    r"|\x1b[@-Z\\^_]"
)


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


_ACTOR = re.compile(r"^\s*\([A-Za-z_][\w.:\-\[\]/ ]* pid=\d+(?:, ip=[\w.:]+)?\) ?")


_REPEATED = re.compile(r" \[repeated \d+x across cluster\].*$")


def clean(line: str) -> str:
    """One line without colours, overwritten progress, control characters and Ray's actor prefix."""
    text = line.rstrip("\r\n").rpartition("\r")[2][: 2 * MAX_LINE]
    if not text.isprintable():
        text = _CONTROL.sub("", _ESCAPES.sub("", text))
    text = text.removeprefix("(raylet) ")
    if " pid=" in text:
        text = _REPEATED.sub("", _ACTOR.sub("", text))
    return text[:MAX_LINE]


def excerpt(text: str, lines: int = 10, width: int = 200) -> str:
    """The last non-empty lines of a log, cleaned and cut, fit for a note in a report."""
    tidy = (clean(line).rstrip() for line in text.split("\n")[-20 * lines :])
    kept = [line if len(line) <= width else f"{line[: width - 3]}..." for line in tidy if line.strip()]
    return "\n".join(kept[-lines:])
