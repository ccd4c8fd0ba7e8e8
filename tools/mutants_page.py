"""The page about faults that the tests were tried with; no number in it is typed."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mutations import Mutant

ENOUGH = 0.9
"""Share of faults that tests must notice in every group."""

_HEAD = """# Do the tests notice?

*Generated: `python tools/mutants.py --page --seed {seed}{count}`, on the tree of `{commit}`. Which modules and
which tests: `tools/mutants.toml`.*

A test that passes whatever the program does is worse than none. So faults are put into the modules that decide, one at
a time: a comparison or an operator exchanged, a bound one off, a sign, a condition the wrong way round, a result
forgotten, a statement or an entry of a table left out, a regular expression without one of its alternatives. Then the
group's own tests run; they are pure and take seconds. A fault that no test notices has survived. A fault that makes the
tests run for ever counts as noticed; one with which the module cannot even be imported is not counted. Any change of
these modules draws another sample, so CI asks for nine in ten of each group, and only this page for every single one.

"""


@dataclass(frozen=True)
class Explained:
    """A fault, as `Mutant.key` says it, and why no test can or should notice it."""

    fault: str
    why: str


@dataclass(frozen=True)
class Tally:
    """What became of a group's faults.

    Attributes:
        name: The group.
        modules: Its modules.
        tests: Its tests.
        every: Faults that its modules have room for.
        told: Outcome of each that was tried.
    """

    name: str
    modules: tuple[str, ...]
    tests: tuple[str, ...]
    every: int
    told: Mapping[Mutant, str]

    @property
    def counted(self) -> dict[Mutant, str]:
        """Those with which the module can be imported."""
        return {mutant: found for mutant, found in self.told.items() if found != "unborn"}

    @property
    def survivors(self) -> list[Mutant]:
        """Those that no test noticed."""
        return [mutant for mutant, found in self.told.items() if found == "survived"]

    @property
    def share(self) -> float:
        """Part of them that was noticed."""
        return 1 - len(self.survivors) / len(self.counted) if self.counted else 1.0

    def unexplained(self, explained: Sequence[Explained]) -> list[Mutant]:
        """Survivors that nobody has accounted for."""
        known = {one.fault for one in explained}
        return [mutant for mutant in self.survivors if mutant.key not in known]


def page(tallies: Sequence[Tally], explained: Sequence[Explained], seed: int, commit: str) -> str:
    """The whole page."""
    sizes = {len(tally.told) for tally in tallies}
    count = f" --per-group {max(sizes)}" if sizes else ""
    parts = [_HEAD.format(seed=seed, count=count, commit=commit), _table(tallies), "\n", _survivors(tallies, explained)]
    return "".join(parts)


def _table(tallies: Sequence[Tally]) -> str:
    lines = ["| group | modules | noticed | of | share | possible |", "| --- | --- | --- | --- | --- | --- |"]
    for tally in tallies:
        names = ", ".join(f"`{module.partition('.')[2]}`" for module in tally.modules)
        killed = len(tally.counted) - len(tally.survivors)
        lines.append(
            f"| {tally.name} | {names} | {killed} | {len(tally.counted)} | {tally.share:.0%} | {tally.every} |"
        )
    counted = sum(len(tally.counted) for tally in tallies)
    killed = counted - sum(len(tally.survivors) for tally in tallies)
    every = sum(tally.every for tally in tallies)
    lines.append(f"| **all** | | {killed} | {counted} | {killed / max(1, counted):.0%} | {every} |")
    found = Counter(outcome for tally in tallies for outcome in tally.told.values())
    lines += [
        "",
        f"{found['endless']} of those noticed made the tests run for ever; {found['unborn']} more cannot be imported.",
    ]
    return "\n".join(lines) + "\n"


def _survivors(tallies: Sequence[Tally], explained: Sequence[Explained]) -> str:
    why = {one.fault: one.why for one in explained}
    lines = ["## Survivors", ""]
    for tally in tallies:
        for mutant in tally.survivors:
            place = f"`{mutant.module.partition('.')[2]}`, line {mutant.line}, `{mutant.where}`"
            lines.append(f"- {place}: `{mutant.change}`. {why.get(mutant.key, '**Not explained.**')}")
    return "\n".join(lines) + "\n" if len(lines) > 2 else ""
