"""What could be turned about a script: read from its help text, its source and the files that its command names.

Nothing is imported and nothing is run: the help text comes from whoever ran the command. What is found is written into
the campaign file, where a person sees it; a knob whose type or value nothing tells is found without them.
"""

import ast
import math
import posixpath
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from autoresearch.errors import RecipeError
from autoresearch.ports.target import ScriptKnob
from autoresearch.targets import knobs, workplace
from autoresearch.targets.constants import constants, unread
from autoresearch.targets.flags import flags_of, is_default, kind_of, read_value, valued

_DOCUMENTS = (".yaml", ".yml", ".json", ".toml")
_UNEDITED = (".ini", ".cfg", ".conf", ".properties", ".xml", ".hocon", ".jsonnet", ".gin")
_SEEDS = ("seed", "random_seed", "rng_seed", "manual_seed", "random_state")
_LENGTHS = frozenset(
    {
        *("seed", "epoch", "epochs", "step", "steps", "iter", "iters", "iterations", "episode", "episodes", "rounds"),
        *("device", "gpu", "gpus", "port", "worker", "workers", "threads", "log", "logging", "eval", "evaluate"),
        *("print", "save", "path", "dir", "file", "out", "output", "data", "dataset", "verbose", "debug", "wandb"),
        *("project", "name", "version", "classes", "time", "limit", "budget", "dtype", "rank", "world", "test"),
        *("val", "every", "ngen", "gens", "generations", "round", "runs", "plot", "figure", "axis", "labels"),
        *("samples", "vocab", "length", "len", "seeds", "trials", "folds", "help", "cache", "checkpoint", "resume"),
        *("threshold", "target", "games", "batches", "interval", "freq", "updates", "pulls", "only", "timesteps"),
        *("state", "render", "id", "cuda", "track", "tracking", "deterministic", "torch", "capture", "video", "env"),
        *("exp", "entity", "profile", "compile", "backend", "precision", "mode", "host", "url", "user", "group"),
        *("tags", "notes", "upload", "hub"),
    }
)
"""Words of settings that decide how long a run is, where it writes or what is measured: nothing to search over."""
_FIRST = (
    *("lr", "learning", "rate", "batch", "decay", "wd", "dropout", "momentum", "gamma", "beta", "entropy", "clip"),
    *("warmup", "hidden", "width", "depth", "layers", "alpha", "temperature", "l1", "l2"),
)
_SHARES = frozenset(
    {
        *("gamma", "beta", "beta1", "beta2", "momentum", "lam", "lambda", "tau", "dropout", "alpha", "ratio", "cxpb"),
        *("mutpb", "indpb", "probability", "probabilities", "prob", "proba", "p", "fraction", "share", "epsilon"),
        *("smoothing", "drop"),
    }
)
"""Words of what lies between 0 and 1 where its value does."""
_ONE_AT_MOST = _SHARES - {"alpha", "beta", "tau", "ratio", "lam", "lambda"}
"""Those of them that are no more than 1 even where they are 1 now."""
_NORMS = frozenset({"grad", "gradient", "norm", "value", "reward", "obs"})
"""Words beside which `clip` is a length in the unit of what is clipped; of a ratio it is a share."""
_SLIGHT = 0.02
"""Shares below which factors count."""
_PATH = re.compile(r"(?!\.)[\w][\w.@+ -]{0,100}(/[\w.@+ -]{1,100}){0,8}/?")
_RESULTS = frozenset(
    {
        *("out", "output", "outputs", "results", "runs", "run", "logs", "log", "wandb", "mlruns", "checkpoints"),
        *("ckpt", "tmp", "cache", "build", "dist", "venv", "env", "figures", "plots", "videos", "lightning_logs"),
        *("models"),
    }
)
_MOST_AXES = 8
_MOST_KNOBS = 40


