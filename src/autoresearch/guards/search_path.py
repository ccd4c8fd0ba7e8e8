"""From where a command loads modules, by what lies on its interpreter's search path. Nothing of it is executed.

Programs that start a Python of their own are followed to it: `uv run`, `torchrun`, `accelerate launch`, `deepspeed`, a
shell script with one command in it. What cannot be followed is said to be so: nobody knows what it loads.
"""

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from os.path import isdir, isfile
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresearch.git import diffs, objects
from autoresearch.guards.shadows import SearchedTree

_LIBRARIES = "lib*/python3*/*-packages"
_ENDINGS = (".py", ".so", ".pyd")
_SHELLS = frozenset({"sh", "bash", "dash", "zsh"})
_STARTERS = frozenset({"torchrun", "accelerate", "deepspeed"})
_AROUND = frozenset({"nohup", "time", "exec", "command"})
_NO_COMMANDS = frozenset(
    {"set", "echo", "mkdir", "ulimit", "export", "cd", "source", ".", "exit", "wait", "rm", "date"}
)
_MOST_TEXT = 1 << 16
_HANDED_ON = re.compile(r'cd "\./\$2" && shift (?P<shift>[2-9]) && exec "\$@"$')
"""How our own shell words end that start a command among links to the worktree's files, in its folder `$2`."""


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """The Python that a command leads to.

    Attributes:
        program: Its executable, as it would be looked for.
        begins: The script's folder or the working directory, which it searches first; None where it is told not to.
        file: The script or module that it begins with, relative to the worktree; empty where that lies elsewhere.
        env: Its environment.
        directory: Where it runs.
    """

    program: str
    begins: Path | None
    file: str
    env: Mapping[str, str]
    directory: Path


class _UnknownError(Exception):
    """Why a command cannot be followed, in words."""


def follow(tree: Path, command: Sequence[str], env: Mapping[str, str]) -> Interpreter | str:
    """The Python that a command leads to, or in words why that cannot be told.

    Args:
        tree: Where it runs.
        command: What is run.
        env: Its environment.
    """
    try:
        return _followed(tree, tree, list(command), dict(env), 3)
    except _UnknownError as unknown:
        return str(unknown)
    except (OSError, ValueError) as error:
        return f"its words name what can be no file ({error})"


def _followed(tree: Path, at: Path, words: list[str], env: dict[str, str], depth: int) -> Interpreter:
    while words and (words[0] in _AROUND or words[0] == "env" or _is_setting(words[0])):
        if _is_setting(words[0]):
            name, _, value = words[0].partition("=")
            env[name] = value
        words = words[1:]
    if not words or not depth:
        raise _UnknownError("it is no command that leads to a Python")
    name = Path(words[0]).name
    if name.startswith("python"):
        return _of_python(tree, at, words, env)
    if name == "uv" and words[1:2] == ["run"]:
        return _of_uv(tree, at, words[2:], env, depth)
    if name in _STARTERS:
        return _started(tree, at, _program_of(words[0], env), words[1:], env)
    if name in _SHELLS or name.endswith(".sh"):
        return _of_script(tree, at, words[1:] if name in _SHELLS else words, env, depth)
    raise _UnknownError(f"{name} is not followed to the Python that it starts")


def _is_setting(word: str) -> bool:
    return "=" in word and word.partition("=")[0].isidentifier()


