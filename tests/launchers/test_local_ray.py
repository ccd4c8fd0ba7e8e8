"""Two runs on one machine that each start a Ray of their own, with the real Ray."""

import json
import shlex
from pathlib import Path

import pytest
from tests.launchers.clusters import find_ray

from autoresearch.launchers.local import LocalLauncher
from autoresearch.run.job import JobState
from autoresearch.testing.launchers import JobFactory, settle

pytestmark = [pytest.mark.full, pytest.mark.ray]
PATIENCE_S = 240.0

RUN = """
import json, os, sys, time, ray
me, other = sys.argv[1:]
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, resources={me: 1})
found = {"address": ray.get_runtime_context().gcs_address, "nodes": len(ray.nodes()), "resources": list(ray.cluster_resources()),
         "place": os.environ["RAY_TMPDIR"]}
open(me + ".new", "w").write(json.dumps(found))
os.rename(me + ".new", me + ".json")
while not os.path.exists(other + ".json"):
    time.sleep(0.1)
"""


def test_two_clusters_at_once_do_not_meet(tmp_path):
    """Each run sees its own node and resources alone, and nothing is left of either."""
    ray = find_ray()
    if ray is None:
        pytest.skip("no Ray: python3 -m venv ~/.cache/autoresearch-tests/ray, and pip install 'ray[default]' in it")
    # Else Ray writes a token into the home directory, and every later head on this machine asks for it.
    launcher, job = LocalLauncher({"env": {"RAY_AUTH_MODE": "disabled"}}, tmp_path / "campaign"), JobFactory(tmp_path)
    for me, other in (("one", "two"), ("two", "one")):
        words = shlex.join([str(ray.with_name("python")), "-c", RUN, me, other])
        launcher.submit(launcher.plan(job(f"exec {words}", name=me, limit_s=PATIENCE_S, grace_s=5)))
    assert [settle(launcher, run, PATIENCE_S).state for run in ("one", "two")] == [JobState.SUCCEEDED] * 2
    one, two = (json.loads((tmp_path / "tree" / f"{run}.json").read_text()) for run in ("one", "two"))
    assert one["address"] != two["address"]
    assert one["place"] != two["place"]
    for run, found in (("one", one), ("two", two)):
        assert found["nodes"] == 1
        assert {"one", "two"} & set(found["resources"]) == {run}
        assert launcher.leftovers(run) == ()
        assert not Path(found["place"]).exists()
