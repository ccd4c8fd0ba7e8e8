"""What a person may write under `launcher: {type: local, ...}`."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Self

from pydantic import BaseModel, Field, ValidationError, field_validator

from autoresearch.errors import LauncherError


class LocalOptions(BaseModel, frozen=True, extra="forbid"):
    """Options of the local launcher."""

    gpus: tuple[int, ...] | None = None
    """Indices, in bus order, of the GPUs to hand out; `auto`: all, or those `CUDA_VISIBLE_DEVICES` names."""

    max_gpu_memory_used_gb: float = Field(default=1.0, ge=0)
    """A GPU with more memory than this in use belongs to somebody else and is left alone."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Not for secrets: they are inherited, these are written to disk."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    @field_validator("gpus", mode="before")
    @classmethod
    def _auto(cls, value: object) -> object:
        return None if value == "auto" else value

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
                    f"the local launcher has no option {name!r}; did you mean {near!r}? It has: {valid}"
                )
        try:
            return cls.model_validate(dict(options))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            raise LauncherError(
                f"the local launcher's option {where}: {first['msg']}, not {first['input']!r}; correct it"
            ) from error
