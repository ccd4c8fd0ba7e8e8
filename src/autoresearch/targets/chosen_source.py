"""A metric source as a person names it under `target.source`, the same in every target that takes one."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.ports.target import SourceSpec
from autoresearch.run.symptom import clean

_NUMBER = r"[-+]?(?:(?:[nN]a[nN]|[iI]nf(?:inity)?)|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)"
_END = (
    r"(?=$|\s|[\"'](?!\d)|[,.](?!\d)|[;)\]}|\x1b]|%(?!\w)|\u00b1|\+/-|(?:s|ms|us|ns|min|h)(?!\w))"
    r"(?![\u00a0\u2009\u202f]\d)"
)
"""What may follow a number. Anything else could belong to it: `1,234`, `1_234`, `3/4`, `0.5-0.7`, `12k`, `0x1f`."""
_PROSE = r"^(?!.*(?<![A-Za-z])[A-Za-z]+ [A-Za-z]+ [A-Za-z]+ [A-Za-z]+)"
"""Four words in a row, the metric's own name included, are a sentence about numbers, not a result."""
FORMATS: Mapping[str, str] = MappingProxyType(
    {"json": "files", "jsonl": "files", "csv": "files", "tsv": "files", "stdout": "logs"}
)
"""Words for how a script writes its numbers, and the source that reads them; any source's own name will do as well."""


def chosen_source(wanted: object, tag: str) -> SourceSpec:
    """The source behind a name, or behind a mapping with a `type` and the source's own options.

    Args:
        wanted: What stands under `target.source`.
        tag: The metric as it is printed, for `stdout` without patterns.

    Raises:
        CampaignError: There is no such source.
        PluginError: Two packages claim one name.
    """
    asked = {"type": wanted} if isinstance(wanted, str) else wanted
    known = {*FORMATS, *plugins.names("metrics")}
    if not isinstance(asked, Mapping) or asked.get("type") not in known:
        raise CampaignError(f"target option 'source' needs a type, one of: {', '.join(sorted(known))}; got {wanted!r}")
    kind = str(asked["type"])
    options = {str(key): value for key, value in asked.items() if key != "type"}
    if kind == "stdout":
        options.setdefault("patterns", {tag: rf"{_named(tag)}({_NUMBER}){_END}"})
    elif kind in FORMATS:
        options.setdefault("format", kind)
    return SourceSpec(FORMATS.get(kind, kind), options)


def _named(tag: str) -> str:
    return rf"{_PROSE}(?:.*?[^\w/.:-])?{re.escape(tag)}[\"']?\s*[:=]\s*"


def ambiguous(tag: str, log: str) -> str:
    """What the last line that names the metric says in place of a number, in words; empty when it says a number.

    Args:
        tag: The metric as it is printed.
        log: The end of the run's output, cleaned.
    """
    word = last_word(tag, log)
    if not word or re.match(_NUMBER + _END, word):
        return ""
    return (
        f"ambiguous number {word!r} after {tag}: print it without separators, as 1234.5" if word[:1] in _DIGITS else ""
    )


def last_word(tag: str, log: str) -> str:
    """The word in the place of the number in the last line that names the metric; empty without one."""
    lines = (line.rstrip("\r").rpartition("\r")[2] for line in reversed(log.split("\n")))
    found = (re.search(_named(tag) + r"([^\s}\])]+)", clean(line)) for line in lines)
    return next((match.group(1).rstrip(",;") for match in found if match), "")


_DIGITS = "0123456789.+-"
