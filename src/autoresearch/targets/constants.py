"""Plain values in a Python file: constants, entries of tables that are written out, settings of objects and classes.

Nothing is run. What is bound twice, or changed later in a way that can be seen, is no constant.

And which keys of a configuration file no code names, so that turning them can change nothing: told by the text alone,
and only where most keys stand in the code by name, so that it is the code that reads them and no library, and nothing
is handed on whole (`**config`).
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

Constants = dict[str, tuple[object, ast.expr]]


def constants(text: str) -> Constants:
    """Names that a program gives one plain value, once, with the place of that value.

    Looked at are the top of the module, what stands under its `__main__`, the functions that it calls once from there,
    and the fields of its classes (`Config.lr`).

    Raises:
        SyntaxError: It is not Python.
    """
    body = ast.parse(text).body
    changed = set(_changed(body))
    found = _of_scope(body, list(_top(body)), changed)
    for function in _mains(body):
        arguments = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
        for name, pair in _of_scope(function.body, function.body, changed).items():
            if name not in arguments:
                found[name if name not in found else f"{function.name}.{name}"] = pair
    for kind in (one for one in body if isinstance(one, ast.ClassDef)):
        found |= {name: pair for name, pair in _fields(kind, body) if name not in found}
    seeding = list(_seeding(body))
    if len(seeding) == 1 and "seed" not in found:
        found["seed"] = seeding[0]
    return found


_SEEDING = frozenset({"seed", "manual_seed", "set_seed", "seed_everything", "default_rng", "RandomState", "PRNGKey"})


def _seeding(body: Sequence[ast.stmt]) -> Iterator[tuple[object, ast.expr]]:
    """Whole numbers that seed a generator: `torch.manual_seed(0)`, `np.random.default_rng(seed=1)`."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        name = ast.unparse(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
        if name in _SEEDING and isinstance(node, ast.Call):
            given = [*node.args[:1], *(one.value for one in node.keywords if one.arg == "seed")]
            yield from ((value, one) for one in given if type(value := _literal(one)) is int)


def _of_scope(scope: Sequence[ast.stmt], statements: Sequence[ast.stmt], changed: set[str]) -> Constants:
    """Constants of some statements of a scope."""
    bound = list(_bound(scope))
    named = [pair for statement in statements for pair in _assigned(statement) if bound.count(pair[0]) == 1]
    entries = [(f"{name}.{key}", inner) for name, value in named for key, inner in _entries(value)]
    named += [pair for pair in entries if pair[0] not in changed and f"{pair[0].partition('.')[0]}." not in changed]
    named += [pair for statement in statements for pair in _set(statement) if f"={pair[0]}" not in changed]
    named += [pair for statement in statements for pair in _called(statement)]
    names = [name for name, _ in named]
    return {
        name: (literal, value)
        for name, value in named
        if names.count(name) == 1 and (literal := _literal(value)) is not None
    }


