"""The campaign file on disk: read with clear errors, written so that a person likes to edit it."""

from pathlib import Path
from typing import Any

import yaml

from autoresearch.config.schema import CampaignConfig
from autoresearch.errors import CampaignError
from autoresearch.machine import atomic

_HEADER = """\
# A research campaign. Edit it before the first `autoresearch run`; from then on it is frozen.
# Every key is explained in docs/reference/campaign.md; keys left out have their default.
"""


class _Strict(yaml.SafeLoader):
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


def text(campaign: CampaignConfig, schema: str = "") -> str:
    """The file's text: what differs from the defaults, and always what the campaign is about.

    Args:
        campaign: What is to be written.
        schema: Where editors find the file's JSON Schema, relative to the file; empty for nowhere.
    """
    document = campaign.model_dump(mode="json", exclude_defaults=True)
    always = {"objective": campaign.objective, "launcher": campaign.launcher, "verdict": campaign.verdict}
    document |= {key: value.model_dump(mode="json", exclude_none=True) for key, value in always.items()}
    document["target"] = campaign.target.model_dump(mode="json")
    document["researcher"] = [one.model_dump(mode="json") for one in campaign.researcher]
    ordered = {key: _shorter(document[key]) for key in type(campaign).model_fields if key in document}
    hint = f"# yaml-language-server: $schema={schema}\n" if schema else ""
    return hint + _HEADER + yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=110)


def _shorter(value: Any) -> Any:
    """An adapter without options is just its name."""
    if isinstance(value, dict) and set(value) == {"type"}:
        return value["type"]
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        return _shorter(value[0])
    return value


def write(path: Path, campaign: CampaignConfig, schema: str = "") -> None:
    """Write the file at once or not at all; `schema` as for `text`."""
    atomic.replace(path, text(campaign, schema))
