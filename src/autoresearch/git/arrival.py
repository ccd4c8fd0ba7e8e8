"""Whether the files here are those of a commit. Sent as text to where its archive was unpacked, and run there first.

`python3 -I -c SOURCE ALGORITHM:FINGERPRINT` in the unpacked folder ends with 0, or says why not and ends with 76. It
uses the standard library alone: we are not installed there. A fingerprint is the SHA-256 over every path with the id of
its content as git computes it (gitformat-pack(5), "blob"), sorted; modes, which not every archive keeps, are no part.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

NOT_THE_COMMIT = 76
"""Exit code when the files are others (EX_PROTOCOL of sysexits.h)."""

SAID = "autoresearch: the code that arrived is not the commit's, so nothing was started"
"""How its complaint begins."""


def blob(content: bytes, algorithm: str) -> str:
    """The id that git gives this content."""
    return hashlib.new(algorithm, b"blob %d\0" % len(content) + content).hexdigest()


def fingerprint(files: Iterable[tuple[bytes, str]]) -> str:
    """One hash for pairs of path and id, in any order."""
    return hashlib.sha256(b"".join(sorted(path + b"\0" + name.encode() + b"\n" for path, name in files))).hexdigest()


def walk_contents(top: Path, algorithm: str) -> Iterator[tuple[bytes, str]]:
    """Every file and link below a folder, with the id of its content; a link's is where it leads."""
    for path in top.rglob("*"):
        if path.is_symlink() or path.is_file():
            content = os.fsencode(path.readlink()) if path.is_symlink() else path.read_bytes()
            yield os.fsencode(path.relative_to(top)), blob(content, algorithm)


def lay_out(files: Mapping[str, str]) -> None:
    """Write what was sent along beside the commit, by path relative to it."""
    for name, content in files.items():
        place = Path(name)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    wanted_algorithm, _, wanted = sys.argv[1].partition(":")
    here = fingerprint(walk_contents(Path.cwd(), wanted_algorithm))
    if here != wanted:
        sys.stdout.write(f"{SAID}: its files have the fingerprint {here[:12]}, those of the commit {wanted[:12]}\n")
        sys.exit(NOT_THE_COMMIT)
    lay_out(json.loads(os.environ.get("AUTORESEARCH_CARRIED", "{}")))
