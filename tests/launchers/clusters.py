"""Real clusters on this machine, shared by all workers of one test session and gone with the last of them."""

import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from autoresearch.errors import LauncherError
from autoresearch.launchers.ray.head import Head
from autoresearch.machine import processes
from autoresearch.machine.processes import start
from autoresearch.ports.launcher import Launcher
from autoresearch.run.job import JobState, JobStatus

TOOLS = Path(__file__).parents[2] / "tools"


def until(found: Callable[[], Any], patience_s: float = 300.0) -> Any:
    """Wait for something to become true, and return it."""
    limit = time.monotonic() + patience_s
    while not (value := found()):
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.02)
    return value


@contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Hold a file's lock."""
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


@contextmanager
def shared(place: Path, begin: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    """Start something for the first who comes, stop it after the last who goes."""
    place.mkdir(parents=True, exist_ok=True)
    count = place / "users"

    def change(by: int) -> int:
        users = int(count.read_text() or 0 if count.exists() else 0) + by
        count.write_text(str(users))
        return users

    try:
        with locked(place / "lock"):
            if change(+1) == 1:
                begin()
        yield
    finally:
        with locked(place / "lock"):
            if change(-1) == 0:
                stop()


def session_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


class Cluster:
    """A Slurm of three nodes on this machine."""

    def __init__(self, folder: Path, *flags: str) -> None:
        self.folder, self._flags = folder, flags
        self.conf = folder / "slurm.conf"
        self.accounting = shutil.which("slurmdbd") is not None and shutil.which("mariadbd") is not None
        self.cgroup = Path("/sys/fs/cgroup/memory/memory.limit_in_bytes").exists()

    def up(self) -> None:
        """Start it."""
        flags = self._flags or ["--accounting"] * self.accounting + ["--cgroup"] * self.cgroup
        self._tool("slurm_up.sh", "--nodes", "3", *flags)

    def down(self) -> None:
        """Stop it."""
        self._tool("slurm_down.sh")

    def _tool(self, name: str, *words: str) -> None:
        log = self.folder.with_suffix(f".{name}.log")
        with log.open("w") as sink:  # not a pipe: daemons would keep it open
            argv = (str(TOOLS / name), *words, str(self.folder))
            code = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, timeout=240, check=False)
        assert code.returncode == 0, log.read_text()

    def do(self, *argv: str) -> str:
        """Run one of Slurm's programs."""
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=600).stdout

    def resume(self, node: str, patience_s: float = 200.0) -> None:
        """Take a node that was set down back into service; refused while what it ran is being cleared away.

        It is back when it answers: `idle*` is a node that has not been heard of yet, and starts nothing.
        """
        until = time.monotonic() + patience_s
        while not set(self.do("sinfo", "-h", "-n", node, "-o", "%t").split()) <= {"idle", "mix", "alloc"}:
            wanted = ("scontrol", "update", f"nodename={node}", "state=resume")
            subprocess.run(wanted, capture_output=True, check=False, timeout=600)
            assert time.monotonic() < until, f"node {node} does not come back"
            time.sleep(0.5)

    def stop_controller(self) -> None:
        """An outage of the scheduler; running jobs do not notice."""
        pid = int((self.folder / "run" / "slurmctld.pid").read_text())
        os.kill(pid, signal.SIGTERM)
        while living(pid):
            time.sleep(0.05)

    def start_controller(self) -> None:
        """Its end."""
        subprocess.run(("slurmctld",), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=600)


def why_no_slurm() -> str:
    """Why Slurm cannot be tested here; empty when it can."""
    if os.environ.get("CI") == "true":
        return ""
    if os.geteuid() != 0:
        return "a throw-away Slurm needs root: its daemons start jobs as their owners"
    missing = [name for name in ("slurmctld", "slurmd", "munged") if not shutil.which(name)]
    return f"{', '.join(missing)} not installed: apt-get install slurm-wlm munge" if missing else ""


