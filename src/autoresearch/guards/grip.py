"""Does changed code get hold of what measures? Decided on the source, statement by statement, before any run.

An idea may call what is protected, as training code does. One that sets, passes on, wraps or inherits it, that changes
what is handed to it, or that reaches for the means by which code changes other code, can have every source say what it
likes. It is no breach: such an idea may be honest. Where no evaluation gives its numbers, a person looks at it first.
"""

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from autoresearch.guards.shadows import SearchedTree

_SINK = re.compile(r"^_*(?:log|report|record|write|add|print)_|metric|scalar")
_DEFINED = re.compile(r"^\s*(?:async )?(?:def|class) (\w+)[(:]", re.MULTILINE)
_REACHING = frozenset({
    "__import__", "import_module", "__builtins__", "exec", "globals", "settrace", "setprofile", "_getframe",
    "_current_frames", "get_objects", "get_referrers", "dup2", "execv", "execve", "execvp", "execl", "execlp", "fork",
    "forkpty", "__code__", "__defaults__", "__kwdefaults__", "__globals__", "__closure__", "__dict__",
    "methodcaller", "attrgetter", "resolve_name", "get_object", "get_class", "get_method", "locate", "MethodType",
    "FunctionType", "CodeType", "__getattribute__",
    "__wrapped__", "__class__", "__bases__", "__subclasses__", "__loader__", "__spec__", "meta_path", "path_hooks",
})  # fmt: skip
"""Names by which code changes other code."""
_MEANS = frozenset({
    "pkgutil", "runpy", "pydoc", "marshal", "zipimport", "codeop", "cffi", "pickle", "dill", "cloudpickle",
    "importlib", "imp", "builtins", "ctypes", "inspect", "unittest", "mock", "wrapt", "atexit", "tensorboard",
    "tensorboardX", "SummaryWriter", "wandb", "mlflow", "trackio", "swanlab",
})  # fmt: skip
"""Modules to the same end, and those that write what a source of the metric is read from."""
_BARE = frozenset({"eval", "compile", "vars", "locals", "open_code"})
"""Of the same kind, but only as names: `model.eval()` and `torch.compile` are no such."""
_FILES = re.compile(r"AUTORESEARCH_|tfevents")
_ASKING = frozenset({"isinstance", "issubclass"})
_MUTATING = frozenset({"update", "setdefault", "pop", "append", "extend", "insert", "__setitem__"})
_ONLY_READING = frozenset({"len", "print", "str", "repr", "float", "int", "bool", "dict", "list", "sorted", "sum"})
_SETTERS = frozenset({"setattr", "delattr", "__setattr__", "__delattr__", "__setitem__"})
_F_STRING = re.compile(r"""(?i)\b(?:f|rf|fr)(["']).*\1""")
_NAMES = frozenset({"__name__", "__qualname__", "__module__"})
_TRAINING = ("train", "timing/train")
_STREAMS = ("sys.stdout", "sys.stderr", "sys.modules", "sys.path")


@dataclass(frozen=True, kw_only=True)
class Yardsticks:
    """What measures, as code can come to it.

    Attributes:
        modules: Dotted names under which protected modules are imported.
        functions: What they define, classes too, and functions elsewhere that validate.
        own: Top-level names that the repository itself can be imported by.
        metric: Tag of the metric.
    """

    modules: frozenset[str]
    functions: frozenset[str] = frozenset()
    own: frozenset[str] = frozenset()
    metric: str = ""

    @cached_property
    def sinks(self) -> frozenset[str]:
        """Those of the functions that are told a number."""
        return frozenset(name for name in self.functions if _SINK.search(name) and not name[0].isupper())

    @cached_property
    def tags(self) -> frozenset[str]:
        """The metric's key, whole and without what stands before it."""
        return frozenset({self.metric, self.metric.rpartition("/")[2]} - {""})

    def inside(self, dotted: str) -> bool:
        """Whether a dotted name is a protected module, or something in one."""
        parts = dotted.split(".")
        return any(".".join(parts[:end]) in self.modules for end in range(1, len(parts) + 1))


def yardsticks(
    tree: SearchedTree, protected: Mapping[str, str], validating: Iterable[str] = (), metric: str = ""
) -> Yardsticks:
    """What measures in a commit.

    Args:
        tree: The commit.
        protected: Protected Python files with their text.
        validating: Functions elsewhere that validate.
        metric: Tag of the metric.
    """
    roots = {"", *(path.rpartition("/")[0] for path in tree.scripts), *map(tree.root_of, protected)}
    return Yardsticks(
        modules=frozenset(
            name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in _named(protected, roots)
        ),
        functions=_defined(protected.values()) | frozenset(validating),
        own=frozenset(
            name.partition("/")[0].removesuffix(".py") for name in _named(tree.files, roots) if name.endswith(".py")
        ),
        metric=metric,
    )


