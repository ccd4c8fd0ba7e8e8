"""Stands in for verl, which needs GPUs: takes its settings, refuses what it would, and writes lines of its formats."""

import json
import math
import os
import random
import sys
from pathlib import Path

said = {}
for word in sys.argv[1:]:
    key, sign, value = word.lstrip("+").partition("=")
    if not sign:
        sys.exit(f"hydra: {word!r} is no override")
    said[key] = value.strip("\"'")
if said.get("trainer.resume_mode") != "disable" and Path(said["trainer.default_local_dir"]).is_dir():
    sys.exit("resumed from somebody else's checkpoint")
random.seed(int(said["data.seed"]))
rate = float(said["actor_rollout_ref.actor.optim.lr"])
best = 0.6 * math.exp(-((math.log10(rate) + 5) ** 2))
with Path(os.environ["VERL_FILE_LOGGER_PATH"]).open("wb", buffering=0) as lines:
    for step in range(int(said["trainer.total_training_steps"]) + 1):
        score = best * step / 12 + random.gauss(0, 0.01)
        row = {"critic/score/mean": score, "actor/pg_loss": random.gauss(0, 0.1), "actor/grad_norm": 0.2}
        row |= (
            {"val-core/openai/gsm8k/acc/mean@1": score, "val-aux/openai/gsm8k/acc/std@1": 0.1} if step % 4 == 0 else {}
        )
        if "console" in said["trainer.logger"]:
            print(" - ".join([f"step:{step}", *(f"{key}:{value}" for key, value in row.items())]), flush=True)
        if "file" in said["trainer.logger"]:
            lines.write(json.dumps({"step": step, "data": row}).encode() + b"\n")
Path(said["trainer.default_local_dir"]).mkdir(parents=True)
