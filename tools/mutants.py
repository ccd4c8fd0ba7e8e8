"""Do the tests notice when the program is wrong? Puts faults into the modules that decide, and runs their tests.

    python tools/mutants.py                     # the sample of every group, as the page has it: half an hour
    python tools/mutants.py stop --per-group 0  # every fault of one group
    python tools/mutants.py --page              # measure, then write docs/design/mutants.md

Which modules decide, which tests answer for them, and why some faults cannot be told from the right program stands in
`mutants.toml`. No file is changed: a fault is compiled into a process of its own, which then runs the tests. The sample
depends on the seed and on the text of the modules alone. A fault with which the module cannot be imported is no fault.
"""

import argparse
import contextlib
import hashlib
import importlib
import importlib.util
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType

from mutants_page import ENOUGH, Explained, Tally, page
from mutations import SOURCES, Mutant, mutants, mutated, path_of

ROOT = SOURCES.parent
PAGE = ROOT / "docs/design/mutants.md"
TABLE = ROOT / "tools/mutants.toml"
SEED = 11
SAMPLE = 60

_UNBORN = 77
_CPU_S = 20.0
"""Processor seconds that tests may take beyond four times what they take without a fault: it loops for ever."""
_MEMORY = 4 << 30
_OUTCOMES = {0: "survived", _UNBORN: "unborn"}


@dataclass(frozen=True)
class Group:
    """Modules that decide one thing, and the tests that answer for them."""

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]

    def sample(self, seed: int, count: int) -> list[Mutant]:
        """So many faults of its modules drawn by `seed`, in the order of their text; all of them for 0."""
        every = [mutant for module in self.modules for mutant in mutants(module)]
        if not count or count >= len(every):
            return every
        drawn = random.Random(f"{seed} {self.name}").sample(range(len(every)), count)
        return [every[place] for place in sorted(drawn)]


class _Fault(SourceFileLoader):
    """Finds and loads the one module with the fault in it, instead of its file."""

    def __init__(self, mutant: Mutant) -> None:
        super().__init__(mutant.module, str(path_of(mutant.module)))
        self._code = compile(mutated(mutant), self.path, "exec")

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """As every finder does."""
        return importlib.util.spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, _name: str) -> CodeType:
        """Never what was compiled of the file."""
        return self._code


def table() -> tuple[list[Group], list[Explained]]:
    """The groups, and the faults that are explained."""
    told = tomllib.loads(TABLE.read_text())
    groups = [Group(name, tuple(one["modules"]), tuple(one["tests"])) for name, one in told["group"].items()]
    return groups, [Explained(one["fault"], " ".join(one["why"].split())) for one in told.get("explained", [])]


def outcomes(
    group: Group, tried: Sequence[Mutant | None], cpu_s: float, jobs: int = 1
) -> Iterator[tuple[Mutant | None, str, float]]:
    """Each with what became of it and the processor seconds it took, as they end; None: the tests without a fault.

    It is `killed`, `survived`, `endless` (tests that used so many processor seconds) or `unborn`.
    """
    waiting, running = list(reversed(tried)), {}
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        while waiting or running:
            while waiting and len(running) < jobs:
                mutant = waiting.pop()
                running[_begun(group, mutant, cpu_s, Path(folder))] = mutant
            child, status, used = os.wait4(-1, 0)
            mutant = running.pop(child)
            if mutant is None and status:
                told = (Path(folder) / str(child) / "out").read_text()
                raise SystemExit(f"{group.name}: its tests fail without a fault\n{told[-4000:]}")
            yield mutant, _word(status), used.ru_utime + used.ru_stime


def _word(status: int) -> str:
    if os.WIFSIGNALED(status):
        return "endless" if os.WTERMSIG(status) in {signal.SIGXCPU, signal.SIGKILL} else "killed"
    return _OUTCOMES.get(os.WEXITSTATUS(status), "killed")


def _begun(group: Group, mutant: Mutant | None, cpu_s: float, folder: Path) -> int:
    child = os.fork()
    if not child:
        own = folder / str(os.getpid())
        own.mkdir()
        _run(group, mutant, cpu_s, own)
    return child


