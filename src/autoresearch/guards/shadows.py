"""Does a change put something where Python would find it before what is protected? Decided on names, before any run.

`scope` compares paths; a run resolves imports. A package beside a protected module, a compiled twin, a module on an
earlier path, and what an interpreter loads before anybody's code all leave the protected file untouched and unused.
"""

import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from posixpath import dirname, normpath

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Globs, Scope

LOADERS = Globs((
    "**/*.pth",
    "**/conftest.py",
    "**/pytest.ini",
    "**/.pytest.ini",
    "**/pytest.toml",
    "**/.pytest.toml",
    "**/tox.ini",
    "**/*.dist-info/**",
    "**/*.egg-info/**",
    "**/*.egg",
    "**/*.egg-link",
    "**/uv.toml",
    "**/.env",
    "**/.env.*",
    "**/.envrc",
    "**/pyvenv.cfg",
    "**/*.lock",
    "**/pylock*.toml",
    "**/package-lock.json",
    "**/pnpm-lock.yaml",
))  # fmt: skip
"""What decides which code is loaded, or is itself loaded by tools before any code of the run."""

_ALWAYS_LOADED = frozenset({"sitecustomize", "usercustomize"})
_TAGGED = (".so", ".pyd")
"""Endings before which an interpreter's name may stand: `x.cpython-312-x86_64-linux-gnu.so` is the module `x`."""


_LOADER = (
    r"PYTHON(?:PATH|HOME|STARTUP|USERBASE|PLATLIBDIR|PYCACHEPREFIX|EXECUTABLE|BREAKPOINT|CASEOK)"
    r"|LD_(?:PRELOAD|LIBRARY_PATH|AUDIT)|DYLD_\w+|BASH_ENV|VIRTUAL_ENV|UV_PROJECT_ENVIRONMENT"
)
_SETS = re.compile(
    rf"(?<![\w$])({_LOADER})[\"']?\s*\]?\s*(?:[:+]?=(?!=)|:\s)"
    rf"|(?:setenv|putenv|setdefault)\(\s*[\"']({_LOADER})[\"']"
)
_SETS_IN_PYTHON = re.compile(
    r"(?<!\w)(__path__|meta_path|path_hooks|path_importer_cache|sys\.modules)\s*"
    r"(?:\+?=(?!=)|\[[^\]]*\]\s*=(?!=)|\.(?:insert|append|extend|update|clear|setdefault|__setitem__)\()"
    r"|setattr\([^,]+,\s*[\"'](__path__|meta_path|path_hooks)[\"']"
)
_SETS_PROGRAMS = re.compile(r"(?<![\w$])(PATH)\+?=")
_HOOKS = re.compile(
    r"(tool[\"'\s]*[.:][\"'\s]*pytest|entry[-_]points|addopts|pythonpath|python_files|required_plugins|testpaths)(?![\w-])"
)
_PROJECT = ("pyproject.toml", "setup.cfg", "setup.py")
"""Files that are there for much else, in which a plugin or a word for pytest needs no file of its own."""
_SHELL = (".sh", ".bash", ".zsh", ".env", ".envrc")
_PROSE = (".md", ".rst")
_HUNK = re.compile(r"@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@")


@dataclass(frozen=True, kw_only=True)
class SearchedTree:
    """The commit that a change was made from, as an interpreter would search it.

    Attributes:
        files: Its files.
        scripts: Files that the run's command names; Python searches a script's own folder first.
        outside: Names that can be imported without the tree, besides the standard library's; asked only when needed.
    """

    files: frozenset[str]
    scripts: tuple[str, ...] = ()
    outside: Callable[[], Collection[str]] = frozenset

    @cached_property
    def folders(self) -> frozenset[str]:
        """Every folder that holds a file, however deep."""
        return frozenset(folder for file in self.files for folder in _above(file))

    def package(self, folder: str) -> bool:
        """Whether a folder is a package of its own and not only a part of a namespace."""
        return f"{folder}/__init__.py" in self.files

    def root_of(self, module: str) -> str:
        """The folder that a module's name is searched from: above the outermost package it lies in."""
        packages = [folder for folder in _above(module) if self.package(folder)]
        return dirname(packages[-1]) if packages else dirname(module)


