"""Worktrees of experiments and bundles: made when needed, taken away when idle; branches hold everything.

What a crash of ours, or a hand that slipped, has left behind is put right before the work goes on.

Is what measures still the commit's, before and after a run? What a run changed voids its number, and is put back.
"""

import glob
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from autoresearch.engine.context import Context
from autoresearch.errors import RecipeError, RepositoryError
from autoresearch.experiment import names
from autoresearch.experiment.change import FileChange, changed_keys
from autoresearch.experiment.experiment import Experiment
from autoresearch.experiment.outcome import BASELINE
from autoresearch.git import contents, diffs, objects, refs, submodules, worktree
from autoresearch.guards.compiled import forged
from autoresearch.guards.reach import reaches_installation, scope_for
from autoresearch.guards.scope import Scope
from autoresearch.guards.search_path import Interpreter, follow, importable, leads_to, loaded_elsewhere
from autoresearch.guards.shadows import SearchedTree, loaded_later, shadows
from autoresearch.machine import disk
from autoresearch.machine.disk import delete
from autoresearch.ports.launcher import why_unconfined
from autoresearch.ports.target import Survey
from autoresearch.run.integrity import UNPROBED
from autoresearch.run.post_mortem import reduced
from autoresearch.supervision import run_folder


def checkout(ctx: Context, arm: str) -> Path:
    """The arm's own worktree, on its branch, made again if it is gone; submodules are filled from the user's."""
    tree = tree_path(ctx, arm)
    commit = ctx.history.arm_commit(arm)
    worktree.add(ctx.paths.root, tree, commit)
    worktree.attach(tree, ctx.history.arm_branch(arm), commit)
    for missing in submodules.populate(ctx.paths.root, tree, commit):
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
        worktree.put_by(ctx.paths.root, tree)


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


def scope_of(ctx: Context) -> Scope:
    """The campaign's scope with the target's own protection."""
    return scope_for(ctx.campaign, ctx.survey)


def tree_of(ctx: Context, commit: str) -> SearchedTree:
    """A commit as the interpreter of a run would search it."""
    root = ctx.paths.root
    files = objects.files_of(root, commit)

    def outside() -> frozenset[str]:
        own = {Path(part).stem for file in files for part in Path(file).parts}
        return importable(root, ctx.survey.command) | (diffs.imported_names(root, commit) - own)

    scripts = tuple(word for word in ctx.survey.command if word in files)
    return SearchedTree(files=files, scripts=scripts, outside=outside)


