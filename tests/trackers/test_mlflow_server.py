"""MLflow's own tracking server, as a team has one: what a campaign tells it can be asked for there."""

import os
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from autoresearch.testing.trackers import CAMPAIGN, IDEA, a_campaign, resumed, tell

pytestmark = [pytest.mark.full, pytest.mark.trackers, pytest.mark.filterwarnings("default")]
NEEDS = ("mlflow", "flask", "flask_cors", "graphene", "huey", "cryptography", "aiohttp", "pandas")


@pytest.fixture
def server(tmp_path):
    """The address of a server with a database of its own, on a port that was free."""
    if missing := [name for name in NEEDS if find_spec(name) is None]:
        pytest.skip(f"no MLflow server can be started: not installed are {', '.join(missing)} (see .ci/run, trackers)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = ("--backend-store-uri", f"sqlite:///{tmp_path}/server.db", "--default-artifact-root", str(tmp_path))
    argv = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1")
    env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    log = tmp_path / "server.log"
    with log.open("w") as out, subprocess.Popen((*argv, *store), stdout=out, stderr=out, env=env) as process:
        try:
            wait(process, f"http://127.0.0.1:{port}", log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait(process, address, log, patience_s=200.0):
    """Until it answers."""
    until = time.monotonic() + patience_s
    while process.poll() is None and time.monotonic() < until:
        try:
            with urlopen(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)
    pytest.fail(f"MLflow's server did not start: {log.read_text()[-2000:]}")


def test_a_campaign_can_be_asked_for_at_a_server(server, tmp_path):
    """Each idea is one run with its verdict and its curve, however many controllers told of it and how often."""
    from mlflow import MlflowClient

    from autoresearch.trackers.mlflow import MlflowTracker

    def make() -> MlflowTracker:
        return MlflowTracker(options={"folder": tmp_path, "uri": server})

    told = a_campaign()
    tell(make(), told[:7])
    tell(resumed(make, told[:7]), told[7:])
    tell(make(), told)
    asked = MlflowClient(tracking_uri=server)
    home = asked.get_experiment_by_name(CAMPAIGN)
    runs = {run.info.run_name: run for run in asked.search_runs([home.experiment_id])}
    assert sorted(runs) == sorted({"baseline", CAMPAIGN, IDEA})
    idea = runs[IDEA]
    assert (idea.info.status, idea.data.tags["status"], idea.data.params["override.lr"]) == ("FINISHED", "keep", "0.1")
    curve = asked.get_metric_history(idea.info.run_id, "accuracy.seed-42")
    assert [(point.step, point.value) for point in curve] == [(1, 0.6), (2, 0.75)]
