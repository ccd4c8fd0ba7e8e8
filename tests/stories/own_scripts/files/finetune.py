"""A fine-tuning that takes a YAML file and leaves what a Trainer leaves, in a folder beside itself."""

import argparse
import json
import math
import pathlib
import random

import yaml

parser = argparse.ArgumentParser()
parser.add_argument("--config", required=True)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
random.seed(args.seed)
config = yaml.safe_load(pathlib.Path(args.config).read_text())
rate = config["optimizer"]["learning_rate"]
assert isinstance(rate, float), f"learning_rate is {rate!r}"
history = []
for step in range(1, config["max_steps"] + 1):
    loss = 2 * math.exp(-rate * 200 * step) + config["optimizer"]["weight_decay"] + random.gauss(0, 0.01)
    history.append({"step": step, "loss": round(loss, 4)})
    if step % 5 == 0:
        history.append({"step": step, "eval_loss": round(loss + 0.1, 4), "eval_runtime": 1.5})
out = pathlib.Path("out")
for saved, folder in (
    (5, out / "checkpoint-5"),
    (config["max_steps"], out / "checkpoint-20"),
    (config["max_steps"], out),
):
    folder.mkdir(parents=True, exist_ok=True)
    state = {"best_metric": None, "global_step": saved, "log_history": [row for row in history if row["step"] <= saved]}
    (folder / "trainer_state.json").write_text(json.dumps(state))
