"""What a site lets one job have: what its nodes hold, its partition's time, its QOS and its association (sacctmgr(1)).

sbatch takes a job above most of these, and it waits for ever; so they are asked before anything is sent. Where several
set one limit, Slurm heeds the partition's QOS before the job's, and that before the user's association. Where a site or
the person may choose otherwise on the way (a job submit plugin, flags in `extra`), nothing is said.
"""

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from autoresearch.errors import LauncherError
from autoresearch.launchers.slurm import script
from autoresearch.launchers.slurm.commands import ask
from autoresearch.launchers.slurm.options import Allocation, SlurmOptions
from autoresearch.run.job import Resources

Sizes = Mapping[str, float]
"""How much of what Slurm counts (TRES), by its name there: `node`, `cpu`, `mem` in MB, `gres/gpu`, `gres/gpu:h100`."""


_BOUNDS = {
    "MaxTRES": "a job have {} at most",
    "MaxTRESPerNode": "a job have {} on a node at most",
    "MaxTRESPU": "a user have {} at a time",
    "MaxTRESPA": "an account have {} at a time",
    "GrpTRES": "all jobs together have {}",
    "MinTRES": "a job have {} at least",
}
"""sacctmgr's names of limits of size, and what each lets somebody have: one job alone must keep within all of them."""
_MINUTES = {"MaxTRESMins": "a job have {} at most", "GrpTRESMins": "all jobs together have {}"}
"""The same for size times minutes; what is used up of the second may come back, what is above it never comes."""
_OF_ACCOUNT = ("MaxWall", "MaxTRES", "MaxTRESPerNode", "MaxTRESMins", "GrpTRES", "GrpTRESMins")


class Limits(NamedTuple):
    """What one QOS or association allows.

    Attributes:
        where: Whose limits they are, in words.
        longest_s: How long a job may be, None without a limit.
        sizes: By kind of limit, how much of each thing.
        flags: What else a QOS says, such as `PartitionTimeLimit`: it lets a job be longer than the partition does.
    """

    where: str
    longest_s: float | None
    sizes: Mapping[str, Sizes]
    flags: str


def too_long(
    options: SlurmOptions, limit_s: float, grace_s: float, held: Allocation | None, need: Resources | None = None
) -> str:
    """Why a run's limit, or its allocation's, is above the site's; empty when it is not, or nobody says."""
    asked = held.time if held else 60.0 * script.minutes(limit_s, grace_s)
    binding, longest = _binding(options), longest_s(options.partition)
    if longest is not None and asked > longest and not any("PartitionTimeLimit" in one.flags for one in binding):
        where = f"partition {options.partition}" if options.partition else "the default partition"
        return script.above(where, longest, limit_s, grace_s, asked, held=held is not None)
    first = next((one for one in binding if one.longest_s is not None), None)
    if first is None or first.longest_s is None or asked <= first.longest_s:
        return _too_many_minutes(binding, _sizes(options, need, held)[0], asked / 60, held) if need else ""
    return script.above(first.where, first.longest_s, limit_s, grace_s, asked, held=held is not None)


def _too_many_minutes(binding: Sequence[Limits], whole: Sizes, minutes: float, held: Allocation | None) -> str:
    for kind, words in _MINUTES.items():
        for thing, size in {"cpu": whole["node"], **whole}.items():
            first = next((one for one in binding if thing in one.sizes[kind]), None)
            if first and size * minutes > (bound := first.sizes[kind][thing]):
                lets = f"{first.where} lets {words.format(f'{bound:g} minutes of {_plain(thing)}')}"
                asks = f"{'an allocation' if held else 'a run'} of {minutes:g} minutes asks for {size * minutes:g}"
                return f"{lets} and {asks}, so it would wait for ever; shorten it (`each`), or ask for less"
    return ""


def too_large(options: SlurmOptions, need: Resources, held: Allocation | None) -> str:
    """Why the site never begins a job that needs this; empty when it may, or nobody says."""
    binding = _binding(options)
    whole, on_node = _sizes(options, need, held)
    for kind, words in _BOUNDS.items():
        for thing, size in (on_node if kind == "MaxTRESPerNode" else whole).items():
            first = next((one for one in binding if thing in one.sizes[kind]), None)
            bound = first.sizes[kind][thing] if first else size
            if first and (size < bound if kind == "MinTRES" else size > bound):
                lets = f"{first.where} lets {words.format(f'{bound:g} {_plain(thing)}')}"
                asks = f"{'an allocation' if held else 'a run'} asks for {size:g}"
                return f"{lets} and {asks}, so it would wait for ever; ask for what is allowed, or take another QOS"
    return ""


