"""Runs on a Kubernetes cluster: a KubeRay RayJob or a plain Job each, through the official Python client.

The repository lies on a volume that we and the pods mount. What is submitted is an object with a name that follows from
the run, and a script in the run's folder that the pod carries out with bash and coreutils: it checks that it sees the
experiment's commit, keeps the limit, and writes log and end into that folder. We need not be installed in the image.

A run is submitted once: a record with a random token is written first, and the token travels with the object. Where an
object of that name exists already, it is adopted if it carries the token, and refused if it does not. We delete only
objects with our run's label and token.
"""

import os
import time
from collections.abc import Collection, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from autoresearch.errors import RefusedError, StorageError
from autoresearch.launchers.job_files import Record, Records, living, patience_s
from autoresearch.launchers.kubernetes import manifest as manifests
from autoresearch.launchers.kubernetes import script as scripts
from autoresearch.launchers.kubernetes.api import JOB, RAY_JOB, Cluster, Kind, need_client
from autoresearch.launchers.kubernetes.manifest import LIMIT, RUN, RUN_ID, TOKEN, Manifest
from autoresearch.launchers.kubernetes.observation import Observer, is_ours
from autoresearch.launchers.kubernetes.options import ClusterOptions, KubernetesOptions
from autoresearch.launchers.kubernetes.script import checksums
from autoresearch.launchers.kubernetes.status import Teardown, object_state, status
from autoresearch.run.job import Job, JobState, JobStatus, Resources, Submission
from autoresearch.supervision import run_folder

MANIFEST = "manifest.yaml"
_SOON_S = 1.0


