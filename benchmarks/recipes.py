"""Composes every NeMo-RL example config, compares with upstream's own result, and prints outcomes and times.

    python benchmarks/recipes.py                      # the 339 configs kept with the tests
    python benchmarks/recipes.py --checkout ~/RL      # a NeMo-RL checkout; also surveys every recipe and plans one run
    python benchmarks/recipes.py --checkout ~/RL --markdown > docs/nemo-rl-recipes.md

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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from string import ascii_lowercase

from autoresearch.campaign import surroundings
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import PlanRequest
from autoresearch.errors import AutoresearchError
from autoresearch.git import refs
from autoresearch.ports.target import RunRequest, Survey
from autoresearch.targets.nemo_rl import NemoRLTarget
from autoresearch.targets.nemo_rl.cost import test_script
from autoresearch.targets.nemo_rl.run_command import derived_entry
from autoresearch.targets.recipe import composition as recipe_files
from autoresearch.targets.recipe.load import load
from autoresearch.targets.recipe.recipe import jsonable
from autoresearch.targets.recipe.yaml_text import same

GOLDEN = Path(__file__).parents[1] / "tests" / "golden" / "nemo_rl_configs"
STOP = "20 experiments or 10h total, 1h each"
FOLDERS = ("examples/configs/recipes", "examples/nemo_gym")
PLACEHOLDERS = {"HF_HOME": "/placeholder/hf_home", "PERSISTENT_CACHE": "/placeholder/persistent_cache"}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkout", type=Path, help="a NeMo-RL checkout")
    parser.add_argument("--markdown", action="store_true", help="the table of plans and dry runs of every recipe")
    options = parser.parse_args()
    os.environ.update(PLACEHOLDERS)
    if options.markdown:
        print(markdown(options.checkout.resolve()))
        return
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
    recipe_files.parse.cache_clear()
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
    job = target.job(request_of(root, folder, "0" * 40))
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


def request_of(root, folder, commit):
    """A first run of an hour."""
    return RunRequest(
        run_id="run-1", tree=root, folder=folder, log=folder / "run.log", seed=42, limit_s=3600.0, commit=commit
    )


@dataclass
class Line:
    """One recipe: what `plan` says of it."""

    name: str
    refused: str = ""
    survey: Survey | None = None
    warnings: tuple[str, ...] = ()


def markdown(root):
    """The page docs/nemo-rl-recipes.md: summary, legend, a table per folder."""
    paths = [path for folder in FOLDERS for path in sorted((root / folder).rglob("*.yaml"))]
    with ProcessPoolExecutor() as several:  # composing is Python's work, half a second for each
        lines = list(several.map(partial(planned_line, root), paths, chunksize=8))
    letters = legend(lines)
    parts = [
        head(root, lines),
        "## Warnings\n",
        *[f"- **{letter}** ({count}) {text}" for text, letter, count in letters],
    ]
    for folder in FOLDERS:
        mine = [line for line in lines if line.name.startswith(folder)]
        parts += [f"\n## `{folder}`\n", *table(folder, mine, {text: letter for text, letter, _ in letters})]
    return "\n".join(parts)


def planned_line(root, path):
    """Plan of one recipe and the job of its first run, whose command must compose again, overrides included."""
    name = path.relative_to(root).as_posix()
    try:
        plan = Campaign(where=root).draft(PlanRequest(str(path), STOP, "table", {"launcher": {"type": "slurm"}}))
        folder = Path("/runs/baseline/run-1")
        request = request_of(root, folder, plan.base_commit)
        argv = surroundings.target_of(plan.campaign).job(request).argv
        load(root, name, argv[argv.index("--config") + 2 :]).resolved()
    except AutoresearchError as error:
        return Line(name, refused=str(error).partition(": ")[2])
    # Plumbing has a column of its own, and how much room a disk has says nothing of a recipe.
    told = (one for one in plan.warnings if not one.startswith("plumbing") and "B are free" not in one)
    return Line(name, survey=plan.survey, warnings=tuple(dict.fromkeys(map(general, told))))


def general(warning):
    """A warning without the names and numbers of one recipe."""
    text = re.sub(r"\b(examples|tests)/\S+?\.(yaml|sh)", lambda found: f"FILE.{found[2]}", warning)
    text = re.sub(r"^runs get .*, which", "runs get VARIABLES, which", text)
    text = re.sub(r"FILE.sh takes .* and does not run", "FILE.sh takes KEYS from variables and does not run", text)
    text = re.sub(r"FILE.sh sets .* besides; runs", "FILE.sh sets KEYS besides; runs", text)
    text = re.sub(r"^\S+ may be gated on the hub", "MODEL may be gated on the hub", text)
    text = re.sub(r"\b(grpo|ppo|sft|dpo|rm|distillation)\.val_", "ALGORITHM.val_", text)
    text = re.sub(r"\b(val|train):[\w/-]+", r"\1:METRIC", text)
    text = re.sub(r"(/placeholder|3rdparty)/\S+\.jsonl(, \S+\.jsonl)*( and \d+ more)? (is|are)", "FILES are", text)
    text = re.sub(r"^[\w., ]+( and \d+ more)? still hold a placeholder", "KEYS still hold a placeholder", text)
    return re.sub(r"-?(?<![\w/])(?!3rd)\d(?:[\ddhms]|\.\d)*", "N", text).replace("N of N steps", "N steps")


def legend(lines):
    """Each kind of warning with a letter and its count, frequent ones first."""
    counts = Counter(warning for line in lines for warning in line.warnings)
    names = ("".join(letters) for length in (1, 2) for letters in product(ascii_lowercase, repeat=length))
    return [(text, name, count) for name, (text, count) in zip(names, counts.most_common(), strict=False)]


def head(root, lines):
    plans = [line.survey for line in lines if line.survey]
    plumbing = [survey for survey in plans if survey.plumbing]
    commit = (root / ".git").exists() and refs.head_commit(root)
    return f"""# Every NeMo-RL recipe, planned

