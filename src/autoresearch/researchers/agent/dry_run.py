"""The dry run of an agent's edit, from inside its sandbox: in one line whether it would be run as it stands.

`python -m autoresearch.researchers.agent.dry_run SPEC [KEY=VALUE...]`, by a script that the brief names. It asks what
the program asks later (scope, protected files and keys, does the recipe resolve), compiles and imports what was
changed, and runs the campaign's quick check, so that a slip costs seconds and not an attempt. Nothing is decided here,
and nothing that it says is believed: the guards look at the commit, whatever was said.
"""

import json
import os
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autoresearch.errors import AutoresearchError, RecipeError
from autoresearch.experiment.change import FileChange, changed_keys
from autoresearch.experiment.hypothesis import Brief
from autoresearch.git import contents, objects, refs
from autoresearch.guards.scope import Scope, breaches
from autoresearch.guards.search_path import Interpreter, follow, importable
from autoresearch.guards.shadows import SearchedTree, shadows
from autoresearch.machine import disk
from autoresearch.machine.processes import CommandError, run
from autoresearch.ports import plugins
from autoresearch.ports.target import Survey, Target

SCRIPT, SPEC, TOLD = "check", "check.json", "check.log"
"""What lies in the folder of a call: the command for the agent, what it works with, and every line that it said."""

_IMPORT_S, _CHECK_S = 60.0, 120.0
_MOST_SHOWN, _MOST_TOLD, _WIDTH = 4, 20, 300
_IMPORTS = """\
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except BaseException as error:
        if isinstance(error, ModuleNotFoundError):
            print(json.dumps([name, "missing", error.name or ""]), flush=True)
            continue
        at = error.__traceback__
        while at and at.tb_next:
            at = at.tb_next
        where = f" ({at.tb_frame.f_code.co_filename}:{at.tb_lineno})" if at else ""
        print(json.dumps([name, "failed", f"{type(error).__name__}: {error}{where}"]), flush=True)
    else:
        print(json.dumps([name, "ok", ""]), flush=True)
"""


def write(folder: Path, brief: Brief, tree: Path, root: Path, apart: str = "") -> None:
    """Put the command for one call into its folder; a file of the worktree that is `apart` is no part of the edit."""
    document = {
        "tree": str(tree),
        "root": str(root),
        "commit": refs.head_commit(tree),
        "apart": apart,
        "target": dict(brief.target),
        "scope": asdict(scope_of(brief)),
        "before": dict(brief.facts.values),
    }
    (folder / SPEC).write_text(json.dumps(document, default=str), encoding="utf-8")
    script = folder / SCRIPT
    argv = shlex.join((sys.executable, "-P", "-m", "autoresearch.researchers.agent.dry_run", str(folder / SPEC)))
    package = shlex.quote(str(Path(__file__).parents[3]))
    script.write_text(f'#!/bin/sh\nPYTHONPATH={package} PYTHONDONTWRITEBYTECODE=1 exec {argv} "$@"\n', encoding="utf-8")
    script.chmod(0o755)


def scope_of(brief: Brief) -> Scope:
    """What an agent that asks is answered by, and its dry run looks at; the guards on the commit know more."""
    sizes = {"max_files": brief.max_files, "max_lines": brief.max_lines}
    return Scope(
        allow=brief.allow or ("**",),
        protect=brief.protect,
        protect_keys=brief.protect_keys,
        subject=brief.subject,
        **{name: most for name, most in sizes.items() if most is not None},
    )


def places() -> tuple[Path, ...]:
    """What has to be visible for it: this Python, its packages and ours."""
    return Path(sys.prefix), Path(sys.base_prefix), Path(__file__).parents[2]


def told(folder: Path) -> tuple[str, ...]:
    """What its runs in a folder have said, oldest first."""
    with suppress(OSError), disk.opened(folder / TOLD) as source:
        lines = source.read(1 << 16).decode("utf-8", "replace").splitlines()
        return tuple(line[: 4 * _WIDTH] for line in lines[-_MOST_TOLD:])
    return ()


def main() -> int:
    """Look, say one line, and leave with 0 where nothing stands against the edit."""
    spec = Path(sys.argv[1])
    try:
        fine, line = look(json.loads(spec.read_bytes()), sys.argv[2:])
    except (OSError, ValueError) as error:
        fine, line = False, f"could not be checked: {error}"
    print(line)  # noqa: T201 - this is what the agent reads
    with suppress(OSError), (spec.parent / TOLD).open("a", encoding="utf-8") as log:
        log.write(f"{line}\n")
    return int(not fine)


