"""Where a run of a script starts: among links to its worktree's files, with its own seed and the data that git ignores.

Which of its settings name data: those no idea may turn.

The folders are real and the run's own, so that what a script writes beside itself is found and no two runs share it.
"""

import posixpath
import re
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from autoresearch.errors import CampaignError, RecipeError
from autoresearch.ports.target import WORK

_BEGIN = (
    f'mkdir -p "$1/{WORK}" && cp -as "$0/." "$1/{WORK}/" && cd "$1/{WORK}"'
    ' && { [ -z "$3" ] || { rm -f "./$3"'
    ' && { head -c "$4" "$0/$3"; printf %s "$5"; tail -c "+$6" "$0/$3"; } > "./$3"; }; }'
)
_END = ' && cd "./$2" && shift 6 && exec "$@"'


def started(
    tree: Path, folder: Path, below: str, splice: tuple[str, str, str, str], inputs: Mapping[str, str]
) -> tuple[str, ...]:
    """Words that start a program there; the program's own follow them.

    Args:
        tree: The worktree.
        folder: The run's folder.
        below: The folder of the repository in which the program starts; `.` for its top.
        splice: One file that is a copy with other bytes in one place: its path, the bytes before, what stands there,
            where it goes on. Its path is empty where none is.
        inputs: What lies elsewhere, by its place in the repository.
    """
    placed = "".join(_link(place, where) for place, where in inputs.items())
    return ("sh", "-c", _BEGIN + placed + _END, str(tree), str(folder), below, *splice)


def _link(place: str, where: str) -> str:
    """Shell words that link one place to what lies elsewhere, and end the run where the place leads somewhere else.

    Nothing is made behind a link of the commit: it may lead out of the worktree, to what is not the run's.
    """
    here, there = shlex.quote(f"./{place}"), shlex.quote(where)
    above = shlex.quote(f"./{posixpath.dirname(place)}")
    wrong = shlex.quote(f"{place} is not the {where} that target.inputs names")
    through = "".join(_no_link(str(up), place) for up in PurePosixPath(place).parents if up.parts)
    return (
        f" && {{ [ -e {here} ] || {{ :{through} && mkdir -p {above} && ln -s {there} {here}; }}; }}"
        f' && {{ [ "$(readlink -f {here})" = "$(readlink -f {there})" ] || {{ echo {wrong} >&2; exit 1; }}; }}'
    )


def _no_link(folder: str, place: str) -> str:
    wrong = shlex.quote(_through(folder, place))
    return f" && {{ [ ! -L {shlex.quote(f'./{folder}')} ] || {{ echo {wrong} >&2; exit 1; }}; }}"


def _through(folder: str, place: str) -> str:
    return (
        f"{place} in target.inputs leads through the link {folder} of the commit, behind which nothing is made: name "
        f"another place, or put the file there yourself"
    )


def refuse_behind_links(tree: Path, places: Iterable[str]) -> None:
    """Refuse what every run would refuse: to make a link behind one of the commit.

    Raises:
        RecipeError: A place leads through a link of the tree, and is not there.
    """
    for place in places:
        through = next((up for up in PurePosixPath(place).parents if (tree / up).is_symlink()), None)
        if through and not (tree / place).exists():
            raise RecipeError(_through(str(through), place))


def read_inputs(value: object) -> tuple[tuple[str, ...], dict[str, str]]:
    """What the option `inputs` says: a list of paths, or a mapping from places in the repository to where data lie.

    Returns:
        Every path that has to be there, and the places to link.

    Raises:
        CampaignError: It is neither, or a place is none.
    """
    if isinstance(value, list | tuple):
        return tuple(map(str, value)), {}
    if not isinstance(value, Mapping):
        raise CampaignError(
            "target option 'inputs' must be a list of paths, or a mapping such as data/train.csv: /home/me/train.csv, "
            f"not {value!r}"
        )
    placed = {str(place): str(where) for place, where in value.items()}
    for place, where in placed.items():
        inside = PurePosixPath(place)
        if inside.is_absolute() or ".." in inside.parts or inside.parts[:1] in {(), (".git",)}:
            raise CampaignError(f"target option 'inputs': {place!r} is no place in the repository")
        if not Path(where).is_absolute():
            raise CampaignError(f"target option 'inputs': say by an absolute path where {place} lies, not {where!r}")
    return tuple(placed.values()), placed


_DATA = re.compile(
    r"(?i)\.(?:jsonl?|ya?ml|toml|[ct]sv|txt|np[yz]|pth?|bin|safetensors|parquet|arrow|feather|h5|hdf5|mat|pkl|pickle|"
    r"joblib|gz|bz2|xz|zst|zip|tar|tgz|db|sqlite3?|xlsx?|xml|tfrecords?|idx|onnx|ckpt|lmdb|png|jpe?g|wav)$"
)
_PATH = re.compile(r"[^\s<>{}|\"'`]{1,300}")


def names_data(value: object, roots: Iterable[Path], below: str = "") -> bool:
    """Whether the value of a setting is the path of a file or folder; of a list, whether one of its values is.

    It exists, it is written as a path, or it ends as files of data do.

    Args:
        value: The value.
        roots: Where the repository's files lie.
        below: The folder of the repository in which the script starts.
    """
    if isinstance(value, list | tuple):
        return any(names_data(one, roots, below) for one in value)
    if isinstance(value, Mapping):
        return names_data(list(value.values()), roots, below)
    if not isinstance(value, str) or not value or "\0" in value or len(value) > 300 or value in {".", "/"}:
        return False
    if _PATH.fullmatch(value) and ("/" in value or _DATA.search(value)):
        return True
    places = (Path(root, inside, value) for root in roots for inside in {"", below})
    return "\n" not in value and any(place.exists() for place in places)
