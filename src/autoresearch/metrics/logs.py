"""Numbers a run prints: named regular expressions over its standard output.

Colours, overwritten progress bars and Ray's actor prefixes are removed before a pattern sees a line. The last line is
left out while it has no newline: of `accuracy 0.7969` it may hold only `accuracy 0.79`.
"""

import errno
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from autoresearch.errors import CampaignError
from autoresearch.metrics.safe_read import (
    NEVER,
    Found,
    Version,
    as_strings,
    digest_before,
    files_below,
    number,
    open_found,
    refuse_unknown,
    remember,
    unread,
    whole,
)
from autoresearch.run.log_patterns import Grammar, Scan
from autoresearch.run.measurement import Readings, Series
from autoresearch.run.printed_result import ResultLine
from autoresearch.run.symptom import MAX_LINE, clean

MAX_BYTES = 64 * 1024 * 1024
"""Beyond this a log is read at its head and its tail, half of it each."""

PATIENCE_S = 20.0
"""Time one log may take. Nested repetition, the exponential trap, is refused beforehand; this bounds the rest."""


class LogSource:
    """Series from named patterns over log files.

    Options:
        patterns: Mapping from tag to a regular expression whose first group is the number.
        step: Regular expression whose first group is the step that the numbers after it belong to. Without it the
            n-th number of a tag belongs to step n.
        anchor: Regular expression whose first group is a step that is certainly global.
        section: Regular expression whose first group replaces `{section}` in tags (`-<group>`, or nothing).
        restarts: Whether the counter of `step` begins again every epoch. Default false.
        closing: Regular expression whose first group is the step that the numbers before it belong to.
        result: Tag of which a run prints one result, without steps: two that differ are told of.
        path: Glob or globs of the log files. Default `run.log`, the run's standard output.
        max_bytes: Bound on what is read of one log. Default 64 MiB.
        patience_s: Seconds one look at a log may take. Default 20.
    """

    name = "logs"

    def __init__(self, *, options: Mapping[str, object] | None = None) -> None:
        chosen = dict(options or {})
        known = {
            *("patterns", "step", "anchor", "section", "restarts", "closing", "result"),
            *("path", "max_bytes", "patience_s"),
        }
        refuse_unknown(chosen, known, self.name)
        self._grammar = _grammar(chosen)
        self._globs = as_strings(chosen.get("path", "run.log"), "path")
        self._max_bytes = whole(chosen.get("max_bytes", MAX_BYTES)) or MAX_BYTES
        self._patience_s = number(chosen.get("patience_s")) or PATIENCE_S
        self._files: dict[Path, _LogFile] = {}

    def read(self, folder: Path) -> Readings:
        """Every matching log below `folder`, oldest first; a later log wins a step both have."""
        points: dict[str, dict[int, float]] = {}
        notes: list[str] = []
        lines: tuple[ResultLine, ...] = ()
        conflict: tuple[str, str] | None = None
        clashes: dict[str, str] = {}
        found = files_below(folder, *self._globs)
        for item in found:
            log = self._follow(item)
            notes += [f"{item.name}: {problem}" for problem in log.notes()]
            for tag, one in log.scan.series().items():
                points.setdefault(tag, {}).update(one.points())
            if log.scan.results and log.scan.results.lines:
                lines, conflict = log.scan.results.lines, log.scan.results.conflict
            elif log.scan.results is None:
                lines, clashes = log.scan.last_lines or lines, clashes | log.scan.clashes()
        merged = {tag: Series.of(tag, values.items()) for tag, values in points.items()}
        files = tuple(item.name for item in found)
        counted = not (self._grammar.step or self._grammar.anchor or self._grammar.closing)
        return Readings(
            series=merged,
            files=files,
            notes=tuple(notes),
            results=lines,
            conflict=conflict,
            clashes=clashes,
            counted=counted,
        )

    def _follow(self, item: Found) -> "_LogFile":
        known = self._files.get(item.path)
        if known is None or known.inode != item.inode or item.size < known.offset:
            known = remember(
                self._files,
                item.path,
                _LogFile(inode=item.inode, grammar=self._grammar, patience_s=self._patience_s),
            )
        if item.version != known.version:
            known.advance(item, self._max_bytes)
        return known


