"""What a person may write under `launcher: {type: local, ...}`."""

from collections.abc import Mapping
from typing import ClassVar

from pydantic import Field, field_validator

from autoresearch.launchers.options import Options


class LocalOptions(Options):
    """Options of the local launcher."""

    launcher: ClassVar[str] = "local"

    gpus: tuple[int, ...] | None = None
    """Indices, in bus order, of the GPUs to hand out; `auto`: all, or those `CUDA_VISIBLE_DEVICES` names."""

    max_gpu_memory_used_gb: float = Field(default=1.0, ge=0)
    """A GPU with more memory than this in use belongs to somebody else and is left alone."""

    min_free_memory_gb: float = Field(default=1.0, ge=0)
    """A run waits, like for a GPU, until the machine has so much memory available."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Not for secrets: they are inherited, these are written to disk."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    @field_validator("gpus", mode="before")
    @classmethod
    def _auto(cls, value: object) -> object:
        return None if value == "auto" else value
