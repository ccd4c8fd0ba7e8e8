"""Plain values at the top of a Python file: constants, and entries of tables that are written out.

Nothing is run. What is bound twice, or changed later in a way that can be seen, is no constant.
"""

import ast
from collections.abc import Iterator, Sequence


def constants(text: str) -> dict[str, tuple[object, ast.expr]]:
    """Names that a module gives one plain value at its top, once, with the place of that value.

    Raises:
        SyntaxError: It is not Python.
    """
    body = ast.parse(text).body
    bound = list(_bound(body))
    named = [pair for statement in _top(body) for pair in _assigned(statement) if bound.count(pair[0]) == 1]
    changed = set(_changed(body))
    entries = [(f"{name}.{key}", inner) for name, value in named for key, inner in _entries(value)]
    named += [pair for pair in entries if pair[0] not in changed and f"{pair[0].partition('.')[0]}." not in changed]
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


def _entries(value: ast.expr) -> Iterator[tuple[str, ast.expr]]:
    """Keys and values of a table that is written out: `{"lr": 0.1}`, `dict(lr=0.1)`."""
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                yield key.value, inner
    elif isinstance(value, ast.Call) and ast.unparse(value.func) == "dict" and not value.args:
        yield from ((one.arg, one.value) for one in value.keywords if one.arg)


def _changed(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Entries that are set again, `name.key`, and tables of which nobody can tell what is, `name.`."""
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            key = node.slice.value if isinstance(node.slice, ast.Constant) else ""
            yield f"{ast.unparse(node.value)}.{key!s}"
        elif isinstance(node, ast.Attribute) and node.attr in {"update", "setdefault", "pop", "clear"}:
            yield f"{ast.unparse(node.value)}."


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
