"""The campaign file as a JSON Schema, for editors: they complete keys, show what each means, and mark a wrong one.

Made from the model that reads the file, with what that reads besides: an adapter's name alone, a single researcher.
Options of adapters are open here; the adapter itself checks them.
"""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from autoresearch.config import schema as campaign_file
from autoresearch.config.schema import CampaignConfig

_HEAD = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "A campaign of autoresearch",
}
ROOMS = {
    "LauncherConfig": "launchers",
    "ResearcherConfig": "researchers",
    "TargetConfig": "targets",
    "TrackerConfig": "trackers",
}
"""Parts of the file that choose an adapter, and where those are."""
_NAME_ALONE = (*ROOMS, "SiteConfig")
"""Parts for which a name stands in for a mapping with that `type`."""


def schema(adapters: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    """The schema of the campaign file.

    Args:
        adapters: Known names by part, as in `ROOMS`; others stay valid.
    """
    made = CampaignConfig.model_json_schema()
    parts: dict[str, Any] = made.pop("$defs")
    for name, part in {"CampaignConfig": made, **parts}.items():
        _describe(part, getattr(campaign_file, name))
    for part, names in adapters.items():
        chosen = parts[part]["properties"]["type"]
        del chosen["type"]
        chosen["anyOf"] = [{"enum": sorted(names)}, {"type": "string"}]
    for key, value in made["properties"].items():
        made["properties"][key] = _with_shorthand(value, parts)
    return _HEAD | made | {"$defs": parts}


def told(model: type[BaseModel]) -> dict[str, str]:
    """The strings under a model's fields, those of its base classes included."""
    found: dict[str, str] = {}
    for one in reversed([cls for cls in model.__mro__ if issubclass(cls, BaseModel) and cls is not BaseModel]):
        body = ast.parse(textwrap.dedent(inspect.getsource(one))).body[0]
        found |= dict(_strings(body.body if isinstance(body, ast.ClassDef) else []))
    return found


def _strings(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for above, below in pairwise(body):
        if not isinstance(above, ast.AnnAssign) or not isinstance(above.target, ast.Name):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            yield above.target.id, inspect.cleandoc(below.value.value)


def _describe(part: dict[str, Any], model: type[BaseModel]) -> None:
    """Each key with the words under its field; titles that only repeat the key go."""
    part.pop("title", None)
    words = told(model)
    for key, value in part["properties"].items():
        value.pop("title", None)
        if key in words:
            value["description"] = " ".join(words[key].split())


def _with_shorthand(value: dict[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    name = value.get("$ref", value.get("items", {}).get("$ref", "")).rpartition("/")[2]
    if name not in _NAME_ALONE:
        return value
    reference: dict[str, Any] = {"$ref": f"#/$defs/{name}"}
    one: dict[str, Any] = {"anyOf": [reference, parts[name]["properties"]["type"]]}
    kept: dict[str, Any] = {word: value[word] for word in ("default", "description") if word in value}
    many = {"anyOf": [*one["anyOf"], {"type": "array", "items": one}]}
    return {"description": parts[name].get("description", ""), **kept, **(many if "items" in value else one)}
