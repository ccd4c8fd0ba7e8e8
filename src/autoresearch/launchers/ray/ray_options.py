"""What a person may write under `launcher: {type: ray, ...}`."""

import sys
from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from autoresearch.launchers.options import Options


class RayOptions(Options):
    """Options of the Ray launcher."""

    launcher: ClassVar[str] = "ray"

    address: str | None = None
    """The head's dashboard, such as `http://head:8265`; left out, the environment variable `RAY_ADDRESS`."""

    code: Literal["shared", "upload"] = "shared"
    """`shared`: the head sees the repository under the same path as we do. `upload`: it does not, so the experiment's
    commit is sent as an archive; then only the log comes back, and the metric must be read from it."""

    max_upload_mb: float = Field(default=100.0, gt=0)
    """Largest archive that is sent; Ray's own cap is 512 MiB."""

    entrypoint_num_cpus: float | None = Field(default=None, ge=0)
    """CPUs that Ray sets aside for the command itself; None: what Ray does by itself."""

    entrypoint_num_gpus: float | None = Field(default=None, ge=0)
    """GPUs for the command itself; leave it out for NeMo-RL, whose workers ask Ray for theirs."""

    entrypoint_resources: Mapping[str, float] = Field(default_factory=dict)
    """Custom resources for the command itself, such as one that only some nodes have."""

    python: str = sys.executable
    """Our Python as the head sees it, for `code: shared`."""

    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables for every run; a run's own win. Not for secrets: Ray shows them to everybody who can reach the head."""

    grace_s: float | None = Field(default=None, ge=0)
    """Seconds between TERM and KILL, in place of each job's own."""

    poll_s: float = Field(default=2.0, ge=0)
    """Fewest seconds between two questions to the head, however often we are asked."""

    @field_validator("address")
    @classmethod
    def _http(cls, address: str | None) -> str | None:
        if address is not None and not address.startswith(("http://", "https://")):
            raise ValueError("must be the dashboard's address and start with http:// or https://")
        return address
