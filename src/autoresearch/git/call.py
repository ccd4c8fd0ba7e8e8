"""How git is called: quietly, so that nothing of the user's is touched and nothing of theirs fires.

Every call drops the `GIT_*` variables that could point it at another repository, takes no optional lock (so the
user's index is never refreshed), runs no hook, no file system monitor, no maintenance and no signing, and speaks
English. Settings given with `-c` win over every configuration file, and reach the git commands that git starts.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresearch.errors import RepositoryError
from autoresearch.machine import disk
from autoresearch.machine.processes import CommandError, Completed, run

NAME, EMAIL = "autoresearch", "autoresearch@localhost"
"""Who we are in a reflog, and in a commit when the user has no name."""

QUIET = (
    # What we rely on: git's own defaults, where a setting of the user's would change what our calls do or say.
    "core.hooksPath=/dev/null",
    "hook.post-checkout.enabled=false",
    "hook.post-index-change.enabled=false",
    "hook.reference-transaction.enabled=false",
    "core.fsmonitor=false",
    "core.untrackedCache=false",
    "core.splitIndex=false",
    "core.ignoreStat=false",
    "core.quotePath=false",
    "core.filesRefLockTimeout=10000",
    "core.safecrlf=false",
    "diff.noprefix=false",
    "diff.mnemonicPrefix=false",
    "diff.renames=true",
    "diff.algorithm=myers",
    "diff.context=3",
    "diff.interHunkContext=0",
    "diff.ignoreSubmodules=none",
    "diff.submodule=short",
    "diff.relative=false",
    "diff.suppressBlankEmpty=false",
    "apply.whitespace=nowarn",
    "apply.ignoreWhitespace=no",
    "merge.renames=true",
    "merge.conflictStyle=merge",
    "merge.renormalize=false",
    "log.follow=false",
    "log.date=default",
    "log.decorate=false",
    "log.mailmap=false",
    "log.showRoot=true",
    "status.showUntrackedFiles=all",
    "status.relativePaths=true",
    "branch.autoSetupMerge=false",
    "commit.cleanup=whitespace",
    "format.pretty=medium",
    "worktree.guessRemote=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "submodule.recurse=false",
    "status.submoduleSummary=false",
    "i18n.commitEncoding=UTF-8",
    "i18n.logOutputEncoding=UTF-8",
    "advice.detachedHead=false",
    "color.ui=false",
    "log.showSignature=false",
)

FULL = ("core.sparseCheckout=false", "core.autocrlf=false", "core.eol=lf")
"""For what happens in a worktree or an index of our own: it holds the whole tree, even where the user's is
sparse, byte by byte as it is committed."""

MINIMUM = (2, 38)
"""The first git whose `merge-tree` merges without a checkout."""

_HASH = re.compile("[0-9a-f]{40}(?:[0-9a-f]{24})?")
_NAMED = r"^hook\..*\.(event|command)$"
_NAMED_HOOKS_SINCE = (2, 54)

_KEPT = (
    "GIT_EXEC_PATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_VALUE_",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_SSH",
    "GIT_SSL_",
    "GIT_ASKPASS",
)


def environment() -> dict[str, str]:
    """Our environment as git may see it: no variable that moves it elsewhere, no prompt, no optional lock."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_") or key.startswith(_KEPT)}
    return kept | {
        "GIT_OPTIONAL_LOCKS": "0",
        # Another object in the place of the one that a digest names is what a run may have put there.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_PAGER": "cat",
        "GIT_EDITOR": "false",
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "LC_ALL": "C",
        "LANGUAGE": "C",
    }


def call(
    repo: Path,
    *args: str,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    config: Sequence[str] = (),
    codes: Sequence[int] = (0,),
) -> Completed:
    """Run git in `repo`.

    Args:
        repo: Directory to run in.
        args: Subcommand and its arguments.
        stdin: Bytes for its standard input.
        env: Variables to add to `environment()`.
        config: Further `name=value` settings for this call.
        codes: Exit codes that are answers rather than failures.

    Raises:
        RepositoryError: Any other exit code, or git cannot be started.
    """
    words = command(repo, *args, config=config)
    try:
        done = run(words, env=environment() | dict(env or {}), stdin=stdin, check=False)
    except CommandError as error:
        raise RepositoryError(f"git cannot be started; install git 2.38 or newer ({error})") from error
    if done.code not in codes:
        said = (done.stderr or done.stdout).decode("utf-8", "replace").strip() or f"exit code {done.code}"
        raise RepositoryError(f"git {args[0]} failed in {repo}: {said[-2000:]}{_no_room(repo, args)}")
    return done


