"""Composes every NeMo-RL example config, compares with upstream's own result, and prints outcomes and times.

    python benchmarks/recipes.py                      # the 339 configs kept with the tests
    python benchmarks/recipes.py --checkout ~/RL      # a NeMo-RL checkout; also surveys every recipe and plans one run

Times are per config with no file parsed before, in milliseconds.
"""

import argparse
import json
import os
import re
import statistics
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

from autoresearch.errors import AutoresearchError
from autoresearch.ports import RunRequest
from autoresearch.targets.nemo_rl import NemoRLTarget, documents
from autoresearch.targets.nemo_rl.budget import test_script
from autoresearch.targets.nemo_rl.recipe import jsonable, load
from autoresearch.targets.nemo_rl.submission import derived_entry
from autoresearch.targets.yaml_text import same

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "nemo_rl_configs"
PLACEHOLDERS = {"HF_HOME": "/placeholder/hf_home", "PERSISTENT_CACHE": "/placeholder/persistent_cache"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, help="a NeMo-RL checkout")
    options = parser.parse_args()
    os.environ.update(PLACEHOLDERS)
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = unpack(Path(scratch))
        compose(options.checkout or unpacked, unpacked / "resolved")
        if options.checkout:
            survey(options.checkout.resolve(), Path(scratch) / "run")


def unpack(folder):
    for name, place in (("configs.tgz", folder), ("resolved.tgz", folder / "resolved")):
        with tarfile.open(GOLDEN / name) as archive:
            archive.extractall(place, filter="data")
    return folder


def compose(root, expected):
    """One line per algorithm: how many composed, resolved and equal upstream's result, and how long that took."""
    counts, times = defaultdict(Counter), defaultdict(list)
    for path in sorted((root / "examples").rglob("*.yaml")):
        kind, outcome, took = one(root, path, expected)
        counts[kind].update(outcome)
        times[kind].append(took)
    everything = [took for group in times.values() for took in group]
    counts["all"], times["all"] = sum(counts.values(), Counter()), everything
    print(f"{'section':14}{'configs':>8}{'resolved':>9}{'expected':>9}{'equal':>7}{'median':>8}{'slowest':>8}")
    for kind in sorted(counts, key=lambda name: (name == "all", name)):
        line, took = counts[kind], times[kind]
        numbers = (line["configs"], line["resolved"], line["expected"], line["equal"])
        print(f"{kind:14}{numbers[0]:8}{numbers[1]:9}{numbers[2]:9}{numbers[3]:7}", end="")
        print(f"{statistics.median(took):8.0f}{max(took):8.0f}")


def one(root, path, expected):
    documents.parse.cache_clear()
    began = time.perf_counter()
    outcome, kind = ["configs"], "(refused)"
    try:
        recipe = load(root, path)
        kind = recipe.algorithm or "(fragment)"
        got = jsonable(recipe.resolved())
        outcome.append("resolved")
        kept = expected / f"{recipe.path}.json"
        if kept.exists():
            outcome += ["expected", *(["equal"] if same(got, json.loads(kept.read_text())) else [])]
    except AutoresearchError as error:
        print(error)
    return kind, outcome, 1000 * (time.perf_counter() - began)


def survey(root, folder):
    """What a plan would say about every config: entry point, metric, length, plumbing, refusals."""
    tables = defaultdict(Counter)
    for path in sorted((root / "examples").rglob("*.yaml")):
        name = path.relative_to(root).as_posix()
        try:
            planned(root, name, folder, tables)
        except AutoresearchError as error:
            tables["outcome"]["refused: " + re.sub(r"^\S+: ", "", str(error)).partition(",")[0].partition(";")[0]] += 1
    for title, table in tables.items():
        print(f"\n{title}")
        for value, count in table.most_common():
            print(f"{count:6}  {value}")


def planned(root, name, folder, tables):
    target = NemoRLTarget(recipe=name)
    found = target.survey(root)
    job = target.job(RunRequest("run-1", root, folder, folder / "run.log", 7, 3600.0, "0" * 40))
    load(root, name, job.argv[job.argv.index("--config") + 2 :]).resolved()
    tables["outcome"]["planned, and the whole command composes"] += 1
    tables["entry point"][found.command[-1]] += 1
    tables["judged by"][f"{found.objective.tag}, {found.objective.direction}"] += 1
    tables["size of a run"][re.sub(r"\b\d[\d.]*\b", "N", found.plumbing) or "enough to judge by"] += 1
    tables["length of a run"]["predicted from its test script" if found.minutes else "unknown"] += 1
    recipe = load(root, name)
    script = test_script(root, recipe)
    if script:
        agrees = not script.entry or script.entry == derived_entry(recipe)
        tables["recipes with a test script"]["entry point agrees" if agrees else f"differs: {name}"] += 1


if __name__ == "__main__":
    main()