@pytest.fixture(scope="session")
def slurm_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster of this test session, or the one that tools/slurm_up.sh made in AUTORESEARCH_TEST_SLURM."""
    reason = why_no_slurm()
    if reason:
        pytest.skip(reason)
    running = os.environ.get("AUTORESEARCH_TEST_SLURM")
    folder = Path(running) if running else session_folder(tmp_path_factory) / "slurm"
    cluster = Cluster(folder)
    if running:
        os.environ["SLURM_CONF"] = str(cluster.conf)
        yield cluster
        return
    before = os.environ.get("SLURM_CONF")
    os.environ["SLURM_CONF"] = str(cluster.conf)
    try:
        with shared(folder.with_name("slurm.users"), cluster.up, cluster.down):
            yield cluster
    finally:
        os.environ.pop("SLURM_CONF")
        if before is not None:
            os.environ["SLURM_CONF"] = before


@pytest.fixture
def slurm(slurm_session: Cluster, request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """The cluster, alone where a test is marked `disturbs`: it breaks things that others rely on."""
    how = fcntl.LOCK_EX if request.node.get_closest_marker("disturbs") else fcntl.LOCK_SH
    with locked(slurm_session.folder.with_name("slurm.quiet"), how):
        yield slurm_session


def find_ray() -> Path | None:
    """A `ray` program outside our own environment, which does without; in CI it is installed."""
    named = os.environ.get("AUTORESEARCH_TEST_RAY")
    if named:
        return Path(named)
    cache = Path(os.environ.get("AUTORESEARCH_TEST_CACHE", Path.home() / ".cache" / "autoresearch-tests"))
    ray = cache / "ray" / "bin" / "ray"
    if not ray.exists() and os.environ.get("CI") == "true":
        cache.mkdir(parents=True, exist_ok=True)
        with locked(cache / "ray.lock"):
            subprocess.run((sys.executable, "-m", "venv", str(ray.parents[1])), check=True)
            subprocess.run((str(ray.with_name("pip")), "install", "-q", "ray[default]"), check=True)
    return ray if ray.exists() else None


class RayHead:
    """A Ray head on this machine, in ports and folders of its own."""

    def __init__(self, ray: Path, folder: Path) -> None:
        self.ray, self.folder = ray, folder

    @property
    def address(self) -> str:
        """Its dashboard."""
        return (self.folder / "address").read_text()

    def up(self) -> None:
        """Start it and wait until it answers."""
        ports = subprocess.check_output((sys.executable, str(TOOLS / "free_ports.py"), "4"), text=True).split()
        scratch = tempfile.mkdtemp(prefix="ar-ray-", dir="/tmp")  # Ray's sockets need a short path
        names = ("port", "dashboard-port", "ray-client-server-port", "dashboard-agent-listen-port")
        flags = [f"--{name}={port}" for name, port in zip(names, ports, strict=True)]
        argv = [
            str(self.ray), "start", "--head", "--block", "--num-cpus=4", "--disable-usage-stats",
            f"--temp-dir={scratch}", "--min-worker-port=0", "--max-worker-port=0", *flags,
        ]  # fmt: skip
        pid = start(
            argv,
            env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"},
            log=self.folder / "head.log",
        )
        (self.folder / "pid").write_text(f"{pid} {scratch}")
        (self.folder / "address").write_text(f"http://127.0.0.1:{ports[1]}")
        until = time.monotonic() + 120
        while not self._answers():
            assert time.monotonic() < until, (self.folder / "head.log").read_text()
            time.sleep(0.2)

    def _answers(self) -> bool:
        """Whether it takes jobs: its dashboard answers some seconds before the agent that starts them."""
        try:
            Head(self.address).submit({"submission_id": "first", "entrypoint": "true"})
        except LauncherError:
            return False
        return True

    def down(self) -> None:
        """Stop it: ended by TERM, it ends everything it has started."""
        pid, scratch = (self.folder / "pid").read_text().split()
        family = [int(pid), *(process.pid for process in processes.descendants([int(pid)], processes.everyone()))]
        os.kill(int(pid), signal.SIGTERM)
        until = time.monotonic() + 20
        while any(living(one) for one in family) and time.monotonic() < until:
            time.sleep(0.1)
        for one in filter(living, family):
            os.kill(one, signal.SIGKILL)
        shutil.rmtree(scratch, ignore_errors=True)


def living(pid: int) -> bool:
    """Whether a process exists and is more than an exit status."""
    process = processes.process_info(pid)
    return process is not None and not process.dead


@pytest.fixture(scope="session")
def ray_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The head of this test session, or the one whose address is in AUTORESEARCH_TEST_RAY_ADDRESS."""
    running = os.environ.get("AUTORESEARCH_TEST_RAY_ADDRESS")
    if running:
        yield running
        return
    ray = find_ray()
    if ray is None:
        pytest.skip("no Ray: python3 -m venv ~/.cache/autoresearch-tests/ray, and pip install 'ray[default]' in it")
    folder = session_folder(tmp_path_factory) / "ray"
    folder.mkdir(exist_ok=True)
    head = RayHead(ray, folder)
    with shared(folder / "users.d", head.up, head.down):
        yield head.address