def find_knobs(
    tree: Path, argv: Sequence[str], told: str, below: str = "", checkout: Path | None = None
) -> tuple[ScriptKnob, ...]:
    """The knobs of a command; of two of one name the one that is nearer to the command line."""
    roots = (tree, checkout or tree)

    def names_data(knob: ScriptKnob) -> bool:
        return workplace.names_data((knob.default, *knob.choices), roots, below)

    script = _script(tree, argv, below)
    module = _parsed(tree / script) if script else None
    known = constants((tree / script).read_text(encoding="utf-8")) if script and module else {}
    values = {name: value for name, (value, _) in known.items()}
    documents = _documents(tree, argv, module, below)
    found = [*flags_of(told, module, values, argv)]
    found += [knob for path in _settings(tree, argv, below, script) for knob in _constants(tree, path)]
    if module is not None:
        hydra = _hydra(tree, script, module)
        found += _arguments(tree, hydra, argv, names_data) if hydra else []
        found += _variables(module)
        flags, kinds = {knob.name for knob in found}, {one.name for one in module.body if isinstance(one, ast.ClassDef)}
        spent = {name for name in values if is_default(module, name)}
        spent |= {f"{kind}.{flag}" for kind in kinds for flag in flags}  # a field that a parser makes a flag of
        found += [knob for knob in _constants(tree, script) if knob.name not in spent]
        documents = [path for path in documents if path != hydra]
    for path in documents:
        keys = _keys(tree, path)
        silent = unread(tree, (knob.name for knob in keys))
        found += [replace(knob, unread=knob.name in silent) for knob in keys]
    kept: dict[str, ScriptKnob] = {}
    for knob in found:
        one = replace(knob, fixed=names_data(knob))
        if one.fixed or not _is_text_in_code(one):
            kept.setdefault(one.name, one)
    return tuple(kept.values())


def _is_text_in_code(knob: ScriptKnob) -> bool:
    """Whether it is a list, or a text where it stands in a program: a knob only where it names data."""
    if knob.place == "constant":
        return not isinstance(knob.default, bool | int | float)
    return isinstance(knob.default, list)


def fixed_keys(tree: Path, path: str, below: str) -> tuple[ScriptKnob, ...]:
    """Keys of a configuration file that name a file or a folder."""
    found = [one for one in _keys(tree, path) if workplace.names_data(one.default, (tree,), below)]
    return tuple(replace(one, fixed=True) for one in found)


def _settings(tree: Path, argv: Sequence[str], below: str, script: str) -> list[str]:
    """Python files that a command names behind its script, as one whose settings are Python does."""
    named = [_inside(tree, below, word.rpartition("=")[2]) for word in argv if word.endswith(".py")]
    return [path for path in dict.fromkeys(named) if path and path != script and script]


def _constants(tree: Path, path: str) -> list[ScriptKnob]:
    """Plain values that a Python file holds as constants."""
    with suppress(OSError, ValueError, SyntaxError, RecursionError):
        known = constants((tree / path).read_text(encoding="utf-8"))
        return [
            ScriptKnob(name=name, place="constant", at=name, file=path, kind=kind_of(value), default=value)
            for name, (value, _) in known.items()
            if not name.startswith("_") and isinstance(value, bool | int | float | str)
        ]
    return []


def seed_of(found: Sequence[ScriptKnob]) -> ScriptKnob | None:
    """The knob that carries the seed."""
    return next((knob for name in _SEEDS for knob in found if knob.name.lower().rpartition(".")[2] == name), None)


def space_of(found: Sequence[ScriptKnob]) -> dict[str, object]:
    """A search space over those that are worth a search, by name.

    What decides how long a run is, is none, nor is a key that no code names.
    """
    free = [knob for knob in found if not (knob.fixed or knob.unread) and not _words(knob.name) & _LENGTHS]
    worth = [(knob, spec) for knob in free if (spec := _range(knob)) is not None]
    worth.sort(key=lambda pair: _place(pair[0].name))
    return {knob.name: spec for knob, spec in worth[:_MOST_AXES]}


def options_of(found: Sequence[ScriptKnob]) -> dict[str, object]:
    """The same knobs as the target's option `knobs` has them; of very many those that are worth a search."""
    kept = [knob for knob in found if knob.default is not None or knob.choices]
    searched = space_of(found)
    if len(kept) > _MOST_KNOBS:
        kept = [knob for knob in kept if knob.fixed or knob.name in searched]
    return {knob.name: _option(knob) for knob in kept}


def offered(found: Sequence[ScriptKnob]) -> dict[str, object]:
    """The target's options by which overrides reach knobs: the first of their files is the one that overrides edit."""
    documents = list(dict.fromkeys(knob.file for knob in found if knob.place == "key" and not knob.fixed))
    rest = [knob for knob in found if knob.fixed or knob.place != "key" or knob.file not in documents[:1]]
    said = {"config": documents[0] if documents else "", "knobs": options_of(rest), "space": space_of(found)}
    return {key: value for key, value in said.items() if value}


