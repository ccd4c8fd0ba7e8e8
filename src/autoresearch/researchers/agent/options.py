"""What a person can set for the `agent` researcher."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autoresearch.errors import CampaignError, mistakes
from autoresearch.researchers.agent.adapters import Adapter, adapter

_ENGINE = {"seed"}
"""Options that every researcher is handed and this one has no use for."""


class AgentOptions(BaseModel):
    """Options of the `agent` researcher, as they stand in the campaign file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    root: Path = Path()
    """The repository; set by the program."""
    agent: str = "claude"
    """Which agent edits: one of the table, or of `entry`."""
    entry: dict[str, Any] = Field(default_factory=dict)
    """How an agent that is not in the table is called and read; its name is then `agent`."""
    protocol: Literal["cli", "acp"] = "cli"
    """How we talk with it: its headless command line, or the Agent Client Protocol, where it asks and we answer."""
    command: tuple[str, ...] = ()
    """For `agent: command` the program and its arguments, with `{brief}`, `{answer}` and `{model}` filled in;
    for another agent how it is called when it is not on PATH."""
    args: tuple[str, ...] = ()
    """Further arguments for the agent's command line."""
    model: str = ""
    """The model, in the agent's own spelling; empty: the agent's own choice."""
    timeout: float = Field(default=900.0, gt=0, le=24 * 3600)
    """Seconds one call may take before it is ended."""
    max_cost_usd: float | None = Field(default=None, gt=0)
    """Money this researcher may spend in the whole campaign, as the agent says or by the price of its tokens."""
    max_tokens: int | None = Field(default=None, gt=0)
    """Tokens, read and written, that this researcher may spend in the whole campaign."""
    prices: dict[str, tuple[float, float, float]] = Field(default_factory=dict)
    """USD per million tokens of a model: read, read from a cache, written; before the program's own table."""
    env_allow: tuple[str, ...] = ()
    """Names of further environment variables the agent may see."""
    network: bool = True
    """Whether it may reach the network; its model usually needs it. Only a sandbox can refuse it."""
    sandbox: Literal["auto", "bwrap", "none"] = "auto"
    """`bwrap` insists on bubblewrap, `auto` uses it where it works, `none` goes without."""
    tries: int = Field(default=2, ge=1, le=10)
    """Calls per attempt when one hangs, crashes, refuses, or changes nothing."""
    tasks: bool = True
    """Whether some calls ask to cross two kept lines, to simplify, or to explain a plateau, where there are such."""
    insights: bool = True
    """Whether the call after every renewal of the page of what was learned is asked for lines of it as well."""
    prompts: Path | None = None
    """A folder whose `propose.md`, `repair.md`, `answer.md`, `learn.md`, `cross.md`, `simplify.md` or `explain.md`
    replace the program's own, relative to the repository."""
    home: Path | None = None
    """A prepared home directory for the agent; None: a fresh one per call with its login laid in."""
    show: tuple[Path, ...] = ()
    """Folders below `/tmp`, `/run` or `/var/tmp` that the sandbox would hide and the agent needs to read."""
    hide: tuple[Path, ...] = ()
    """Further files or folders that the sandbox hides, relative to the repository."""
    max_disk_mb: float = Field(default=2048.0, gt=0)
    """What it may write during one call before it is ended."""
    grace: float = Field(default=5.0, ge=0)
    """Seconds between TERM and KILL."""

    @model_validator(mode="after")
    def _has_a_command(self) -> "AgentOptions":
        if self.agent == "command" and not self.command:
            raise ValueError("agent `command` needs the key `command`: the program and its arguments as a list")
        return self

    def adapter(self) -> Adapter:
        """How the agent is driven.

        Raises:
            CampaignError: There is no such agent, or it cannot do what is asked for.
        """
        found = adapter(self.agent, self.protocol, self.entry)
        if self.model and not found.takes_model:
            raise CampaignError(
                f"researcher `agent`: {self.agent} takes its model from its own settings; leave `model` out"
            )
        return found

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "AgentOptions":
        """Validate what the campaign file says.

        Raises:
            CampaignError: A key or a value is not understood; the text names it and what would be valid.
        """
        try:
            return cls.model_validate({key: value for key, value in options.items() if key not in _ENGINE})
        except ValidationError as error:
            raise CampaignError(f"researcher `agent`: {mistakes(cls, error)[0]}") from None
