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
from autoresearch.git.call import ask, call, private_index
from autoresearch.git.diffs import blobs
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
    blob = call(repo, "hash-object", "-w", "--stdin", stdin=body.encode()).text
    for _ in range(ATTEMPTS):
        old = ask(repo, "rev-parse", "--verify", "--quiet", REF)
        if _replaced(repo, old, _with_note(repo, old, commit, blob)):
            fault_points.point("notes.write.after")
            return
    raise RepositoryError(f"the note on {commit} lost {ATTEMPTS} races for {REF}; is something else writing notes?")


def _with_note(repo: Path, old: str | None, commit: str, blob: str) -> str:
    """A commit on `old` whose tree also holds the note, in a folder per first two digits: one of git's own layouts."""
    place = f"{commit[:2]}/{commit[2:]}"
    elsewhere = (commit, f"{commit[:2]}/{commit[2:4]}/{commit[4:]}")
    gone = "".join(f"0 {'0' * len(commit)}\t{path}\n" for path in elsewhere)
    with private_index() as index:
        if old:
            call(repo, "read-tree", old, env=index)
        call(repo, "update-index", "--index-info", env=index, stdin=f"{gone}100644 {blob}\t{place}\n".encode())
        tree = call(repo, "write-tree", env=index).text
    parents = ("-p", old) if old else ()
    return call(repo, "commit-tree", tree, *parents, "-m", f"Note on {commit}").text


def _replaced(repo: Path, old: str | None, new: str) -> bool:
    """Compare-and-swap of the ref; false when another writer was faster."""
    try:
        call(repo, "update-ref", "-m", PREFIX, REF, new, old or "0" * len(new))
    except RepositoryError:
        if ask(repo, "rev-parse", "--verify", "--quiet", REF) == old:
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
