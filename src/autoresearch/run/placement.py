"""Where a run should happen, decided from what is there (R30-R36), and what it finds around it there.

Nothing is launched on a guess.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from autoresearch.run.job import Resources

HERE = "local"
"""The launcher recommended for runs on this machine."""


_UNITS = (("TB", 1e-3), ("GB", 1.0), ("MB", 1e3), ("kB", 1e6))


def room(gigabytes: float) -> str:
    """An amount of storage in words, to three digits, in the unit (powers of ten) that needs no exponent."""
    for unit, many in _UNITS:
        if gigabytes * many >= 1:
            digits = f"{gigabytes * many:.3g}" if gigabytes * many < 1000 else f"{gigabytes * many:.0f}"
            return f"{digits} {unit}"
    return f"{gigabytes * 1e9:.0f} bytes"


@dataclass(frozen=True, kw_only=True)
class Places:
    """What was found on this machine.

    Attributes:
        gpus: Indices of GPUs this user may use here.
        busy: Those of them that somebody is using.
        slurm: Whether Slurm's commands are here.
        ray: Address of a Ray head, empty when none is known.
        kubernetes: Current kube context, empty when there is none.
        allowed: Indices that the campaign file allows (`launcher.gpus`), None for all.
        note: What is to be said where there are fewer GPUs than one may think, such as that only parts are visible.
    """

    gpus: tuple[int, ...] = ()
    busy: tuple[int, ...] = ()
    slurm: bool = False
    ray: str = ""
    kubernetes: str = ""
    allowed: tuple[int, ...] | None = None
    note: str = ""

    @property
    def usable(self) -> int:
        """GPUs here that the campaign may use."""
        return len(self.gpus) if self.allowed is None else len(set(self.gpus) & set(self.allowed))

    @property
    def free(self) -> int:
        """Those of them that nobody is using."""
        mine = set(self.gpus) if self.allowed is None else set(self.gpus) & set(self.allowed)
        return len(mine - set(self.busy))


@dataclass(frozen=True, kw_only=True)
class Saves:
    """What one run saves, by estimate.

    Attributes:
        gb: Size of one checkpoint in GB (10^9 bytes); 0 where it is not known, or next to nothing.
        stay: How many are left when it has ended.
        most: How many there are at once while it runs.
        how: Where the size is from, in words.
    """

    gb: float
    stay: int
    most: int
    how: str

    @property
    def run_gb(self) -> float:
        """What a run needs to end well."""
        return self.gb * self.most

    @property
    def left_gb(self) -> float:
        """What a run leaves."""
        return self.gb * self.stay

    def needed_gb(self, parallel: int, baseline_runs: int) -> float:
        """What a campaign needs besides what its kept ideas leave: its baseline's runs, and those in flight."""
        return self.left_gb * baseline_runs + self.run_gb * parallel

    def told(self, need_gb: float, free_gb: float, *, kept: bool) -> str:
        """What is saved, and what of it stays.

        Args:
            need_gb: What the campaign needs besides what its kept ideas leave.
            free_gb: What is free.
            kept: Whether only what kept ideas saved stays.
        """
        rule = (
            "those of a discarded or crashed idea are deleted once its row is written, unless a file `pinned` lies in "
            "its folder (run.checkpoints: kept)"
            if kept
            else "those of every idea stay (run.checkpoints: all)"
        )
        if not self.gb:
            return f"{self.how}; {self.stay} of a run stay; {rule}"
        return (
            f"one takes about {room(self.gb)} ({self.how}), {self.stay} of a run stay; {rule}; baseline and runs in "
            f"flight take about {room(need_gb)}, each run of a kept idea {room(self.left_gb)}, and {room(free_gb)} "
            "are free"
        )

    def too_large(self, least_gb: float, free_gb: float) -> str:
        """Why no run could begin, empty where one could.

        Args:
            least_gb: How much has to be free for one.
            free_gb: What is free.
        """
        if not self.gb or free_gb >= least_gb:
            return ""
        return (
            f"a run saves about {room(self.run_gb)}, run.min_free_gb asks for {least_gb:g} GB and {room(free_gb)} "
            "are free; free some space, or say how much there has to be: --set run.min_free_gb=N"
        )


@dataclass(frozen=True)
class Recommendation:
    """Where to run, and why.

    Attributes:
        launcher: The launcher recommended; empty when a person has to say.
        why: The reason, in one sentence.
        refused: Launchers that would be refused, each with its reason.
    """

    launcher: str
    why: str
    refused: tuple[tuple[str, str], ...] = ()


