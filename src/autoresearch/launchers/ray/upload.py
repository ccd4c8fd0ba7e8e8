"""What a head does with a commit that was sent to it, and what comes back through the job's log; nothing here asks it.

There the experiment's worktree is the folder that Ray unpacked, and the run's folder is one inside it. So variables
that name ours are set by the entrypoint, files that a target laid into ours (NeMo-RL's probe of imports) are sent along
once the commit has been compared, and small files written there come back as lines of the log.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from autoresearch.errors import LauncherError
from autoresearch.git import arrived
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

FOLDER = ".autoresearch-run"
"""The run's folder on the head, inside the unpacked commit."""

_VERIFIED = 'python3 -I -c "$AUTORESEARCH_ARRIVED" "$AUTORESEARCH_FINGERPRINT"'
"""Ends the job before its command is started when the files there are not the commit's; both variables are sent."""

_MOST_CARRIED = 64 * 1024
"""Bytes of files that are sent along in a variable; Linux ends a variable at 128 KiB."""

_RETURNED = re.compile(rf"{run_folder.RETURNED} (provenance[\w.-]*\.json) (\{{.*\}})")


class RayEntry(NamedTuple):
    """The entrypoint, and the variables that Ray sets for it: those that name none of our folders."""

    command: str
    variables: Mapping[str, str]


def entry(spec: SupervisorSpec) -> RayEntry:
    """Compare what arrived, set what names our folders, and start the command under `timeout`."""
    moved = {name: value for name, value in spec.env.items() if spec.directory in value or spec.folder in value}
    exports = [f"export {name}={_there(value, spec, folder=True)}" for name, value in moved.items()]
    steps = [_VERIFIED, *exports, f"export {run_folder.BY_LOG}=1", f"exec {_limited(spec)}"]
    return RayEntry(" && ".join(steps), {name: value for name, value in spec.env.items() if name not in moved})


def check(spec: SupervisorSpec, fingerprint: str) -> dict[str, str]:
    """Variables for the comparison: its source, what the commit's fingerprint is, and the files that go along.

    Raises:
        LauncherError: These are too large for a variable.
    """
    carried = json.dumps(_carried(spec))
    if len(carried) > _MOST_CARRIED:
        raise LauncherError(
            f"files in {spec.folder} to which variables of run {spec.run_id} lead have {len(carried)} bytes; at most "
            f"{_MOST_CARRIED} are sent along; use code: shared"
        )
    source = Path(arrived.__file__).read_text(encoding="utf-8")
    return {
        "AUTORESEARCH_ARRIVED": source,
        "AUTORESEARCH_FINGERPRINT": fingerprint,
        "AUTORESEARCH_CARRIED": carried,
    }


def read_returned_files(log: str) -> Iterator[tuple[str, str]]:
    """Name and content of every file that the run sent back through its log."""
    for line in log.splitlines():
        if found := _RETURNED.search(line):
            yield found[1], found[2] + "\n"


def _carried(spec: SupervisorSpec) -> dict[str, str]:
    """Files in folders of ours that variables lead to, by their path on the head, relative to the commit."""
    named = {
        Path(part) for value in spec.env.values() for part in value.split(":") if part.startswith(f"{spec.folder}/")
    }
    files = [file for folder in sorted(named) if folder.is_dir() for file in sorted(folder.iterdir()) if file.is_file()]
    return {f"{FOLDER}/{file.relative_to(spec.folder)}": file.read_text("utf-8") for file in files}


def _limited(spec: SupervisorSpec) -> str:
    limit_s = 0.0 if spec.limit_s is None else spec.limit_s
    command = " ".join(_there(word, spec, folder=False) for word in spec.argv)
    return f"timeout --signal=TERM --kill-after={spec.grace_s:g} {limit_s:g} {command}"


def _there(text: str, spec: SupervisorSpec, *, folder: bool) -> str:
    """Quoted for a shell, with our worktree as the folder it runs in, and our run folder, if wanted, as the one there.

    Arguments keep the run's folder: where checkpoints go is the recipe's business, and Ray's own folder is short-lived.
    """
    places = {spec.directory: "$PWD", **({spec.folder: f"$PWD/{FOLDER}"} if folder else {})}
    ours = "|".join(re.escape(place) for place in sorted(places, key=len, reverse=True))
    between = re.split(rf"(?<![\w./-])({ours})(?![\w.-])", text)
    words = [f'"{places[part]}"' if index % 2 else quote(part) for index, part in enumerate(between) if part]
    return "".join(words) or "''"
