"""What the options of our trackers share: one way to read them, one way to refuse them, one way to miss a package."""

from collections.abc import Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ValidationError

from autoresearch import extras
from autoresearch.errors import CampaignError, wrong_option


class TrackerOptions(BaseModel, frozen=True, extra="forbid"):
    """Options of a tracker under `trackers:` in the campaign file."""

    tracker: ClassVar[str]
    """Name of the tracker, for messages."""

    package: ClassVar[str | None] = None
    """The module it cannot do without; None where it needs none."""

    folder: Path = Path()
    """Where it keeps its files; left out, `.trackers/` in the campaign's folder."""

    @classmethod
    def parse(cls, options: Mapping[str, object]) -> Self:
        """Validated options, of a tracker whose package is installed.

        Raises:
            CampaignError: An option is unknown (the nearest valid one is named), has a wrong value, or the package is
                not installed.
        """
        for name in options:
            if name not in cls.model_fields:
                near = get_close_matches(name, cls.model_fields, n=1, cutoff=0.0)[0]
                raise CampaignError(
                    f"the {cls.tracker} tracker has no option {name!r}; did you mean {near!r}? It has: "
                    f"{', '.join(cls.model_fields)}"
                )
        try:
            parsed = cls.model_validate(dict(options))
        except ValidationError as error:
            raise CampaignError(wrong_option(f"the {cls.tracker} tracker", cls, error)) from error
        if cls.package and find_spec(cls.package) is None:
            raise CampaignError(
                f"the {cls.tracker} tracker needs the package {cls.package}, which is not installed; "
                f"{extras.advice(cls.package)}"
            )
        return parsed
