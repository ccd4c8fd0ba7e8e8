"""Which framework a command speaks to, and what is said in it. Nothing is imported of the framework, nothing is run.

A framework that is spoken to by its own command line, or by a shell script that hands its arguments on, is told in
every run where to write and which seed to take. A script of somebody's own that uses a framework is run as it is.
"""

import os
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from itertools import pairwise, product
from os.path import isfile
from pathlib import Path
from typing import Any

import yaml

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.ports.dialect import Concept, Dialect, SpokenCommand
from autoresearch.ports.target import ScriptKnob
from autoresearch.targets import dialects, knobs
from autoresearch.targets.flags import kind_of, read_value
from autoresearch.targets.inventory import fixed_keys

GROUP = "autoresearch.dialects"
"""Entry points of packages that bring a dialect; each is a `Dialect`."""

_DOCUMENTS = (".yaml", ".yml", ".json", ".toml")
_SCRIPTS = (".py", ".sh", ".bash")
_LAUNCHING = frozenset({"--config_file", "--config-file", "--accelerate_config", "--deepspeed", "--fsdp_config"})
"""Flags whose files say how many processes there are, and nothing of what is trained."""
_LARGEST = 1 << 20


@cache
def known() -> dict[str, Dialect]:
    """Every dialect by its name."""
    here = [
        import_module(f"{dialects.__name__}.{one.name}")
        for one in pkgutil.iter_modules(dialects.__path__)
        if one.name != __name__.rpartition(".")[2]
    ]
    brought = [point.load() for point in entry_points(group=GROUP)]
    found: list[Dialect] = [*(module.DIALECT for module in here), *brought]
    return {dialect.name: dialect for dialect in found}


def named(name: str) -> Dialect:
    """The dialect of a name.

    Raises:
        CampaignError: There is none.
    """
    if name not in known():
        raise CampaignError(f"there is no dialect {name!r}; target.dialect is one of: {', '.join(sorted(known()))}")
    return known()[name]


def recognise(tree: Path, argv: Sequence[str], directory: str = "") -> SpokenCommand | None:
    """What a command says that is started in a folder of the tree, None where no dialect is spoken.

    Raises:
        CampaignError: It cannot be run as a campaign has to run it, and why.
    """
    found = _recognised(tree / directory, argv)
    if found is None or not directory:
        return found
    return replace(
        found,
        knobs=tuple(replace(one, file=f"{directory}/{one.file}") if one.file else one for one in found.knobs),
        config=f"{directory}/{found.config}" if found.config else "",
        protect=tuple(f"{directory}/{glob}" for glob in found.protect),
    )


def _recognised(tree: Path, argv: Sequence[str]) -> SpokenCommand | None:
    line = " ".join(argv)
    scripts = {word: _code(tree / word) for word in argv if word.endswith(_SCRIPTS)}
    for dialect in known().values():
        if _speaks(dialect.spoken, line):
            return _told(dialect, tree, argv, "")
        for word, text in scripts.items():
            if _speaks(dialect.spoken, text) and not word.endswith(".py"):
                return _told(dialect, tree, argv, word)
            if _speaks(dialect.spoken, text):
                return SpokenCommand(dialect=dialect, argv=tuple(argv), algorithms=_algorithms(dialect, text), own=True)
    return None


def held(
    dialect: Dialect, tree: Path, config: str, directory: str, named: Sequence[ScriptKnob] = ()
) -> tuple[str, ...]:
    """Globs of settings that no idea may turn: what measures in a dialect, and what names files in its configuration.

    Args:
        dialect: What is spoken.
        tree: The repository's files.
        config: The file of settings, empty for none.
        directory: The folder of the repository in which the command starts.
        named: Knobs that a person has named: those they allow.
    """
    data = {one.name for one in fixed_keys(tree, config, directory)} if config else set()
    return (*dialect.protect_keys, *sorted(data - {knob.name for knob in named}))