def _of_python(tree: Path, at: Path, words: list[str], env: dict[str, str]) -> Interpreter:
    program, rest, first = words[0], words[1:], True
    while rest and rest[0].startswith("-") and rest[0] not in {"-m", "-c", "-"}:
        flag = rest.pop(0)
        if flag in {"-X", "-W"}:
            rest = rest[1:]
        elif flag.startswith(("-X", "-W")) or set(flag[1:]) <= set("uBOqvdbs"):
            pass
        elif set(flag[1:]) <= set("uBOqvdbsPEI"):
            first = first and not set(flag[1:]) & set("PI")
            env = {**env, "PYTHONPATH": ""} if set(flag[1:]) & set("EI") else env
        else:
            raise _UnknownError(f"its Python is started with {flag}")
    if "PYTHONSAFEPATH" in env:
        first = False
    if rest[:1] == ["-m"] and len(rest) > 1:
        module = _file_of(tree, at, rest[1])
        if not module and any(word.endswith(".py") for word in rest[2:]):
            return _started(tree, at, program, rest[2:], env)
        return Interpreter(program=program, begins=at if first else None, file=module, env=env, directory=at)
    if not rest or not rest[0].endswith(".py"):
        raise _UnknownError("its Python is started without a script or a module")
    script = at / rest[0]
    return Interpreter(
        program=program, begins=script.parent if first else None, file=_below(tree, script), env=env, directory=at
    )


def _started(tree: Path, at: Path, program: str, words: list[str], env: dict[str, str]) -> Interpreter:
    """What a starter of processes starts: the first script among its words, or the module behind `-m`."""
    for word, later in zip(words, [*words[1:], ""], strict=True):
        if word in {"-m", "--module"} and later:
            return Interpreter(program=program, begins=at, file=_file_of(tree, at, later), env=env, directory=at)
        if word.endswith(".py") and not word.startswith("-") and (at / word).is_file():
            return Interpreter(
                program=program, begins=(at / word).parent, file=_below(tree, at / word), env=env, directory=at
            )
    raise _UnknownError("no script of the repository stands in its command")


def _of_uv(tree: Path, at: Path, words: list[str], env: dict[str, str], depth: int) -> Interpreter:
    place = at / (env.get("UV_PROJECT_ENVIRONMENT") or ".venv")
    rest = list(words)
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        flag = rest.pop(0)
        if flag == "--":
            break
        if flag == "--active" and env.get("VIRTUAL_ENV"):
            place = Path(env["VIRTUAL_ENV"])
        elif flag in {"--isolated", "--no-project", "--script", "--project", "--directory", "--python", "-p"}:
            raise _UnknownError(f"`uv run {flag}` chooses an environment of its own")
        elif flag in {"--with", "--extra", "--group", "--only-group", "--env-file", "--index", "--package"}:
            rest = rest[1:]
    if not (place / "pyvenv.cfg").is_file():
        raise _UnknownError(f"the environment of `uv run`, {place}, is not there")
    env = {**env, "PATH": f"{place / 'bin'}{os.pathsep}{env.get('PATH', '')}", "VIRTUAL_ENV": str(place)}
    if rest and (rest[0] == "-m" or rest[0].endswith(".py")):
        rest = [str(place / "bin/python"), *rest]
    return _followed(tree, at, rest, env, depth - 1)


def _program_of(name: str, env: Mapping[str, str]) -> str:
    """The Python that a program of a package is run by: the one beside it."""
    found = shutil.which(name, path=env.get("PATH"))
    if found is None or not (Path(found).parent / "python").exists():
        raise _UnknownError(f"no Python lies beside {name}")
    return str(Path(found).parent / "python")


def _of_script(tree: Path, at: Path, words: list[str], env: dict[str, str], depth: int) -> Interpreter:
    while words and words[0].startswith("-") and set(words[0][1:]) <= set("euxl"):
        words = words[1:]
    in_words = words[:1] == ["-c"] and len(words) > 1
    if in_words and (handed := _HANDED_ON.search(words[1])):
        return _followed(tree, tree / words[4], words[3 + int(handed["shift"]) :], env, depth - 1)
    text = words[1] if in_words else _text(at / words[0]) if words else ""
    commands: list[tuple[Path, list[str]]] = []
    for line in text.replace("\\\n", " ").splitlines():
        try:
            found = shlex.split(line, comments=True)
        except ValueError:
            raise _UnknownError("its shell script is more than a list of commands") from None
        if not found:
            continue
        if found[0] == "export":
            env |= {name: value for name, _, value in (word.partition("=") for word in found[1:])}
        elif found[0] == "cd" and len(found) == 2:
            at = at / found[1]
        elif found[0] in {"source", "."} and len(found) == 2 and found[1].endswith("bin/activate"):
            env["VIRTUAL_ENV"] = str((at / found[1]).parent.parent)
            env["PATH"] = f"{(at / found[1]).parent}{os.pathsep}{env.get('PATH', '')}"
        elif all(map(_is_setting, found)):
            env |= {name: value for name, _, value in (word.partition("=") for word in found)}
        elif found[0] not in _NO_COMMANDS:
            commands.append((at, found))
    if len(commands) != 1 or "$" in commands[0][1][0]:
        raise _UnknownError("its shell script is not one command that leads to a Python")
    place, only = commands[0]
    return _followed(tree, place, only, env, depth - 1)


