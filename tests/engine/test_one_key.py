"""An override of one key is a change of one key, whatever the file's format and layout."""

import pytest
import yaml
from tests.conftest import commit_all

CONFIGS = {
    "config.json": '{\n\n    "lr": 1.0e-1,\n  "list": [1,2,\n   3],  "net": {"depth": 2}, "wd": 0.10\n}',
    "config.yaml": "# by hand\nlr:   1.0e-1\nlist: [1,2,\n   3]\nnet: {depth: 2}\nwd: 0.10\n",
}


@pytest.mark.parametrize("config", CONFIGS)
def test_one_key_is_one_line_and_one_key(lab, config):
    """The scope's limits, what is counted as complexity, and the keys that the journal names."""
    (lab.root / config).write_text(CONFIGS[config])
    ideas = [{"title": "deeper", "area": "model", "overrides": ["net.depth=3"]}]
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump(ideas))
    commit_all(lab.root)
    target = {"type": "command", "config": config, "source": {"type": "stdout"}}
    script = {"*baseline*": {"value": [0.5]}, "*deeper*": {"value": [0.7]}}
    scope = {"max_files": 1, "max_lines": 2}
    lab.write(target=target, scope=scope, stop="2 experiments", launcher={"type": "scripted", "script": script})
    assert lab.run().returncode == 0
    (_, made) = lab.journal("experiment_committed")
    assert (made["breaches"], made["complexity"], made["keys"]) == ([], 0, [config, "net.depth"])
    patch = (lab.folder / str(made["name"]) / "diff.patch").read_text().splitlines()
    assert len([line for line in patch if line[:1] in "+-" and not line.startswith(("+++", "---"))]) == 2
