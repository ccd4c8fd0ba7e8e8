"""Notes of ours on commits, in `refs/notes/autoresearch`: each experiment's result, in a form that travels with git.

```text
git push origin refs/notes/autoresearch                              # publish
git fetch origin refs/notes/autoresearch:refs/notes/autoresearch     # get
git log --notes=autoresearch                                         # read
```
"""

from pathlib import Path

from autoresearch.errors import RepositoryError
from autoresearch.experiment.names import PREFIX
from autoresearch.git import refs
from autoresearch.git.call import ask, call
from autoresearch.git.commits import RefContent, fill_ref
from autoresearch.git.objects import blobs
from autoresearch.machine import fault_points

REF = f"refs/notes/{PREFIX}"
ATTEMPTS = 100
"""A lost race means that another writer got through, so this many writers at once are served."""


def write(repo: Path, commit: str, text: str) -> None:
    """Set the note on a commit, replacing an earlier one; notes on other commits stay, also those written meanwhile.

    Args:
        repo: Any path in the repository.
        commit: Full hash.
        text: The note; a final newline is added when it has none.

    Raises:
        RepositoryError: Git refused, or other writers won every time.
    """
    fault_points.point("notes.write.before")
    body = text if text.endswith("\n") else f"{text}\n"
    for _ in range(ATTEMPTS):
        old = refs.value(repo, REF)
        if _replaced(repo, _with_note(old, commit, body.encode())):
            fault_points.point("notes.write.after")
            return
    raise RepositoryError(f"the note on {commit} lost {ATTEMPTS} races for {REF}; is something else writing notes?")


def _with_note(old: str | None, commit: str, body: bytes) -> RefContent:
    """The notes on `old` with this one, in a folder per first two digits: one of git's own layouts."""
    place = f"{commit[:2]}/{commit[2:]}"
    elsewhere = (commit, f"{commit[:2]}/{commit[2:4]}/{commit[4:]}")
    return RefContent(REF, f"Note on {commit}", old, {place: body}, elsewhere if old else ())


def _replaced(repo: Path, made: RefContent) -> bool:
    """Whether the ref holds the note now; false when another writer was faster."""
    try:
        fill_ref(repo, made)
    except RepositoryError:
        if ask(repo, "rev-parse", "--verify", "--quiet", REF) == made.parent:
            raise
        return False
    return True


def read(repo: Path, commit: str) -> str | None:
    """The note on a commit, None when it has none."""
    blob = ask(repo, "notes", f"--ref={REF}", "list", commit)
    return None if blob is None else blobs(repo, [blob])[0].decode("utf-8", "replace")


def all(repo: Path) -> dict[str, str]:  # noqa: A001
    """Every commit that has a note, with its text; read with a fixed number of git calls."""
    if ask(repo, "rev-parse", "--verify", "--quiet", REF) is None:
        return {}
    pairs = [line.split(" ") for line in call(repo, "notes", f"--ref={REF}", "list").text.splitlines()]
    texts = blobs(repo, [blob for blob, _ in pairs])
    return {commit: text.decode("utf-8", "replace") for (_, commit), text in zip(pairs, texts, strict=True)}