def command(repo: Path, *args: str, config: Sequence[str] = ()) -> list[str]:
    """How git is started in `repo`, with our settings before its own arguments."""
    named = named_hooks(repo) if version() >= _NAMED_HOOKS_SINCE else ()
    settings = [part for setting in (*QUIET, *named, *config) for part in ("-c", setting)]
    return ["git", "-C", str(repo), *settings, *args]


def _no_room(repo: Path, args: Sequence[str]) -> str:
    """What git leaves out: that the disk of the repository, or of a place it was told, is full."""
    places = (repo, *(Path(word) for word in args if word.startswith("/")))
    full = next((place for place in places if disk.is_full(place)), None)
    return f"; No space left on device at {full}: free some space and run it again" if full else ""


def is_about_room(error: Exception) -> bool:
    """Whether git failed because a disk is full, which no other change would mend."""
    return "No space left" in str(error)


@cache
def version() -> tuple[int, ...]:
    """Git's version, such as `(2, 39, 5)`; what we need is `MINIMUM`.

    Raises:
        RepositoryError: There is no git.
    """
    try:
        words = run(["git", "version"]).text
    except CommandError as error:
        raise RepositoryError(f"git cannot be started; install git 2.38 or newer ({error})") from error
    return tuple(int(part) for part in re.findall(r"\d+", words)[:3])


@cache
def named_hooks(repo: Path) -> tuple[str, ...]:
    """Settings that switch off the hooks which a configuration file names, beside those in the hooks folder."""
    listed = run(
        ["git", "-C", str(repo), "config", "-z", "--name-only", "--get-regexp", _NAMED], check=False, env=environment()
    )
    names = {name.removeprefix("hook.").rpartition(".")[0] for name in nul(listed.stdout)}
    return tuple(f"hook.{name}.enabled=false" for name in sorted(names))


def ask(repo: Path, *args: str) -> str | None:
    """One line of git's answer; None when it answers with exit code 1 or says nothing."""
    return call(repo, *args, codes=(0, 1)).text or None


def is_hash(rev: str) -> bool:
    """Whether a revision is a whole hash: what it names can be remembered, for it never names anything else."""
    return _HASH.fullmatch(rev) is not None


def nul(output: bytes) -> tuple[str, ...]:
    """Split NUL-terminated output; bytes that are not UTF-8 survive as surrogates, as in every path of Python's."""
    return tuple(os.fsdecode(part) for part in output.split(b"\0")[:-1])


def lines(paths: Sequence[str]) -> bytes:
    """The inverse of `nul`."""
    return b"".join(os.fsencode(path) + b"\0" for path in paths)


def fill_index(place: Path, commit: str, env: Mapping[str, str]) -> None:
    """Have an empty `private_index` hold a commit, without a word on any file: git compares each by its content.

    What a whole hash names is asked once, for several looks begin with it; the index that git made is copied then.

    Args:
        place: Root of the worktree.
        commit: What is to be compared with.
        env: The index, and whatever else makes git take `place` for its files.
    """
    file = Path(env["GIT_INDEX_FILE"])
    if known := _indexes.get(commit):
        file.write_bytes(known)
        return
    call(place, "read-tree", commit, env=env, config=FULL)
    if is_hash(commit) and file.stat().st_size <= _MOST_KEPT:
        if len(_indexes) >= _KEPT_INDEXES:
            _indexes.clear()
        _indexes[commit] = file.read_bytes()


_indexes: dict[str, bytes] = {}
_KEPT_INDEXES, _MOST_KEPT = 4, 1 << 25


@contextmanager
def private_index() -> Iterator[dict[str, str]]:
    """An empty index of our own, as the variable that makes git use it; gone afterwards."""
    with TemporaryDirectory(prefix="autoresearch-index-") as folder:
        yield {"GIT_INDEX_FILE": str(Path(folder, "index"))}