def reach(launcher: Launcher, job_id: str, state: JobState, patience_s: float = 200.0) -> JobStatus:
    """Poll a job until it is in this state."""
    until = time.monotonic() + patience_s
    while (status := launcher.states([job_id])[job_id]).state is not state and time.monotonic() < until:
        time.sleep(0.05)
    assert status.state is state, status
    return status


class Double:
    """An API server double (kube_double.py) in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"

    def up(self) -> None:
        """Start it and wait until it answers."""
        argv = [sys.executable, str(Path(__file__).with_name("kube_double.py")), str(self.folder)]
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pid = start(argv, log=self.folder / "double.log")
        until = time.monotonic() + 120
        while not self.kubeconfig.exists():
            assert time.monotonic() < until, (self.folder / "double.log").read_text()
            time.sleep(0.02)
        self.address = json.loads(self.kubeconfig.read_text())["clusters"][0]["cluster"]["server"]

    def down(self) -> None:
        """Stop it; it ends the processes of its pods."""
        os.kill(self.pid, signal.SIGTERM)
        until = time.monotonic() + 120
        while living(self.pid):
            assert time.monotonic() < until, "the API server double does not end"
            time.sleep(0.02)

    def trouble(self, what: str, **how: object) -> Any:
        """Make something go wrong, see kube_double.py; `requests` tells what was asked since the last time."""
        return self.call("POST", f"/double/{what}", how)

    def create(self, path: str, **manifest: object) -> None:
        """Make an object, such as a secret, below a path of the namespace."""
        self.call("POST", f"/api/v1/namespaces/lab/{path}", manifest)

    def call(self, method: str, path: str, body: object = None) -> Any:
        """One request, as JSON."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.address + path, data=data, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.loads(answer.read())


def why_no_kubernetes() -> str:
    """Why the Kubernetes launchers cannot be tested here; empty when they can."""
    missing = importlib.util.find_spec("kubernetes") is None and os.environ.get("CI") != "true"
    return "the package kubernetes is not installed: pip install -e '.[kubernetes]'" if missing else ""


@pytest.fixture(scope="session")
def double_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Double]:
    """One double for each worker: it is a single small process."""
    if reason := why_no_kubernetes():
        pytest.skip(reason)
    double = Double(tmp_path_factory.mktemp("kube"))
    before = os.environ.get("KUBECONFIG")
    double.up()
    os.environ["KUBECONFIG"] = str(double.kubeconfig)
    try:
        yield double
    finally:
        os.environ.pop("KUBECONFIG")
        if before is not None:
            os.environ["KUBECONFIG"] = before
        double.down()


@pytest.fixture
def double(double_session: Double) -> Double:
    """The double, with its count of requests at zero."""
    double_session.trouble("requests")
    return double_session


RAY_SUB = """#!/bin/bash
set -u
logs=$BASE_LOG_DIR/$SLURM_JOB_ID-logs; mkdir -p "$logs"; cd "$logs" || exit
printf %s "$COMMAND" > driver_command.sh
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1); workers=$((SLURM_JOB_NUM_NODES - 1))
image=("--container-image=$CONTAINER" "--container-mounts=$MOUNTS" --no-container-mount-home -p "$SLURM_JOB_PARTITION")
srun "${image[@]}" --container-name=ray-head --nodes=1 --ntasks=1 -w "$head" bash -c "
  echo head \\$SLURMD_NODENAME \\$CUDA_VISIBLE_DEVICES port $PORT >> cluster
  until [ \\$(grep -c worker cluster) = $workers ]; do sleep 0.05; done
  bash driver_command.sh > ray-driver.log 2>&1" & one=$!
two=; ((workers == 0)) || { srun "${image[@]}" --container-name=ray-worker --exact --nodes=$workers --ntasks=$workers \\
  --ntasks-per-node=1 --kill-on-bad-exit=0 --exclude="$head" bash -c "
  echo worker \\$SLURMD_NODENAME >> cluster; sleep 300" & two=$!; }
wait -n $one $two
kill $one 2> /dev/null
wait $one
"""
"""What upstream's script does with Slurm, in few words: a step for the head with the command, one for all workers."""


@pytest.fixture
def no_pyxis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An srun that notes and leaves out what only pyxis knows; the file with what was asked of pyxis."""
    asked, folder = tmp_path / "asked", tmp_path / "without pyxis"
    folder.mkdir()
    (folder / "srun").write_text(f"""#!/bin/bash
args=()
for word; do case $word in
  --container-*) echo "$word" >> "{asked}" ;; --no-container-*) ;; *) args+=("$word") ;;
esac; done
exec {shutil.which("srun")} "${{args[@]}}"
""")
    (folder / "srun").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return asked
