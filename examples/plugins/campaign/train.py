"""Logistic regression by gradient descent: reads recipe.toml, writes its held-out accuracy after every epoch."""

import math
import os
import random
import tomllib
from pathlib import Path

recipe = tomllib.loads(Path("recipe.toml").read_text())
dice = random.Random(int(os.environ["SEED"]))


def sample(count):
    points = [(dice.gauss(0, 1), dice.gauss(0, 1), 1.0) for _ in range(count)]
    return [(p, dice.random() < 1 / (1 + math.exp(-3 * p[0] + 2 * p[1] - 1))) for p in points]


train, held_out, weights = sample(60), sample(1000), [0.0, 0.0, 0.0]
with Path(os.environ["RUN_FOLDER"], "metrics.csv").open("w") as table:
    table.write("step,name,value\n")
    for epoch in range(1, recipe["epochs"] + 1):
        for point, label in train:
            predicted = 1 / (1 + math.exp(-sum(w * x for w, x in zip(weights, point))))
            for i, x in enumerate(point):
                weights[i] += recipe["optimizer"]["lr"] * ((label - predicted) * x)
        right = sum((sum(w * x for w, x in zip(weights, point)) > 0) == label for point, label in held_out)
        table.write(f"{epoch},accuracy,{right / len(held_out)}\n")