What `autoresearch plan RECIPE --launcher slurm --stop "{STOP}"` says of every recipe and
NeMo-Gym configuration of NeMo-RL at commit `{commit}`, asked in process, with
`HF_HOME` and `PERSISTENT_CACHE` set and without logins. Warnings about this machine's disk are left out. Written by
`python benchmarks/recipes.py --checkout DIR --markdown > docs/nemo-rl-recipes.md`; not edited by hand.

- {len(lines)} files: {len(plans)} planned, {len(plumbing)} of them plumbing; {len(lines) - len(plans)} refused.
- The command of the first run composes again, every override in it included, for all that are planned.
- {sum(survey.minutes is not None for survey in plans)} have a length that can be predicted.
- Entry points: {tally(survey.command[-1] for survey in plans)}.
- Judged by: {tally(survey.objective.metric for survey in plans)}.

`minutes` is what a whole run takes at most, start-up included: the pace its test script allows, over its steps or as
long as its data lasts, and not beyond the recipe's own time limit. `error` is the standard error of one validation at
0.5, repeats of a problem counted once; *plumbing* says why a run is too small to judge by. The environment of its runs:
*its script sets* what its test script exports, which they get as well; *left out* is what that script changes of the
recipe, which they do not get; *to fill in* is what it takes from its maintainers' variables; *logins* are what they
need of the hub and of W&B.
"""


def tally(values):
    return ", ".join(f"`{value}` {count}" for value, count in Counter(values).most_common())


def table(folder, lines, letters):
    heads = "recipe | entry point | nodes x GPUs | steps | minutes | judged by | error"
    yield f"| {heads} | its script sets | left out | to fill in | logins | outcome | warnings |"
    yield "| --- | --- | --- | ---: | ---: | --- | ---: | --- | --- | --- | --- | --- | --- |"
    for line in lines:
        short = line.name.removeprefix(f"{folder}/").removesuffix(".yaml")
        if line.survey is None:
            yield f"| {short} {'| ' * 11}| refused: {line.refused} | |"
            continue
        survey, warned = line.survey, sorted((letters[one] for one in line.warnings), key=lambda it: (len(it), it))
        outcome = f"plumbing: {survey.plumbing}" if survey.plumbing else "planned"
        entry, error, around = survey.command[-1].rpartition("/")[2], survey.standard_error, survey.environment
        environment = (
            ", ".join(f"{key}={value}" for key, value in around.exports.items()),
            ", ".join(f"{key}={value.partition(' ')[0]}" for key, value in around.left_out.items()),
            ", ".join(around.needs), ", ".join(around.logins),
        )  # fmt: skip
        cells = (
            short, entry, f"{survey.resources.nodes} x {survey.resources.gpus_per_node}", survey.steps or "data",
            "" if survey.minutes is None else round(survey.minutes), survey.objective.metric,
            "" if error is None else f"{error:.3f}", *environment, outcome, ", ".join(warned),
        )  # fmt: skip
        yield "| " + " | ".join(map(str, cells)) + " |"


if __name__ == "__main__":
    main()