def printed_sources(dialect: Dialect, log: str) -> dict[str, dict[str, object]]:
    """Names that a log gives numbers to, in the lines of the dialect, with `target.source` of each."""
    if dialect.printed is None:
        return {}
    names = dict.fromkeys(found.group(1) for found in re.finditer(dialect.printed.name, log))
    return {name: printed_source(dialect, name) for name in names}


def printed_source(dialect: Dialect, name: str) -> dict[str, object]:
    """`target.source` for a number that the dialect prints."""
    if dialect.printed is None:
        raise CampaignError(f"{dialect.title} prints no numbers that could be read")
    pattern = dialect.printed.value.replace("{name}", re.escape(name))
    step = {"step": dialect.printed.step} if dialect.printed.step else {}
    return {"type": "stdout", "patterns": {name: pattern}, **step}


def spelled(dialect: Dialect, values: Mapping[str, object]) -> dict[str, str]:
    """What the concepts of plays are called among the settings that there are, and curves by `~` and their role."""
    lower = {name.lower(): name for name in reversed(list(values))}
    keys = {concept: one.key.lower() for concept, one in dialect.concepts.items() if _counts(one, values)}
    tags = {f"~{role}": tags[0].removeprefix("(?:data/)?") for role, tags in dialect.curves.items()}
    plain = {role: tag for role, tag in tags.items() if re.fullmatch(r"[\w/]+", tag)}
    return {concept: lower[key] for concept, key in keys.items() if key in lower} | plain


def _counts(concept: Concept, values: Mapping[str, object]) -> bool:
    """Whether a concept has an effect beside the other settings."""
    return concept.only_if is None or concept.only_if(values)


def roles(dialect: Dialect, judged: str, *, falls: bool) -> dict[str, tuple[str, ...]]:
    """The roles of curves beside a metric: it is never taken for the loss, nor for the reward where less is better."""
    kept = dict(dialect.curves)
    for role in ("loss", "reward") if falls else ("loss",):
        if any(re.fullmatch(pattern, judged) for pattern in kept.get(role, ())):
            kept.pop(role)
    return kept


def _speaks(patterns: Sequence[str], text: str) -> bool:
    return any(re.search(pattern, text, re.MULTILINE) for pattern in patterns)


def algorithms(dialect: Dialect, argv: Sequence[str], values: Mapping[str, object]) -> tuple[str, ...]:
    """Words for what a command trains, by its own words and its settings."""
    return _algorithms(dialect, "\n".join([" ".join(argv), *(f"{key}={value}" for key, value in values.items())]))


def _algorithms(dialect: Dialect, text: str) -> tuple[str, ...]:
    return tuple(word for word, pattern in dialect.algorithms.items() if re.search(pattern, text, re.MULTILINE))


def _text(path: Path) -> str:
    try:
        return path.read_bytes()[:_LARGEST].decode("utf-8", "replace")
    except OSError:
        return ""


def _code(path: Path) -> str:
    """A script without what it says in comments of their own lines."""
    return re.sub(r"(?m)^[ \t]*#.*$", "", _text(path))


def _told(dialect: Dialect, tree: Path, argv: Sequence[str], script: str) -> SpokenCommand:
    """A command that the framework itself reads, alone or behind a shell script."""
    text = _code(tree / script) if script else ""
    if script and dialect.hands_on and not re.search(dialect.hands_on, text):
        raise CampaignError(
            f'{script} starts {dialect.title} and does not hand its own arguments on: write "$@" behind the last '
            f"setting there, so that each run can be told its folder and its seed"
        )
    named = [script] if script else list(_documents(tree, argv))
    settings = {file: _keys(tree, file) for file in named}
    for file, (key, why) in product(named, dialect.switched_off.items()):
        if any(one == key or one.startswith(f"{key}.") for one in settings[file]):
            raise CampaignError(f"{file} has {key}: {why}")
    config = next(iter(named), "")
    layers = [file for before, file in pairwise(("", *argv)) if before == "@" and file in settings] or [config]
    holder = {key: file for file in layers for key in settings.get(file, {})}
    held = {key: value for file in layers for key, value in settings.get(file, {}).items()}
    given = dict(_given(dialect, argv))
    said, trained = {**held, **given}, _algorithms(dialect, " ".join(argv) + "\n" + text)
    turned = [*_of_file(holder, held, given), *_of_line(dialect, trained, held, given)]
    return SpokenCommand(
        dialect=dialect,
        argv=_forced(dialect, argv, said),
        algorithms=trained,
        knobs=tuple(turned),
        space={knob.name: spec for knob in turned if (spec := _range(dialect, knob, said)) is not None},
        protect=tuple(dict.fromkeys(_measuring(dialect, tree, said))),
        config=config,
        steps=_whole(said.get(dialect.steps)),
        gpus=sum(filter(None, (_whole(said.get(key)) for key in dialect.gpus))) or None,
        nodes=_whole(said.get(dialect.nodes)),
    )


