"""A Ray head: its REST interface, and what it does with a commit that was sent to it.

The interface is that of Ray Jobs (docs.ray.io, "Ray Jobs REST API"), with the standard library alone.

Of a commit that was sent, the experiment's worktree is the folder that Ray unpacked, and the run's folder is one inside
it. So variables that name ours are set by the entrypoint, files that a target laid into ours (NeMo-RL's probe of
imports) are sent along once the commit has been compared, and small files written there come back as lines of the log.
"""

import json
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple
from urllib import parse

from autoresearch.errors import LauncherError, NotNowError, RefusedError
from autoresearch.git import arrival
from autoresearch.run.job import JobState
from autoresearch.supervision import run_folder
from autoresearch.supervision.run_folder import SupervisorSpec

_ANSWER_S = 30.0

STATES = {
    "PENDING": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "STOPPED": JobState.CANCELLED,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
}
"""Ray's words for a job in ours; a word that is not here is UNKNOWN."""

_FINAL = {400, 401, 403, 405, 411, 413, 415, 422}
"""Codes of an answer that would be the same again."""

FOLDER = ".autoresearch-run"
"""The run's folder on the head, inside the unpacked commit."""

_VERIFIED = 'python3 -I -c "$AUTORESEARCH_ARRIVED" "$AUTORESEARCH_FINGERPRINT"'
"""Ends the job before its command is started when the files there are not the commit's; both variables are sent."""

_MOST_CARRIED = 64 * 1024
"""Bytes of files that are sent along in a variable; Linux ends a variable at 128 KiB."""

_RETURNED = re.compile(rf"{run_folder.RETURNED} (provenance[\w.-]*\.json) (\{{.*\}})")


class Head:
    """One head, by the address of its dashboard."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Every job of the head by its submission id."""
        return {job["submission_id"]: job for job in self._json("GET", "/api/jobs/") or [] if job.get("submission_id")}

    def job(self, submission_id: str) -> dict[str, Any] | None:
        """One job, None when the head does not know it."""
        found: dict[str, Any] | None = self._json("GET", f"/api/jobs/{parse.quote(submission_id, safe='')}")
        return found

    def submit(self, request: dict[str, Any]) -> None:
        """Start a job; one that exists already under its id is left as it is.

        Raises:
            RefusedError: The head will not have it: a wrong request, a token that does not hold.
            NotNowError: It takes nothing more at the moment.
            LauncherError: It does not answer, or with an error of its own.
        """
        try:
            self._json("POST", "/api/jobs/", request)
        except LauncherError:
            if self.job(request["submission_id"]) is None:
                raise

    def stop(self, submission_id: str) -> None:
        """Ask for a job's end; one that is unknown or over is fine."""
        self._json("POST", f"/api/jobs/{parse.quote(submission_id, safe='')}/stop")

    def log(self, submission_id: str) -> str | None:
        """What a job has printed so far, None when the head does not know it."""
        said = self._json("GET", f"/api/jobs/{parse.quote(submission_id, safe='')}/logs")
        return said["logs"] if said else None

    def log_tail(self, submission_id: str, node: str, lines: int) -> str | None:
        """The last lines of what a job has printed on its node; None where the head does not offer that."""
        wanted = parse.urlencode({"node_id": node, "filename": f"job-driver-{submission_id}.log", "lines": lines})
        try:
            answer = self._send("GET", f"/api/v0/logs/file?{wanted}")
        except LauncherError as error:
            if isinstance(error.__cause__, urllib.error.HTTPError):
                return None
            raise
        return None if answer is None else answer.decode("utf-8", "replace")

    def nodes(self) -> list[Mapping[str, float]] | None:
        """What each living node has in all, by resource; None where the head does not say, or may add nodes."""
        try:
            said = self._json("GET", "/api/v0/nodes?detail=1")["data"]["result"]["result"]
            report = self._json("GET", "/api/cluster_status")["data"]["clusterStatus"]["autoscalerReport"]
            # Ray calls nodes that it did not start itself after their own id.
            if any(kind != f"node_{node}" for node, kind in report["nodeTypeMapping"].items()):
                return None
            return [one["resources_total"] for one in said if one["state"] == "ALIVE"]
        except (LauncherError, KeyError, TypeError, AttributeError):
            return None

    def upload(self, name: str, archive: bytes) -> None:
        """Hand over an archive, unless the head has it already."""
        place = f"/api/packages/gcs/{parse.quote(name, safe='')}"
        if self._send("GET", place) is None:
            self._send("PUT", place, archive)

    def _json(self, method: str, path: str, body: object = None) -> Any:
        answer = self._send(method, path, None if body is None else json.dumps(body).encode())
        try:
            return None if answer is None else json.loads(answer)
        except ValueError as error:
            raise LauncherError(f"{self.address} does not answer as a Ray head does; check its address") from error

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes | None:
        word, source = token()
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {word}"} if word else {})
        request = urllib.request.Request(  # noqa: S310 (the options admit http and https only)
            self.address + path, data=body, method=method, headers=headers
        )
        try:
            with urllib.request.urlopen(request, timeout=_ANSWER_S) as answer:  # noqa: S310
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace").strip().splitlines()
            if error.code == 404:
                return None
            told = f"{self.address} refused {method} {path}: {error.code} {said[-1] if said else ''}"
            raise _failure(error.code)(told + _cure(error.code, source)) from error
        except OSError as error:
            raise LauncherError(f"the Ray head {self.address} could not be reached: {error}") from error


def _failure(code: int) -> type[LauncherError]:
    if code == 429:
        return NotNowError
    return RefusedError if code in _FINAL else LauncherError


def _cure(code: int, source: str) -> str:
    """What to do about a login that does not hold; it may have held when the run was sent."""
    if code == 401 and not source:
        return (
            "; the head wants a token and there is none here: set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, "
            "or copy the head's token to ~/.ray/auth_token"
        )
    if code in {401, 403}:
        where = source or "sent"
        return (
            f"; the token from {where} does not hold there, perhaps it has run out: put a new one there, and continue"
        )
    return ""


def token() -> tuple[str, str]:
    """The token for a head and where it is from, looked for as Ray's own client does; both empty when there is none.

    Raises:
        RefusedError: A file is named that holds no token.
    """
    if word := os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return word, "RAY_AUTH_TOKEN"
    if named := os.environ.get("RAY_AUTH_TOKEN_PATH", ""):
        word = _read(Path(named).expanduser())
        if not word:
            raise RefusedError(f"RAY_AUTH_TOKEN_PATH names {named}, which holds no token; correct it or unset it")
        return word, f"{named} (RAY_AUTH_TOKEN_PATH)"
    usual = Path.home() / ".ray" / "auth_token"
    word = _read(usual)
    return word, str(usual) if word else ""


def _read(place: Path) -> str:
    try:
        return place.read_text("utf-8").strip()
    except (OSError, UnicodeError):
        return ""


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
    source = Path(arrival.__file__).read_text(encoding="utf-8")
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
