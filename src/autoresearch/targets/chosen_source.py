"""A metric source as a person names it under `target.source`, the same in every target that takes one."""

from collections.abc import Mapping
from types import MappingProxyType

from autoresearch.errors import CampaignError
from autoresearch.ports import plugins
from autoresearch.ports.target import SourceSpec
from autoresearch.run.printed_result import pattern

FORMATS: Mapping[str, str] = MappingProxyType(
    {"json": "files", "jsonl": "files", "csv": "files", "tsv": "files", "stdout": "logs"}
)
"""Words for how a script writes its numbers, and the source that reads them; any source's own name will do as well."""


def chosen_source(wanted: object, tag: str, *, one_result: bool = False) -> SourceSpec:
    """The source behind a name, or behind a mapping with a `type` and the source's own options.

    Args:
        wanted: What stands under `target.source`.
        tag: The metric as it is printed, for `stdout` without patterns.
        one_result: Whether a run prints its result once at its end, so that a second one is looked for.

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
        if one_result and not options:
            options["result"] = tag
        options.setdefault("patterns", {tag: pattern(tag)})
    elif kind in FORMATS:
        options.setdefault("format", kind)
    return SourceSpec(FORMATS.get(kind, kind), options)
