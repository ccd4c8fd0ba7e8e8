"""Drills: make the program fail at every named place, in earnest, then let it go on and see that nothing is lost.

```bash
python tools/drill.py                                # every place x every fault, a table at the end
python tools/drill.py --kinds kill --points ledger.append.write,run.submitted
python tools/drill.py --soak 30 --seed 7             # random faults, several in a row, for half an hour
python tools/drill.py --into docs/reliability.md     # the counts go into the page
```

A drill is a fork of this process that works on a small campaign through the real command line with a fault ordered
(`autoresearch.machine.fault_points`),
then forks without one until the campaign has ended. The campaign has a baseline with
two runs, an idea that is repeated, and one that crashes, is mended on its branch and runs again; a second one makes
bundles. Afterwards the following must hold:

- the ledger says what it says undisturbed, no row lost or doubled, indices without gaps, and journal and notes agree;
- every run was played once, and nothing is left: no process, lock, worktree, git lock, or run on the stage;
- the user's checkout, index, stash and branches are byte for byte what they were;
- a full or broken disk is one clear line and exit code 1, never a bug report; a delay changes nothing.

One more drill, `storm`, lets nothing fail: from its start to its end each campaign is hit by signals, hundreds a
second, so that the system itself interrupts whatever call it happens to be in; it must end as if nothing had been.
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from drill_lab import CAMPAIGNS, NAME, Ended, Lab
from drill_page import fill, soaked, tables

from autoresearch.campaign.campaign import Campaign
from autoresearch.git import worktree
from autoresearch.machine import fault_points, processes
from autoresearch.ports import plugins
from autoresearch.testing.user_files import Snapshot, difference

KINDS = {
    "kill": "kill",
    "torn": "torn",
    "enospc": "enospc",
    "full": "enospc",
    "eio": "eio",
    "eintr": "eintr",
    "delay": "delay:0.2",
    "storm": "",
}
"""Our words for faults; `full` is a disk that stays full from then on, `storm` interrupts calls wherever they are."""

RESUMES = 3
_STORM = 200
"""Fewer signals than this were no storm."""


class Drill(NamedTuple):
    """One fault: where, at which of the times that place is reached, and which stage of the campaign that is."""

    point: str
    kind: str
    nth: int = 1
    stage: str = ""
    campaign: str = "stages"

    @property
    def order(self) -> str:
        """As the fault variable has it; empty for a storm, which no variable can order."""
        if self.kind == "storm":
            return ""
        return f"{self.point}#{self.nth}{'+' * (self.kind == 'full')}={KINDS[self.kind]}"


class Outcome(NamedTuple):
    """What became of a drill; without problems it has passed."""

    drill: Drill
    code: int
    problems: tuple[str, ...]
    before: tuple[Drill, ...] = ()
    """Those carried out on the same campaign before, in a soak."""


class Ground:
    """Where drills happen: fresh copies of two laboratories, and what they say when nothing goes wrong."""

    def __init__(self, place: Path, names: Sequence[str] = tuple(CAMPAIGNS)) -> None:
        self.place = place
        self.models = {name: Lab.make(place / name / "my repo", CAMPAIGNS[name]) for name in names}
        self.calm: dict[str, tuple[object, object]] = {}
        self.reached: dict[str, list[tuple[str, str]]] = {}
        for name in self.models:
            with self.lab(name) as lab:
                told = lab.root.parent / "told"
                ended = lab.run(told=told)
                if ended.code:
                    raise SystemExit(f"the undisturbed campaign {name} ended with {ended.code}:\n{ended.err}")
                self.calm[name] = (lab.said(), lab.runs())
                self.reached[name] = [tuple(line.split("\t")) for line in told.read_text().splitlines()]  # type: ignore[misc]

    @contextmanager
    def lab(self, name: str) -> Iterator[Lab]:
        """A copy to spoil."""
        place = Path(tempfile.mkdtemp(dir=self.place))
        shutil.copytree(self.models[name].root, place / "my repo", symlinks=True)
        yield Lab(place / "my repo")
        shutil.rmtree(place)

    def drills(self, kinds: Sequence[str], points: Sequence[str]) -> list[Drill]:
        """Every place, at every stage where it is reached or at the first, with the faults that make sense there."""
        found: list[Drill] = []
        for name, reached in self.reached.items():
            known = {drill.point for drill in found}
            times: Counter[str] = Counter()
            first: dict[tuple[str, str], int] = {}
            for point, stage in reached:
                times[point] += 1
                if point not in known:
                    first.setdefault((point, stage), times[point])
            found += [
                Drill(point, kind, nth, stage, name)
                for (point, stage), nth in first.items()
                for kind in kinds
                if _sensible(kind, point) and _in(point, points)
            ]
        found += [
            Drill("lock.takeover", kind, 1, "start")
            for kind in kinds
            if _sensible(kind, "lock.takeover") and _in("lock.takeover", points)
        ]
        storms = [Drill("everywhere", "storm", 1, "all", name) for name in self.reached]
        return found + storms if "storm" in kinds and not points else found

    def carry_out(self, drill: Drill) -> Outcome:
        """One drill, from a fresh copy to the last look."""
        with self.lab(drill.campaign) as lab:
            before = Snapshot.take(lab.root)
            if drill.point == "lock.takeover":
                lab.run("lock.acquire.after=kill")
            struck = lab.run(drill.order, storm=drill.kind == "storm")
            problems = [*_manners(drill, struck), *self.go_on(lab), *self.look(lab, drill.campaign, before)]
            return Outcome(drill, struck.code, tuple(problems))

    def go_on(self, lab: Lab) -> list[str]:
        """Resume until the campaign has ended."""
        for _ in range(RESUMES):
            ended = lab.run()
            if ended.code == 0:
                return []
        return [f"it cannot go on, exit {ended.code}: {ended.err.strip()[-600:]}"]

    def look(self, lab: Lab, name: str, before: Snapshot) -> list[str]:
        """Everything that must hold afterwards."""
        said, runs = self.calm[name]
        found = [] if lab.said() == said else [f"the ledger says {lab.said()} instead of {said}"]
        found += [] if lab.runs() == runs else [f"the runs were {lab.runs()} instead of {runs}"]
        found += [f"the records disagree: {text}" for text in Campaign(where=lab.root, name=NAME).check()]
        found += [f"the user's checkout: {text}" for text in difference(before, Snapshot.take(lab.root))]
        return found + leftovers(lab)


def leftovers(lab: Lab) -> list[str]:
    """What should be gone and is not."""
    private = lab.root / ".autoresearch"
    things = [*private.glob("locks/*"), *private.glob("worktrees/*/*"), *lab.root.glob(".git/**/*.lock")]
    things += [tree.path for tree in worktree.listing(lab.root, lab.root)]
    stage = [json.loads(path.read_text()) for path in lab.folder.glob(".scripted/*.json")]
    playing = [run["folder"] for run in stage if run["part"]["states"][run["at"]] not in {"succeeded", "failed"}]
    asides = [path for top in ("reports", "session") for path in (lab.root / top).rglob(".*.new-*")]
    return [f"left over: {thing}" for thing in (*things, *playing, *asides, *_alive(lab))]


def _alive(lab: Lab, patience_s: float = 5.0) -> list[str]:
    """Processes that work in the laboratory; git, orphaned by a kill, is given time to end."""
    until = time.monotonic() + patience_s
    while found := [f"process {p.pid} ({p.name})" for p in processes.everyone().values() if _in_there(p.pid, lab.root)]:
        if time.monotonic() > until:
            break
        time.sleep(0.02)
    return found


def _in_there(pid: int, root: Path) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        return os.fsencode(root) in words or Path(f"/proc/{pid}/cwd").resolve().is_relative_to(root)
    except OSError:
        return False


def _manners(drill: Drill, struck: Ended) -> list[str]:
    """How the program must end when the fault strikes. Exit 0: the place was not vital, or is asked again."""
    lines = struck.err.strip().splitlines()
    match drill.kind:
        case "kill" | "torn":
            fine = struck.code == -signal.SIGKILL
        case "enospc" | "full" | "eio" | "eintr":
            fine = struck.code == 0 or (struck.code == 1 and len(lines) == 1)
        case "storm":
            fine = struck.code == 0 and struck.signals >= _STORM
        case _:
            fine = struck.code == 0
    told = f"struck by {drill.kind} ({struck.signals} signals) it ended with exit {struck.code}: "
    return [] if fine else [told + struck.err.strip()[-600:]]


def _sensible(kind: str, point: str) -> bool:
    """Bytes are torn where they are written, and a storm is everywhere at once."""
    return {"torn": point.endswith(".write"), "storm": False}.get(kind, True)


def _in(point: str, points: Sequence[str]) -> bool:
    return not points or point in points


def soak(ground: Ground, minutes: float, seed: int) -> Iterator[Outcome]:
    """Random faults, up to four in a row in one campaign, for so long."""
    print(f"soak for {minutes:g} minutes with --seed {seed}", flush=True)
    dice, until = random.Random(seed), time.monotonic() + minutes * 60
    places = {name: Counter(point for point, _ in reached) for name, reached in ground.reached.items()}
    while time.monotonic() < until:
        name = dice.choice(list(places))
        with ground.lab(name) as lab:
            before = Snapshot.take(lab.root)
            drills = [_random(dice, name, places[name]) for _ in range(dice.randint(1, 4))]
            struck = [lab.run(drill.order) for drill in drills]
            problems = [f"ended with exit {s.code}: {s.err}" for s in struck if s.code not in {0, 1, -signal.SIGKILL}]
            problems += [*ground.go_on(lab), *ground.look(lab, name, before)]
        orders = " then ".join(drill.order for drill in drills)
        found = tuple(f"after {orders} in {name}: {text}" for text in problems)
        yield Outcome(drills[-1], struck[-1].code, found, tuple(drills[:-1]))


def _random(dice: random.Random, name: str, places: Counter[str]) -> Drill:
    point = dice.choice(list(places))
    kind = dice.choice([kind for kind in KINDS if _sensible(kind, point)])
    return Drill(point, kind, dice.randint(1, places[point]), "any", name)


def main() -> int:
    """Carry out the drills asked for; exit code 1 when one of them failed."""
    args = _arguments()
    plugins.names("researchers")["drill"] = "drill_lab:DrillResearcher"
    began, outcomes = time.monotonic(), []
    with tempfile.TemporaryDirectory(prefix="drill-", dir=_memory()) as place:
        bundles = args.soak or not args.points or "propose.bundle.record" in args.points
        ground = Ground(Path(place), ("stages", "bundles") if bundles else ("stages",))
        todo = soak(ground, args.soak, args.seed) if args.soak else map(ground.carry_out, _chosen(ground, args))
        with contextlib.suppress(KeyboardInterrupt):
            for outcome in todo:
                outcomes.append(outcome)
                for text in outcome.problems:
                    print(f"FAILED {outcome.drill.order} ({outcome.drill.stage}): {text}", flush=True)
                print(f"\r{len(outcomes)} drills", end="", file=sys.stderr, flush=True)
    failed = sum(bool(outcome.problems) for outcome in outcomes)
    codes = dict(Counter(outcome.code for outcome in outcomes))
    seconds = time.monotonic() - began
    told = soaked(outcomes, args.seed, seconds) if args.soak else tables(outcomes, list(KINDS), seconds)
    print("\n" + told)
    print(f"{len(outcomes)} drills, {failed} failed, {seconds:.0f} s; exit codes when struck: {codes}")
    if args.into:
        fill(args.into, args.mark or ("soak" if args.soak else "drills"), told)
    return bool(failed) or not outcomes


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"faults, of: {', '.join(KINDS)}")
    parser.add_argument("--points", default="", help="places (default: all)")
    parser.add_argument("--first", action="store_true", help="each place only at the first stage that reaches it")
    parser.add_argument("--part", default="1/1", metavar="K/N", help="the K-th of every N drills, for several workers")
    parser.add_argument(
        "--skip", type=int, default=0, metavar="N", help="leave out the first N, of a run that was ended"
    )
    parser.add_argument("--mark", default="", help="the place in PAGE (default: drills, or soak)")
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="random faults for so long")
    parser.add_argument("--seed", type=int, default=0, help="of the random faults")
    parser.add_argument("--into", type=Path, metavar="PAGE", help="put the counts into this page")
    args = parser.parse_args()
    if unknown := {*args.points.split(",")} - {"", *fault_points.POINTS} or {*args.kinds.split(",")} - {*KINDS}:
        parser.error(f"there is no {', '.join(sorted(unknown))}; places: {', '.join(fault_points.POINTS)}")
    return args


def _chosen(ground: Ground, args: argparse.Namespace) -> list[Drill]:
    part, parts = map(int, args.part.split("/"))
    found = ground.drills(list(KINDS), [point for point in args.points.split(",") if point])[args.skip :]
    found = [drill for drill in found if drill.kind in args.kinds.split(",")]
    if args.first:
        found = [drill for drill in found if drill.nth == 1]
    return found[part - 1 :: parts]


def _memory() -> Path | None:
    """Every record is synced, and a drill is no test of the disk: in memory where there is room."""
    shared = Path("/dev/shm")
    return shared if os.access(shared, os.W_OK) and shutil.disk_usage(shared).free > 2 << 30 else None


if __name__ == "__main__":
    sys.exit(main())