def look(spec: Mapping[str, Any], overrides: Sequence[str] = ()) -> tuple[bool, str]:
    """Whether nothing stands against an edit as it is now, and what was found, in one line.

    Args:
        spec: What `write` has put down.
        overrides: What the answer would turn besides.
    """
    try:
        looked = _Look.of(spec, tuple(overrides))
        looked.go()
    except (AutoresearchError, OSError, KeyError) as error:
        return False, " ".join(f"could not be checked: {error}".split())
    return not looked.wrong, " ".join(looked.line().split())


@dataclass(kw_only=True)
class _Look:
    """One look at a worktree.

    Attributes:
        tree: The worktree.
        root: The user's checkout.
        commit: What it was made from.
        apart: A file of it that is no part of the edit.
        target: How the target is made, its runs' environment, and the quick check.
        scope: What may be changed.
        before: The recipe's values at the commit.
        overrides: What the answer would turn besides.
        wrong: What stands against it.
        good: What was found to be in order.
        open: What could not be looked at here.
    """

    tree: Path
    root: Path
    commit: str
    apart: str
    target: Mapping[str, Any]
    scope: Scope
    before: Mapping[str, object]
    overrides: tuple[str, ...]
    wrong: list[str] = field(default_factory=list)
    good: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, spec: Mapping[str, Any], overrides: tuple[str, ...]) -> "_Look":
        said: dict[str, Any] = spec["scope"]
        listed: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in said.items()}
        return cls(
            tree=Path(spec["tree"]),
            root=Path(spec["root"]),
            commit=spec["commit"],
            apart=spec["apart"],
            target=spec["target"],
            scope=Scope(**listed),
            before=spec["before"],
            overrides=overrides,
        )

    def line(self) -> str:
        """What was found, in one line."""
        if self.wrong:
            more = f"; and {len(self.wrong) - _MOST_SHOWN} more" if len(self.wrong) > _MOST_SHOWN else ""
            return f"not yet: {'; '.join(one[:_WIDTH] for one in self.wrong[:_MOST_SHOWN])}{more}"
        left = f" (not checked: {'; '.join(one[:_WIDTH] for one in self.open)})" if self.open else ""
        return f"ok: {'; '.join(self.good)}{left}"

    def go(self) -> None:
        """Everything in the order of its price; what costs time only where nothing stands against it yet."""
        with self._turned() as target:
            edited = [path for path in contents.edited_paths(self.tree, self.commit) if path != self.apart]
            changes = contents.changes(self.tree, self.commit, edited)
            survey = self._survey(target) if target else None
            self._guards(changes, survey)
            modules = [change.path for change in changes if change.path.endswith(".py")]
            there = [path for path in modules if (self.tree / path).is_file()]
            self._compile(there)
            command = survey.command if survey else tuple(self.target.get("command", ()))
            if there and not self.wrong:
                self._import(there, command)
            if not self.wrong:
                self._quick_check()

    @contextmanager
    def _turned(self) -> Iterator[Target | None]:
        """The target, with the answer's overrides applied to the worktree for as long as this lasts."""
        if not self.target.get("name"):
            self.open.append("the recipe") if self.overrides else None
            yield None
            return
        made = {key: self.target[key] for key in ("recipe", "command", "objective", "options")}
        target: Target = plugins.make("targets", self.target["name"], **made | {"command": tuple(made["command"])})
        if not self.overrides:
            yield target
            return
        files = {*objects.files_of(self.tree, self.commit), *contents.edited_paths(self.tree, self.commit)}
        kept: dict[str, bytes] = {}
        survey = target.survey(self.tree)
        for path in {*survey.lineage, *survey.turned} & files:
            kept[path] = (self.tree / path).read_bytes()
        changed: Sequence[str] = ()
        try:
            changed = target.apply(self.tree, self.overrides)
            yield target
        except RecipeError as error:
            self.wrong.append(str(error))
            yield None
        finally:
            for path, text in kept.items():
                (self.tree / path).write_bytes(text)
            for path in set(changed) - files:
                (self.tree / path).unlink(missing_ok=True)

    def _survey(self, target: Target) -> Survey | None:
        try:
            found = target.survey(self.tree)
        except RecipeError as error:
            self.wrong.append(f"the recipe is refused: {error}")
            return None
        return found

    def _guards(self, changes: Sequence[FileChange], survey: Survey | None) -> None:
        after = json.loads(json.dumps(dict(survey.facts.values), default=str)) if survey else None
        before = self.before if after is not None else None
        if not changes:
            self.wrong.append("nothing is changed yet: edit a file, or name overrides as arguments of this command")
        self.wrong += breaches(changes, self.scope, before, after)
        files = objects.files_of(self.tree, self.commit)
        command = survey.command if survey else ()
        scripts = tuple(word for word in command if word in files)
        self.wrong += shadows(
            changes,
            self.scope,
            SearchedTree(files=files, scripts=scripts, outside=lambda: importable(self.root, command)),
        )
        lines = sum(change.added + change.deleted for change in changes)
        self.good.append(f"{len(changes)} file{'s' * (len(changes) != 1)}, {lines} lines, within the scope")
        if after is not None and before is not None:
            keys = changed_keys(before, after)
            shown = ", ".join(f"{key} {before.get(key, 'unset')} -> {after.get(key, 'unset')}" for key in keys[:3])
            more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
            self.good.append(f"the recipe resolves, {shown or 'no key changes'}{more}")

    def _compile(self, files: Sequence[str]) -> None:
        for path in files:
            try:
                compile((self.tree / path).read_bytes(), path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None)
                self.wrong.append(f"{path}{f':{line}' if line else ''}: {type(error).__name__}: {error}")

    def _import(self, files: Sequence[str], command: Sequence[str]) -> None:
        """Import each changed module in the Python that runs would have; a script of the command is only compiled."""
        env = {**os.environ, **self._env(), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = follow(self.tree, command, env) if command else "the command is not known"
        tree = SearchedTree(files=objects.files_of(self.tree, self.commit) | frozenset(files))
        names = {}
        for path in files:
            begins = path in command or (isinstance(ran, Interpreter) and path == ran.file)
            parts = Path(path).relative_to(tree.root_of(path)).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            if not begins and parts and all(part.isidentifier() for part in parts):
                names[".".join(parts)] = path
        compiled = len(files) - len(names)
        if compiled:
            self.good.append(f"{compiled} compiled")
        if not names:
            return
        if not isinstance(ran, Interpreter):
            self.open.append(f"imports, because {ran}")
            return
        roots = dict.fromkeys(str(self.tree / tree.root_of(path)) for path in names.values())
        own = [str(ran.begins)] if ran.begins else []
        searched = os.pathsep.join((*own, *roots, ran.env.get("PYTHONPATH", "")))
        argv = (ran.program, "-c", _IMPORTS, *names)
        try:
            said = run(argv, cwd=ran.directory, env={**ran.env, "PYTHONPATH": searched}, check=False, timeout=_IMPORT_S)
        except CommandError as error:
            self.open.append(f"imports, because {error}")
            return
        self._imported(names, said.stdout.decode("utf-8", "replace"))

    def _imported(self, names: Mapping[str, str], said: str) -> None:
        fine, ours = 0, {name.partition(".")[0] for name in names}
        seen = set()
        for line in said.splitlines():
            try:
                name, word, why = json.loads(line)
            except (ValueError, TypeError):
                continue
            seen.add(name)
            if word == "ok":
                fine += 1
            elif word == "missing" and not self._has(why) and why.partition(".")[0] not in ours:
                self.open.append(f"the import of {names[name]}, because {why} is not installed here")
            else:
                words = f"no module named {why}" if word == "missing" else why.replace(f"{self.tree}/", "")
                self.wrong.append(f"{names[name]} cannot be imported: {words}")
        self.wrong += [f"{names[name]} ends the Python that imports it" for name in names.keys() - seen]
        self.good += [f"{fine} imported"] if fine else []

    def _has(self, module: str) -> bool:
        """Whether a module belongs to the worktree, so that its absence is the edit's doing."""
        top = module.partition(".")[0]
        known = objects.files_of(self.tree, self.commit)
        return any(top in (Path(file).stem, *Path(file).parts[:-1]) for file in known if file.endswith(".py"))

    def _env(self) -> dict[str, str]:
        return {str(name): str(value) for name, value in self.target.get("env", {}).items()}

    def _quick_check(self) -> None:
        """The campaign's own command, among links to the worktree's files: what it writes beside them is gone."""
        words = tuple(self.target.get("check", ()))
        if not words:
            return
        with tempfile.TemporaryDirectory(prefix="dry-run-", ignore_cleanup_errors=True) as made:
            place, folder = Path(made, "tree"), Path(made, "run")
            folder.mkdir()
            place.mkdir()
            run(("cp", "-as", f"{self.tree}/.", str(place)))
            (place / ".git").unlink(missing_ok=True)
            env = {"AUTORESEARCH_RUN_FOLDER": str(folder), "SEED": "1", "PYTHONDONTWRITEBYTECODE": "1"}
            argv = [word.replace("{seed}", "1").replace("{folder}", str(folder)) for word in words]
            try:
                done = run(argv, cwd=place, env={**os.environ, **self._env(), **env}, check=False, timeout=_CHECK_S)
            except CommandError as error:
                self.open.append(f"the quick check: {error}")
                return
        if done.code:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip().splitlines()
            self.wrong.append(f"the quick check ends with code {done.code}: {said[-1] if said else 'without a word'}")
        else:
            self.good.append("the quick check ran")


if __name__ == "__main__":
    sys.exit(main())
