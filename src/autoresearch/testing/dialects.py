"""What every dialect of a training framework promises, as a suite to subclass."""
# ruff: noqa: S101 (assertions are what a test suite is made of)

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.ports import plugins
from autoresearch.ports.dialect import SpokenCommand
from autoresearch.ports.metric_source import readings_of
from autoresearch.ports.target import RunRequest, Target
from autoresearch.run.job import JobState, JobStatus

RunWriter = Callable[[Path], str]

_CUTS = 120
_DOUBLED: dict[str, Callable[[Any], Any]] = {
    "float": lambda value: value * 2 or 0.5,
    "int": lambda value: value * 2,
    "bool": lambda value: not value,
}


class DialectContract:
    """What every dialect promises.

    Give it the fixtures `dialect` (its name), `command` (one that a person would type), `tree` (the repository that it
    is typed in), `write` (puts into a folder what a good run leaves there, and gives what it printed) and `seedless`
    (whether the framework has no seed to give).
    """

    @pytest.fixture
    def seedless(self) -> bool:
        """A framework has a seed, as a rule."""
        return False

    @pytest.fixture
    def spoken(self, dialect: str, command: Sequence[str], tree: Path) -> SpokenCommand:
        """What is understood of the command."""
        found = plugins.dialect_finder().recognise(tree, command)
        assert found is not None, f"{dialect} does not know {' '.join(command)}"
        assert found.dialect.name == dialect
        return found

    def test_a_command_of_somebody_elses_is_not_taken(self, tree: Path) -> None:
        """What is not spoken in a dialect is nobody's."""
        assert plugins.dialect_finder().recognise(tree, ["python3", "elsewhere.py", "--lr", "0.1"]) is None

    def test_every_run_has_a_folder_and_a_seed_of_its_own(self, spoken: SpokenCommand, seedless: bool) -> None:
        """Two runs in one folder would go on from each other's checkpoints."""
        words = " ".join((*spoken.argv, *spoken.dialect.env.values()))
        assert "{folder}" in words
        assert ("{seed}" in words) is not seedless

    def test_a_command_that_is_told_already_stays_as_it_is(self, spoken: SpokenCommand, tree: Path) -> None:
        """The command of a campaign file is understood in the same way, and nothing is said twice."""
        again = plugins.dialect_finder().recognise(tree, spoken.argv)
        assert again is not None
        assert again.argv == spoken.argv
        assert again.knobs == spoken.knobs

    def test_every_concept_can_be_turned(self, spoken: SpokenCommand, tree: Path) -> None:
        """An override of a concept's key is in the command or in the file that a run reads, and nowhere else."""
        target = made(spoken)
        names = target.survey(tree).facts.spelled
        turned = [(concept, names[concept]) for concept in spoken.dialect.concepts if concept in names]
        assert len(turned) >= 4
        for concept, key in turned:
            now = target.survey(tree).facts.values[key]
            wanted = _DOUBLED[spoken.dialect.concepts[concept].kind](now)
            assert target.apply(tree, [f"{key}={str(wanted).lower()}"]) != ()
            assert target.survey(tree).facts.values[key] == wanted

    def test_what_is_turned_reaches_the_run(self, spoken: SpokenCommand, tree: Path, tmp_path: Path) -> None:
        """A knob without a file of its own is on the command line of the job."""
        target = made(spoken)
        knob = next(knob for knob in spoken.knobs if knob.place != "key" and knob.kind == "float")
        target.apply(tree, [f"{knob.name}=0.1234"])
        line = " ".join(target.job(request(tree, tmp_path)).argv)
        assert re.search(re.escape(knob.at) + "[ =]0.1234", line)
        assert "{" not in line

    def test_what_measures_is_searched_by_nobody(self, spoken: SpokenCommand) -> None:
        """What runs are told, and what the result hangs on, is protected and no part of the search."""
        globs = [re.compile(_pattern(glob)) for glob in spoken.dialect.protect_keys]
        for key in spoken.space:
            assert not any(glob.fullmatch(key) for glob in globs), key
        for setting, _ in spoken.dialect.forced:
            key = setting.lstrip("+")
            assert any(glob.fullmatch(key) for glob in globs) or key not in {knob.name for knob in spoken.knobs}

    def test_a_search_looks_around_what_is_set(self, spoken: SpokenCommand) -> None:
        """Every range holds more than one value, and is one of a knob that there is."""
        assert spoken.space
        for name, spec in spoken.space.items():
            low, high = spec["low"], spec["high"]
            assert isinstance(low, int | float) and isinstance(high, int | float) and low < high  # noqa: PT018
            assert name in {knob.name for knob in spoken.knobs}

    def test_the_result_of_a_run_is_found(self, spoken: SpokenCommand, write: RunWriter, tmp_path: Path) -> None:
        """Some number of a good run may be judged, its direction is known, and a campaign measures it."""
        log = write(tmp_path)
        dialect = spoken.dialect
        ranked = {name: dialect.rank(name) for name in series(dialect.sources[0], tmp_path)}
        best = min((rank, name) for name, rank in ranked.items() if rank is not None)[1]
        measured = made(spoken, best)
        readings = {one.name: readings_of(source(one.name, one.options), tmp_path) for one in measured.sources()}
        found = measured.measure(tmp_path, log, readings, JobStatus(state=JobState.SUCCEEDED, exit_code=0))
        assert found.value is not None, found.note
        assert dialect.direction(best) in {"maximize", "minimize"}

    def test_curves_have_their_roles(self, spoken: SpokenCommand, write: RunWriter, tmp_path: Path) -> None:
        """Reward, loss and gradient of a good run are known as such; so its health can be told."""
        write(tmp_path)
        tags = series(spoken.dialect.sources[0], tmp_path)
        for role in ("reward", "loss", "gradient"):
            assert any(re.fullmatch(one, tag) for one in spoken.dialect.curves[role] for tag in tags), role

    def test_a_good_run_is_well(self, spoken: SpokenCommand, write: RunWriter, tmp_path: Path) -> None:
        """No rule finds a reason to end it."""
        log = write(tmp_path)
        readings = {"files": readings_of(plugins.make("metrics", "files", options=_files(spoken)), tmp_path)}
        assert [one.name for one in made(spoken).health(log, readings) if one.severity.name == "FATAL"] == []

    def test_a_file_cut_anywhere_gives_no_other_number(
        self, spoken: SpokenCommand, write: RunWriter, tmp_path: Path
    ) -> None:
        """Of a torn file come numbers of the whole one, or none: never half a number."""
        write(tmp_path)
        for path in [path for path in tmp_path.rglob("*") if path.suffix in {".json", ".jsonl"}]:
            content = path.read_bytes()
            known = set()
            for part in content.splitlines(keepends=True) if path.suffix == ".jsonl" else [content]:
                path.write_bytes(part)  # of two lines of one step the later one wins in the whole file
                whole = series(spoken.dialect.sources[0], tmp_path)
                known |= {(tag, *point) for tag, points in whole.items() for point in points}
            for at in range(0, len(content), max(1, len(content) // _CUTS)):
                path.write_bytes(content[:at])
                cut = series(spoken.dialect.sources[0], tmp_path)
                assert {(tag, *point) for tag, points in cut.items() for point in points} <= known
            path.write_bytes(content)

    def test_a_broken_configuration_is_told_in_a_line(self, spoken: SpokenCommand, tree: Path) -> None:
        """Whatever stands in the file, it is understood or refused; nothing else is raised."""
        if not spoken.config:
            return
        content = (tree / spoken.config).read_bytes()
        for at in range(0, len(content), max(1, len(content) // _CUTS)):
            (tree / spoken.config).write_bytes(content[:at])
            for _ in told(spoken, tree):
                pass


def told(spoken: SpokenCommand, tree: Path) -> Iterator[str]:
    """What is said of a command and of one edit, failures included."""
    try:
        plugins.dialect_finder().recognise(tree, spoken.argv)
    except CampaignError as error:
        yield str(error)
    try:
        made(spoken).apply(tree, ["absent.key=1"])
    except RecipeError as error:
        yield str(error)


def made(spoken: SpokenCommand, metric: str = "reward") -> Target:
    """The target of a campaign on a command."""
    options: dict[str, Any] = {
        **spoken.options,
        "config": spoken.config,
        "source": dict(spoken.dialect.sources[0]),
        "knobs": plugins.knob_finder().options_of([knob for knob in spoken.knobs if knob.place != "key"]),
    }
    objective = {"metric": metric, "direction": "maximize"}
    target: Target = plugins.make("targets", "command", command=spoken.argv, objective=objective, options=options)
    return target


def request(tree: Path, folder: Path) -> RunRequest:
    """A run."""
    return RunRequest(
        run_id="run", tree=tree, folder=folder, log=folder / "run.log", seed=7, limit_s=60.0, commit="0" * 40
    )


def source(name: str, options: Any) -> Any:
    """A metric source."""
    return plugins.make("metrics", name, options=options)


def series(chosen: Any, folder: Path) -> dict[str, tuple[tuple[int, float], ...]]:
    """What a source that a dialect names reads."""
    spec = plugins.chosen_source(chosen, "reward")
    return {tag: one.points() for tag, one in readings_of(source(spec.name, spec.options), folder).series.items()}


def _files(spoken: SpokenCommand) -> Any:
    return dict(plugins.chosen_source(dict(spoken.dialect.sources[0]), "reward").options)


def _pattern(glob: str) -> str:
    return re.escape(glob).replace(r"\*", ".*")