def _run(group: Group, mutant: Mutant | None, cpu_s: float, folder: Path) -> None:
    """In the child: load the fault, run the tests, leave with their exit code; never returns."""
    code = 70
    try:
        resource.setrlimit(resource.RLIMIT_CPU, (int(cpu_s) + 1, int(cpu_s) + 6))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(folder)
        code = _tested(group, mutant, folder)
    except BaseException:  # noqa: BLE001 - nothing of the child may come back to the parent's code
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _tested(group: Group, mutant: Mutant | None, folder: Path) -> int:
    import pytest  # noqa: PLC0415 - once in the parent, see `_warm`

    if mutant is not None:
        sys.meta_path.insert(0, _Fault(mutant))  # type: ignore[arg-type]
        try:
            importlib.import_module(mutant.module)
        except Exception:  # noqa: BLE001 - whatever it is, the first user of it would see it
            return _UNBORN
    asked = [
        "-x",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        "-p",
        "no:xdist",
        "--assert=plain",
        "--timeout=0",
    ]
    return int(pytest.main([*asked, "--hypothesis-profile=mutants", f"--basetemp={folder}/tmp", *group.tests]))


def _warm() -> None:
    """Load once what every child needs, and nothing of ours."""
    for name in ("pytest", "hypothesis", "pydantic", "ruamel.yaml", "yaml", "psutil", "omegaconf"):
        importlib.import_module(name)
    hypothesis = importlib.import_module("hypothesis")
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    profile = {"derandomize": True, "database": None, "deadline": None, "phases": phases}
    hypothesis.settings.register_profile("mutants", **profile)
    assert not [name for name in sys.modules if name.startswith("autoresearch")]


class _Known:
    """Outcomes of earlier calls: a kill stands while the module's text does, a survival while its tests do as well."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self._told = {(one["fault"], one["digest"]): one["outcome"] for one in map(json.loads, lines)}

    def get(self, group: Group, mutant: Mutant) -> str | None:
        """What came out, None when it has to be tried."""
        tries = [(mutant.key, digest) for digest in (_digest(mutant), _digest(mutant, group))]
        return next((self._told[one] for one in tries if one in self._told), None)

    def put(self, group: Group, mutant: Mutant, found: str) -> None:
        """Write an outcome down."""
        if self.path:
            digest = _digest(mutant, group) if found == "survived" else _digest(mutant)
            with self.path.open("a") as file:
                file.write(json.dumps({"fault": mutant.key, "digest": digest, "outcome": found}) + "\n")


def _digest(mutant: Mutant, group: Group | None = None) -> str:
    tests = [file for name in group.tests for file in _files(ROOT / name.partition("::")[0])] if group else []
    text = b"".join(file.read_bytes() for file in (path_of(mutant.module), *tests))
    return hashlib.sha256(text).hexdigest()[:16]


def _files(path: Path) -> list[Path]:
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


def measure(group: Group, seed: int, count: int, jobs: int, known: _Known) -> Tally:
    """Try the sample of a group, or take what is known of it."""
    chosen = group.sample(seed, count)
    told = {mutant: found for mutant in chosen if (found := known.get(group, mutant))}
    todo = [mutant for mutant in chosen if mutant not in told]
    began = time.monotonic()
    usual = next(outcomes(group, [None], 3600.0))[2] if todo else 0.0
    for mutant, found, spent in outcomes(group, todo, 4 * usual + _CPU_S, jobs):
        assert mutant is not None
        told[mutant] = found
        known.put(group, mutant, found)
        print(f"{found:9}{spent:6.1f} s  {mutant.module.partition('.')[2]}:{mutant.line}  {mutant.change}", flush=True)
    every = sum(len(mutants(module)) for module in group.modules)
    print(f"== {group.name}: tests take {usual:.1f} s, {time.monotonic() - began:.0f} s in all", flush=True)
    return Tally(group.name, group.modules, group.tests, every, {mutant: told[mutant] for mutant in chosen})


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print, and say by the exit code whether it is enough."""
    asked = _asked(argv)
    groups, explained = table()
    wanted = [group for group in groups if not asked.groups or group.name in asked.groups]
    os.chdir(ROOT)
    sys.path[:0] = [str(SOURCES), str(ROOT)]
    _warm()
    known = _Known(asked.state)
    tallies = [measure(group, asked.seed, asked.per_group, asked.jobs, known) for group in wanted]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    text = page(tallies, explained, asked.seed, commit.strip())
    with contextlib.suppress(BrokenPipeError):
        print(text)
    if asked.page:
        PAGE.write_text(text)
    unexplained = asked.page and any(tally.unexplained(explained) for tally in tallies)
    return int(unexplained or any(tally.share < ENOUGH for tally in tallies))


def _asked(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", help="groups of mutants.toml; all of them when none is named")
    parser.add_argument("--per-group", type=int, default=SAMPLE, help="faults of each group, 0 for every one")
    parser.add_argument("--seed", type=int, default=SEED, help="which ones")
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time")
    parser.add_argument("--state", type=Path, help="file of outcomes: what is in it is not tried again")
    parser.add_argument("--page", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