class ClusterLauncher:
    """What the launchers of this cluster share: everything but where a manifest comes from.

    Args:
        options: Validated options.
        folder: The campaign's folder.
        namespace: Namespace where the options name none.
    """

    name: str
    here = False
    avoids_nodes = True
    kind: Kind

    @staticmethod
    def in_image(options: Mapping[str, object]) -> bool:  # noqa: ARG004 - a pod has one always
        """A pod's container."""
        return True

    @staticmethod
    def place(options: Mapping[str, object]) -> dict[str, str]:
        """The image or the file that names it, and the claims that pods mount."""
        files = {name: str(options[name]) for name in ("image", "template", "infra") if options.get(name)}
        claims = options.get("volumes")
        mounts = [f"{one['claim']}:{one['mount']}" for one in claims if isinstance(one, Mapping)] if isinstance(
            claims, (list, tuple)) else []  # fmt: skip
        return {**files, **({"mounts": " + ".join(mounts)} if mounts else {})}

    def __init__(self, options: ClusterOptions, folder: Path, namespace: str | None = None) -> None:
        need_client()
        self._options = options
        self._folder = folder.absolute()
        self._records = Records(self._folder / f".{self.name}")
        self._cluster = Cluster(options.context, options.namespace or namespace)
        self._there = scripts.There(options.paths)
        self._campaign = sha256(os.fsencode(self._folder)).hexdigest()[:16]
        self._found: set[tuple[str, str]] = set()
        self._observer = Observer(self._cluster, self.kind, self._campaign, options.pull_patience_s)
        self._teardown = Teardown(self._cluster, options.teardown_s)

    def manifest(self, job: Job) -> Manifest:
        """The object for a run, before it gets what is ours."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Variables below each run's own."""
        return self._options.env

    def refusal(self, resources: Resources) -> str:
        """Why runs that need this cannot be sent; empty when they can. Nothing is asked."""
        try:
            self.manifest(_trial(self._folder, resources))
        except RefusedError as error:
            return str(error)
        return ""

    def warnings(self, resources: Resources, root: Path) -> tuple[str, ...]:  # noqa: ARG002 - nothing of it matters
        """KAI cannot wait for a submitter that comes as a pod of its own, and KubeRay refuses such a RayJob."""
        if self.refusal(resources) or not manifests.gangs_break(self.manifest(_trial(self._folder, resources))):
            return ()
        told = "kai-scheduler schedules a RayJob's pods together, and with submissionMode K8sJobMode one comes later"
        return (f"{told}: KubeRay refuses it; set submission: HTTPMode or SidecarMode (in a manifest submissionMode)",)

    def before_submitting(self, submission: Submission) -> None:
        """A last look at what is to be sent; raises LauncherError when it should not be."""

    # -- submitting -----------------------------------------------------------------------------------------------

    def plan(self, job: Job) -> Submission:
        """The object as YAML, with the script that its pod carries out as a comment below.

        Raises:
            RefusedError: It would hold a secret, or pods without the GPUs that a run needs.
        """
        job = job if self._options.grace_s is None else replace(job, grace_s=self._options.grace_s)
        name = manifests.object_name(job.run_id, str(self._folder))
        script = scripts.script(
            job, self._there, self.environment(), self._options.setup,
            requeue=self._options.requeue, once=self.kind == JOB,
        )  # fmt: skip
        place = self._there(f"{job.folder}/{scripts.SCRIPT}")
        notes = {RUN_ID: job.run_id, **({LIMIT: f"{job.limit_s:g}"} if job.limit_s is not None else {})}
        made = self.owned(manifests.avoid(self.manifest(job), job.avoid_nodes), name, place, notes)
        self._refuse_secrets(made)
        payload = {"name": name, "manifest": made, "script": script, "directory": job.directory, "log": job.log}
        payload["argv"] = list(job.argv)
        text = f"{manifests.text(made)}\n# {scripts.SCRIPT}, in the run's folder:\n{_comment(script)}"
        return Submission(job.run_id, self.name, text, job.folder, payload)

    def _refuse_secrets(self, manifest: Manifest) -> None:
        """Neither object nor script may hold one: both are written down, and whoever may read pods may read them."""
        variables = [{"name": name, "value": value} for name, value in self.environment().items()]
        options = {"env": variables, "setup": list(self._options.setup)}
        where = manifests.secret_problem(manifest) or manifests.secret_problem(options, "options")
        if where:
            raise RefusedError(
                f"a secret stands in {where}; name it by secretKeyRef, and change it: it was written down"
            )

    def owned(self, manifest: Manifest, name: str, script: str, annotations: Mapping[str, str]) -> Manifest:
        """A manifest with everything that is ours."""
        made = manifests.owned_by(manifest, name, self._campaign, script, requeue=self._options.requeue)
        if made["kind"] == "RayJob" and self._options.start_within_s:
            made["spec"]["preRunningDeadlineSeconds"] = self._options.start_within_s
        made["metadata"]["annotations"] = {**(made["metadata"].get("annotations") or {}), **annotations}
        return made

    def submit(self, submission: Submission) -> str:
        """Create the object, once.

        Raises:
            RefusedError: The server refuses it, or something it refers to is not there.
            NotNowError: A quota is used up.
            LauncherError: The server does not answer; then it may be submitted again.
            StorageError: The disk takes no more; nothing was submitted.
        """
        known = self._records.get(submission.run_id)
        if known and known.job_id:
            return known.job_id
        name, manifest = str(submission.payload["name"]), dict(submission.payload["manifest"])  # type: ignore[call-overload]
        log = str(submission.payload["log"])
        record = known or Record(submission.run_id, submission.folder, log, name, os.urandom(6).hex(), time.time())
        self._lay_out(submission)
        self._check_references(manifest)
        self.before_submitting(submission)
        self._records.put(record)
        made = self._cluster.create(self.kind, _signed(manifest, record, self._cluster.namespace))
        if made is None:
            self._refuse_others(record)
        return self._adopt(record)

    def find(self, run_id: str) -> str | None:
        """The job of a run: from our record, else the object that carries its token.

        Raises:
            LauncherError: The record has no job id and the server does not answer.
        """
        record = self._records.get(run_id)
        if record is None or record.job_id:
            return record.job_id if record else None
        found = self._cluster.get(self.kind, record.name)
        return self._adopt(record) if found and is_ours(found, record) else None

    def _adopt(self, record: Record) -> str:
        self._records.put(record._replace(job_id=record.name))
        self._observer.forget()
        return record.name

    def _refuse_others(self, record: Record) -> None:
        found = self._cluster.get(self.kind, record.name)
        if found and not is_ours(found, record):
            raise RefusedError(
                f"{self.kind.plural} {record.name} exists in {self._cluster.namespace} and is not this run's, perhaps "
                f"of an earlier campaign in the same folder; delete it yourself, or give the campaign another name"
            )

    def _lay_out(self, submission: Submission) -> None:
        folder, payload = Path(submission.folder), submission.payload
        code = checksums(Path(str(payload["directory"])))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / scripts.SCRIPT, str(payload["script"]))
            _write(folder / MANIFEST, manifests.text(dict(payload["manifest"])))  # type: ignore[call-overload]
            if code:
                _write(folder / scripts.CODE, code)
        except OSError as error:
            raise StorageError(
                f"run {submission.run_id} was not submitted: {error}; fix that and submit it again"
            ) from error

    def _check_references(self, manifest: Manifest) -> None:
        """Claims, secrets and accounts exist (R227): a pod would wait for them without a word to anybody."""
        for plural, name in sorted(manifests.references(manifest) - self._found):
            if not self._cluster.there(plural, name):
                raise RefusedError(
                    f"there is no {name!r} among the {plural} of namespace {self._cluster.namespace}, and the run "
                    f"refers to it; create it, or correct the name"
                )
            self._found.add((plural, name))

    # -- following ------------------------------------------------------------------------------------------------

    def states(self, ids: Collection[str]) -> Mapping[str, JobStatus]:
        """How the jobs are doing: one list of objects for all, and one of pods if their files do not explain some.

        Raises:
            LauncherError: The server does not answer.
        """
        records = {job_id: self._records.of_job(job_id) for job_id in ids}
        mine = [record for record in records.values() if record]
        if mine:
            self._observer.look(mine, patience_s(mine, self._options.poll_s, _SOON_S))
        return {job_id: self._followed(record) if record else _never(job_id) for job_id, record in records.items()}

    def _followed(self, record: Record) -> JobStatus:
        """How a run is doing; one that is over is not called so before nothing of it is left, `teardown_s` at most.

        So its end waits in the poll, where other runs are followed meanwhile, and not in `leftovers`.
        """
        found = status(self._observer.view(record))
        going = self._teardown.pending(self.kind, record) if found.state.ended else ""
        return (
            replace(found, state=JobState.UNKNOWN, reason=f"it is over, and {going} is going down") if going else found
        )

    # -- ending ---------------------------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> None:
        """Delete the object with all it owns; `states` says when the run is over.

        Raises:
            LauncherError: The server does not answer, or the object is not this run's.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return
        found = self._cluster.get(self.kind, record.name)
        if found and not is_ours(found, record):
            self._refuse_others(record)
        over = found is not None and object_state(found).ended
        if found and over:
            self._observer.keep(record, found, self._cluster.pods(f"{RUN}={record.name}"))
        if not over and not Path(record.folder, run_folder.EXIT).exists():
            self._records.cancelled(record)
        if found:
            self._cluster.delete(self.kind, record.name, str(found["metadata"]["uid"]))
        self._observer.forget()

    def leftovers(self, job_id: str) -> tuple[str, ...]:
        """What the cluster still has of a run: live object, Ray clusters, jobs, pods; and processes on this machine.

        `states` has waited for what was being taken down; what a deletion has just begun with gets ten seconds more.

        Raises:
            LauncherError: The server does not answer, so nothing is proved.
        """
        record = self._records.of_job(job_id)
        if record is None:
            return ()
        return (*self._teardown.left(self.kind, record), *living(Path(record.folder)))


class KubernetesLauncher(ClusterLauncher):
    """Makes Jobs or RayJobs, from options or from a template. Options are described in `KubernetesOptions`."""

    name = "kubernetes"

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = KubernetesOptions.parse(options)
        self.kind = {"job": JOB, "rayjob": RAY_JOB}[self.options.kind]
        super().__init__(self.options, folder)
        self._template = self._read_template()

    def manifest(self, job: Job) -> Manifest:
        """From the template, or from the options."""
        if self._template is None:
            return (manifests.plain_job if self.options.kind == "job" else manifests.ray_job)(job, self.options)
        made = manifests.fill_manifest(self._template, self.options)
        if problem := manifests.gpu_problem(made, job.resources, self.options.gpu):
            raise RefusedError(f"the template {self.options.template} does not fit: {problem}; correct either")
        return made

    def _read_template(self) -> Manifest | None:
        if self.options.template is None:
            return None
        place = repository_file(self._folder, self.options.template)
        try:
            text = place.read_text("utf-8")
        except (OSError, UnicodeError) as error:
            raise RefusedError(f"the template {place} cannot be read: {error}; correct the option") from error
        return manifests.read_template(text, self.options.template, self.options.kind)


def repository_file(campaign_folder: Path, name: str) -> Path:
    """A file that options name: absolute, or relative to the repository that the campaign's folder lies in."""
    return campaign_folder.joinpath("..", "..", "..", name).resolve() if not Path(name).is_absolute() else Path(name)


def _signed(manifest: Manifest, record: Record, namespace: str) -> Manifest:
    metadata = manifest["metadata"]
    signed = {**metadata["annotations"], TOKEN: record.token}
    return {**manifest, "metadata": {**metadata, "namespace": namespace, "annotations": signed}}


def _trial(folder: Path, resources: Resources) -> Job:
    """A run that is only thought of."""
    place = str(folder)
    return Job(
        run_id="trial", argv=("true",), directory=place, folder=place, log=f"{place}/run.log", resources=resources
    )


def _never(job_id: str) -> JobStatus:
    return JobStatus(state=JobState.VANISHED, reason=f"no job {job_id} was ever submitted from here")


def _write(place: Path, text: str) -> None:
    place.write_text(text, encoding="utf-8", errors="surrogateescape")


def _comment(text: str) -> str:
    return "".join(f"# {line}\n" for line in text.splitlines())