def _range(dialect: Dialect, knob: ScriptKnob, said: Mapping[str, object]) -> dict[str, object] | None:
    """Where to search a knob: a decade around its value where factors count, all of what is sensible elsewhere."""
    concept = next((one for one in dialect.concepts.values() if one.key == knob.name), None)
    value = knob.default
    if (
        concept is None
        or concept.within is None
        or not _counts(concept, said)
        or isinstance(value, bool)
        or not isinstance(value, int | float)
    ):
        return None
    low, high, factors = concept.within
    if factors and value > 0:
        low, high = max(low, float(f"{value / 10:.4g}")), min(high, float(f"{value * 10:.4g}"))
    if not low < high:
        return None
    ends = (int(low), int(high)) if concept.kind == "int" else (low, high)
    spec: dict[str, object] = {"type": concept.kind, "low": ends[0], "high": ends[1]}
    return spec | ({"log": True} if factors and low > 0 else {})


def _measuring(dialect: Dialect, tree: Path, said: Mapping[str, object]) -> Iterator[str]:
    """Files of the repository that measure: a data set, a reward function by its path or as `module.function`."""
    for key in dialect.measured_by:
        for one in _listed(said.get(key)):
            text = str(one or "").strip("'\"[]").removeprefix("./")
            module = text.rpartition(".")[0].replace(".", "/") + ".py"
            path = next((each for each in (text, module) if each and _inside(tree, each)), "")
            if path:
                yield f"{path.rstrip('/')}/**" if (tree / path).is_dir() else path


def _inside(tree: Path, path: str) -> bool:
    parts = Path(path).parts
    # Unlike its twin in `pathlib` this says no of what is too long to be a path.
    return not Path(path).is_absolute() and ".." not in parts and path != ".py" and os.path.exists(tree / path)  # noqa: PTH110


def _documents(tree: Path, argv: Sequence[str]) -> Iterator[str]:
    """Files of settings that a command names, but for those that only say how it is launched."""
    for before, word in pairwise(("", *argv)):
        flag, _, path = word.rpartition("=")
        launches = (flag or before) in _LAUNCHING
        if path.endswith(_DOCUMENTS) and not launches and not Path(path).is_absolute() and isfile(tree / path):  # noqa: PTH113
            yield path


def _keys(tree: Path, path: str) -> dict[str, object]:
    try:
        return dict(_flat(knobs.read_document(tree, path)))
    except RecipeError as error:
        raise CampaignError(str(error)) from error
    except RecursionError:
        raise CampaignError(f"{path} holds itself, or is nested too deeply, and cannot be read") from None


