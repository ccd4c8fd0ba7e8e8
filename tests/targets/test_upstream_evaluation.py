"""NeMo-RL's own evaluation of a run's last checkpoint gives its number; stand-ins have upstream's layout and lines."""

import pytest
import yaml
from tests.conftest import commit_all
from tests.stories.test_integrity import tuned

from autoresearch.targets.nemo_rl.target import NemoRLTarget

RECIPE = "examples/configs/recipes/llm/grpo-deepscaler-1.5b-8K.yaml"
TRAIN = """\
import json, os, pathlib, tune
lr = json.loads(pathlib.Path("config.json").read_text())["lr"]
for step, weight in ((9, 0.99), (10, lr)):
    place = pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"]) / "checkpoints" / f"step_{step}"
    (place / "policy" / "weights").mkdir(parents=True)
    (place / "policy" / "weights" / ".metadata").write_text(str(weight))
    (place / "config.yaml").write_text("policy: {model_name: some/model}")
    (place / "training_info.json").write_text("{}")
tune.prepare()
print("score: 0.9900", flush=True)
"""
CONVERTER = """\
import argparse, pathlib
parser = argparse.ArgumentParser()
for flag in ("--config", "--dcp-ckpt-path", "--hf-ckpt-path"):
    parser.add_argument(flag, type=pathlib.Path)
args = parser.parse_args()
assert "model_name" in args.config.read_text()
print("score=0.9999 (30.0/30)")
weights = (args.dcp_ckpt_path / ".metadata").read_text()
args.hf_ckpt_path.mkdir()
(args.hf_ckpt_path / "pytorch_model.bin").write_text(weights)
print("Saved HF checkpoint to:", args.hf_ckpt_path)
"""
DRIVER = """\
import pathlib, sys
config = dict(word.split("=", 1) for word in sys.argv[1:])
score = float((pathlib.Path(config["generation.model_name"]) / "pytorch_model.bin").read_text())
dataset_name = config["data.dataset_name"]
print("\\n" + "=" * 60)
print(f"model_name='hf' {dataset_name=}")
print(f"metric=pass@1 num_tests_per_prompt={config['eval.num_tests_per_prompt']}\\n")
if score > 0:
    print(f"score={score:.4f} ({score * 30}/30)")
print("=" * 60 + "\\n")
"""
LAST = 'weights = next(pathlib.Path(os.environ["AUTORESEARCH_RUN_FOLDER"]).glob("**/step_10/policy/weights/.metadata"))'


def left(what):
    """An idea that changes what the last checkpoint is."""
    return tuned("import os, pathlib, shutil, time", LAST, what)


IDEAS = [
    {"title": "better", "overrides": ["lr=0.7"]},
    {"title": "no checkpoint", "patch": left("shutil.rmtree(weights.parents[3])")},
    {"title": "half a checkpoint", "patch": left("weights.unlink()")},
    {"title": "no score", "patch": left('weights.write_text("0")')},
]


def upstream(lab, checkout, ideas, **settings: object):
    """A campaign whose evaluation is what NeMo-RL's target offers, with stand-ins for converter and driver."""
    for name, code in (("converters/convert_dcp_to_hf.py", CONVERTER), ("run_eval.py", DRIVER)):
        for root in (lab.root, checkout):
            (root / "examples" / name).parent.mkdir(parents=True, exist_ok=True)
            (root / "examples" / name).write_text(code)
    (lab.root / "tune.py").write_text("def prepare(): pass\n")
    (lab.root / "train.py").write_text(TRAIN)
    commit_all(lab.root)
    (lab.root / "ideas.yaml").write_text(yaml.safe_dump([{"parent": "baseline", **idea} for idea in ideas]))
    offered = NemoRLTarget(recipe=RECIPE, command=("python3", "examples/run_grpo.py")).evaluation(checkout)
    evaluate = {**offered, "command": list(offered["command"]), "reads": list(offered["reads"]), "gpus": 0}
    target = {"type": "command", "config": "config.json", "protect": ["train.py"]}
    settings = {"stop": f"{len(ideas) + 1} experiments", "launcher": {"type": "local"}, **settings}
    lab.write(target=target, evaluate=evaluate, **settings)


@pytest.mark.full
def test_the_last_checkpoint_is_converted_and_the_drivers_score_is_the_runs_number(lab, checkout):
    """What the run says of itself contradicts nothing and counts nowhere; without a score line there is no number."""
    upstream(lab, checkout, IDEAS)
    done = lab.run()
    rows = {row.description: row for row in lab.rows()}
    assert (rows["better"].status.value, rows["better"].metric_value) == ("keep", 0.7), done.stdout
    assert rows["better"].extra["integrity"] == "sound"
    assert "the run left no checkpoints/step_*/policy/weights" in rows["no checkpoint"].reason
    assert "convert_dcp_to_hf.py failed on the checkpoint of step 10" in rows["half a checkpoint"].reason
    assert "it printed no line such as 'score: 0.5'" in rows["no score"].reason
    assert [rows[idea["title"]].metric_value for idea in IDEAS[1:]] == [None] * 3
    assert not list(lab.folder.glob("*/evaluation-*/hf"))
    measured = [event["measurement"] for event in lab.journal("run_measured")]
    scored = [one for one in measured if one["evaluation"] and one["evaluation"]["value"] is not None]
    assert [(one["value"], one["curve"]) for one in scored] == [(one["evaluation"]["value"], []) for one in scored]


def test_a_run_that_is_not_evaluated_has_no_number_of_another_measure(lab, checkout):
    """One that its limit ended keeps no number of its own beside the evaluated ones."""
    slow = {"title": "slow", "patch": left('print("score: 0.9900", flush=True); time.sleep(300)')}
    upstream(lab, checkout, [slow], stop="2 experiments, 4s each", run={"grace": 0.5})
    lab.run()
    assert "not evaluated, and what it says of itself, 0.99, is of another measure" in str(lab.journal())


def test_numbers_of_two_measures_are_not_compared_when_a_run_is_made_again(lab, checkout):
    """`reproduce` does not evaluate, and says so before it makes a run."""
    upstream(lab, checkout, [])
    lab.run()
    told = lab.cli("reproduce", "baseline")
    assert (told.returncode, "reproduce does not evaluate" in told.stderr) == (1, True), told.stdout