def shadows(changes: Iterable[FileChange], limits: Scope, tree: SearchedTree) -> tuple[str, ...]:
    """Every file of a change that would be used in place of a protected one, or around it, in words.

    What `scope.breaches` refuses anyway is left to it, and what the campaign names as its subject is allowed.

    Args:
        changes: The commit's files against its parent.
        limits: The campaign's scope merged with the target's own protection.
        tree: The parent.
    """
    guarded = _Guarded(tree, frozenset(file for file in tree.files if limits.protected.match(file)))
    found = []
    for change in changes:
        if any(globs.match(change.path) for globs in (limits.never, limits.protected, limits.subjects)):
            continue
        if why := next(iter(guarded.problems(change)), ""):
            found.append(f"{change.path} {why}")
    return tuple(found)


def redirects(difference: str, limits: Scope) -> tuple[str, ...]:
    """Every file of a change that sets a variable by which a loader finds other code, or names a plugin.

    In words; by text, line by line.

    What spells the name in pieces passes, and what a run sets for itself while it runs.

    Args:
        difference: The change as git prints it, with names below `a/` and `b/`.
        limits: The campaign's scope; what it names as its subject is allowed.
    """
    found = dict[str, str]()
    for path, line in _added(difference):
        if path not in found and not path.endswith(_PROSE) and not limits.subjects.match(path):
            kinds = ((_SETS, ""), (_SETS_IN_PYTHON, ".py"), (_SETS_PROGRAMS, _SHELL), (_HOOKS, _PROJECT))
            looked = (kind.search(line) for kind, ends in kinds if path.endswith(ends))
            if set_here := next(filter(None, looked), None):
                found[path] = next(filter(None, set_here.groups()))
    return tuple(
        f"{path} sets {name}, which decides what is loaded around the evaluation; if it is the idea, name the file in "
        "scope.subject"
        for path, name in found.items()
    )


def _added(difference: str) -> Iterator[tuple[str, str]]:
    """Each added line with its file. A hunk's own counts say where it ends: its lines may look like headings."""
    path, old, new = "", 0, 0
    for line in difference.split("\n"):
        if old > 0 or new > 0:
            old -= line[:1] in {"-", " "}
            new -= line[:1] in {"+", " "}
            if line.startswith("+"):
                yield path, line[1:]
        elif line.startswith("+++ "):
            path = line.removeprefix("+++ ").strip('"\t').removeprefix("b/")
        elif hunk := _HUNK.match(line):
            old, new = (1 if count is None else int(count) for count in hunk.groups())


def loaded_later(left: Collection[str], tree: SearchedTree) -> tuple[str, ...]:
    """Those of the files that a run left which the next one in its worktree would load, by their names alone.

    Not what Python itself keeps in `__pycache__`, nor an environment that the run made, nor weights called `model.pth`
    (files of paths are read where packages are installed), nor words for pytest where the commit has nothing.

    Args:
        left: All files that the commit does not have, ignored or not.
        tree: The commit.
    """
    made = tuple(
        f"{dirname(path)}/{folder}/"
        for path in left
        if path.endswith("/pyvenv.cfg") and dirname(path) not in tree.folders
        for folder in ("bin", "lib", "lib64")
    )
    return tuple(path for path in left if _is_loadable(path, tree) and not path.startswith(made))


def _is_loadable(path: str, tree: SearchedTree) -> bool:
    folder, _, name = path.rpartition("/")
    if folder.endswith(".dist-info"):
        return "-packages/" not in path
    if name == "conftest.py":
        return not folder or folder in tree.folders
    if name.endswith(".pth"):
        return folder.endswith("-packages")
    return _module(path) is not None and "__pycache__" not in path.split("/")