def recommend(resources: Resources, places: Places) -> Recommendation:
    """Choose a launcher for a run that needs `resources`; none, when a person has to say (R15)."""
    refused = _refused(resources, places)
    here = HERE not in dict(refused)
    need = f"a run needs {_gpus(resources.gpus)}"
    if here and resources.gpus == 0:
        return Recommendation(HERE, "the run needs no GPU", refused)
    if here and places.free >= resources.gpus:
        return Recommendation(HERE, f"{need} and {places.free}are free on this machine", refused)
    elsewhere = _elsewhere(places)
    if len(elsewhere) == 1:
        name, found = elsewhere[0]
        return Recommendation(name, f"{need}; {found}", refused)
    if elsewhere:
        names = ", ".join(name for name, _ in elsewhere)
        return Recommendation("", f"{need}, and several launchers offer them: {names}", refused)
    if here:
        busy = f"{len(places.busy)} of {len(places.gpus)} GPUs here are busy; runs wait for free ones"
        return Recommendation(HERE, busy, refused)
    return Recommendation("", f"{need} and no launcher found here offers them", refused)


def _refused(resources: Resources, places: Places) -> tuple[tuple[str, str], ...]:
    """Launchers that would be refused; of those elsewhere only the ones that something here hints at."""
    told = [(HERE, refusal(resources, places))]
    if places.ray and not _reachable(places.ray):
        told.append(("ray", f"RAY_ADDRESS is {places.ray} and the launcher needs the dashboard's, http://HOST:8265"))
    return tuple((name, why) for name, why in told if why)


def _elsewhere(places: Places) -> Sequence[tuple[str, str]]:
    found = [
        ("slurm", "Slurm is available" if places.slurm else ""),
        ("ray", f"a Ray head is at {places.ray}" if _reachable(places.ray) else ""),
        ("kubernetes", f"kube context {places.kubernetes} is configured" if places.kubernetes else ""),
    ]
    return [(name, text) for name, text in found if text]


def _reachable(ray: str) -> bool:
    return ray.startswith(("http://", "https://"))


def refusal(resources: Resources, places: Places, *, plumbing: bool = False) -> str:
    """Why such a run must not be started on this machine, empty when it may.

    A GPU recipe on a machine without enough GPUs is refused (R35), unless its runs are too small to judge by anyway:
    such runs only show that the plumbing holds, and are started without GPUs; see `on_cpu`.
    """
    if resources.gpus == 0:
        return ""
    if resources.nodes > 1:
        return f"a run needs {resources.nodes} nodes and this is one machine"
    if plumbing:
        return ""
    if places.allowed is not None and (absent := sorted(set(places.allowed) - set(places.gpus))):
        named = ", ".join(map(str, absent))
        return f"launcher.gpus names {named}, and the GPUs here are {', '.join(map(str, places.gpus)) or 'none'}"
    if places.usable < resources.gpus:
        limit = "" if places.allowed is None else f", of which launcher.gpus allows {places.usable}"
        offered = len(places.gpus) or "none"
        return f"a run needs {_gpus(resources.gpus)} and this machine has {offered}{limit}" + (
            f"; {places.note}" if places.note else ""
        )
    return ""


def on_cpu(resources: Resources, places: Places) -> Resources:
    """What a plumbing run here asks for: where there are too few GPUs for it, it is started without any."""
    return replace(resources, gpus_per_node=0) if places.usable < resources.gpus else resources


def crowded(resources: Resources, places: Places, parallel: int) -> str:
    """Why fewer runs than asked for will go on at the same time here, empty when all of them will."""
    fit = places.usable // resources.gpus if resources.gpus else parallel
    if fit >= parallel or not fit:
        return ""
    return f"launcher.parallel is {parallel} and the GPUs here are enough for {fit} at a time; the others wait"


def _gpus(count: int) -> str:
    return f"{count} GPU{'' if count == 1 else 's'}"


KNOWN, MISSING = "here", "missing"
"""What is known of a login, whose value nobody looks at."""


