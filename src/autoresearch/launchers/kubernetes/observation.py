"""What is seen of runs in the cluster, and what is kept of it, because objects expire and pods are collected.

One list of objects, one of pods, and, while a run waits or has ended without a word, one of complaints and of Ray
clusters, however many runs there are.
"""

import contextlib
import json
import time
from collections.abc import Collection
from pathlib import Path

from autoresearch.errors import LauncherError, RefusedError
from autoresearch.launchers.job_files import Record
from autoresearch.launchers.kubernetes.api import RAY_CLUSTER, RAY_JOB, Cluster, Kind
from autoresearch.launchers.kubernetes.disruption import taken
from autoresearch.launchers.kubernetes.manifest import CAMPAIGN, RUN, Manifest, is_signed
from autoresearch.launchers.kubernetes.status import ClusterView, object_state
from autoresearch.launchers.kubernetes.waiting import stuck
from autoresearch.run.job import JobState
from autoresearch.secrets.redactor import Redactor
from autoresearch.supervision import run_folder

LAST_SEEN, TELLING, POD_LOG = "kubernetes.json", "pods.json", "pod.log"


class Observer:
    """Looks at the runs of one campaign.

    Args:
        cluster: Whom to ask.
        kind: What a run is there.
        campaign: Label value of the campaign.
        pull_patience_s: How long a pod may fail to get its image or its secrets.
    """

    def __init__(self, cluster: Cluster, kind: Kind, campaign: str, pull_patience_s: float) -> None:
        self._cluster, self._kind, self._campaign, self._patience_s = cluster, kind, campaign, pull_patience_s
        self._objects: dict[str, Manifest] = {}
        self._pods: dict[str, list[Manifest]] = {}
        self._clusters: dict[str, list[Manifest]] = {}
        self._events: list[Manifest] = []
        self._asked = float("-inf")
        self._unexplained: dict[str, float] = {}
        self._stuck: dict[str, float] = {}
        self._alive: dict[str, tuple[float, float]] = {}
        self._telling: dict[str, dict[str, Manifest]] = {}

    def forget(self) -> None:
        """Ask anew the next time, however soon that is."""
        self._asked = float("-inf")

    def look(self, records: Collection[Record], patience_s: float) -> None:
        """Ask the cluster, unless the latest answer is younger than `patience_s`.

        Raises:
            LauncherError: The server does not answer.
        """
        if time.monotonic() - self._asked < patience_s:
            return
        everything = f"{CAMPAIGN}={self._campaign}"
        objects = {one["metadata"]["name"]: one for one in self._cluster.listed(self._kind, everything)}
        pods: dict[str, list[Manifest]] = {}
        if any(_unclear(objects.get(record.name), record) for record in records):
            for pod in self._cluster.pods(everything):
                pods.setdefault(pod["metadata"]["labels"].get(RUN, ""), []).append(pod)
        puzzles = [record for record in records if _puzzling(objects.get(record.name), record)]
        self._events = self._cluster.warnings() if puzzles else []
        self._clusters = self._listed_clusters(everything) if puzzles and self._kind == RAY_JOB else {}
        self._objects, self._pods, self._asked = objects, pods, time.monotonic()

    def _listed_clusters(self, selector: str) -> dict[str, list[Manifest]]:
        found: dict[str, list[Manifest]] = {}
        with contextlib.suppress(RefusedError):  # a right that is only needed to explain
            for one in self._cluster.listed(RAY_CLUSTER, selector):
                found.setdefault(one["metadata"]["labels"].get(RUN, ""), []).append(one)
        return found

    def view(self, record: Record) -> ClusterView:
        """Everything known of a run, as of the latest look."""
        now = time.monotonic()
        ended = run_folder.ended(Path(record.folder))
        found, pods = self._objects.get(record.name), self._pods.get(record.name, [])
        if found and not is_ours(found, record):
            found, pods = None, []
        pods = self._remembered(record, pods)
        if found and object_state(found).ended:
            self.keep(record, found, pods)
        elif found:
            lives_s = (
                float("inf") if self._kind == RAY_JOB else float(found["spec"].get("ttlSecondsAfterFinished", "inf"))
            )
            self._alive[record.name] = (self._asked, lives_s)
        else:
            found, kept = _kept(record)
            pods = kept or pods
        over = ended is None and (found is None or object_state(found).ended)
        since = self._unexplained.setdefault(record.name, now) if over else now
        begun = self._stuck.setdefault(record.name, now) if stuck(pods) else now
        if not stuck(pods):
            self._stuck.pop(record.name, None)
        state = run_folder.read(Path(record.folder, run_folder.STATE)) or {}
        clusters = self._clusters.get(record.name, [])
        alive_at, ttl_s = self._alive.get(record.name, (float("-inf"), 0.0))
        return ClusterView(
            record, found, pods, state, ended, time.time(),
            waited_s=now - since, stuck_s=now - begun, patience_s=self._patience_s, unseen_s=now - alive_at,
            ttl_s=ttl_s, clusters=clusters, events=self._about(record, pods, clusters),
        )  # fmt: skip

    def _about(self, record: Record, pods: list[Manifest], clusters: list[Manifest]) -> list[Manifest]:
        """Complaints about a run's objects; names of what the cluster makes for one begin with its own."""
        names = {one["metadata"]["name"] for one in (*pods, *clusters)} | {record.name}
        named = ((one, str((one.get("involvedObject") or {}).get("name", ""))) for one in self._events)
        return [one for one, name in named if name in names or name.startswith(f"{record.name}-")]

    # -- what is kept ---------------------------------------------------------------------------------------------

    def _remembered(self, record: Record, pods: list[Manifest]) -> list[Manifest]:
        """The pods that there are, and those that told who took them away before they were collected."""
        place = Path(record.folder, TELLING)
        if record.name not in self._telling:
            before = (run_folder.read(place) or {}).get("pods", [])
            self._telling[record.name] = {pod["metadata"]["uid"]: pod for pod in before}
        known = self._telling[record.name]
        told = [pod for pod in pods if taken([pod]).state and pod["metadata"]["uid"] not in known]
        if told:
            known |= {pod["metadata"]["uid"]: _trimmed(pod) for pod in told}
            with contextlib.suppress(OSError):
                _write(place, Redactor().clean(json.dumps({"pods": list(known.values())}, indent=1)) + "\n")
        there = {pod["metadata"]["uid"] for pod in pods}
        return [*pods, *(pod for uid, pod in known.items() if uid not in there)]

    def keep(self, record: Record, found: Manifest, pods: list[Manifest]) -> None:
        """Save what the cluster says at a run's end: objects expire, and pods' logs go with them."""
        place = Path(record.folder, LAST_SEEN)
        if place.exists():
            return
        with contextlib.suppress(OSError):  # a full disk is told by whoever must write
            self._save_logs(record)
            seen = {
                "object": {key: found[key] for key in ("kind", "metadata", "status") if key in found},
                "pods": [_trimmed(pod) for pod in pods],
            }
            _write(place, Redactor().clean(json.dumps(seen, indent=1)) + "\n")

    def _save_logs(self, record: Record) -> None:
        """What the pod of the command printed; it becomes the run's log where the pod could not write that.

        As well as may be: whoever may run pods need not be allowed to read their logs.
        """
        with contextlib.suppress(LauncherError):
            for pod in self._cluster.pods(f"job-name={record.name}"):
                said = self._cluster.log(pod["metadata"]["name"]) or ""
                text = Redactor().clean(said)
                for place in (Path(record.folder, POD_LOG), Path(record.log)):
                    if text and not place.exists():
                        _write(place, text)