def _top(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module that a run carries out once, those under `if __name__ == "__main__"` too."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "__name__ == '__main__'":
            yield from statement.body


def _mains(body: Sequence[ast.stmt]) -> Iterator[ast.FunctionDef]:
    """Functions of a module that it calls once, from its top; and `main`."""
    everything = [node for statement in body for node in ast.walk(statement)]
    called = [node.func.id for node in everything if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    plain = [one for one in _top(body) if not isinstance(one, ast.FunctionDef | ast.ClassDef)]
    first = {
        node.func.id
        for one in plain
        for node in ast.walk(one)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    for one in body:
        if (
            isinstance(one, ast.FunctionDef)
            and (one.name == "main" or one.name in first)
            and called.count(one.name) <= 1
        ):
            yield one


def _fields(kind: ast.ClassDef, body: Sequence[ast.stmt]) -> Iterator[tuple[str, tuple[object, ast.expr]]]:
    """Numbers among the fields of a class that nobody gives another value where it is made, and nobody sets later."""
    nodes = [node for statement in body for node in ast.walk(statement)]
    made = [node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) == kind.name]
    given = {one.arg for call in made for one in call.keywords}
    given |= {node.attr for node in nodes if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)}
    if any(call.args for call in made) or None in given:
        return
    for name, value in (pair for statement in kind.body for pair in _assigned(statement)):
        literal = _literal(value)
        if name not in given and isinstance(literal, int | float):
            yield f"{kind.name}.{name}", (literal, value)


_SHOWING = frozenset(
    {
        *("plt", "ax", "axs", "axes", "fig", "sns", "parser", "click", "logging", "logger", "log"),
        *("json", "pickle", "yaml", "toml", "csv", "pprint", "time", "signal", "subprocess", "shutil", "os", "wandb"),
    }
)
_DECLARING = frozenset({"add_argument", "option", "argument", "add_parser", "ArgumentParser"})
_WRITING = re.compile(
    r"(dump|save|write|print|log|plot|to)(s|_\w+)?|(write|save)\w+|pprint|imsave|sleep|set_printoptions"
)


def _called(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """Numbers that a call is given whose result has no one name: `run.mate`, for `a, b = run(mate=0.5)`.

    A call that writes, shows or waits trains nothing: `json.dump(rows, file, indent=1)`.
    """
    call = statement.value if isinstance(statement, ast.Expr | ast.Assign) else None
    kept = isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name)
    if isinstance(call, ast.Call) and not kept:
        parts = ast.unparse(call.func).split(".")
        if parts[0] not in _SHOWING and parts[-1] not in _DECLARING and not _WRITING.fullmatch(parts[-1]):
            yield from ((f"{ast.unparse(call.func).rpartition('.')[2]}.{key}", inner) for key, inner in _entries(call))


def _set(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    """`cfg.lr = 3e-4`."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name):
            yield ast.unparse(target), statement.value


def _entries(value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Keys and values of a table that is written out: `{"lr": 0.1}`, `dict(lr=0.1)`; numbers that a call is given."""
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, inner
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "dict" and not value.args:
        yield from ((one.arg, one.value) for one in value.keywords if one.arg)
    elif isinstance(value, ast.Call):
        numbers = [one for one in value.keywords if type(_literal(one.value)) in {int, float}]
        yield from ((one.arg, one.value) for one in numbers if one.arg)


def _changed(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Entries that are set again, `name.key`, and tables of which nobody can tell what is, `name.`.

    Settings of objects that are set twice, `=name.key`.
    """
    settings: list[str] = []
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
            yield f"{ast.unparse(node.value)}.{key!s}"
        elif isinstance(node, ast.Attribute) and node.attr in {"update", "setdefault", "pop", "clear"}:
            yield f"{ast.unparse(node.value)}."
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            setting = ast.unparse(node)
            yield from (setting, *((f"={setting}",) if setting in settings else ()))
            settings.append(setting)


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Names that a module binds at its top, once for every time; in functions those that they declare global."""
    pending: list[ast.AST] = [*body]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from (name for one in ast.walk(node) if isinstance(one, ast.Global) for name in one.names)
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            yield node.id
        pending += ast.iter_child_nodes(node)


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, ast.expr]]:
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        targets = statement.targets
    if isinstance(statement, ast.AnnAssign):
        targets = [statement.target]
    value = getattr(statement, "value", None)
    target = targets[0] if targets else None
    if isinstance(target, ast.Name) and isinstance(value, ast.expr):
        yield target.id, value
    pairs = isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts)
    if pairs and isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        for one, inner in zip(target.elts, value.elts, strict=True):
            if isinstance(one, ast.Name):
                yield one.id, inner


def _literal(value: ast.expr) -> object:
    """A number, a truth value or a text; None for everything else."""
    if not isinstance(value, ast.Constant | ast.UnaryOp):
        return None
    try:
        found: object = ast.literal_eval(value)
    except ValueError:
        return None
    return found if isinstance(found, bool | int | float | str) else None


_MOST_FILES = 300
"""Of a repository with more sources nothing is said."""

_WORD = re.compile(r"\w+")


def unread(tree: Path, keys: Iterable[str]) -> frozenset[str]:
    """Those of a file's dotted keys no part of which any Python source names; none where that cannot be known.

    Args:
        tree: The repository's files.
        keys: All keys of one file.
    """
    asked = frozenset(keys)
    words = _words_of(tree)
    if words is None:
        return frozenset()
    silent = frozenset(key for key in asked if not words.intersection(_WORD.findall(key)))
    return silent if 2 * len(silent) < len(asked) else frozenset()


def _words_of(tree: Path) -> frozenset[str] | None:
    """Every word that a source has, comments included; None where a name may be used without being written."""
    found = set[str]()
    sources = list(_sources(tree))
    if not sources or len(sources) > _MOST_FILES:
        return None
    for path in sources:
        text = _text(path)
        if text is None or _hands_on_whole(text):
            return None
        found.update(_WORD.findall(text))
    return frozenset(found)


def _sources(tree: Path) -> Iterator[Path]:
    for path in tree.rglob("*.py"):
        if not any(part.startswith(".") for part in path.relative_to(tree).parts):
            yield path


def _text(path: Path) -> str | None:
    with suppress(OSError, ValueError):
        return path.read_text(encoding="utf-8")
    return None


def _hands_on_whole(text: str) -> bool:
    """Whether a call takes a mapping for its keywords, or the source cannot be told."""
    with suppress(ValueError, SyntaxError, RecursionError):
        calls = (node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call))
        return any(keyword.arg is None for call in calls for keyword in call.keywords)
    return True