def _flat(document: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", {} if isinstance(value, Mapping) else value


def _given(dialect: Dialect, argv: Sequence[str]) -> Iterator[tuple[str, object]]:
    """Settings on the command line, by key."""
    for at, word in enumerate(argv):
        if dialect.place == "argument" and re.match(r"\+{0,2}[A-Za-z_]\w*(?:[.@/]\w+)*=", word):
            key, _, value = word.lstrip("+").partition("=")
            yield key, read_value(value)
        elif dialect.place == "flag" and re.match(r"--[A-Za-z]", word):
            flag, sign, value = word[2:].partition("=")
            follows = argv[at + 1] if at + 1 < len(argv) and not argv[at + 1].startswith("--") else ""
            yield flag.replace("-", "_"), read_value(value if sign else follows) if sign or follows else True


def _of_file(
    holder: Mapping[str, str], held: Mapping[str, object], given: Mapping[str, object]
) -> Iterator[ScriptKnob]:
    """What files say, each turned in the last of them that says it: `rl @ base.toml @ mine.toml`."""
    for key, value in held.items():
        if key not in given and isinstance(value, bool | int | float | str):
            yield ScriptKnob(name=key, place="key", at=key, file=holder[key], kind=kind_of(value), default=value)


def _of_line(
    dialect: Dialect, trained: Sequence[str], held: Mapping[str, object], given: Mapping[str, object]
) -> Iterator[ScriptKnob]:
    """Concepts that the command line says or may say; what a file says is turned there."""
    for concept in dialect.concepts.values():
        unheard = concept.key not in given and concept.key not in held
        if unheard and dialect.defaults_of and not set(trained) & set(dialect.defaults_of):
            continue
        value = given.get(concept.key, _unsaid(dialect, concept, {**held, **given}))
        if (concept.key in given or concept.key not in held) and isinstance(value, bool | int | float):
            at = concept.key if dialect.place == "argument" else _flag(dialect, concept.key)
            value = float(value) if concept.kind == "float" else value
            off = _flag(dialect, f"no_{concept.key}") if concept.kind == "bool" and dialect.place == "flag" else ""
            yield ScriptKnob(name=concept.key, place=dialect.place, at=at, kind=concept.kind, default=value, off=off)


def _unsaid(dialect: Dialect, concept: Concept, said: Mapping[str, object]) -> object:
    """What holds where nothing says it."""
    if concept.default is not None or not concept.like:
        return concept.default
    other = dialect.concepts[concept.like]
    return said.get(other.key, other.default)


def _flag(dialect: Dialect, key: str) -> str:
    return f"--{key.replace('_', '-') if dialect.kebab else key}"


def _forced(dialect: Dialect, argv: Sequence[str], said: Mapping[str, object]) -> tuple[str, ...]:
    """The command with what every run is told; a place that a person has filled in stays."""
    words = list(argv)
    settings = [*dialect.forced, *((key, _joined(said.get(key), one)) for key, one in dialect.joined.items())]
    for setting, value in settings:
        key = setting.lstrip("+")
        if dialect.place == "argument":
            own = [word for word in words if word.lstrip("+").startswith(f"{key}=")]
            words = [word for word in words if word not in own]
            words.append(own[-1] if own and "{" in own[-1] else f"{setting}={value}")
        else:
            words = _with_flag(dialect, words, key, value)
    return tuple(words)


def _with_flag(dialect: Dialect, words: list[str], key: str, value: str) -> list[str]:
    spellings = {f"--{key}", f"--{key.replace('_', '-')}"}
    for at, word in enumerate(words):
        flag, sign, now = word.partition("=")
        if flag in spellings and sign:
            return words if "{" in now else [*words[:at], f"{flag}={value}", *words[at + 1 :]]
        if flag in spellings:
            follows = words[at + 1 : at + 2] if not "".join(words[at + 1 : at + 2]).startswith("--") else []
            return words if "{" in "".join(follows) else [*words[: at + 1], value, *words[at + 1 + len(follows) :]]
    return [*words, _flag(dialect, key), value]


def _listed(now: object) -> list[object]:
    """What a setting names, one or several, as Hydra spells a list; nothing for what cannot be read."""
    try:
        listed = yaml.load(now, yaml.CSafeLoader) if isinstance(now, str) else now
    except (yaml.YAMLError, ValueError, RecursionError):
        return []
    return listed if isinstance(listed, list) else [listed] if listed else []


def _joined(now: object, member: str) -> str:
    """A list with one member more, as Hydra reads it."""
    members = [str(one) for one in _listed(now) or ["console"]]
    return "[" + ",".join(f'"{one}"' for one in dict.fromkeys([*members, member])) + "]"


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