def longest_s(partition: str | None) -> float | None:
    """How long a partition lets a job run, the most patient of several; None without a limit, or where none is told."""
    lines = [line.split() for line in _lines("sinfo", "-h", "-o", "%P %l", *_of(partition))]
    told = [line[1] for line in lines if len(line) == 2 and (partition or line[0].endswith("*"))]
    limits = [_length(text) for text in told]
    return max((one for one in limits if one is not None), default=None) if None not in limits else None


def cautions(options: SlurmOptions, resources: Resources, root: Path) -> tuple[str, ...]:
    """What a person should know of the options: an image that is not seen here, nodes unlike a run, Ray on one only."""
    image, nodes = options.container or "", resources.nodes
    unseen = image.startswith("/") and not Path(image).exists()
    told = (f"{image} is not on this machine; make sure that the nodes see it",) if unseen else ()
    if options.style == "ray.sub" and resources.gpus_per_node:
        gpus = int(options.env.get("GPUS_PER_NODE", resources.gpus_per_node))
        return (*told, *_unlike_gres(options.partition, gpus))
    if options.style != "batch" or nodes == 1 or not (root / "ray.sub").is_file():
        return told
    first = f"a plain Slurm job starts the command on the first of {nodes} nodes only; to start Ray on all of them: "
    return (*told, f"{first}launcher: {{type: slurm, style: ray.sub, container: IMAGE}}")


def _unlike_gres(partition: str | None, gpus: int) -> tuple[str, ...]:
    """NeMo-RL's ray.sub ends at once where it does not get all GPUs of its nodes: a warning then."""
    lines = _lines("sinfo", "-h", "-o", "%P %G", *_of(partition))
    kept = [line for line in lines if partition or line.split(" ")[0].endswith("*")]
    there = {sum(int(count) for count in _GPU.findall(line)) for line in kept if _GPU.search(line)}
    if not there or there == {gpus}:
        return ()
    counts = " or ".join(map(str, sorted(there)))
    told = f"a run asks for {gpus} GPUs per node and the partition's nodes have {counts}: ray.sub ends with 1 then"
    return (f"{told}; use style batch for runs on a part of a node",)


_GPU = re.compile(r"\bgpu(?::[^\s,:()]+)?:(\d+)")
_CHOOSES = re.compile(r"-[ApqtnNcG]|--(?:account|partition|qos|time|nodes|gres|gpus|ntasks|cpus|mem|exclusive)\b")
_HARMLESS = {"(null)", "", "require_timelimit", "throttle"}


def _of(partition: str | None) -> list[str]:
    return [f"--partition={partition}"] if partition else []


def _lines(*argv: str) -> list[str]:
    try:
        return ask(argv, "ask").text.splitlines()
    except LauncherError:
        return []


def _sizes(
    options: SlurmOptions, need: Resources, held: Allocation | None
) -> tuple[dict[str, float], dict[str, float]]:
    """What a job asks for, in all and on each node."""
    nodes, runs = (held.nodes, held.runs) if held else (need.nodes, 1)
    each: dict[str, float] = {}
    if gpus := re.fullmatch(r"gpu(:[^:,]+)?:(\d+)", options.gres or f"gpu:{need.gpus_per_node * runs}"):
        kind, count = gpus.groups()
        each |= {"gres/gpu": float(count)} | ({f"gres/gpu{kind}": float(count)} if kind else {})
    if need.cpus is not None:
        each["cpu"] = float(need.cpus * runs)
    if need.memory_gb is not None:
        each["mem"] = float(script.memory_mb(need.memory_gb) * runs)
    return {"node": float(nodes), **{name: size * nodes for name, size in each.items()}}, each


def _plain(name: str) -> str:
    words = {"node": "nodes", "cpu": "processors", "mem": "MB of memory", "gres/gpu": "GPUs"}
    return words.get(name, name.replace("gres/gpu:", "GPUs of type "))


