"""Small faults for a Python module: every place where one can be put, and the module with one of them in it.

A fault is what a slip of a programmer would be: another comparison, another operator, a bound off by one, a sign, a
condition the wrong way round, a statement or an entry of a table forgotten. Annotations, decorators, docstrings and
messages stay as they are, for no test should hold to those.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parents[1] / "src"

_COMPARED: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
_CALLED = {
    "min": "max", "max": "min", "any": "all", "all": "any", "ceil": "floor", "floor": "ceil",
    "startswith": "endswith", "endswith": "startswith", "rfind": "find", "search": "match", "fullmatch": "match",
}  # fmt: skip
_UNTOUCHED = {"annotation", "returns", "decorator_list", "type_params", "bases", "keywords_of_class", "format_spec"}
_ALTERNATIVE = re.compile(r"(?<=[|(:])(?<!\\)(?!\?)[^|()\[\]{}\\\s]+(?=\|)|(?<=\|)(?<!\\\|)[^|()\[\]{}\\?*+]+(?=\))")
_LEAST = re.compile(r"\{(\d+)(?=,?\d*\}[^|]*)")


@dataclass(frozen=True)
class Mutant:
    """One fault.

    Attributes:
        module: Dotted name of the module.
        where: Function or class it is in, `<module>` outside of any.
        line: Line of the file.
        change: What stood there, and what stands there now.
        number: Its place among all faults of the module.
    """

    module: str
    where: str
    line: int
    change: str
    number: int

    @property
    def key(self) -> str:
        """What identifies it while lines are added above it."""
        return f"{self.module} {self.where}: {self.change}"


def path_of(module: str) -> Path:
    """The file of a module of ours."""
    plain = SOURCES.joinpath(*module.split("."))
    return plain / "__init__.py" if plain.is_dir() else plain.with_suffix(".py")


def mutants(module: str) -> list[Mutant]:
    """Every fault that can be put into a module of ours, in the order of its text."""
    return faults(module, path_of(module).read_text())


def faults(module: str, text: str) -> list[Mutant]:
    """Every fault that can be put into a text; of two alike the later one is numbered."""
    walk = _Walk(module)
    walk.visit(ast.parse(text))
    seen: dict[str, int] = {}
    told = []
    for one in walk.found:
        seen[one.key] = count = seen.get(one.key, 0) + 1
        again = f" ({count})" if count > 1 else ""
        told.append(Mutant(one.module, one.where, one.line, f"{one.change}{again}", one.number))
    return told


def mutated(mutant: Mutant) -> ast.Module:
    """The module's tree with the fault in it."""
    walk = _Walk(mutant.module, mutant.number)
    tree = walk.visit(ast.parse(path_of(mutant.module).read_text()))
    assert isinstance(tree, ast.Module)
    return ast.fix_missing_locations(tree)


class _Walk(ast.NodeTransformer):
    """Counts faults from top to bottom; puts in the one that is wanted."""

    def __init__(self, module: str, wanted: int | None = None) -> None:
        self.module, self.wanted = module, wanted
        self.found: list[Mutant] = []
        self.place: list[str] = []

    def visit(self, node: ast.AST) -> ast.AST:
        """The node, or the one that stands in its place."""
        named = isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        if _docstring(node) or isinstance(node, ast.arg | ast.Import | ast.ImportFrom) or _listed_names(node):
            return node
        for change, other in _changes(node, inside=bool(self.place)):
            number = len(self.found)
            self.found.append(Mutant(self.module, ".".join(self.place) or "<module>", _line(node), change, number))
            if number == self.wanted:
                return ast.copy_location(other, node)
        self.place += [node.name] if named else []
        for name, old in ast.iter_fields(node):
            if name not in _UNTOUCHED:
                setattr(node, name, self._field(old))
        self.place = self.place[:-1] if named else self.place
        return node

    def _field(self, old: object) -> object:
        if isinstance(old, list):
            return [self.visit(item) if isinstance(item, ast.AST) else item for item in old]
        return self.visit(old) if isinstance(old, ast.AST) else old


def _changes(node: ast.AST, *, inside: bool) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.expr) and not isinstance(node, ast.Constant):
        for other in _operators(node):
            yield f"{_short(node)} -> {_short(other)}", other
        for entry, other in () if inside else _without_an_entry(node):
            yield f"{_short(entry)} -> no such entry", other
    elif isinstance(node, ast.Constant):
        for value in _values(node.value):
            yield (
                f"{node.value!r:.60} -> {value!r:.60}" if not isinstance(value, str) else _told(node.value, value),
                (ast.Constant(value)),
            )
    elif isinstance(node, ast.comprehension):
        for place, test in enumerate(node.ifs):
            if _worth_negating(test):
                ifs = [*node.ifs[:place], _negated(test), *node.ifs[place + 1 :]]
                yield f"if {_short(test)} -> if not", ast.comprehension(node.target, node.iter, ifs, node.is_async)
    elif isinstance(node, ast.stmt) and inside:
        yield from _statements(node)


