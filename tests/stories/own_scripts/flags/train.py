"""Nearest centroids on two clouds, with flags and a printed accuracy."""

import argparse
import math
import random

parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float, default=0.02, help="step of a centroid towards a point")
parser.add_argument("--power", type=int, default=2)
parser.add_argument("--shuffle", action="store_true")
parser.add_argument("--epochs", type=int, default=2)
parser.add_argument("--seed", type=int, default=0)
args = parser.parse_args()
random.seed(args.seed)
points = [(random.gauss(label, 1.0), random.gauss(-label, 1.0), label) for label in (0, 1) for _ in range(150)]
train, held_out = points[::2], points[1::2]
centroids = [[3.0, 0.0], [0.0, 3.0]]
for epoch in range(args.epochs):
    if args.shuffle:
        random.shuffle(train)
    for x, y, label in train:
        centroids[label][0] += args.lr * (x - centroids[label][0])
        centroids[label][1] += args.lr * (y - centroids[label][1])
    print(f"epoch {epoch + 1}/{args.epochs} centroid: {centroids[0][0]:.3f}")


def distance(x, y, label):
    return math.hypot(abs(x - centroids[label][0]) ** args.power, abs(y - centroids[label][1]) ** args.power)


right = sum((distance(x, y, 1) < distance(x, y, 0)) == bool(label) for x, y, label in held_out)
print(f"Test accuracy: {right / len(held_out):.4f}")
