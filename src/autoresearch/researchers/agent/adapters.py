"""The agents we can drive headless: a table, `agents.yaml`, to which a campaign file or a package adds its own.

Nothing of the user's environment or home reaches an agent but what its entry names: `variables` by name, `logins` as
copies. What a word of a command line stands for is filled in here, and nowhere else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from autoresearch.errors import CampaignError, PluginError, mistakes
from autoresearch.git.call import EMAIL
from autoresearch.guards.custody import HAND
from autoresearch.guards.scope import INSTRUCTIONS
from autoresearch.researchers.agent import transcript
from autoresearch.researchers.agent.transcript import Output, Said

GROUP = "autoresearch.agents"
"""The group of entry points by which a package adds agents: each leads to one entry, a mapping."""

REACH = (
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    "SSL_CERT_FILE", "SSL_CERT_DIR", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
)  # fmt: skip
"""What any agent may need to reach its model from behind a proxy."""

_PLACES = ("brief", "prompt", "answer", "model", "cost", "folder", "home", "tree", "hand", "email")
_PLACE = re.compile(r"\{(" + "|".join(_PLACES) + r")\}")
_PERSONS = re.compile(r"\{(brief|answer|model)\}")
"""Places in a command that a person wrote; other braces are theirs, as in `HEAD^{tree}`."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an agent.

    Attributes:
        prompt: What it is told.
        prompt_file: The same as a file.
        answer_file: Where it may put its answer.
        folder: A folder of ours that it may write to.
        home: Its home directory.
        tree: The worktree it edits.
        env: Its environment so far.
        model: The model to use; empty for its own choice.
        command: The program and first arguments a person configured; empty for the entry's own.
        extra: Further arguments a person configured.
        max_cost_usd: Money this call may spend, None for no limit.
        contained: Whether a sandbox of ours is around it.
    """

    prompt: str
    prompt_file: Path
    answer_file: Path
    folder: Path
    home: Path
    tree: Path
    env: Mapping[str, str]
    model: str = ""
    command: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    max_cost_usd: float | None = None
    contained: bool = False

    def filled(self, text: str, places: re.Pattern[str] = _PLACE) -> str:
        """A text with its places filled in; what fills one is not looked at again."""
        return places.sub(lambda found: self._place(found[1]), text)

    def lacks(self, text: str) -> bool:
        """Whether a place of a text has nothing to be filled with."""
        return any(not self._place(name) for name in _PLACE.findall(text))

    def _place(self, name: str) -> str:
        cost = "" if self.max_cost_usd is None else f"{self.max_cost_usd:.4f}"
        known = {"brief": self.prompt_file, "answer": self.answer_file, "cost": cost, "hand": HAND, "email": EMAIL}
        return str(known[name] if name in known else getattr(self, name))


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Choice(_Part):
    """Words that depend on whether our sandbox is around the agent."""

    contained: tuple[str, ...] = ()
    otherwise: tuple[str, ...] = ()

    def of(self, call: Call) -> tuple[str, ...]:
        """Those for a call."""
        return self.contained if call.contained else self.otherwise


class Setting(_Part):
    """A file to write below its home; `where` names a variable without which it is not written."""

    path: str
    text: str
    where: str = ""


class Calling(_Part):
    """How an agent is called: a command line, and what its environment says."""

    program: str = ""
    """What must be on PATH; empty: the campaign file says it."""
    argv: tuple[str | tuple[str, ...] | Choice, ...] = ()
    """Its arguments, with places in braces. A list among them is left out where a place of it has nothing to hold;
    `{args}` stands for the arguments of the campaign file, which come last where it is not named."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Variables it always gets."""
    model_variable: str = ""
    """The environment variable that names its model where its command line has no option for it."""
    mode: Choice = Choice()
    """Of the Agent Client Protocol: the session mode it shall work in; empty for its own choice."""

    @property
    def takes_model(self) -> bool:
        """Whether a model can be chosen for it; whoever writes a whole command may have named it there."""
        return not self.program or bool(self.model_variable) or "model" in self._places()

    @property
    def stdin(self) -> bool:
        """Whether it reads its prompt from standard input: no word of its command line holds it."""
        return not {"prompt", "brief"} & set(self._places())

    def _places(self) -> Iterator[str]:
        for word in self.argv:
            for one in (word,) if isinstance(word, str) else word if isinstance(word, tuple) else ():
                yield from _PLACE.findall(one)

    def command_line(self, call: Call) -> list[str]:
        """Its whole command line for a call."""
        if not self.program:  # a person wrote all of it
            return [call.filled(word, _PERSONS) for word in (*call.command, *call.extra)]
        words = list(call.command or (self.program,))
        for word in self.argv:
            words += call.extra if word == "{args}" else _words(word, call)
        return words if "{args}" in self.argv else [*words, *call.extra]