def _text(path: Path) -> str:
    with suppress(OSError), path.open("rb") as stream:
        return stream.read(_MOST_TEXT).decode("utf-8", "replace")
    return ""


def _file_of(tree: Path, at: Path, module: str) -> str:
    place = at / module.replace(".", "/")
    for path in (place.with_name(f"{place.name}.py"), place / "__main__.py"):
        if path.is_file():
            return _below(tree, path)
    return ""


def _below(tree: Path, path: Path) -> str:
    full = Path(os.path.normpath(path))
    return str(full.relative_to(tree)) if full.is_relative_to(tree) else ""


def loaded_elsewhere(tree: Path, modules: Mapping[str, str], ran: Interpreter) -> Iterator[tuple[str, Path]]:
    """Modules of a worktree that an interpreter would load from other files, with these.

    Hooks that packages install for their own import are not followed.

    Args:
        tree: Where the command runs.
        modules: Paths in the tree, with the folder there that the name of each is searched from.
        ran: What the command leads to.
    """
    path = tuple(_search_path(ran))
    for file, root in modules.items():
        parts = Path(file).relative_to(root).with_suffix("").parts
        found = _found(parts[:-1] if parts[-1] == "__init__" else parts, path)
        if found is not None and found.resolve() != (tree / file).resolve():
            yield file, found.resolve()


def _search_path(ran: Interpreter) -> Iterator[Path]:
    if ran.begins:
        yield ran.begins
    yield from (ran.directory / entry for entry in ran.env.get("PYTHONPATH", "").split(os.pathsep) if entry)
    name = str(ran.directory / ran.program) if "/" in ran.program else ran.program
    if program := shutil.which(name, path=ran.env.get("PATH")):
        own = Path(program).parent.parent
        prefix = own if (own / "pyvenv.cfg").exists() else Path(program).resolve().parent.parent
        for library in sorted(prefix.glob(_LIBRARIES)):
            yield library
            yield from _added(library)


def _added(library: Path) -> Iterator[Path]:
    """Folders that files of packages add to the search path, as editable installs do."""
    for file in sorted(library.glob("*.pth")):
        try:
            lines = file.read_text("utf-8", "replace").splitlines()
        except OSError:
            continue
        yield from (library / line.strip() for line in lines if line.strip() and not line.startswith(("#", "import")))


def _found(parts: Sequence[str], path: Sequence[Path]) -> Path | None:
    """The source file of a module, by the parts of its name; packages go before modules, both before namespaces."""
    places = path
    for number, part in enumerate(parts, 1):
        inside: list[Path] = []
        for place in places:
            # Unlike their twins in `pathlib` these say no of what can be no path at all.
            if isfile(package := place / part / "__init__.py"):  # noqa: PTH113
                if number == len(parts):
                    return package
                inside = [package.parent]
                break
            if isfile(module := place / f"{part}.py"):  # noqa: PTH113
                return module if number == len(parts) else None
            if isdir(place / part):  # noqa: PTH112
                inside.append(place / part)
        places = inside
    return None