def _option(knob: ScriptKnob) -> dict[str, object]:
    said: dict[str, object] = {knob.place: knob.at}
    said |= {"file": knob.file} if knob.file else {}
    said |= {"type": knob.kind} if knob.kind else {}
    said |= {"default": knob.default} if knob.place in {"flag", "argument", "env"} and knob.default is not None else {}
    said |= {"choices": list(knob.choices)} if knob.choices else {}
    return said | ({"off": knob.off} if knob.off else {}) | ({"fixed": True} if knob.fixed else {})


def _script(tree: Path, argv: Sequence[str], below: str) -> str:
    """The Python file that a command runs, relative to the repository; empty where none is found."""
    for at, word in enumerate(argv):
        if word.endswith(".py") and (found := _inside(tree, below, word)):
            return found
        if word == "-m" and at + 1 < len(argv):
            path = argv[at + 1].replace(".", "/")
            for place in (f"{path}.py", f"{path}/__main__.py", f"src/{path}.py"):
                if found := _inside(tree, below, place):
                    return found
    return ""


def _inside(tree: Path, below: str, word: str) -> str:
    """A file of the repository that is named from a folder of it, relative to the top; empty where it is none."""
    path = posixpath.normpath(posixpath.join(below, word))
    return path if not Path(word).is_absolute() and not path.startswith("..") and (tree / path).is_file() else ""


def _parsed(path: Path) -> ast.Module | None:
    with suppress(OSError, ValueError, SyntaxError, RecursionError):
        return ast.parse(path.read_text(encoding="utf-8"))
    return None


def _documents(
    tree: Path, argv: Sequence[str], module: ast.Module | None, below: str, ends: tuple[str, ...] = _DOCUMENTS
) -> list[str]:
    """Configuration files that the command names, and those that the script itself opens by a fixed name."""
    named = [word.rpartition("=")[2] for word in argv]
    texts = (node.value for node in ast.walk(module) if isinstance(node, ast.Constant)) if module else ()
    named += [text for text in texts if isinstance(text, str)]
    found = [_inside(tree, below, path) for path in named if path.endswith(ends)]
    return list(dict.fromkeys(filter(None, found)))


def beyond_reach(tree: Path, argv: Sequence[str], below: str) -> tuple[str, ...]:
    """Files of settings in a form that no override can edit, which the command or its script names."""
    script = _script(tree, argv, below)
    return tuple(_documents(tree, argv, _parsed(tree / script) if script else None, below, _UNEDITED))


def files_named(
    tree: Path, argv: Sequence[str], below: str, values: Iterable[object], placed: Collection[str] = ()
) -> tuple[str, ...]:
    """Paths that a command, its settings or the text of its script name.

    They may be no paths at all; names by which results are commonly called are left out.

    Args:
        tree: The files of the commit.
        argv: The command.
        below: The folder of the repository in which it starts.
        values: What its settings say.
        placed: What is seen to otherwise.
    """
    script = _script(tree, argv, below)
    module = _parsed(tree / script) if script else None
    texts = [node.value for node in ast.walk(module) if isinstance(node, ast.Constant)] if module else []
    named = [word.rpartition("=")[2] for word in argv[1:]] + [one for one in (*values, *texts) if isinstance(one, str)]
    paths = [posixpath.normpath(posixpath.join(below, one)) for one in named if _PATH.fullmatch(one)]
    inside = [path for path in dict.fromkeys(paths) if not path.startswith("..") and path not in placed]
    return tuple(path for path in inside if not set(path.split("/")) & _RESULTS)


def _keys(tree: Path, path: str) -> list[ScriptKnob]:
    try:
        document = knobs.read_document(tree, path)
    except RecipeError:
        return []  # a file of data, or of something else than keys and values
    return [
        ScriptKnob(name=key, place="key", at=key, file=path, kind=kind_of(value), default=value)
        for key, value in _flat(document)
    ]