def _named(files: Iterable[str], roots: Collection[str]) -> Iterator[str]:
    """Files as they are from each folder that they can be imported from."""
    for root in roots:
        home = f"{root}/" if root else ""
        yield from (file.removeprefix(home) for file in files if file.startswith(home))


def _defined(sources: Iterable[str]) -> frozenset[str]:
    return frozenset(name for text in sources for name in _DEFINED.findall(text) if not name.startswith("__"))


def grips(path: str, old: str, new: str, yardsticks: Yardsticks) -> tuple[str, ...]:
    """What a changed Python file gets hold of that its parent's did not, each in a few words.

    Args:
        path: Where it lies, for imports relative to it.
        old: Its text in the parent, empty for a new file.
        new: Its text.
        yardsticks: What measures.
    """
    there = frozenset(old.split("\n"))
    try:
        after = _Source(_parsed(new, there), path, yardsticks)
    except (SyntaxError, ValueError, RecursionError):
        return (f"{path} cannot be read as Python",)
    try:
        before = _Source(_parsed(old, there), path, yardsticks).statements
    except (SyntaxError, ValueError, RecursionError):
        before = {}
    fresh = [one for key, one in after.statements.items() if key not in before]
    told = (f"{path}:{line} {why}" for line, node, scope in fresh for why in after.reasons(node, scope))
    return tuple(dict.fromkeys(told))


def _parsed(text: str, there: Collection[str]) -> ast.Module:
    """The source as a tree, also where lines of the parent nest quotes in an f-string, as Python 3.12 and later may.

    Such a line is read as an empty text: what stands in it is none of the idea's. A line of its own is not.
    """
    lines = text.split("\n")
    while True:
        try:
            return ast.parse("\n".join(lines))
        except SyntaxError as error:
            at = (error.lineno or 0) - 1
            if not 0 <= at < len(lines) or lines[at] not in there:
                raise
            plain = _F_STRING.sub('""', lines[at])
            if plain == lines[at]:
                raise
            lines[at] = plain


_Piece = tuple[int, ast.AST, str]