def leads_to(root: Path, commit: str, tree: SearchedTree, begins: Iterable[str]) -> frozenset[str]:
    """Python files of a commit that a run which begins with some of them may load: whatever these name, in turn.

    By words, so that what is imported by a name in a string or a configuration file counts as well.

    Args:
        root: The repository.
        commit: The commit.
        tree: The same, as it is searched.
        begins: Files; without any, every file may be loaded.
    """
    modules: dict[str, set[str]] = {}
    for file in tree.files:
        if file.endswith(".py"):
            path = Path(file)
            modules.setdefault(path.parent.name if path.stem == "__init__" else path.stem, set()).add(file)
    everything = frozenset(file for files in modules.values() for file in files)
    new = {file for file in begins if file in tree.files}
    if not new:
        return everything
    seen = new | {file for file in tree.files if file.endswith((".yaml", ".yml", ".json", ".toml", ".cfg", ".ini"))}
    new = set(seen)
    while new:
        words = {
            part for word in diffs.named_in(root, commit, sorted(new)) for part in word.replace("/", ".").split(".")
        }
        new = {file for word in words & modules.keys() for file in modules[word]} - seen
        new |= {f"{up}/__init__.py" for file in new for up in Path(file).parents} & tree.files - seen
        seen |= new
    return frozenset(seen)


def installed_twins(root: Path, commit: str, command: Sequence[str], env: Mapping[str, str]) -> Iterator[str]:
    """Packages of a commit that a run would load from elsewhere than its worktree, in words, before there is one.

    Args:
        root: The user's checkout.
        commit: What runs are made from.
        command: What they execute.
        env: Their environment.
    """
    tree = SearchedTree(files=objects.files_of(root, commit))
    tops = {file: tree.root_of(file) for file in tree.files if file.endswith("/__init__.py")}
    tops = {file: top for file, top in tops.items() if str(Path(file).parent.parent).removeprefix(".") == top}
    with TemporaryDirectory(prefix="autoresearch-tree-") as place:
        for file in (*tops, *(word for word in command if word in tree.files)):
            (skeleton := Path(place, file)).parent.mkdir(parents=True, exist_ok=True)
            skeleton.write_text(_text(root / file) if file.endswith(".sh") else "", "utf-8")
        ran = follow(Path(place), command, env)
        if isinstance(ran, str):
            return
        used = leads_to(root, commit, tree, (ran.file,))
        for file, where in sorted(loaded_elsewhere(Path(place), tops, ran)):
            beside = {other.rpartition("/")[2] for other in tree.files if Path(other).parent == Path(file).parent}
            alike = where.is_relative_to(root.resolve()) or any(
                (where.parent / name).is_file() for name in beside - {"__init__.py"} if name.endswith(".py")
            )
            if file in used and alike:
                yield (
                    f"runs would load {Path(file).parent} from {where.parent}, where it is installed, and not from "
                    f"their worktree: an idea that edits it would change nothing; put the worktree first (such as "
                    f"--set 'run.env={{PYTHONPATH: {tops[file] or '.'}}}')"
                )


def importable(root: Path, command: Iterable[str] = ()) -> frozenset[str]:
    """Names of installed packages and modules: those of a repository's own environments, the command's, and ours.

    An environment elsewhere, in a container or on another node, is not seen.

    Args:
        root: The user's checkout.
        command: What a run executes; the interpreter among its words tells where its packages are.
    """
    found: set[str] = set()
    for folder in {library for prefix in _prefixes(root, command) for library in prefix.glob(_LIBRARIES)}:
        found.update(_names(folder))
    return frozenset(found)


def _prefixes(root: Path, command: Iterable[str]) -> Iterator[Path]:
    yield from (root / ".venv", root / "venv", Path(sys.prefix), Path("/usr"), Path("/usr/local"))
    if active := os.environ.get("VIRTUAL_ENV"):
        yield Path(active)
    for word in command:
        if "python" in word and (program := shutil.which(word, path=f"{root}{os.pathsep}{os.environ.get('PATH', '')}")):
            yield from (Path(program).parent.parent, Path(program).resolve().parent.parent)


def _names(folder: Path) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.name.endswith(_ENDINGS) or ("." not in entry.name and entry.is_dir()):
            yield entry.name.partition(".")[0]
