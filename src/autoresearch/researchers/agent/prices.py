"""What tokens cost, for agents that report tokens and no money: a dated table, which a campaign may override."""

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import yaml

Price = tuple[float, float, float]
"""USD per million tokens: read, read from a cache, written."""

_DATED = re.compile(r"(?:[-@](?:20\d{6}|20\d\d-\d\d-\d\d|latest|\d{3}))$")


def price(model: str, own: Mapping[str, Price]) -> Price | None:
    """What a model's tokens cost; None when nobody has said so: a model that is only alike has another price.

    Args:
        model: Its name, a provider before it (`openai/gpt-5`) or a date behind it (`gpt-5-2025-08-07`) or not.
        own: Prices of the campaign, which come first.
    """
    bare = model.rpartition("/")[2]
    for table in (own, _table()):
        for name in (model, bare, _DATED.sub("", bare)):
            if name in table:
                return table[name]
    return None


def cost_usd(found: Price, tokens_in: int, tokens_cached: int, tokens_out: int) -> float:
    """Money for tokens; those from a cache are among `tokens_in`."""
    read, cached, written = found
    fresh = max(0, tokens_in - tokens_cached)
    return (fresh * read + min(tokens_cached, tokens_in) * cached + tokens_out * written) / 1e6


@cache
def _table() -> Mapping[str, Price]:
    text = files("autoresearch.researchers.agent").joinpath("prices.yaml").read_text(encoding="utf-8")
    return {str(name): tuple(row) for name, row in yaml.load(text, yaml.CSafeLoader)["usd_per_million"].items()}
