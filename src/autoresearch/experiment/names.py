"""Names: campaigns, experiments, their branches, their runs. Parse and format round-trip.

```text
campaign     2026-11-23-grpo-tiny
experiment   lower-kl-penalty                                        (a slug of the hypothesis title)
branch       autoresearch/2026-11-23-grpo-tiny/lower-kl-penalty
run id       ar-2026-11-23-grpo-tiny--lower-kl-penalty--3            (a DNS label: Slurm and Kubernetes take it)
```
"""

import re
from collections.abc import Collection
from datetime import date
from hashlib import sha256
from typing import NamedTuple
from unicodedata import normalize

from autoresearch.errors import CampaignError

PREFIX = "autoresearch"
"""First component of every branch of ours, and last one of our notes ref."""

SLUG_LENGTH = 40
LABEL_LENGTH = 63
"""Longest DNS label (RFC 1123), which is the tightest limit among schedulers."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class BranchName(NamedTuple):
    """What a branch of ours says."""

    campaign: str
    experiment: str


def slug(title: str, taken: Collection[str] = ()) -> str:
    """A short name for a title: lowercase ASCII words joined by single dashes, valid inside any git ref.

    Args:
        title: Any text; accents are dropped, and a title without a Latin letter or digit is named by its digest.
        taken: Slugs already in use; a number is appended until the result is not among them.

    Returns:
        At most `SLUG_LENGTH` characters of `a-z`, `0-9` and `-`, starting and ending with a letter or digit.
    """
    first = _cut(_words(title), SLUG_LENGTH) or f"idea-{_digest(title, 6)}"
    name, number = first, 1
    while name in taken:
        number += 1
        tail = f"-{number}"
        name = _cut(first, SLUG_LENGTH - len(tail)) + tail
    return name


def campaign_name(day: date, algorithm: str, model: str) -> str:
    """The name proposed for a new campaign, such as `2026-11-23-grpo-qwen2-5-1-5b`."""
    what = _words(f"{algorithm} {model.rstrip('/').rpartition('/')[2]}")
    return _cut(f"{day.isoformat()}-{what}".rstrip("-"), SLUG_LENGTH)


def check_name(name: str, what: str = "campaign") -> str:
    """Return the name of a campaign or experiment unchanged when it can be part of a branch.

    Raises:
        CampaignError: It cannot; the message proposes one that can.
    """
    if not _NAME.fullmatch(name) or ".." in name or name.endswith((".", ".lock")):
        raise CampaignError(
            f"{what} name {name!r} cannot be part of a git branch; use letters, digits, '-', '_' and '.', "
            f"at most 63 of them, for example {slug(name)!r}"
        )
    return name


def campaign_prefix(campaign: str) -> str:
    """What all branches of a campaign start with, without the final slash."""
    return f"{PREFIX}/{check_name(campaign)}"


def branch(campaign: str, experiment: str) -> str:
    """The branch of an experiment.

    Raises:
        CampaignError: One of the names is not valid inside a branch.
    """
    return f"{campaign_prefix(campaign)}/{check_name(experiment, 'experiment')}"


def parse_branch(name: str) -> BranchName | None:
    """Campaign and experiment of a branch; None for a branch that is not ours. `refs/heads/` may stand in front."""
    prefix, _, rest = name.removeprefix("refs/heads/").partition("/")
    campaign, _, experiment = rest.partition("/")
    try:
        return BranchName(check_name(campaign), check_name(experiment)) if prefix == PREFIX else None
    except CampaignError:
        return None


def run_id(campaign: str, experiment: str, number: int) -> str:
    """The name of one run, unique for its three parts, and the job's name wherever it runs.

    Returns:
        A DNS label (RFC 1035): at most 63 of `a-z`, `0-9` and `-`, starting with a letter. The parts are joined by
        double dashes. Where a part is not plain, or the whole is too long, it is cut and ends with a digest instead.
    """
    whole = f"ar-{campaign}--{experiment}--{number}"
    plain = _PLAIN.fullmatch(campaign) and _PLAIN.fullmatch(experiment)
    return whole if plain and len(whole) <= LABEL_LENGTH else _digested(whole, LABEL_LENGTH)


def shorten(name: str, limit: int) -> str:
    """A DNS label that stands for `name` within `limit` characters; itself when it fits.

    Args:
        name: Text that starts with a letter, such as a run id.
        limit: Most characters allowed, at least 16.
    """
    return name if len(name) <= limit else _digested(name, limit)


def _digested(text: str, limit: int) -> str:
    """Readable start and digest, without a double dash: never equal to a name that was not cut."""
    digest = _digest(text, 10)
    return f"{_cut(_words(text), limit - len(digest) - 1)}-{digest}"


def _words(text: str) -> str:
    """The Latin words and numbers of a text in lower case, joined by dashes."""
    return "-".join(re.findall(r"[a-z0-9]+", normalize("NFKD", text).encode("ascii", "ignore").decode().lower()))


def _cut(words: str, limit: int) -> str:
    """At most `limit` characters, cut between words where that leaves half of them."""
    if len(words) <= limit:
        return words
    whole = words[: limit + 1].rpartition("-")[0]
    return whole if len(whole) * 2 >= limit else words[:limit].rstrip("-")


def _digest(text: str, length: int) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
