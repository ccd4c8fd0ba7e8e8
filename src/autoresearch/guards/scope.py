"""Is the change within its scope, and is what measures untouched? Decided on the commit, not on what anyone says.

Does a change simplify? A claim that decides a tie (R106) is held against the commit, whoever makes it.

May an agent do what it asks for? The campaign's scope, applied to one request before it is carried out.

An answer spares work that the guards would refuse later; it takes nothing from them. What an agent does without asking,
above all by shell commands, is held by its sandbox, and the commit is examined whatever was asked and answered.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from autoresearch.experiment.change import FileChange, changed_keys

INSTRUCTIONS: Mapping[str, tuple[str, ...]] = {
    "any": (
        "agents.md", "agent.md", "agents.*.md", "agents/**/skill.md", ".agents/**", ".agent/**", ".rules", ".mcp.json",
        "mcp.json", ".vscode/settings.json", ".vscode/tasks.json", ".devcontainer/**",
        ".devcontainer.json", ".envrc", ".mise.toml", "mise.toml", ".mise/**", ".tool-versions",
    ),
    "claude": ("claude.md", "claude.*.md", ".claude.json", ".claude/**", ".claudeignore", ".claude-plugin/**"),
    "codex": (".codex/**", ".codexignore"),
    "gemini": ("gemini.md", ".gemini/**", ".geminiignore", "qwen.md", ".qwen/**"),
    "opencode": ("opencode.json", "opencode.jsonc", "tui.json", "tui.jsonc", ".opencode/**", "context.md"),
    "aider": (".aider*", ".aider*/**", "conventions.md"),
    "mini": (".mini-swe-agent/**", ".mswea/**"),
    "cursor": (".cursorrules", ".cursor/**", ".cursorignore", ".cursorindexingignore"),
    "copilot": (
        ".github/copilot*", ".github/copilot*/**", ".github/instructions/**", ".github/prompts/**",
        ".github/agents/**", ".github/chatmodes/**", ".github/skills/**", ".github/hooks/**", "*.instructions.md",
        "*.prompt.md", "*.chatmode.md", "*.agent.md", ".copilot/**",
    ),
    "goose": (".goosehints", ".gooseignore", ".goose/**"),
    "windsurf": (".windsurfrules", ".windsurf/**", ".codeium/**", ".codeiumignore"),
    "others": (
        ".clinerules", ".clinerules/**", ".cline/**", ".clineignore", ".roo/**", ".roorules*", ".roomodes",
        ".rooignore", ".kilocode/**", ".kilocode*",
        ".continue/**", ".continuerules", ".zed/**", ".junie/**", ".kiro/**", ".amp/**", ".augment/**", ".augment-*",
        "crush.md", "crush.json", ".crush.json", ".crush/**", ".openhands/**", ".openhands_instructions", "warp.md",
        ".trae/**", ".amazonq/**", ".idx/**", "replit.md", ".replit", ".factory/**", ".forge/**",
        ".tabnine/**", ".cody/**", ".sourcegraph/**", ".pearai/**", ".void/**", ".zencoder/**", ".plandex*/**",
        "firebender.json", ".firebender/**", ".pi/**", ".skills/**",
        ".jules/**", "jules.md", ".mentat/**", ".mentat_config.json", ".gptme.toml",
        "gptme.toml", ".pr_agent.toml", ".coderabbit.yaml", ".rovodev/**", ".iflow/**", "iflow.md", ".vibe/**",
    ),
}  # fmt: skip
"""What each agent reads of the repository that it works in, at any depth: the next agent would read what one wrote.