def _binding(options: SlurmOptions) -> list[Limits]:
    """Whose limits hold for a job with these options, whoever goes before others first; none where that is unknown."""
    partition = options.partition or _default_partition()
    site = dict(_setting(line) for line in _lines("scontrol", "show", "config"))
    enforced = set(site.get("AccountingStorageEnforce", "").split(",")) & {"limits", "safe"}
    others = set(site.get("JobSubmitPlugins", "").split(",")) - _HARMLESS
    if not enforced or others or not partition or "," in partition or any(map(_CHOOSES.match, options.extra)):
        return []
    chain = _associations(options.account, partition, site.get("ClusterName", ""))
    if not chain:
        return []
    of_job = options.qos or chain[0]["DefaultQOS"] or "normal"
    accounts = [
        _limits(f"account {row['Account']}{' for ' + row['User'] if row['User'] else ''}", row) for row in chain
    ]
    return [*_qos(_qos_of(partition), of_job), *accounts]


def _qos(of_partition: str, of_job: str) -> list[Limits]:
    names = list(dict.fromkeys(filter(None, (of_partition, of_job))))
    rows = _table("qos", ("Name", "Flags", "MaxWall", *_BOUNDS, *_MINUTES), f"name={','.join(names)}")
    known = {row["Name"]: row for row in rows}
    if of_job in known and "OverPartQOS" in known[of_job]["Flags"]:
        names.reverse()
    return [_limits(f"QOS {name}", known[name]) for name in names if name in known]


def _qos_of(partition: str) -> str:
    found = re.search(r"\bQoS=(\S+)", " ".join(_lines("scontrol", "-o", "show", "partition", partition)))
    return "" if found is None or found[1] == "N/A" else found[1]


def _default_partition() -> str:
    return next((one.rstrip("*") for one in _lines("sinfo", "-h", "-o", "%P") if one.endswith("*")), "")


def _setting(line: str) -> tuple[str, str]:
    name, _, value = line.partition("=")
    return name.strip(), value.strip()


def _associations(account: str | None, partition: str, cluster: str) -> list[dict[str, str]]:
    """The user's association, and the accounts above it, whose limits are for all of their jobs together."""
    fields = ("Account", "User", "Partition", "ParentName", "DefaultQOS", *_OF_ACCOUNT)
    which = (f"user={pwd.getpwuid(os.getuid()).pw_name}", f"account={account}" if account else "onlydefaults")
    found = _table("assoc", fields, *which, f"cluster={cluster}")
    own = [row for row in found if row["Partition"] == partition] or [row for row in found if not row["Partition"]]
    chain, above = own[:1], own[0]["Account"] if own else "root"
    while above not in {"", "root"} and len(chain) < _DEEPEST:
        rows = _table("assoc", fields, f"account={above}", "user=", f"cluster={cluster}")
        # What an account sets for each single job, its users' associations have inherited.
        chain += [{**row, **dict.fromkeys(_OF_ACCOUNT[:4], "")} for row in rows[:1]]
        above = rows[0]["ParentName"] if rows else ""
    return chain


_DEEPEST = 8


def _table(what: str, fields: Sequence[str], *words: str) -> list[dict[str, str]]:
    lines = _lines("sacctmgr", "-n", "-P", "show", what, "where", *words, f"format={','.join(fields)}")
    cells = [line.split("|") for line in lines]
    return [dict(zip(fields, one, strict=True)) for one in cells if len(one) == len(fields)]


def _limits(where: str, row: Mapping[str, str]) -> Limits:
    sizes = {kind: _counted(row.get(kind, "")) for kind in (*_BOUNDS, *_MINUTES)}
    return Limits(where, _length(row["MaxWall"]), sizes, row.get("Flags", ""))


def _counted(text: str) -> dict[str, float]:
    """Slurm's `cpu=64,gres/gpu=8,mem=4000G`, memory in MB."""
    found = (re.fullmatch(r"([^=]+)=(\d+(?:\.\d+)?)([KMGTP]?)", one) for one in text.split(","))
    return {one[1]: float(one[2]) * _UNITS[one[3]] for one in found if one}


_UNITS = {"": 1, "K": 1 / 1024, "M": 1, "G": 1024, "T": 1024**2, "P": 1024**3}


def _length(text: str) -> float | None:
    """Slurm's `days-hours:minutes:seconds`, whose front parts may be missing."""
    found = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", text)
    return sum(int(n or 0) * s for n, s in zip(found.groups(), (86400, 3600, 60, 1), strict=True)) if found else None
