"""What a script or a notebook begins with; `import autoresearch as ar` offers it as `ar.plan`, `ar.open` and so on.

Like the command line it talks to the campaign only, and the same rules hold: nothing runs before a person has approved
the plan, and the approval is a call of its own that records who. Nothing here prints; failures are those of
`autoresearch.errors`.
"""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from autoresearch.campaign import beginning, planning
from autoresearch.campaign.campaign import Campaign
from autoresearch.campaign.plan import Plan, request
from autoresearch.report.policy_comparison import PolicyComparison, SimulationSetup, compare


def plan(
    recipe: str | PathLike[str] = "",
    *,
    repo: str | PathLike[str] = ".",
    stop: str | None = None,
    name: str = "",
    goal: str | None = None,
    metric: str | None = None,
    direction: str | None = None,
    target: str | None = None,
    command: str | Sequence[str] = (),
    launcher: str | None = None,
    parallel: int | None = None,
    site: str | None = None,
    researcher: str | Mapping[str, Any] | Sequence[str | Mapping[str, Any]] = (),
    ideas: str | PathLike[str] | None = None,
    policy: str | None = None,
    worth: float | None = None,
    base: str | None = None,
    settings: Mapping[str, Any] | None = None,
    write: bool = True,
    anyway: bool = False,
) -> Plan:
    """Inspect a recipe, propose a campaign and write its file; nothing runs. `print` the plan to read it.

    What is not said is detected or has its default, as for `autoresearch plan`.

    Args:
        recipe: The recipe (YAML) to start from; the `command` target needs none.
        repo: The repository, or a folder in it.
        stop: Stop rule in words, such as `50 experiments or 10h total, 1h each`.
        name: Name of the campaign; empty to have one made from date and recipe.
        goal: The goal in your own words.
        metric: Metric to judge by.
        direction: `maximize` or `minimize`.
        target: What is being trained: `nemo-rl` or `command`.
        command: The training command, word by word, or in one string with a shell's quotes.
        launcher: Where runs happen.
        parallel: Runs at a time.
        site: Where heavy files go: `auto`, `plain` or `brev`.
        researcher: Who proposes: names, or mappings of `type` and options; several are asked in order.
        ideas: A YAML list of hypotheses, for the `file` researcher.
        policy: Verdict policy.
        worth: The smallest gain you would care about, in the metric's own unit.
        base: Commit to start from.
        settings: Further keys of the campaign file, dotted or not: `{"verdict.confirm": 0}`.
        write: Whether the campaign file is written; False: only look.
        anyway: Whether it is written although its runs end before their first number, which is refused otherwise.

    Returns:
        The plan; `file` is where it is written.

    Raises:
        AutoresearchError: Something about repository, recipe, stop rule or settings stands in the way.
    """
    asked = (researcher,) if isinstance(researcher, str | Mapping) else researcher
    campaign = Campaign(where=_folder(repo))
    found = campaign.draft(
        request(
            fspath(recipe),
            stop=stop,
            name=name,
            goal=goal,
            metric=metric,
            direction=direction,
            target=target,
            command=command,
            launcher=launcher,
            parallel=parallel,
            site=site,
            researcher=asked,
            ideas=None if ideas is None else fspath(ideas),
            policy=policy,
            worth=worth,
            base=base,
            settings=settings,
        )
    )
    if write:
        beginning.refuse_numberless(found, anyway=anyway)
        campaign.write(found)
    return found


def open(  # noqa: A001 - as in gzip: called by the package's name
    where: str | PathLike[str] | Plan = ".", name: str | None = None, *, by: str = ""
) -> Campaign:
    """Open a campaign that has a file: to approve, run, steer and read it.

    Args:
        where: The repository or a folder in it; or a plan, for the campaign it is of.
        name: Name of the campaign; None for the one worked on last.
        by: In whose name you approve and steer; empty for whoever is logged in.

    Raises:
        CampaignError: There is no campaign, or none of that name.
        RepositoryError: There is no repository.
    """
    if isinstance(where, Plan):
        where, name = where.root, where.name
    return Campaign(where=_folder(where), name=name, by=by).bound()


def simulate(
    *,
    noise: float,
    gain: float,
    runs: int = 50,
    worth: float | None = None,
    policies: str | Sequence[str] = (),
    stream: str = "base",
    campaigns: int = 100,
    parallel: int = 1,
    seed: int = 0,
    processes: int | None = 1,
) -> PolicyComparison:
    """Try verdict policies on invented campaigns with your own noise, effect and budget, before anything is spent.

    Args:
        noise: Standard deviation between runs of unchanged code, in the metric's own unit.
        gain: Size of a typical true improvement, in the same unit.
        runs: Runs a campaign can hold.
        worth: Smallest gain you would care about; None for `gain`.
        policies: Policies to compare; empty for all.
        stream: What kind of ideas come: `base`, `null`, `decay`, `sparse`, `heavy`, `builds`, `interactions`, `drift`.
        campaigns: Invented campaigns per policy.
        parallel: Runs at a time.
        seed: First random seed; the same ideas come to every policy.
        processes: Processes to spread them over; None for one per core where starting those is worth it, for which a
            script has to be importable (`if __name__ == "__main__":`). The figures are the same.

    Returns:
        One summary per policy; `print` it for a table.

    Raises:
        UsageError: A number makes no sense, or the stream is unknown.
        CampaignError: A policy is unknown.
    """
    setup = SimulationSetup(
        noise=noise,
        gain=gain,
        runs=runs,
        worth=worth,
        stream=stream,
        policies=(policies,) if isinstance(policies, str) else tuple(policies),
        campaigns=campaigns,
        slots=parallel,
        seed=seed,
        processes=processes,
    )
    return compare(setup)


def schema() -> dict[str, Any]:
    """The campaign file as a JSON Schema, for editors and forms; it names the adapters that are installed here."""
    return planning.schema()


def _folder(where: str | PathLike[str]) -> Path:
    return Path(where).expanduser().absolute()