By agent, because each is driven by an adapter that answers for its own list; together they are part of no experiment,
whichever agent works on it. Written in small letters: file systems and agents differ in whether case matters.
"""

INSTRUCTION_GLOBS = tuple(f"**/{glob}" for globs in INSTRUCTIONS.values() for glob in globs)
"""All of them, as patterns for paths in small letters."""


ALWAYS_PROTECTED = (
    "**/.git",
    "**/.git/**",
    ".gitmodules",
    "**/.gitattributes",
    ".githooks/**",
    ".husky/**",
    "reports/**",
    "session/**",
    ".autoresearch/**",
)
"""Never part of a hypothesis, whatever the campaign file says: the repository's own machinery, and our records. What
tells coding agents how to behave is neither; see `INSTRUCTIONS`."""


_NAMES_CODE = re.compile(
    r"(?:^|[._/])(?:_target_|class_path|_call_|entry_point|(?:import|module|function|func)_path|searchpath"
    r"|trust_remote_code|plugins|custom_(?:cls|reward_function)[._/](?:path|name))$"
)
"""Recipe keys whose value says which function, class or module a run loads by its name, and carries out."""

_RECIPES = frozenset({".json", ".yaml", ".yml", ".toml"})


def names_code(
    keys: Iterable[str], before: Mapping[str, object] | None = None, after: Mapping[str, object] | None = None
) -> bool:
    """Whether a change of these recipe keys says which code is called, itself or somewhere in a list.

    Args:
        keys: What is changed.
        before: The resolved recipe at the parent, flattened; a list is one value in it.
        after: The same at the candidate.
    """
    was, now = before or {}, after or {}
    return any(_NAMES_CODE.search(key) or {*_called(now.get(key))} - {*_called(was.get(key))} for key in keys)


def _called(value: object, key: str = "") -> Iterator[tuple[str, str]]:
    """Keys within a value that name code, with what they name."""
    if isinstance(value, Mapping):
        for name, held in value.items():
            yield from _called(held, f"{key}.{name}")
    elif isinstance(value, list | tuple):
        for held in value:
            yield from _called(held, key)
    elif _NAMES_CODE.search(key):
        yield key, str(value)


def is_data(path: str) -> bool:
    """Whether a recipe is data and no program."""
    return PurePosixPath(path).suffix in _RECIPES


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What one hypothesis may do; see `config.schema.ScopeConfig` for the meaning of each."""

    allow: tuple[str, ...] = ("**",)
    protect: tuple[str, ...] = ()
    protect_keys: tuple[str, ...] = ()
    subject: tuple[str, ...] = ()
    max_files: int = 20
    max_lines: int = 1000

    @cached_property
    def never(self) -> "Globs":
        """What no campaign may allow."""
        return Globs(ALWAYS_PROTECTED)

    @cached_property
    def instructions(self) -> "Globs":
        """What tells coding agents how to behave; to be asked about paths in small letters."""
        return Globs(INSTRUCTION_GLOBS)

    @cached_property
    def allowed(self) -> "Globs":
        """`allow`, to be asked about many paths."""
        return Globs(self.allow)

    @cached_property
    def protected(self) -> "Globs":
        """`protect`, likewise."""
        return Globs(self.protect)

    @cached_property
    def protected_keys(self) -> "Globs":
        """`protect_keys`, likewise, with slashes for dots."""
        return Globs(glob.replace(".", "/") for glob in self.protect_keys)

    @cached_property
    def subjects(self) -> "Globs":
        """`subject`, likewise."""
        return Globs(self.subject)


class Globs:
    """Path patterns for whoever asks about many paths; each is compiled for the first path that has its plain words."""

    def __init__(self, globs: Iterable[str]) -> None:
        self._globs = tuple((glob, max(_parts(glob)[::2], key=len)) for glob in globs)
        self._patterns: dict[str, re.Pattern[str]] = {}

    def match(self, path: str) -> str | None:
        """The first glob that a path (or dotted key) matches as a whole, or None."""
        return next((glob for glob, word in self._globs if word in path and self._compiled(glob).fullmatch(path)), None)

    def _compiled(self, glob: str) -> re.Pattern[str]:
        if glob not in self._patterns:
            self._patterns[glob] = _pattern(glob)
        return self._patterns[glob]