@dataclass
class _Source:
    """One file: what its names stand for, and its statements, each by where it stands and what it says."""

    tree: ast.Module
    path: str
    yardsticks: Yardsticks
    bound: dict[str, str] = field(default_factory=dict)
    told: dict[str, set[str]] = field(default_factory=dict)
    methods: set[tuple[str, str]] = field(default_factory=set)
    speakers: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ClassDef):
                plain = (one for one in node.body if isinstance(one, ast.FunctionDef) and not one.decorator_list)
                self.methods |= {(node.name, one.name) for one in plain}
            elif isinstance(node, ast.Call) and _last(node.func) in self.yardsticks.sinks:
                self.speakers |= (
                    {_last(node.func.value)} - {"", "self"} if isinstance(node.func, ast.Attribute) else set()
                )
            if isinstance(node, ast.Import):
                for name in node.names:
                    top = name.name.partition(".")[0]
                    self.bound[name.asname or top] = name.name if name.asname else top
            elif isinstance(node, ast.ImportFrom):
                self.bound |= {n.asname or n.name: f"{self._origin(node)}.{n.name}" for n in node.names}
        for _, node, scope in self.statements.values():
            self.told.setdefault(scope, set()).update(self._handed_over(node))

    @cached_property
    def statements(self) -> Mapping[tuple[str, str], _Piece]:
        """Scope and form → line, node, scope."""
        return {(scope, ast.dump(node)): (line, node, scope) for line, node, scope in _pieces(self.tree.body, "")}

    def reasons(self, piece: ast.AST, scope: str) -> Iterator[str]:
        """What a statement gets hold of."""
        if isinstance(piece, ast.Import | ast.ImportFrom):
            yield from self._imported(piece)
            return
        nodes = list(ast.walk(piece))
        called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
        inner = {id(node.value) for node in nodes if isinstance(node, ast.Attribute)}
        only_named = [node.annotation for node in nodes if isinstance(node, ast.AnnAssign)]
        only_named += [
            one for node in nodes if isinstance(node, ast.Call) and _last(node.func) in _ASKING for one in node.args
        ]
        named = {id(one) for node in only_named for one in ast.walk(node)}
        named |= {
            id(node.value)
            for node in nodes
            if isinstance(node, ast.Attribute) and node.attr in _NAMES and isinstance(node.ctx, ast.Load)
        }
        for node in nodes:
            if id(node) not in named:
                yield from self._of_node(node, used=id(node) in called | inner)
        told = self.told.get(scope, set())
        for name in sorted(self._changed(piece) & told):
            yield f"changes {name}, which is told to what measures"
        for name in sorted(_handed_on(piece, self.yardsticks.sinks) & told):
            yield f"hands on {name}, which is told to what measures"
        if isinstance(piece, ast.Assign) and (speaker := _last(piece.value)) in self.speakers:
            renamed = any(isinstance(one, ast.Name) and one.id != speaker for one in piece.targets)
            yield from [f"hands on {speaker}, which tells what measures"] * renamed

    def _imported(self, piece: ast.Import | ast.ImportFrom) -> Iterator[str]:
        words = {part for name in piece.names for part in name.name.split(".")}
        if isinstance(piece, ast.ImportFrom):
            origin = self._origin(piece)
            words |= set(origin.split("."))
            if "*" in words and any(f"{one}.".startswith(f"{origin}.") for one in self.yardsticks.modules):
                yield f"imports everything of {origin}"
        yield from (f"imports {word}" for word in sorted(words & (_MEANS | _REACHING)))

    def _of_node(self, node: ast.AST, *, used: bool) -> Iterator[str]:
        name = _last(node)
        means = isinstance(node, ast.Name) and self.bound.get(name, "").partition(".")[0] in _MEANS
        if name in _REACHING or means or (isinstance(node, ast.Name) and name in _BARE):
            yield f"uses {name}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FILES.search(node.value):
            yield f"names {node.value[:40]!r}"
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from self._stored(node)
        if isinstance(node, ast.Call) and (name := _last(node.func)):
            if name == "getattr" and self._made_up(node):
                yield "gets something by a name that is made up"
            if isinstance(node.func, ast.Attribute) and (_last(node.func.value), name) in self.methods:
                yield from (f"calls {name} with another self" for one in node.args[:1] if _last(one) != "self")
            if name in _SETTERS and not (node.args and _root(node.args[0]) == "self"):
                yield f"sets by {name}"
            if name in self.yardsticks.sinks and not self._about_training(node):
                yield f"tells {name}"
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Load) and not used:
            dotted = self._dotted(node)
            if isinstance(node, ast.Attribute) and node.attr in self.yardsticks.sinks:
                yield f"passes on {node.attr}"
            if self.yardsticks.inside(dotted) and not dotted.rpartition(".")[2].isupper():
                yield f"passes on {dotted}"
        if isinstance(node, ast.Name | ast.Attribute) and self._dotted(node) == "sys.modules":
            yield "uses sys.modules"
        if isinstance(node, ast.Dict | ast.Call | ast.Subscript):
            yield from (f"writes {tag!r}" for tag in sorted(self.yardsticks.tags & _keys(node)))

    def _stored(self, node: ast.Attribute | ast.Subscript) -> Iterator[str]:
        dotted = self._dotted(node.value)
        whole = f"{dotted}.{node.attr}" if isinstance(node, ast.Attribute) else dotted
        if self.yardsticks.inside(whole) or whole.startswith(_STREAMS):
            yield f"sets {whole}"
        elif speaker := next((one for one in _chain(node.value) if one in self.speakers), ""):
            yield f"changes {speaker}, which tells what measures"
        elif isinstance(node, ast.Attribute) and _last(node.value) in {"self", "cls"}:
            if node.attr in self.yardsticks.sinks:
                yield f"sets {node.attr}, which what measures defines"
        elif isinstance(node, ast.Attribute):
            if node.attr.startswith("__") and node.attr.endswith("__"):
                yield f"sets {node.attr}"
            elif node.attr in self.yardsticks.functions:
                yield f"sets {node.attr}, which what measures defines"
            elif dotted.partition(".")[0] in self.yardsticks.own:
                yield f"sets {whole}"

    def _made_up(self, call: ast.Call) -> bool:
        """Whether something is asked for an attribute that nobody reads in the code, or for one that is told."""
        name = call.args[1] if len(call.args) > 1 else None
        if isinstance(name, ast.Constant):
            return name.value in self.yardsticks.sinks
        origin = self.bound.get(_root(call.args[0]) if call.args else "", "")
        return not origin or origin.partition(".")[0] in self.yardsticks.own

    def _dotted(self, node: ast.AST) -> str:
        """What a chain of names stands for by the imports of the file; empty for what is no import."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name) or node.id not in self.bound:
            return ""
        return ".".join([self.bound[node.id], *reversed(parts)])

    def _origin(self, node: ast.ImportFrom) -> str:
        """The module that an import takes from, of a relative one by where the file lies."""
        if not node.level:
            return node.module or ""
        folders = self.path.split("/")[: -node.level]
        return ".".join([*folders, *([node.module] if node.module else [])])

    def _handed_over(self, piece: ast.AST) -> Iterator[str]:
        """Variables whose content is told to what measures; what says that it belongs to training is left out."""
        for call in (one for one in ast.walk(piece) if isinstance(one, ast.Call) and one.args):
            if _last(call.func) in self.yardsticks.sinks - {"log_hyperparams"} and not self._about_training(call):
                yield from (one.id for one in ast.walk(call.args[0]) if isinstance(one, ast.Name))

    def _about_training(self, call: ast.Call) -> bool:
        """Whether a call says in words of its own that it tells of training: each word does, beside them is a step."""
        rest = [*call.args[1:], *(one.value for one in call.keywords if not _is_switch(one.value))]
        heads = [one.values[0] if isinstance(one, ast.JoinedStr) and one.values else one for one in rest]
        words = [one.value for one in heads if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        open_ended = any(isinstance(one, ast.Starred) for one in call.args) or any(not one.arg for one in call.keywords)
        others = len(heads) - len(words)
        trains = bool(words) and all(word.startswith(_TRAINING) for word in words)
        return trains and others <= 1 and not open_ended and not self.yardsticks.metric.startswith(_TRAINING)

    def _changed(self, piece: ast.AST) -> set[str]:
        found = set()
        for node in ast.walk(piece):
            if isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
                found.add(_root(node))
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _MUTATING:
                found.add(_root(node.func))
        return found - {"", "self"}


def _pieces(body: Iterable[ast.stmt], scope: str) -> Iterator[_Piece]:
    """Every statement by itself; of one that holds others what stands in its head."""
    for node in body:
        if not hasattr(node, "body") and not isinstance(node, ast.Match):
            yield node.lineno, node, scope
            continue
        within = scope
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = f"{scope}.{node.name}"
        for name, value in ast.iter_fields(node):
            for one in value if isinstance(value, list) else [value]:
                if isinstance(one, ast.stmt):
                    yield from _pieces([one], within)
                elif isinstance(one, ast.ExceptHandler | ast.match_case):
                    yield from _pieces(one.body, within)
                elif isinstance(one, ast.arguments):
                    given = (*one.defaults, *one.kw_defaults)
                    yield from ((node.lineno, default, scope) for default in given if default)
                elif isinstance(one, ast.AST) and name != "returns":
                    yield node.lineno, one, scope


def _last(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _chain(node: ast.AST) -> Iterator[str]:
    """The names that something is reached by, the last one first."""
    while isinstance(node, ast.Attribute | ast.Subscript):
        yield _last(node)
        node = node.value
    yield _last(node)


def _handed_on(piece: ast.AST, sinks: frozenset[str]) -> set[str]:
    """Variables that a statement gives another name, or to somebody who may change what they hold."""
    found: set[str] = set()
    for node in ast.walk(piece):
        given: list[ast.AST] = []
        if isinstance(node, ast.Assign | ast.NamedExpr):
            given = [node.value]
        elif isinstance(node, ast.Tuple | ast.List) and isinstance(node.ctx, ast.Load):
            given = [*node.elts]
        elif isinstance(node, ast.Call) and _last(node.func) not in sinks | _ASKING | _ONLY_READING:
            given = [*node.args, *(one.value for one in node.keywords if one.arg)]
        found |= {one.id for one in given if isinstance(one, ast.Name)}
    return found


def _is_switch(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and not isinstance(node.value, str)


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _keys(node: ast.AST) -> set[object]:
    """Keys that a statement writes under, and words that a call is given."""
    if isinstance(node, ast.Dict):
        found: Iterable[ast.AST | None] = node.keys
    elif isinstance(node, ast.Subscript):
        found = [node.slice] if isinstance(node.ctx, ast.Store) else []
    elif isinstance(node, ast.Call):
        return {one.value for one in node.args if isinstance(one, ast.Constant)} | {one.arg for one in node.keywords}
    else:
        found = []
    return {one.value for one in found if isinstance(one, ast.Constant)}
