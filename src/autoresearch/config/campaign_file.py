"""The campaign file on disk: read with clear errors, written so that a person likes to edit it, told to editors."""

import ast
import inspect
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from autoresearch.config import schema as campaign_file
from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError
from autoresearch.machine import disk

_HEADER = """\
# A research campaign. Edit it before the first `autoresearch run`; from then on it is frozen.
# Every key is explained in docs/reference/campaign.md; keys left out have their default.
"""

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


class _Strict(yaml.CSafeLoader):
    """YAML as people mean it: a key given twice is a mistake, not a choice."""


def _mapping(loader: _Strict, node: yaml.MappingNode) -> dict[Any, Any]:
    loader.flatten_mapping(node)
    found: dict[Any, Any] = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in found:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        found[key] = loader.construct_object(value_node, deep=True)
    return found


_Strict.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str, source: str) -> Any:
    """Parse a YAML document a person wrote.

    Raises:
        CampaignError: It is not valid YAML; the text names file, line and column.
    """
    try:
        return yaml.load(text, Loader=_Strict)  # noqa: S506 - a subclass of SafeLoader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise CampaignError(f"{source}{where}: {error.problem or error}") from None
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise CampaignError(f"{source}: not valid YAML: {error}") from None


def read(path: Path) -> CampaignConfig:
    """Read a campaign file.

    Raises:
        CampaignError: It does not exist, cannot be decoded or is not understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CampaignError(f"{path} does not exist; write it with: autoresearch plan RECIPE") from None
    except (OSError, UnicodeDecodeError) as error:
        raise CampaignError(f"{path} cannot be read: {error}") from None
    return CampaignConfig.of(parse_yaml(text, str(path)), str(path))


def text(campaign: CampaignConfig, schema: str = "", notes: Mapping[str, str] | None = None) -> str:
    """The file's text: what differs from the defaults, and always what the campaign is about.

    Args:
        campaign: What is to be written.
        schema: Where editors find the file's JSON Schema, relative to the file; empty for nowhere.
        notes: What is said above a key, by its name, or by two with a dot between them.
    """
    document = campaign.model_dump(mode="json", exclude_defaults=True)
    always = {"objective": campaign.objective, "launcher": campaign.launcher, "verdict": campaign.verdict}
    document |= {key: value.model_dump(mode="json", exclude_none=True) for key, value in always.items()}
    document["target"] = campaign.target.model_dump(mode="json")
    document["researcher"] = [one.model_dump(mode="json") for one in campaign.researcher]
    ordered = {key: _shorter(document[key]) for key in type(campaign).model_fields if key in document}
    hint = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    written = yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=110)
    return hint + _HEADER + "".join(_noted(written.splitlines(keepends=True), notes or {}))


def _noted(lines: Iterable[str], notes: Mapping[str, str]) -> Iterator[str]:
    above = ""
    for line in lines:
        found = re.match(r"( {2})?([a-z_]+):", line)
        if found:
            above = above if found.group(1) else found.group(2)
            key = f"{above}.{found.group(2)}" if found.group(1) else above
            indent = found.group(1) or ""
            said = (textwrap.wrap(part, 110 - len(indent)) for part in notes.get(key, "").splitlines())
            yield from (f"{indent}# {row}\n" for part in said for row in part)
        yield line


def _shorter(value: Any) -> Any:
    """An adapter without options is just its name."""
    if isinstance(value, dict) and set(value) == {"type"}:
        return value["type"]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _shorter(value[0])
    return value


def write(path: Path, campaign: CampaignConfig, schema: str = "", notes: Mapping[str, str] | None = None) -> None:
    """Write the file at once or not at all; `schema` and `notes` as for `text`."""
    disk.replace(path, text(campaign, schema, notes))


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
        found |= dict(_strings(_classes(one.__module__)[one.__name__].body))
    return found


@cache
def _classes(module: str) -> Mapping[str, ast.ClassDef]:
    """A module's classes, read once: to look for each by itself takes ten times as long."""
    body = ast.parse(inspect.getsource(sys.modules[module])).body
    return {one.name: one for one in body if isinstance(one, ast.ClassDef)}


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
