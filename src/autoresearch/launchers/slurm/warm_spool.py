"""The folder by which a campaign hands runs to its warm allocation; it outlives both, and a rename is every step.

```text
todo/RUN.json          waits for its turn, in whichever allocation comes
taken/JOB/RUN.json     is being run by the allocation JOB
done/RUN.json          its step is over: the exit code of srun
```
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from autoresearch.supervision import run_folder


class SpoolRequest(NamedTuple):
    """One run for a warm allocation.

    Attributes:
        name: Its name at the scheduler, also of its step; safe as a file name.
        job_id: What we call its job.
        folder: The run's folder, absolute; the specification for its supervisor lies in there.
        asked_at: Unix seconds when it was handed over; first come, first served.
        need_s: Seconds that have to be left of the allocation, None for a run without a limit.
        gpus: Whole GPUs it needs.
        cpus: Processors it needs, None for an equal share.
        memory_mb: Memory it needs, None for an equal share.
    """

    name: str
    job_id: str
    folder: str
    asked_at: float
    need_s: float | None
    gpus: int
    cpus: int | None
    memory_mb: int | None

    @property
    def claimed(self) -> bool:
        """Whether a supervisor has begun it, or it has ended otherwise: nobody else may begin it."""
        return any(Path(self.folder, name).exists() for name in (run_folder.STATE, run_folder.EXIT))


class Taken(NamedTuple):
    """A run that an allocation has taken."""

    request: SpoolRequest
    allocation: str


class SpoolResult(NamedTuple):
    """A step that is over: the allocation it ran in, the exit code of srun, and when, in Unix seconds."""

    allocation: str
    code: int
    ended_at: float


class Spool:
    """The folder. Every method may be called by both sides at any time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def put(self, request: SpoolRequest) -> None:
        """Hand a run over, unless that has been done.

        Raises:
            OSError: The disk does not take it.
        """
        if self.where(request.name) is None:
            self._todo.mkdir(parents=True, exist_ok=True)
            run_folder.create(self._todo / f"{request.name}.json", request._asdict())

    def waiting(self) -> list[SpoolRequest]:
        """Runs that nobody has taken, in the order of their turn."""
        found = (_request(place) for place in self._todo.glob("*.json"))
        return sorted((request for request in found if request), key=lambda request: (request.asked_at, request.name))

    def taken(self) -> Iterator[Taken]:
        """Runs that an allocation has taken and not finished."""
        for place in self.folder.glob("taken/*/*.json"):
            if request := _request(place):
                yield Taken(request, place.parent.name)

    def where(self, name: str) -> SpoolRequest | Taken | SpoolResult | None:
        """Where a run is: waiting, taken or done; None when it was never handed over, or was withdrawn."""
        # In the order a run goes, so that one on its way is not missed; done is written before taken is removed.
        if request := _request(self._todo / f"{name}.json"):
            return request
        taken = next(iter(self.folder.glob(f"taken/*/{name}.json")), None)
        done = run_folder.read(self._done / f"{name}.json")
        if done:
            return SpoolResult(**done)
        request = _request(taken) if taken else None
        return Taken(request, taken.parent.name) if request and taken else None

    def take(self, request: SpoolRequest, allocation: str) -> bool:
        """Begin a run; False when it was withdrawn or somebody else has it."""
        place = self._taken(request.name, allocation)
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            (self._todo / place.name).rename(place)
        except FileNotFoundError:
            return False
        return True

    def give_back(self, taken: Taken) -> None:
        """Let another allocation have it."""
        with suppress(FileNotFoundError):
            self._taken(taken.request.name, taken.allocation).rename(self._todo / f"{taken.request.name}.json")

    def withdraw(self, name: str) -> None:
        """Take a run back that nobody has taken."""
        (self._todo / f"{name}.json").unlink(missing_ok=True)

    def finish(self, name: str, done: SpoolResult) -> None:
        """Say that a step is over."""
        self._done.mkdir(parents=True, exist_ok=True)
        run_folder.write(self._done / f"{name}.json", done._asdict(), sync=True)
        self._taken(name, done.allocation).unlink(missing_ok=True)

    @property
    def _todo(self) -> Path:
        return self.folder / "todo"

    @property
    def _done(self) -> Path:
        return self.folder / "done"

    def _taken(self, name: str, allocation: str) -> Path:
        return self.folder / "taken" / allocation / f"{name}.json"


def _request(place: Path) -> SpoolRequest | None:
    document = run_folder.read(place)
    return SpoolRequest(**document) if document else None