def is_ours(found: Manifest, record: Record) -> bool:
    """Whether an object of the cluster is this run's."""
    return is_signed(found, record.name, record.token)


def _unclear(found: Manifest | None, record: Record) -> bool:
    """Whether pods may tell something: the run lives, so one may be taken away, or it has not ended by itself."""
    if found is None:
        return False
    ended = run_folder.ended(Path(record.folder))
    return not object_state(found).ended or ended is None or ended["ending"] != "exited" or ended["exit_code"] != 0


def _puzzling(found: Manifest | None, record: Record) -> bool:
    """Whether complaints may explain a run: it waits, or it is over without having ended by itself."""
    ended = run_folder.ended(Path(record.folder))
    if found is None or object_state(found).ended:
        kept = Path(record.folder, LAST_SEEN).exists() and found is None
        return not kept and (ended is None or ended["ending"] == "preempted")
    return object_state(found) is JobState.QUEUED and not Path(record.folder, run_folder.STATE).exists()


def _kept(record: Record) -> tuple[Manifest | None, list[Manifest]]:
    seen = run_folder.read(Path(record.folder, LAST_SEEN)) or {}
    found = seen.get("object")
    return (found, seen.get("pods", [])) if found and is_ours(found, record) else (None, [])


def _trimmed(pod: Manifest) -> Manifest:
    node = (pod.get("spec") or {}).get("nodeName")
    kept: Manifest = {key: pod[key] for key in ("metadata", "status") if key in pod}
    return {**kept, "spec": {"nodeName": node}} if node else kept


def _write(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", errors="surrogateescape")