def _flat(document: Mapping[Any, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        elif isinstance(value, bool | int | float | str | list):
            yield f"{above}{key}", value


def _variables(module: ast.Module) -> Iterator[ScriptKnob]:
    """`float(os.environ.get("LR", 0.1))`, `os.getenv("LR")`, `os.environ["LR"]`."""
    wrapped = {
        id(node.args[0]): node.func.id
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args
    }
    for node in ast.walk(module):
        name, default = _variable(node)
        if name and not name.startswith("AUTORESEARCH_"):
            kind = wrapped.get(id(node), "")
            kind = kind if kind in {"float", "int"} else ""
            value = read_value(default) if isinstance(default, str) and kind else default
            value = float(value) if kind == "float" and isinstance(value, int) else value
            yield ScriptKnob(name=name, place="env", at=name, kind=kind or kind_of(value), default=value)


def _variable(node: ast.AST) -> tuple[str, Any]:
    if isinstance(node, ast.Call) and ast.unparse(node.func) in {
        "os.environ.get",
        "environ.get",
        "os.getenv",
        "getenv",
    }:
        said = [valued(one, {}) for one in node.args]
        return (str(said[0]), said[1] if len(said) > 1 else None) if said and isinstance(said[0], str) else ("", None)
    if isinstance(node, ast.Subscript) and ast.unparse(node.value) in {"os.environ", "environ"}:
        name = valued(node.slice, {})
        return (name, None) if isinstance(name, str) else ("", None)
    return "", None


def _hydra(tree: Path, script: str, module: ast.Module) -> str:
    """The primary configuration of a Hydra program, relative to the repository; empty where the script is none."""
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"hydra.main", "main"}:
            said = {one.arg: valued(one.value, {}) for one in node.keywords}
            if isinstance(said.get("config_name"), str):
                folder = PurePosixPath(script).parent / str(said.get("config_path") or ".")
                path = (folder / str(said["config_name"])).with_suffix(".yaml")
                if (tree / path).is_file():
                    return str(path)
    return ""


def _arguments(
    tree: Path, path: str, argv: Sequence[str], names_data: Callable[[ScriptKnob], bool]
) -> list[ScriptKnob]:
    """Keys of a Hydra program's configuration. What names data there is watched where it stands."""
    given = {word.partition("=")[0].lstrip("+"): word.partition("=")[2] for word in argv if "=" in word}
    keys = [knob for knob in _keys(tree, path) if not knob.at.startswith("hydra.")]
    held = {knob.at for knob in keys if knob.at not in given and names_data(knob)}
    found = [knob if knob.at in held else replace(knob, place="argument", file="") for knob in keys]
    said = {key: read_value(value) for key, value in given.items()}
    return [replace(knob, default=said.get(knob.at) or knob.default) for knob in found]


def _words(name: str) -> set[str]:
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return set(re.findall(r"[a-z]+\d?", re.sub(r"step[-_. ]?size", "rate", apart)))


def _place(name: str) -> int:
    words = _words(name.rpartition(".")[2])
    return next((at for at, word in enumerate(_FIRST) if word in words), len(_FIRST))


def _range(knob: ScriptKnob) -> dict[str, object] | None:
    """Where to search; None for what is no number and has no choices."""
    value = knob.default
    if knob.choices:
        return (
            {"type": "categorical", "choices": list(knob.choices)}
            if len(knob.choices) > 1 and value is not None
            else None
        )
    if isinstance(value, bool):
        return (
            {"type": "categorical", "choices": [False, True]} if knob.place != "flag" or knob.off or not value else None
        )
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    words = _words(knob.name)
    if knob.kind == "int":
        return {"type": "int", "low": max(1, value // 4), "high": max(value * 4, 3), "log": True} if value > 0 else None
    if (words & _SHARES or ("clip" in words and not words & _NORMS)) and (value == 0 or _SLIGHT <= value < 1):
        low, high = (1 - 4 * (1 - value), 1 - (1 - value) / 4) if value >= 0.5 else (0.0, max(min(0.9, value * 4), 0.3))
        return {"type": "float", "low": _short(max(0.0, low)), "high": _short(high)}
    if words & _ONE_AT_MOST and value == 1:
        return {"type": "float", "low": 0.5, "high": 1.0}
    if value == 0:
        return {"type": "float", "low": 0.0, "high": 0.1} if words & {"decay", "wd", "l1", "l2", "entropy"} else None
    return {"type": "float", "low": _short(value / 10), "high": _short(value * 10), "log": True} if value > 0 else None


def _short(value: float) -> float:
    return float(f"{value:.4g}")
