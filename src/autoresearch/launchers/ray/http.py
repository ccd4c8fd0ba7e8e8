"""The REST interface of Ray Jobs (docs.ray.io, "Ray Jobs REST API"), with the standard library alone."""

import json
import os
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from autoresearch.errors import LauncherError
from autoresearch.run.job import JobState

_ANSWER_S = 30.0

STATES = {
    "PENDING": JobState.QUEUED,
    "RUNNING": JobState.RUNNING,
    "STOPPED": JobState.CANCELLED,
    "SUCCEEDED": JobState.SUCCEEDED,
    "FAILED": JobState.FAILED,
}
"""Ray's words for a job in ours; a word that is not here is UNKNOWN."""


class Head:
    """One head, by the address of its dashboard."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def jobs(self) -> dict[str, dict[str, Any]]:
        """Every job of the head by its submission id."""
        return {job["submission_id"]: job for job in self._json("GET", "/api/jobs/") or [] if job.get("submission_id")}

    def job(self, submission_id: str) -> dict[str, Any] | None:
        """One job, None when the head does not know it."""
        found: dict[str, Any] | None = self._json("GET", f"/api/jobs/{quote(submission_id, safe='')}")
        return found

    def submit(self, request: dict[str, Any]) -> None:
        """Start a job; one that exists already under its id is left as it is."""
        try:
            self._json("POST", "/api/jobs/", request)
        except LauncherError:
            if self.job(request["submission_id"]) is None:
                raise

    def stop(self, submission_id: str) -> None:
        """Ask for a job's end; one that is unknown or over is fine."""
        self._json("POST", f"/api/jobs/{quote(submission_id, safe='')}/stop")

    def log(self, submission_id: str) -> str | None:
        """What a job has printed so far, None when the head does not know it."""
        said = self._json("GET", f"/api/jobs/{quote(submission_id, safe='')}/logs")
        return said["logs"] if said else None

    def upload(self, name: str, archive: bytes) -> None:
        """Hand over an archive, unless the head has it already."""
        place = f"/api/packages/gcs/{quote(name, safe='')}"
        if self._send("GET", place) is None:
            self._send("PUT", place, archive)

    def _json(self, method: str, path: str, body: object = None) -> Any:
        answer = self._send(method, path, None if body is None else json.dumps(body).encode())
        try:
            return None if answer is None else json.loads(answer)
        except ValueError as error:
            raise LauncherError(f"{self.address} does not answer as a Ray head does; check its address") from error

    def _send(self, method: str, path: str, body: bytes | None = None) -> bytes | None:
        token = os.environ.get("RAY_AUTH_TOKEN")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
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
            last = said[-1] if said else ""
            raise LauncherError(f"{self.address} refused {method} {path}: {error.code} {last}") from error
        except OSError as error:
            raise LauncherError(f"the Ray head {self.address} could not be reached: {error}") from error