class Adapter(Calling):
    """How one agent is driven: an entry of the table."""

    variables: tuple[str, ...] = ()
    """Names of environment variables its login and its way to the model need."""
    logins: tuple[str, ...] = ()
    """Files below the user's home that hold its login; copies are laid into its own home."""
    settings: tuple[Setting, ...] = ()
    """Files to write below its home; of two with one path the later counts."""
    litter: tuple[str, ...] = ()
    """Globs of what it leaves at the top of its worktree for its own use; deleted after a call."""
    instructions: tuple[str, ...] = ()
    """Globs of files in a repository that it takes settings and instructions from, in small letters, at any depth:
    none of them can be part of an experiment, whichever agent works on it."""
    output: Output = Output()
    """How what it prints is read."""
    acp: Calling | None = None
    """How it is started to speak the Agent Client Protocol; None where it does not."""
    converses: bool = Field(default=False, exclude=True)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.program and not self.argv and self.output == Output():
            raise ValueError(f"{self.program} needs `argv` and `output`: how it is called, and how it is read")
        return self

    @property
    def talks(self) -> bool:
        """Whether it prints for people: its last line, when it fails, is its program's word for why."""
        return not self.converses and self.output.for_people

    @property
    def silent(self) -> bool:
        """Whether nothing that it prints tells what it used, so that its answer may."""
        return not self.converses and not self.output.tells_cost

    def read(self, stdout: str, call: Call) -> Said:
        """What its output says."""
        return transcript.acp(stdout) if self.converses else transcript.read(self.output, stdout, call.folder)

    def files(self, call: Call) -> dict[str, str]:
        """What to write below its home."""
        return {
            one.path: call.filled(one.text) for one in self.settings if not one.where or call.env.get(one.where)
        }  # fmt: skip


def _words(word: str | tuple[str, ...] | Choice, call: Call) -> list[str]:
    if isinstance(word, Choice):
        return list(word.of(call))
    group = (word,) if isinstance(word, str) else word
    if not isinstance(word, str) and any(map(call.lacks, group)):
        return []
    return [call.filled(one) for one in group]


def adapter(agent: str, protocol: str, own: Mapping[str, Any] | None = None) -> Adapter:
    """How to drive an agent over a protocol, `cli` or `acp`.

    Args:
        agent: Its name.
        protocol: How we talk with it.
        own: Its entry where the campaign file has it.

    Raises:
        CampaignError: There is no such agent, its entry is not understood, or it does not speak that protocol.
    """
    known = table()
    if own and agent in known:
        raise CampaignError(f"researcher `agent`: {agent!r} has an entry already; give the one in `entry` another name")
    if not own and agent not in known:
        raise CampaignError(
            f"researcher `agent`: there is no agent {agent!r}; choose one of: {', '.join(known)}; or describe it in "
            f"`entry` (docs/how-to/add-an-agent.md)"
        )
    found = entry(agent, own) if own else known[agent]
    if protocol == "cli":
        return found
    if found.acp is None:
        raise CampaignError(
            f"researcher `agent`: agent `{agent}` does not speak the Agent Client Protocol; leave `protocol` out"
        )
    spoken = {key: getattr(found.acp, key) for key in found.acp.model_fields_set}
    plain = {"argv": (), "mode": Choice(), "model_variable": ""}
    return found.model_copy(update={**plain, **spoken, "converses": True})


def entry(name: str, document: Mapping[str, Any]) -> Adapter:
    """An entry of the table, as a person wrote it.

    Raises:
        CampaignError: A key or a value is not understood, or the name cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise CampaignError(f"agent {name[:60]!r}: a name has small letters, digits, dots and dashes")
    try:
        return Adapter.model_validate(document)
    except ValidationError as error:
        raise CampaignError(f"agent `{name}`: {mistakes(Adapter, error)[0]}") from None


@cache
def table() -> Mapping[str, Adapter]:
    """Every agent by the name that a campaign file uses: ours, then those that packages add.

    Raises:
        PluginError: What a package adds is no entry, or has a name that there is already.
    """
    text = files("autoresearch.researchers.agent").joinpath("agents.yaml").read_text(encoding="utf-8")
    found = {
        str(name): entry(str(name), document or {}) for name, document in yaml.load(text, yaml.CSafeLoader).items()
    }
    for point in sorted(entry_points(group=GROUP), key=lambda one: one.name):
        whose = f"agent {point.name!r} of {point.value}"
        if point.name in found:
            raise PluginError(f"{whose}: there is one of that name already; rename its entry point")
        try:
            found[point.name] = entry(point.name, point.load())
        except Exception as error:
            raise PluginError(f"{whose} cannot be had: {error}; mend or uninstall that package") from error
    return found


def instructions(name: str, own: Iterable[str] = ()) -> tuple[str, ...]:
    """Globs of everything that an agent reads of a repository, at any depth."""
    return tuple(f"**/{glob}" for glob in (*INSTRUCTIONS["any"], *INSTRUCTIONS.get(name, ()), *own))