@dataclass(kw_only=True)
class _LogFile:
    """What has been read of one log, and up to which byte."""

    inode: int
    grammar: Grammar
    patience_s: float
    version: Version = NEVER
    scan: Scan = field(init=False)
    offset: int = 0
    tail: bytes = b""
    """Digest of the bytes before `offset`."""
    cut: bool = False
    impatient: bool = False
    problem: str = ""

    def __post_init__(self) -> None:
        self.scan = Scan(self.grammar)

    def advance(self, item: Found, max_bytes: int) -> None:
        """Take the lines that have come, and all of them where the file was written anew."""
        self.problem = ""
        try:
            with open_found(item) as stream:
                if self.tail != digest_before(stream, self.offset):
                    self._forget()
                if item.size - self.offset > max_bytes:
                    self._take(stream, max_bytes // 2)
                    self.cut, self.offset = True, item.size - max_bytes // 2
                    stream.seek(self.offset)
                    self.offset += len(stream.readline(max_bytes))
                self._take(stream, item.size - self.offset)
                self.tail, self.version = digest_before(stream, self.offset), item.version
        except OSError as error:
            self.problem = unread(error)
            if error.errno != errno.ESTALE:
                self._forget()

    def _forget(self) -> None:
        self.scan, self.version, self.offset, self.cut, self.impatient = Scan(self.grammar), NEVER, 0, False, False

    def notes(self) -> Iterator[str]:
        if self.cut:
            yield "too large to be read whole; its middle was skipped"
        if self.impatient:
            yield f"reading stopped after {self.patience_s:g} s; make the patterns simpler"
        if self.problem:
            yield self.problem

    def _take(self, stream: BinaryIO, budget: int) -> None:
        """Feed the whole lines of the next bytes; a torn last line is left for the next time."""
        stream.seek(self.offset)
        *lines, torn = stream.read(budget).split(b"\n")
        self.problem = "the last line has no newline and was left out, as it may be torn" if torn.strip() else ""
        until = time.monotonic() + self.patience_s
        for line in lines:
            self.offset += len(line) + 1
            self.impatient = self.impatient or time.monotonic() > until
            if not self.impatient:
                shown = line.rstrip(b"\r").rpartition(b"\r")[2]
                self.scan.feed(clean(shown[: 4 * MAX_LINE].decode("utf-8", "replace")))


def _grammar(options: Mapping[str, object]) -> Grammar:
    patterns = options.get("patterns")
    if not isinstance(patterns, Mapping) or not patterns:
        raise CampaignError(
            "metric source 'logs' needs the option 'patterns': a mapping from tag to a regular expression with one "
            "group, such as {accuracy: 'accuracy=([0-9.]+)'}"
        )
    return Grammar(
        values={str(tag): compile_pattern(text, f"patterns.{tag}") for tag, text in patterns.items()},
        step=_optional(options, "step"),
        anchor=_optional(options, "anchor"),
        section=_optional(options, "section"),
        restarts=bool(options.get("restarts", False)),
        closing=_optional(options, "closing"),
        result=str(options.get("result", "")),
    )


def _optional(options: Mapping[str, object], key: str) -> re.Pattern[str] | None:
    return compile_pattern(options[key], key) if options.get(key) else None


def compile_pattern(text: object, option: str) -> re.Pattern[str]:
    """A pattern a person wrote, checked.

    Raises:
        CampaignError: It is no regular expression, has no group, or could take exponential time on one line.
    """
    try:
        pattern = re.compile(str(text))
    except (re.error, RecursionError, OverflowError) as error:
        raise CampaignError(f"metric source option {option!r} is not a regular expression: {error}: {text}") from error
    if not pattern.groups:
        raise CampaignError(f"metric source option {option!r} needs one group around the number: {text}")
    if _repeats_in_repeat(str(text)):
        raise CampaignError(
            f"metric source option {option!r} repeats a group that itself repeats or branches, which can take for ever "
            f"on a line of {MAX_LINE} characters; write it without the outer repetition: {text}"
        )
    return pattern


_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\(\?[a-zA-Z-]+\)|\(|\)|[*+?|]|\{\d*,?\d*\}|.", re.DOTALL)


def _repeats_in_repeat(text: str) -> bool:
    """Whether a group that contains repetition or branches is repeated itself: `(a+)+`, `(a|b)*`."""
    open_groups, closed_is_risky = [False], False
    for token in _TOKEN.findall(text):
        repeats = token in {"*", "+"} or (token[0] == "{" and "," in token)
        if repeats and closed_is_risky:
            return True
        closed_is_risky = False
        if token == "(":  # noqa: S105
            open_groups.append(False)
        elif token == ")" and len(open_groups) > 1:  # noqa: S105
            closed_is_risky = open_groups.pop()
            open_groups[-1] = open_groups[-1] or closed_is_risky
        elif repeats or token == "|":  # noqa: S105
            open_groups[-1] = True
    return False