class _Guarded:
    """The protected files of a tree, by every name that leads to them."""

    def __init__(self, tree: SearchedTree, files: frozenset[str]) -> None:
        self._tree = tree
        self._places = files | {folder for file in files for folder in _above(file)}
        self._folded = {_fold(place): place for place in sorted(self._places)}
        modules = {file: stem for file in sorted(files) if (stem := _module(file)) is not None}
        self._modules = {_fold(stem): file for file, stem in modules.items()}
        self._packages = {folder: file for file in modules for folder in _above(file)}
        scripts = {dirname(script) for script in tree.scripts}
        searched = {"", *scripts, *(tree.root_of(file) for file in modules if tree.package(dirname(file)))}
        self._searched = sorted(searched)
        self._roots = sorted(searched | {tree.root_of(file) for file in modules})
        inner = [(inside, file, root) for file, stem in modules.items() for root in self._searched
                 if (inside := _inside(stem, root))]  # fmt: skip
        self._inner = {inside: file for inside, file, _ in inner}
        self._tops = {(inside.split("/")[0], root): file for inside, file, root in inner}

    def problems(self, change: FileChange) -> Iterator[str]:
        """Why a file may not be changed or added, most telling reason first."""
        path = change.path
        if change.link_target:
            yield from self._linked(path, change.link_target)
            path = f"{path}/__init__.py" if _module(path) is None else path
        yield from self._respelled(path)
        yield from self._beside(path)
        yield from self._earlier(path)
        name = (_module(path) or "").removesuffix("/__init__").rpartition("/")[2]
        if name in _ALWAYS_LOADED:
            yield "is loaded by Python before any code of the run"
        if glob := LOADERS.match(path):
            yield f"decides what is loaded around the evaluation ({glob}); if it is the idea, name it in scope.subject"

    def _linked(self, path: str, target: str) -> Iterator[str]:
        leads = normpath(f"{dirname(path)}/{target}" if dirname(path) else target)
        if leads in self._places:
            yield f"is a link to {leads}, which is protected or holds what is: it can be written through"

    def _respelled(self, path: str) -> Iterator[str]:
        for place in (path, *_above(path)):
            meant = self._folded.get(_fold(place))
            if meant and place not in self._tree.files and place not in self._tree.folders:
                yield f"differs from {meant}, which is protected or holds what is, only in case or Unicode form"

    def _beside(self, path: str) -> Iterator[str]:
        stem = _module(path)
        if stem is not None and (file := self._modules.get(_fold(stem))):
            yield f"would be loaded in place of {file}, which is protected"
        for folder in _above(path):
            file = self._modules.get(_fold(folder))
            if file and (folder not in self._tree.folders or stem == f"{folder}/__init__"):
                yield f"would be loaded in place of {file}, which is protected: a package goes before a module"
        if stem is None:
            return
        if stem.endswith("/__init__") and (file := self._packages.get(stem.removesuffix("/__init__"))):
            yield f"is loaded before {file}, which is protected, and can replace it"
        if (file := self._packages.get(stem)) and not self._tree.package(stem):
            yield f"would be loaded in place of the folder of {file}, which is protected"

    def _earlier(self, path: str) -> Iterator[str]:
        """A new module on a path that is searched first, under a name that is another one's."""
        stem = _module(path)
        if stem is None or path in self._tree.files:
            return
        for root in self._roots:
            inside = _inside(stem, root)
            if not inside:
                continue
            top = inside.removesuffix("/__init__")
            if root in self._searched and (file := self._inner.get(top)):
                yield f"has the import name of {file}, which is protected, on another path"
            if "/" in top or self._known(root, top):
                continue
            others = (self._tops.get((top, other)) for other in self._searched if other != root)
            if root in self._searched and (file := next(filter(None, others), None)):
                yield f"has the import name that leads to {file}, which is protected, on another path"
            if top in sys.stdlib_module_names:
                yield f"would be loaded in place of Python's own module {top}"
            elif top in self._tree.outside():
                yield f"would be loaded in place of the installed package {top}"

    def _known(self, root: str, name: str) -> bool:
        place = f"{root}/{name}" if root else name
        return f"{place}.py" in self._tree.files or self._tree.package(place)


def _module(path: str) -> str | None:
    """A path without what makes it a module, `pkg/mod` for `pkg/mod.py`, its compiled and its cached form; or None."""
    folder, _, name = path.rpartition("/")
    home = f"{folder}/" if folder else ""
    if name.endswith(_TAGGED):
        return home + name.partition(".")[0]
    if name.endswith(".pyc") and (folder == "__pycache__" or folder.endswith("/__pycache__")):
        return home.removesuffix("__pycache__/") + name.partition(".")[0]
    return next((home + name.removesuffix(end) for end in (".py", ".pyc") if name.endswith(end)), None)


def _inside(path: str, root: str) -> str:
    """A path as it is from a folder, empty when it does not lie in it."""
    if not root:
        return path
    return path.removeprefix(f"{root}/") if path.startswith(f"{root}/") else ""


def _above(path: str) -> tuple[str, ...]:
    """The folders that a path lies in, innermost first, without the tree itself."""
    parts = path.split("/")[:-1]
    return tuple("/".join(parts[:end]) for end in range(len(parts), 0, -1))


def _fold(path: str) -> str:
    """What is one name to a file system that knows no case, or to Python, which normalises identifiers."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", path).casefold())
