"""REINFORCE on a corridor: constants at the top, a line of JSON for every batch, beside the script."""

import json
import math
import os
import pathlib
import random

LR = 0.05
GAMMA = 0.95
BATCHES = 40
LENGTH = 6

random.seed(int(os.environ.get("SEED", "0")))
theta = [0.0] * LENGTH


def episode():
    """One walk along the corridor: its steps, and whether it reached the end."""
    state, steps = 0, []
    for _ in range(5 * LENGTH):
        right = 1 / (1 + math.exp(-theta[state]))
        move = 1 if random.random() < right else -1
        steps.append((state, move, right))
        state = max(0, state + move)
        if state == LENGTH:
            return steps, 1.0
    return steps, 0.0


with pathlib.Path("metrics.jsonl").open("w", encoding="utf-8") as log:
    for batch in range(1, BATCHES + 1):
        walks = [episode() for _ in range(8)]
        for steps, reward in walks:
            value = reward
            for state, move, right in reversed(steps):
                theta[state] += LR * value * ((1 - right) if move > 0 else -right)
                value *= GAMMA
        speed = sum(reward / len(steps) for steps, reward in walks) / len(walks)
        print(json.dumps({"step": batch, "mean_reward": round(speed, 5)}), file=log)
print("done")