def _operators(node: ast.expr) -> Iterator[ast.expr]:
    match node:
        case ast.Compare(left, ops, comparators):
            for place, op in enumerate(ops):
                for kind in _COMPARED[type(op)]:
                    yield ast.Compare(left, [*ops[:place], kind(), *ops[place + 1 :]], comparators)
        case ast.BoolOp(op, values):
            yield ast.BoolOp(ast.Or() if isinstance(op, ast.And) else ast.And(), values)
        case ast.BinOp(left, op, right) if type(op) in _COMPUTED and not (_text(left) or _text(right)):
            yield ast.BinOp(left, _COMPUTED[type(op)](), right)
        case ast.UnaryOp(ast.Not() | ast.USub(), operand):
            yield operand
        case ast.IfExp(test, body, orelse) if _worth_negating(test):
            yield ast.IfExp(_negated(test), body, orelse)
        case ast.Call(ast.Name(name), args, keywords) if name in _CALLED:
            yield ast.Call(ast.Name(_CALLED[name], ast.Load()), args, keywords)
        case ast.Call(ast.Attribute(value, name), args, keywords) if name in _CALLED:
            yield ast.Call(ast.Attribute(value, _CALLED[name], ast.Load()), args, keywords)


def _without_an_entry(node: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """Every line of a table, and the table that lacks it."""
    match node:
        case ast.Tuple(items) | ast.Set(items) | ast.List(items) if len(items) > 1:
            for place, item in enumerate(items):
                rest = items[:place] + items[place + 1 :]
                yield item, ast.Set(rest) if isinstance(node, ast.Set) else type(node)(rest, ast.Load())
        case ast.Dict(keys, values) if len(keys) > 1:
            for place, key in enumerate(keys):
                rest = ast.Dict(keys[:place] + keys[place + 1 :], values[:place] + values[place + 1 :])
                yield key or values[place], rest


def _statements(node: ast.stmt) -> Iterator[tuple[str, ast.stmt]]:
    match node:
        case ast.If(test, body, orelse) | ast.While(test, body, orelse) if _worth_negating(test):
            yield f"if {_short(test)} -> if not", type(node)(_negated(test), body, orelse)
    match node:
        case ast.Return(value) if value is not None and not _empty(value):
            yield f"return {_short(value)} -> return None", ast.Return(ast.Constant(None))
        case ast.If(_, [ast.Return() | ast.Raise() | ast.Continue()], []):
            yield f"{_short(node)} -> nothing", ast.Pass()
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Continue() | ast.Break() | ast.Delete():
            yield f"{_short(node)} -> nothing", ast.Pass()
        case ast.Assign([ast.Attribute() | ast.Subscript(), *_]):
            yield f"{_short(node)} -> nothing", ast.Pass()
    match node:
        case ast.AugAssign(target, op, value) if type(op) in _COMPUTED and not _text(value):
            other = ast.AugAssign(target, _COMPUTED[type(op)](), value)
            yield f"{_short(node)} -> {_short(other)}", other


def _values(value: object) -> tuple[object, ...]:
    match value:
        case bool():
            return (not value,)
        case int():
            return tuple(dict.fromkeys(other for other in (value + 1, value - 1) if other >= 0))
        case float():
            return (value * 2, -value) if value else (1.0,)
        case str():
            return tuple(_patterns(value))
    return ()


def _patterns(text: str) -> Iterator[str]:
    """A regular expression that lacks one alternative, or asks for one character more."""
    if "|" not in text and "{" not in text:
        return
    for found in (*_ALTERNATIVE.finditer(text), *_LEAST.finditer(text)):
        start, end = found.span()
        if found.re is _LEAST:
            if found[1] != "0":
                yield f"{text[:start]}{{{int(found[1]) + 1}{text[end:]}"
        elif text[end : end + 1] == "|":
            yield text[:start] + text[end + 1 :]
        else:
            yield text[: start - 1] + text[end:]


def _told(before: object, after: str) -> str:
    """Where two long texts differ."""
    text = str(before)
    start = next((n for n, (a, b) in enumerate(zip(text, after, strict=False)) if a != b), len(after))
    length = len(text) - len(after)
    if length > 0:
        return f"{text[max(0, start - 12) : start]}[{text[start : start + length]}] -> dropped"
    return f"{text[max(0, start - 12) : start + 3]} -> {after[max(0, start - 12) : start + 3]}"


def _negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def _worth_negating(test: ast.expr) -> bool:
    """Whether no other fault is the same as this one."""
    both = (ast.Eq, ast.NotEq, ast.Is, ast.IsNot, ast.In, ast.NotIn)
    alike = isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], both)
    return not alike and not (isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not))


def _text(node: ast.expr) -> bool:
    """Whether an operand is text or a list, for which another operator is no slip but nonsense."""
    return isinstance(node, ast.JoinedStr | ast.List | ast.Tuple) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str)
    )


def _empty(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value):
            return not value
        case ast.Tuple(items) | ast.List(items):
            return not items
    return False


def _docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _listed_names(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "__all__"


def _line(node: ast.AST) -> int:
    return int(getattr(node, "lineno", 0) or getattr(getattr(node, "target", None), "lineno", 0))


def _short(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 90 else f"{text[:42]} ... {text[-43:]}"
