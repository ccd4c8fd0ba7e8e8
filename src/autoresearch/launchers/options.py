"""What the options of every launcher share: one way to read them, and one way to refuse them."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import ClassVar, Self

from pydantic import BaseModel, ValidationError

from autoresearch.errors import LauncherError


class Options(BaseModel, frozen=True, extra="forbid"):
    """Options of a launcher under `launcher:` in the campaign file."""

    launcher: ClassVar[str]
    """Name of the launcher, for messages."""

    @classmethod
    def parse(cls, options: Mapping[str, object]) -> Self:
        """Validated options.

        Raises:
            LauncherError: An option is unknown (the nearest valid one is named) or has a wrong value.
        """
        for name in options:
            if name not in cls.model_fields:
                near = get_close_matches(name, cls.model_fields, n=1, cutoff=0.0)[0]
                valid = ", ".join(cls.model_fields)
                raise LauncherError(
                    f"the {cls.launcher} launcher has no option {name!r}; did you mean {near!r}? It has: {valid}"
                )
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            option = f"option {where}" if where else "options"
            given = f", not {first['input']!r}" if where else ""
            raise LauncherError(f"the {cls.launcher} launcher's {option}: {first['msg']}{given}; correct it") from error