_MOST = 3
_CODE = (".py", ".sh", ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg")
"""How files end that decide what a run does; data of its own it may write to."""


def mend(ctx: Context, arm: str, tree: Path) -> None:
    """Before a run: what somebody else's run did to files of a worktree is put back, with a note.

    Where runs have no sandbox these are all that may be code, and else the protected ones: no other run gets there.
    """
    commit = ctx.history.arm_commit(arm)
    held = _held(ctx, commit)
    _forget_compiled(tree, held)
    if reaches_installation(ctx.campaign, ctx.launcher, ctx.survey.resources):
        held = [*held, *(file for file in objects.files_of(ctx.paths.root, commit) if file.endswith(_CODE))]
    try:
        found = contents.altered(tree, commit, held)
    except RepositoryError as error:
        found = {str(tree): f"unreadable, {error}"}
    if found:
        try:
            contents.put_back(tree, commit, found)
        except RepositoryError:
            worktree.remove(ctx.paths.root, tree)
            checkout(ctx, arm)
        ctx.note(f"files of the worktree of {arm} were not as committed and are put back: {_words(found)}")


def broken(ctx: Context, arm: str, number: int) -> str:
    """After a run: what it did to what measures, in words; empty when it did nothing. Protected files are put back.

    A worktree that is gone, as when somebody removed it, tells nothing. What was changed and changed back before the
    end is not seen.
    """
    tree, commit = tree_path(ctx, arm), ctx.history.arm_commit(arm)
    if not tree.exists():
        return ""
    try:
        worktree.check(ctx.paths.root, tree)
    except RepositoryError as error:
        return ctx.redactor.clean(str(error))
    try:
        found, planted = contents.altered(tree, commit, _held(ctx, commit)), _planted(ctx, tree, commit)
    except RepositoryError as error:
        return ctx.redactor.clean(f"what the run left of its worktree cannot be compared with its commit: {error}")
    told = [f"{path} was {what} by the run" for path, what in sorted(found.items())]
    told += [f"during the run came {text}" for text in planted]
    if not found:  # else it is what the run made of them that would be compared
        ran = run_folder.read(ctx.paths.environment(arm, number)) or {}
        told += _loaded_from_elsewhere(ctx, tree, commit, ran)
        told += _compiled_otherwise(ctx, tree, commit, ran)
    if found:
        with suppress(RepositoryError):  # a folder that cannot be written to; the worktree is not used again either way
            contents.put_back(tree, commit, found)
    more = [f"and {len(told) - _MOST} more"] if len(told) > _MOST else []
    return "; ".join((*told[:_MOST], *more))


def _held(ctx: Context, commit: str) -> list[str]:
    scope, files = scope_of(ctx), objects.files_of(ctx.paths.root, commit)
    return [file for file in files if scope.protected.match(file) and not scope.subjects.match(file)]


def _forget_compiled(tree: Path, held: Sequence[str]) -> None:
    """Take away what Python, or an earlier run in its name, compiled of protected modules: it would be loaded first."""
    for module in (tree / file for file in held if file.endswith(".py")):
        cache = module.parent / "__pycache__"
        if cache.is_symlink():
            delete(cache)
        for twin in cache.glob(f"{glob.escape(module.stem)}.*"):
            delete(twin)


def _planted(ctx: Context, tree: Path, commit: str) -> tuple[str, ...]:
    """Modules that a run left where the next one would load them; what else it writes is its own affair."""
    searched = tree_of(ctx, commit)
    new = [FileChange(path=path) for path in loaded_later(contents.added(tree, commit), searched)]
    return shadows(new, scope_of(ctx), searched)


def _loaded_from_elsewhere(ctx: Context, tree: Path, commit: str, ran: Mapping[str, Any]) -> Iterator[str]:
    """Modules, protected or edited, that the run's interpreter finds in another place, other than as committed.

    An editable install leads to the user's checkout, where nothing is compared; an ordinary one holds a copy. What the
    run never comes to is no part of its number: that the idea edited it in vain is a note.
    """
    found = _followed(ctx, tree, commit, ran)
    if found is None or isinstance(found, str):
        return
    searched, held, edited = tree_of(ctx, commit), _held(ctx, commit), _edited(ctx, commit)
    modules = {file: searched.root_of(file) for file in (*held, *edited) if file.endswith(".py")}
    used = leads_to(ctx.paths.root, commit, searched, (found.file, *searched.scripts))
    # What lies there, and what was kept of the run, may be anything: names that no file can have, for example.
    with suppress(OSError, ValueError):
        for file, place in loaded_elsewhere(tree, modules, found):
            inner = "/" in file.removeprefix(f"{modules[file]}/") and _is_of_the_package(place, tree / file)
            if not (inner or place == (ctx.paths.root / file).resolve()) or _same(place, tree / file):
                continue
            if file not in used:
                ctx.note_once(f"{file} was edited and nothing that the run begins with leads to it: no run loads it")
                continue
            why = "protected" if file in held else "edited"
            yield (
                f"{file} is {why}, and the run would load {place} for it, which is not what is committed: "
                f"put the worktree first (such as `run.env: {{PYTHONPATH: {modules[file] or '.'}}}`), or "
                "install what is committed"
            )


def _compiled_otherwise(ctx: Context, tree: Path, commit: str, ran: Mapping[str, Any]) -> Iterator[str]:
    """Compiled modules that a run left and that are not made of the source beside them: it loaded those, or could."""
    found = _followed(ctx, tree, commit, ran)
    python = _trusted(ctx, tree, found) if isinstance(found, Interpreter) else ""
    files = [tree / file for file in objects.files_of(ctx.paths.root, commit) if file.endswith(".py")]
    with suppress(OSError, ValueError):
        for twin, why in forged((file for file in files if file.is_file()), python):
            delete(twin)
            yield f"during the run came {twin.relative_to(tree)}, which {why}"


def _trusted(ctx: Context, tree: Path, found: Interpreter) -> str:
    """The program of an interpreter, where no contained run can have put another one; else nothing."""
    name = str(found.directory / found.program) if "/" in found.program else found.program
    program = shutil.which(name, path=found.env.get("PATH"))
    if program is None:
        return ""
    real, kept = Path(program).resolve(), ("/usr", "/opt", Path(found.env.get("HOME", "/"), ".local/share/uv/python"))
    open_to_all = ctx.campaign.run.sandbox == "off" and not real.is_relative_to(tree.resolve())
    return str(real) if open_to_all or any(real.is_relative_to(place) for place in kept) else ""


def unprobed(ctx: Context, arm: str, number: int) -> str:
    """Why nobody can tell from where a run loaded what is protected or edited; empty where that was looked at."""
    tree, commit = tree_path(ctx, arm), ctx.history.arm_commit(arm)
    if not tree.exists() or not any(file.endswith(".py") for file in (*_held(ctx, commit), *_edited(ctx, commit))):
        return ""
    found = _followed(ctx, tree, commit, run_folder.read(ctx.paths.environment(arm, number)) or {})
    return f"{UNPROBED}: {found}" if isinstance(found, str) else ""


def _followed(ctx: Context, tree: Path, commit: str, ran: Mapping[str, Any]) -> Interpreter | str | None:
    """The Python of a run, in words why it cannot be told, or None where runs are out of sight."""
    if why_unconfined(ctx.launcher, ctx.survey.resources):
        return None
    argv, own = ran.get("argv"), ran.get("env")
    words = [word for word in argv if isinstance(word, str)] if isinstance(argv, list) else []
    given = {name: text for name, text in own.items() if isinstance(text, str)} if isinstance(own, dict) else {}
    found = follow(tree, words, {**os.environ, **given})
    scripts = (*tree_of(ctx, commit).scripts, *((found.file,) if isinstance(found, Interpreter) and found.file else ()))
    if any("sys.path" in word for word in diffs.named_in(ctx.paths.root, commit, scripts)):
        return "its script sets sys.path itself"
    return found


def _edited(ctx: Context, commit: str) -> list[str]:
    assert ctx.history.started is not None  # noqa: S101 - see open_baseline
    root, base = ctx.paths.root, ctx.history.started.base_commit
    return [path for path in objects.changed_paths(root, base, commit) if path in objects.files_of(root, commit)]


def _is_of_the_package(place: Path, file: Path) -> bool:
    """Whether a module found elsewhere is another copy: a package called `tests` or `utils` is anybody's."""
    others = {one.name for one in file.parent.glob("*.py")} - {file.name}
    return file.name != "__init__.py" or not others or any((place.parent / name).exists() for name in others)


def _same(one: Path, other: Path) -> bool:
    """Whether two files hold the same; what a run left may be larger than our memory, and all of it a hole."""
    return one.stat().st_size == other.stat().st_size and one.read_bytes() == other.read_bytes()


def _words(found: dict[str, str]) -> str:
    more = f" and {len(found) - _MOST} more" if len(found) > _MOST else ""
    return ", ".join(f"{path} ({what})" for path, what in sorted(found.items())[:_MOST]) + more
