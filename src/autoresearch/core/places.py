"""Where a run should happen, decided from what is there (R30-R36). Nothing is launched on a guess."""

from collections.abc import Sequence
from dataclasses import dataclass

from autoresearch.core.job import Resources


@dataclass(frozen=True)
class Places:
    """What was found on this machine.

    Attributes:
        gpus: Indices of GPUs this user may use here.
        busy: Those of them that somebody is using.
        slurm: Whether Slurm's commands are here.
        ray: Address of a Ray head, empty when none is known.
        kubernetes: Current kube context, empty when there is none.
    """

    gpus: tuple[int, ...] = ()
    busy: tuple[int, ...] = ()
    slurm: bool = False
    ray: str = ""
    kubernetes: str = ""

    @property
    def free(self) -> int:
        """GPUs here that nobody is using."""
        return len(set(self.gpus) - set(self.busy))


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
    """Choose a launcher for a run that needs `resources`."""
    problem = refusal("local", resources, places)
    refused = (("local", problem),) if problem else ()
    if not problem and resources.gpus == 0:
        return Recommendation("local", "the run needs no GPU", refused)
    if not problem and places.free >= resources.gpus:
        return Recommendation("local", f"{places.free} GPUs are free here and a run needs {resources.gpus}", refused)
    elsewhere = _elsewhere(places)
    if len(elsewhere) == 1:
        name, found = elsewhere[0]
        return Recommendation(name, f"a run needs {resources.gpus} GPUs; {found}", refused)
    if not elsewhere and not problem:
        busy = f"{len(places.busy)} of {len(places.gpus)} GPUs here are busy; runs wait for free ones"
        return Recommendation("local", busy, refused)
    if not elsewhere:
        return Recommendation("", f"a run needs {resources.gpus} GPUs and nothing here offers them", refused)
    names = ", ".join(name for name, _ in elsewhere)
    return Recommendation("", f"a run needs {resources.gpus} GPUs, and several places offer some: {names}", refused)


def _elsewhere(places: Places) -> Sequence[tuple[str, str]]:
    found = [
        ("slurm", "Slurm is here" if places.slurm else ""),
        ("ray", f"a Ray head is at {places.ray}" if places.ray else ""),
        ("kubernetes", f"kube context {places.kubernetes} is set" if places.kubernetes else ""),
    ]
    return [(name, text) for name, text in found if text]


def refusal(launcher: str, resources: Resources, places: Places, *, plumbing: bool = False) -> str:
    """Why a launcher must not be used for such a run, empty when it may.

    A GPU recipe on a machine without enough GPUs is refused (R35), unless its runs are too small to judge by anyway:
    such runs only show that the plumbing holds.
    """
    if launcher != "local" or resources.gpus == 0 or plumbing:
        return ""
    if resources.nodes > 1:
        return f"a run needs {resources.nodes} nodes and this is one machine"
    if len(places.gpus) < resources.gpus:
        return f"a run needs {resources.gpus} GPUs and this machine offers {len(places.gpus) or 'none'}"
    return ""