def _parts(glob: str) -> list[str]:
    """A glob's plain words, with what may stand for something else between each two of them."""
    return _WILD.split(glob + "**" if glob.endswith("/") else glob)


_WILD = re.compile(r"(\*\*/|\*\*|\*|\?)")


def _pattern(glob: str) -> re.Pattern[str]:
    """`*` stays within a path part, `**` crosses parts, `?` is one character; a trailing `/` means everything below."""
    parts = _parts(glob)
    known = {"**/": r"(?:.*/)?", "**": r".*", "*": r"[^/]*", "?": r"[^/]"}
    return re.compile("".join(known.get(part, re.escape(part)) for part in parts), re.DOTALL)


def matches(path: str, globs: Iterable[str]) -> str | None:
    """The first glob that a path (or dotted key) matches as a whole, or None."""
    return Globs(globs).match(path)


_MEASURES = re.compile(r"(?i)(?:^|[/_.-])(?:eval|test|valid|score|metric|judge|grade|reward|bench|gold|label|answer)")
_DATA = re.compile(r"(?i)(?:^|/)(?:data|datasets?|gold|eval|evals|benchmarks?)/")
_MOST_CANDIDATES = 8


def protectable(command: Iterable[str], files: Iterable[str], words: Iterable[str]) -> tuple[str, ...]:
    """What of a commit might measure, and be worth protecting.

    The scripts in the command, files that those name or import, what is called after measuring, and folders of data.

    Args:
        command: The words of the training command.
        files: Every path of the commit.
        words: Words that the scripts hold.
    """
    there, named = sorted(files), frozenset(words)
    scripts = [word for word in command if word in there]
    folders = {path[: match.end()] for path in there if (match := _DATA.search(path))}
    code = (".py", ".yaml", ".yml", ".json")
    measures = [path for path in there if _MEASURES.search(path) or (path in named and not path.endswith(code))]
    loose = [path for path in measures if not path.startswith(tuple(folders))]
    return tuple(dict.fromkeys((*scripts, *loose, *(f"{folder}**" for folder in sorted(folders)))))[:_MOST_CANDIDATES]