@dataclass(frozen=True, kw_only=True)
class RunEnvironment:
    """What a run finds around it; only ever extended, for journals keep it.

    Attributes:
        place: What the launcher puts around a run, by heading, such as the image and what is mounted; empty for a
            machine as it stands.
        python: Variables that name the Python environments which runs share.
        shared: Whether there is one, which a run must leave as it is.
        there: Whether it was seen on this machine.
        path: What came on `PYTHONPATH` behind the worktree.
        script: The file in which the recipe's maintainers say how they run it; empty without one.
        exports: Variables that it sets, which runs get.
        left_out: Keys that it sets besides, with the value and why runs do not get it.
        needs: Keys that it takes from variables of its maintainers, with the variable's name.
        tracking: How runs are kept in an experiment tracker of the recipe's own, by heading; empty without one.
        mode: Variables that decide whether that one is asked over the network.
        logins: Logins that runs need, by variable: `here` or `missing`.
        refused: What the recipe's program would refuse at the start of every run.
        saves: What of a run's checkpoints is saved, in the target's word.
    """

    place: Mapping[str, str] = field(default_factory=dict)
    python: Mapping[str, str] = field(default_factory=dict)
    shared: bool = False
    there: bool = False
    path: str = ""
    script: str = ""
    exports: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, str] = field(default_factory=dict)
    tracking: Mapping[str, str] = field(default_factory=dict)
    mode: Mapping[str, str] = field(default_factory=dict)
    logins: Mapping[str, str] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    saves: str = ""


def lines(around: RunEnvironment) -> Iterator[str]:
    """All of it, for a person; what is empty says nothing."""
    yield _pairs(around.place, ": ") or "this machine as it stands"
    python = _pairs(around.python, "=")
    sync = "; `uv run` leaves it as it is" if around.shared else ""
    yield f"Python: {python or ('the one that is there' if around.shared else 'each run builds its own')}{sync}"
    named = {
        "PYTHONPATH behind the worktree": around.path,
        "variables": ", ".join(filter(None, (_pairs(around.exports, "="), _pairs(around.mode, "=")))),
        "said by": around.script,
        "of that left out": _pairs(around.left_out, "="),
        "of that to fill in": _pairs(around.needs, " from $"),
        "tracked as": _pairs(around.tracking, " "),
        "logins": _pairs(around.logins, " "),
        "saves": around.saves,
    }
    yield from (f"{heading}: {text}" for heading, text in named.items() if text)
    yield from (f"would be refused: {one}" for one in around.refused)


def differences(frozen: RunEnvironment, now: RunEnvironment) -> tuple[str, ...]:
    """What is found now otherwise than it was frozen, a sentence each; of what decides nothing, none."""
    pairs = {
        "Python environments": (_pairs(frozen.python, "="), _pairs(now.python, "=")),
        "PYTHONPATH": (frozen.path, now.path),
        "variables of the recipe's script": (_pairs(frozen.exports, "="), _pairs(now.exports, "=")),
        "tracking": (_pairs(frozen.mode, "="), _pairs(now.mode, "=")),
        "place": (_pairs(frozen.place, ": "), _pairs(now.place, ": ")),
    }
    told = [f"{heading}: {old or 'none'} is frozen, here it would be {new or 'none'}"
            for heading, (old, new) in pairs.items() if old != new]  # fmt: skip
    gone = [name for name, said in frozen.logins.items() if said == KNOWN and now.logins.get(name) == MISSING]
    return (*told, *(f"{name} was known when the campaign began and is not now" for name in gone))


def why_not(frozen: RunEnvironment, now: RunEnvironment, *, seen: bool) -> str:
    """Why runs cannot go on as frozen, and what to do; empty when they can.

    Args:
        frozen: As the campaign began.
        now: As it is found now.
        seen: Whether the frozen Python environment is on this machine.
    """
    if frozen.place != now.place:
        return (
            f"the campaign froze {_pairs(frozen.place, ': ') or 'this machine as it stands'} as the place of its runs, "
            f"and now it would be {_pairs(now.place, ': ') or 'this machine as it stands'}; their numbers could not be "
            "compared: put the launcher's options back, or plan a new campaign"
        )
    if frozen.there and not seen:
        return (
            f"the campaign froze {_pairs(frozen.python, '=')}, which is not there any more; runs with other packages "
            "could not be compared with those it has: put it back, or plan a new campaign"
        )
    if frozen.tracking.get("mode") == "online" and now.mode and not frozen.mode:
        return (
            "runs of this campaign log online, and no key is known here any more, so every run would end at its start: "
            "set the key again, or choose to keep logs here with WANDB_MODE=offline"
        )
    return ""


def _pairs(found: Mapping[str, str], between: str) -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in found.items())
