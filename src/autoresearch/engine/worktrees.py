"""Worktrees of experiments and bundles: made when needed, taken away when idle; branches hold everything.

What a crash of ours, or a hand that slipped, has left behind is put right before the work goes on.

From where a run in one loads modules is told by what lies on its interpreter's search path. Nothing of it is executed.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os.path import isdir, isfile
from pathlib import Path

from autoresearch.engine.context import Context
from autoresearch.errors import RecipeError, RepositoryError
from autoresearch.experiment import names
from autoresearch.experiment.change import changed_keys
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import refs, worktree
from autoresearch.machine import disk
from autoresearch.ports.target import Survey
from autoresearch.run.post_mortem import reduced


def checkout(ctx: Context, arm: str) -> Path:
    """The arm's own worktree, on its branch, made again if it is gone; submodules are filled from the user's."""
    tree = tree_path(ctx, arm)
    commit = ctx.history.arm_commit(arm)
    worktree.add(ctx.paths.root, tree, commit)
    worktree.attach(tree, ctx.history.arm_branch(arm))
    for missing in worktree.populate_submodules(ctx.paths.root, tree):
        ctx.note(f"the worktree of {arm} lacks the submodule {missing}")
    return tree


@contextmanager
def clean_checkout(ctx: Context, commit: str) -> Iterator[Path]:
    """A worktree that holds a commit and nothing else, gone again afterwards."""
    tree = ctx.paths.worktree(f".pure-{commit[:12]}")
    worktree.remove(ctx.paths.root, tree)
    worktree.add(ctx.paths.root, tree, commit)
    try:
        yield tree
    finally:
        worktree.remove(ctx.paths.root, tree)


def survey_of_arm(ctx: Context, arm: str) -> Survey:
    """The recipe of an experiment or bundle as it is committed; the baseline's is that of the base commit.

    Raises:
        RecipeError: The recipe is refused.
    """
    if arm == BASELINE:
        return ctx.survey
    commit = ctx.history.arm_commit(arm)
    if (known := ctx.known_survey(commit)) is not None:
        return known
    with clean_checkout(ctx, commit) as tree:
        return ctx.survey_of(commit, tree)


def tree_path(ctx: Context, arm: str) -> Path:
    """Where an arm's worktree lies: an experiment keeps the one its attempt began in."""
    label = arm if arm in ctx.history.bundles else str(ctx.history.experiment(arm).index)
    return ctx.paths.worktree(label)


def leave(ctx: Context, entry: Experiment) -> None:
    """Take away the worktree of an experiment that has its row, unless a run of it is under way; its branch stays.

    Ideas that were refused, or ran only with others, have no run whose end would take it away.
    """
    tree = tree_path(ctx, entry.name)
    if tree.exists() and not any(run.planned.experiment == entry.name for run in ctx.history.in_flight()):
        worktree.remove(ctx.paths.root, tree)


def tidy(ctx: Context) -> None:
    """Take away every worktree of the campaign; branches hold everything they held."""
    below = ctx.paths.worktrees
    for tree in worktree.listing(ctx.paths.root, below):
        worktree.remove(ctx.paths.root, tree.path)
    worktree.sweep(below)


def restore(ctx: Context) -> None:
    """Remove half-written files and half-removed worktrees, and restore campaign branches that somebody deleted."""
    paths = ctx.paths
    for below in (paths.worktrees, paths.hands):
        worktree.sweep(below)
    disk.sweep((paths.ledger.parent, *_folders(ctx), *paths.sessions.glob("*")))
    restore_branches(ctx)


def restore_branches(ctx: Context) -> None:
    """Every branch the journal knows exists again, with a note for each that was missing (it is kept for ever, R38)."""
    there = refs.branches(ctx.paths.root, names.campaign_prefix(ctx.campaign.campaign))
    for branch, commit in _known(ctx):
        if branch in there:
            continue
        try:
            refs.create_branch(ctx.paths.root, branch, commit)
        except RepositoryError as error:
            ctx.note(f"branch {branch} is gone and cannot be restored: {error}")
        else:
            ctx.note(f"branch {branch} was gone and is restored at {commit[:7]}; campaign branches are never deleted")


def _known(ctx: Context) -> Iterator[tuple[str, str]]:
    for entry in ctx.history.experiments.values():
        if entry.committed:
            yield entry.branch, entry.commit
    for bundle in ctx.history.bundles.values():
        if bundle.branch:
            yield bundle.branch, bundle.commit


def _folders(ctx: Context) -> Iterator[Path]:
    """Folders of the campaign in which we write: its own, one per experiment, one per run."""
    yield ctx.paths.folder
    for depth in ("*", "*/*"):
        yield from ctx.paths.folder.glob(depth)


def half_taken_back(ctx: Context, entry: Experiment, tree: Path) -> tuple[str, ...]:
    """Write half of what an idea enlarged into its worktree (R146); what that is, nothing where there is none to halve.

    Of what it wrote into the recipe by itself, values that follow from others follow them down and are left alone.
    """
    try:
        with clean_checkout(ctx, entry.parent_commit) as before:
            parents = ctx.survey_of(entry.parent_commit, before).facts.values
        less = reduced(entry.hypothesis.overrides, parents)
        if less:
            ctx.target.apply(tree, less)
            return less
        values = ctx.survey_of(entry.commit, tree).facts.values
        written = [f"{key}={values[key]}" for key in changed_keys(parents, values) if key in values]
        for each in reduced(written, parents):
            key = each.partition("=")[0]
            if ctx.target.survey(tree).facts.values.get(key) == values[key]:
                ctx.target.apply(tree, (each,))
                less += (each,)
    except RecipeError as error:
        ctx.note(f"{entry.name} could not be reduced: {error}")
        return ()
    return less


_LIBRARIES = "lib*/python3*/*-packages"
_ENDINGS = (".py", ".so", ".pyd")
_PLAIN = frozenset({"-u", "-B", "-O", "-OO"})
"""Options of an interpreter that leave its search path as it is."""


def loaded_elsewhere(
    tree: Path, modules: Mapping[str, str], command: Sequence[str], env: Mapping[str, str]
) -> Iterator[tuple[str, Path]]:
    """Modules of a worktree that a command would load from other files, with these.

    A command that begins with anything else than an interpreter and a script or module is not followed, nor are hooks
    that packages install for their own import.

    Args:
        tree: Where the command runs.
        modules: Paths in the tree, with the folder there that the name of each is searched from.
        command: What is run.
        env: Its environment.
    """
    path = tuple(_search_path(tree, command, env))
    for file, root in modules.items():
        parts = Path(file).relative_to(root).with_suffix("").parts
        found = _found(parts[:-1] if parts[-1] == "__init__" else parts, path)
        if found is not None and found.resolve() != (tree / file).resolve():
            yield file, found.resolve()


def _search_path(tree: Path, command: Sequence[str], env: Mapping[str, str]) -> Iterator[Path]:
    words = [word for word in command[1:2] if word not in _PLAIN] + list(command[2:3])
    if not words or "python" not in Path(command[0]).name or "PYTHONSAFEPATH" in env:
        return
    if words[0] != "-m" and not words[0].endswith(".py"):
        return
    yield tree if words[0] == "-m" else (tree / words[0]).parent
    yield from (tree / entry for entry in env.get("PYTHONPATH", "").split(os.pathsep) if entry)
    name = str(tree / command[0]) if "/" in command[0] else command[0]
    if program := shutil.which(name, path=env.get("PATH")):
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