def breaches(
    changes: Iterable[FileChange],
    limits: Scope,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> tuple[str, ...]:
    """Everything a hypothesis did that it may not do, in words; empty when it kept to its scope.

    Args:
        changes: The commit's files against its parent.
        limits: The campaign's scope merged with the target's own protection.
        before: The resolved recipe at the parent, flattened; None when there is no recipe.
        after: The same at the candidate.
    """
    changes = tuple(changes)
    found = [problem for change in changes for problem in _file_problems(change, limits)]
    if len(changes) > limits.max_files:
        found.append(f"{len(changes)} files changed, at most {limits.max_files} allowed (scope.max_files)")
    lines = sum(change.added + change.deleted for change in changes)
    if lines > limits.max_lines:
        found.append(f"{lines} lines changed, at most {limits.max_lines} allowed (scope.max_lines)")
    if before is not None and after is not None:
        found.extend(_key_problems(before, after, limits))
    return tuple(found)


def _file_problems(change: FileChange, limits: Scope) -> Iterable[str]:
    if glob := limits.never.match(change.path):
        yield f"{change.path} can never be part of an experiment ({glob})"
    elif limits.instructions.match(change.path.casefold()):
        yield f"{change.path} can never be part of an experiment: it tells coding agents what to do"
    elif (glob := limits.protected.match(change.path)) and not limits.subjects.match(change.path):
        yield f"{change.path} is protected ({glob}): it is part of the evaluation"
    elif not limits.allowed.match(change.path):
        yield f"{change.path} is outside the campaign's scope (scope.allow)"
    if change.binary:
        yield f"{change.path} is a binary file"
    if change.submodule:
        yield f"{change.path} is a submodule"
    if change.link_target and (change.link_target.startswith("/") or ".." in change.link_target.split("/")):
        yield f"{change.path} is a symbolic link to {change.link_target!r}, which may lead out of the tree"


def yardstick(
    changes: Iterable[FileChange],
    limits: Scope,
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
) -> tuple[str, ...]:
    """Files and recipe keys a hypothesis changes that measure, and that the campaign allows as its subject; sorted.

    Arguments as for `breaches`.
    """
    files = {change.path for change in changes if limits.protected.match(change.path)}
    keys = {key for key in changed_keys(before or {}, after or {}) if _protecting(key, limits)}
    return tuple(sorted(name for name in files | keys if limits.subjects.match(name)))


def _protecting(key: str, limits: Scope) -> str | None:
    return limits.protected_keys.match(key.replace(".", "/"))


def _key_problems(before: Mapping[str, object], after: Mapping[str, object], limits: Scope) -> Iterable[str]:
    for key in changed_keys(before, after):
        glob = _protecting(key, limits)
        if glob and not limits.subjects.match(key):
            yield (
                f"recipe key {key} is protected ({glob.replace('/', '.')}): it is part of the evaluation "
                f"({before.get(key, 'unset')!r} became {after.get(key, 'unset')!r}); "
                "a person may allow it in the campaign file (scope.subject)"
            )


def simplifies(
    changes: Iterable[FileChange],
    recipe: Iterable[str],
    before: Mapping[str, object] | None,
    after: Mapping[str, object] | None,
) -> bool:
    """Whether a commit removes more lines than it adds, or changes the recipe only to turn things off in it.

    Args:
        changes: The commit's files against its parent.
        recipe: The files the recipe consists of.
        before: The resolved recipe at the parent, flattened; None when there is no recipe.
        after: The same at the candidate.
    """
    changes = tuple(changes)
    if sum(change.added - change.deleted for change in changes) < 0:
        return True
    if before is None or after is None or not {change.path for change in changes} <= set(recipe):
        return False
    keys = changed_keys(before, after)
    return all(_off(after.get(key)) for key in keys) and any(not _off(before.get(key)) for key in keys)


def _off(value: object) -> bool:
    """Gone, null, false, zero or empty."""
    return not value or value == "null"


_EDITS = frozenset({"edit", "delete", "move"})
_LOOKS = frozenset({"read", "search", "think"})


@dataclass(frozen=True)
class Wish:
    """What an agent asks to be allowed.

    Attributes:
        kind: What it would do, in the words of the Agent Client Protocol's `ToolKind`; anything else is `other`.
        title: Its own words about it.
        paths: Files of the worktree it names, relative to it.
        own: Whether it names files in places of its own (home, temporary folder, answer).
        outside: Files it names that are neither.
    """

    kind: str
    title: str = ""
    paths: tuple[str, ...] = ()
    own: bool = False
    outside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Permission:
    """The answer to a wish, and why in words."""

    granted: bool
    why: str


def permission(wish: Wish, limits: Scope, *, network: bool) -> Permission:
    """Answer a wish.

    Args:
        wish: What is asked for.
        limits: The campaign's scope with the target's own protection.
        network: Whether the agent may reach the network.
    """
    if wish.kind == "execute":
        return Permission(True, "a command runs within the bounds that hold every agent")
    if wish.outside:
        return Permission(False, f"{wish.outside[0]} is outside the worktree")
    if wish.kind in _EDITS:
        return _edit(wish, limits)
    if wish.kind in _LOOKS:
        return Permission(True, "it only looks")
    if wish.kind == "fetch":
        return Permission(network, "the network is open to it" if network else "the network is closed to it")
    return Permission(False, f"nothing in the campaign allows {wish.kind!r}")


def _edit(wish: Wish, limits: Scope) -> Permission:
    if not wish.paths and not wish.own:
        return Permission(False, "it does not say which file")
    found = breaches((FileChange(path=path) for path in wish.paths), limits)
    return Permission(not found, found[0] if found else "within the scope")
