"""Runs as RayJobs from an infra file of NeMo-RL's `nrl-k8s`, the file that describes a site's pods.

The object is made by us, so that its name is unique for each run, the command checks its code, and limit and end are
ours; the infra file's own `launch.entrypoint` is not used. Where the tool itself is installed, its `check` has to pass
and its `run --dry-run` has to show the same object before anything is sent.
"""

import json
import shutil
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from autoresearch.errors import LauncherError
from autoresearch.launchers.kubernetes import manifest as manifests
from autoresearch.launchers.kubernetes import nrl_k8s_infra
from autoresearch.launchers.kubernetes.api import RAY_JOB
from autoresearch.launchers.kubernetes.launcher import ClusterLauncher, repository_file
from autoresearch.launchers.kubernetes.manifest import Manifest
from autoresearch.launchers.kubernetes.nrl_k8s_options import NrlK8sOptions
from autoresearch.machine.process import CommandError, run
from autoresearch.run.job import Job, Submission

_TOOL_S = 180.0
_NO_RECIPE = "no-recipe.yaml"


class NrlK8sLauncher(ClusterLauncher):
    """Makes RayJobs as an infra file describes them. Options are described in `NrlK8sOptions`."""

    name = "nrl-k8s"
    kind = RAY_JOB

    def __init__(self, options: Mapping[str, object], folder: Path) -> None:
        self.options = NrlK8sOptions.parse(options)
        self._place = repository_file(folder.absolute(), self.options.infra)
        self._infra = nrl_k8s_infra.read(self._place)
        self._checked: set[str] = set()
        super().__init__(self.options, folder, namespace=self._infra.get("namespace"))

    def environment(self) -> Mapping[str, str]:
        """The infra file's `launch.env`, then the option."""
        said = (self._infra.get("launch") or {}).get("env") or {}
        return {**{name: str(value) for name, value in said.items()}, **self.options.env}

    def manifest(self, job: Job) -> Manifest:
        """The infra file's training cluster as a RayJob."""
        made = nrl_k8s_infra.ray_job(self._infra)
        if problem := manifests.gpu_problem(made, job.resources, self.options.gpu):
            raise LauncherError(f"the infra file {self.options.infra} does not fit: {problem}; correct either")
        return made

    def before_submitting(self, submission: Submission) -> None:
        """Ask the tool, where it is installed (R220).

        Raises:
            LauncherError: It refuses recipe or infra file, or would send something else.
        """
        tool = shutil.which(self.options.tool)
        if tool is None:
            return
        ours: Any = submission.payload["manifest"]
        entrypoint = json.dumps(ours["spec"]["entrypoint"]).replace("${", "\\\\${")
        words = [
            str(self._recipe(submission)), "--infra", str(self._place),
            f"infra.namespace={self._cluster.namespace}", f"infra.launch.entrypoint={entrypoint}",
        ]  # fmt: skip
        if words[0] not in self._checked:
            self._ask(tool, "check", *words)
            self._checked.add(words[0])
        flags = ("--rayjob-name", ours["metadata"]["name"], "--ttl", str(nrl_k8s_infra.TTL_S), "--dry-run")
        self._compare(ours, self._ask(tool, "run", *words, *flags))

    def _compare(self, ours: Manifest, said: str) -> None:
        try:
            theirs = yaml.safe_load(said)
            again = self.owned(theirs, ours["metadata"]["name"], "", ours["metadata"]["annotations"])
            again["spec"]["entrypoint"] = theirs["spec"]["entrypoint"]
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise LauncherError(f"nrl-k8s run --dry-run did not print a RayJob: {said[:300]!r}") from error
        again["metadata"].pop("namespace", None)
        if where := difference(ours, again, "RayJob"):
            raise LauncherError(
                f"nrl-k8s would send another object than we: {where}; its version may read {self.options.infra} "
                f"differently, so please compare and tell us, or set the option tool to '' to go without it"
            )

    def _recipe(self, submission: Submission) -> Path:
        """The recipe of the run's own command, for the tool needs one; an empty one where the command names none."""
        argv: Any = submission.payload["argv"]
        named = [after for word, after in pairwise(argv) if word == "--config"]
        place = Path(str(submission.payload["directory"]), named[0]) if named else None
        if place and place.is_file():
            return place
        empty = Path(submission.folder, _NO_RECIPE)
        empty.write_text("{}\n", encoding="utf-8")
        return empty

    def _ask(self, tool: str, *words: str) -> str:
        try:
            return run([tool, *words], timeout=_TOOL_S).text
        except CommandError as error:
            raise LauncherError(f"nrl-k8s {words[0]} refuses the run: {error}") from error


def difference(ours: object, theirs: object, path: str) -> str:
    """The first place where two manifests differ, in words; empty when nowhere."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        keys = dict.fromkeys([*ours, *theirs])
        found = (difference(ours.get(key), theirs.get(key), f"{path}.{key}") for key in keys)
        return next(filter(None, found), "")
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return next(filter(None, (difference(a, b, f"{path}[{number}]") for number, (a, b) in pairs)), "")
    return "" if ours == theirs else f"{path} is {_short(ours)} here and {_short(theirs)} there"


def _short(value: object) -> str:
    return repr(value)[:80]
