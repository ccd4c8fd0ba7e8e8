"""A run's sandbox, worked out on the machine where the run begins: what is there decides what can be shown or hidden.

The command starts inside bubblewrap and its supervisor stays outside. Writable are the worktree, the run's folder, a
`/tmp` of the run's own, and caches, because a run that cannot keep a downloaded model downloads it again. Protected
files are mounted read-only, and so are the folders they lie in as mount points, which the kernel does not let anybody
rename. Environments that are there already are read-only, and so is what uv's cache holds of them: uv installs by hard
links, so whoever writes to a package in the cache writes to it in every environment.
"""

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from autoresearch.errors import LauncherError
from autoresearch.machine import disk, sandbox
from autoresearch.run.job import RunSandbox
from autoresearch.supervision.run_folder import SupervisorSpec

CACHES = (
    ".cache", ".triton", ".nv", ".keras", ".cupy", ".deep_gemm", ".tilelang", ".config/matplotlib", ".config/vllm",
    ".local/share/wandb", ".local/share/uv", "nltk_data",
)  # fmt: skip
"""Folders of a home directory that programs keep what they would otherwise fetch or build again."""

CACHE_VARIABLES = (
    "XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_DATASETS_CACHE", "TRANSFORMERS_CACHE",
    "HF_MODULES_CACHE", "TORCH_HOME", "TORCH_EXTENSIONS_DIR", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR",
    "CUDA_CACHE_PATH", "NUMBA_CACHE_DIR", "MPLCONFIGDIR", "UV_CACHE_DIR", "PIP_CACHE_DIR", "UV_PROJECT_ENVIRONMENT",
    "NEMO_RL_VENV_DIR", "NRL_MEGATRON_CHECKPOINT_DIR", "NEMO_HOME", "VLLM_CACHE_ROOT", "FLASHINFER_WORKSPACE_BASE",
    "WANDB_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR", "MODELSCOPE_CACHE", "NLTK_DATA", "TMPDIR", "RAY_TMPDIR",
)  # fmt: skip
"""Variables by which a person says where such folders are."""

_MOVED = {
    "TRITON_CACHE_DIR": (".triton", "triton"),
    "CUDA_CACHE_PATH": (".nv", "nv"),
    "MPLCONFIGDIR": (".config/matplotlib", "matplotlib"),
    "TORCHINDUCTOR_CACHE_DIR": ("", "torchinductor"),
}
"""Caches that would be made at the top of the home directory or in `/tmp`, by the variable that moves them."""

_DEVICES = ("nvidia*", "dri", "kfd", "infiniband", "gdrdrv", "accel", "dxg")
_SOCKETS = ("nvidia-persistenced", "nvidia-fabricmanager", "nvidia-topologyd")
_MADE, _FILE, _UV, _MOST_PACKAGES = "pyvenv.cfg", "*.dist-info/METADATA", ("python", "tools"), 1000
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - hidden, not written


class Confined(NamedTuple):
    """How to start a run's command.

    Attributes:
        argv: The command, wrapped where there is a sandbox.
        env: Its environment.
        temporary: The folder it sees as `/tmp`, to be removed afterwards; None without a sandbox.
        why_not: Why there is no sandbox, empty when there is one; None where none was asked for.
    """

    argv: Sequence[str]
    env: dict[str, str]
    temporary: Path | None = None
    why_not: str | None = None

    @property
    def inside(self) -> bool:
        """Whether there is a sandbox."""
        return self.temporary is not None


def confine(spec: SupervisorSpec, env: Mapping[str, str], status: int) -> Confined:
    """The command of a run inside its sandbox.

    Args:
        spec: What the supervisor carries out.
        env: The run's environment.
        status: File descriptor that bubblewrap reports to.

    Raises:
        LauncherError: There can be no sandbox, and the run must not begin without one.
        OSError: The folder for `/tmp` could not be made.
    """
    if spec.sandbox is None:
        return Confined(tuple(spec.argv), dict(env))
    wanted = RunSandbox(**spec.sandbox)
    if why_not := sandbox.why_not():
        if wanted.required:
            raise LauncherError(
                f"the run may not begin without a sandbox and {os.uname().nodename} has none: {why_not}; install "
                f"bubblewrap and allow user namespaces, or set run.sandbox to auto"
            )
        return Confined(tuple(spec.argv), dict(env), None, why_not)
    program = _program(spec, env)
    if program is None:
        # Started as it is, it says itself what is wrong.
        return Confined(tuple(spec.argv), dict(env), None, "")
    temporary = _temporary()
    env = {**_cache_settings(env), **env}
    view = _view(spec, wanted, env, program, temporary)
    words = sandbox.wrap(spec.argv, view, directory=Path(spec.directory), status=status)
    return Confined(words, env, temporary, "")


def has_begun(reported: int) -> bool:
    """Whether bubblewrap got as far as starting the command, by what it reported until it ended."""
    with os.fdopen(reported, "rb") as pipe:
        os.set_blocking(reported, False)
        return b"exit-code" in (pipe.read() or b"")


def code_of(code: int) -> int:
    """Bubblewrap's exit code as a process has it: a signal, which it tells as a shell does, is a negative number."""
    return 128 - code if 128 < code <= 128 + signal.NSIG else code


def clear(confined: Confined) -> None:
    """Remove what a run left in its `/tmp`.

    Raises:
        OSError: Some of it stays.
    """
    if confined.temporary:
        disk.delete(confined.temporary)


def _program(spec: SupervisorSpec, env: Mapping[str, str]) -> Path | None:
    name = spec.argv[0]
    if "/" in name:
        found: str | None = os.path.join(spec.directory, name)  # noqa: PTH118 - an absolute name wins
        found = shutil.which(str(found))
    else:
        found = shutil.which(name, path=env.get("PATH", os.defpath))
    return Path(found).absolute() if found and Path(spec.directory).is_dir() else None


def _temporary() -> Path:
    while True:
        place = Path(f"/tmp/ar-tmp-{os.urandom(6).hex()}")  # noqa: S108 - made here, and by nobody else
        with contextlib.suppress(FileExistsError):
            place.mkdir(mode=0o700)
            return place


def _cache_settings(env: Mapping[str, str]) -> dict[str, str]:
    """Where caches go whose usual places are read-only in a sandbox."""
    home = Path(env.get("HOME") or sandbox.account_home())
    cache = Path(env.get("XDG_CACHE_HOME") or home / ".cache")
    with contextlib.suppress(OSError):
        cache.mkdir(exist_ok=True)
    if not cache.is_dir():
        return {}
    moved = {name: str(cache / new) for name, (old, new) in _MOVED.items() if not (old and (home / old).is_dir())}
    # From its cache to the worktree uv could make no hard links: they lie on two mounts.
    return {"UV_LINK_MODE": "copy", **moved}


def _view(
    spec: SupervisorSpec, wanted: RunSandbox, env: Mapping[str, str], program: Path, temporary: Path
) -> sandbox.View:
    tree, folder, home = Path(spec.directory), Path(spec.folder), Path(env.get("HOME") or sandbox.account_home())
    shown, own = _paths(wanted.shown), (tree, folder, *_paths(wanted.own))
    secrets = sandbox.credentials(home, (tree, *shown))
    hidden = [path for path in (*secrets, *_paths(wanted.hidden)) if path not in shown]
    held = [path for path in _paths(wanted.frozen) if not path.is_symlink()]
    shared = tuple(_shared(spec, wanted, env, home))
    open_to = (*own, *map(Path, wanted.shared))
    installed = (path for path in _installed(env, home, program, shown, shared) if _lies_in(path, shared))
    packages = [path for path in installed if not _lies_in(path, open_to) and not _holds(path, own)]
    return sandbox.View(
        devices=tuple(_devices()),
        shared=shared,
        shown=(
            *(place for place in (home, sandbox.account_home()) if place.is_dir()),
            *sandbox.programs(env, *_installation(program), *_roots(env)),
            *(path for path in map(Path("/run").joinpath, _SOCKETS) if path.exists()),
            *shown,
        ),
        hidden=tuple(dict.fromkeys(hidden)),
        writable=(*own, *_pins(held, own), *(path for path in _pins(packages, shared) if not _holds(path, hidden))),
        frozen=(*held, *packages, *(path for path in shown if _is_revealed(path, hidden, own))),
        sealed=tuple(_sealed(wanted, tree)),
        links=tuple((Path(link), Path(leads_to)) for link, leads_to in wanted.links),
        temporary=temporary,
        network=wanted.network,
    )


def _paths(texts: Sequence[str]) -> tuple[Path, ...]:
    return tuple(path for path in map(Path, texts) if os.path.lexists(path))


def _devices() -> Iterator[Path]:
    for pattern in _DEVICES:
        yield from sorted(Path("/dev").glob(pattern))


def _shared(spec: SupervisorSpec, wanted: RunSandbox, env: Mapping[str, str], home: Path) -> Iterator[Path]:
    homes = dict.fromkeys((home, sandbox.account_home()))
    named = [Path(env[name]) for name in CACHE_VARIABLES if env.get(name, "").startswith("/")]
    known = [place / cache for place in homes for cache in CACHES]
    scratch = [Path(spec.scratch)] if spec.scratch else []
    for path in dict.fromkeys((*known, *named, *scratch, *map(Path, wanted.shared))):
        if (path / _MADE).is_file() and str(path) not in wanted.shared:
            continue
        # A variable that names a home or the whole disk is no cache.
        if path.is_dir() and not any(place.is_relative_to(path.resolve()) for place in homes):
            yield path


def _installation(program: Path) -> Iterator[Path]:
    """What belongs to the command's program and to ours: virtual environments and the Pythons they were made of."""
    for path in (program, program.resolve(), Path(sys.executable)):
        yield path.parent.parent if path.parent.name == "bin" else path.parent


def _installed(
    env: Mapping[str, str], home: Path, program: Path, checkouts: Sequence[Path], caches: Sequence[Path]
) -> Iterator[Path]:
    """What is installed before the run: environments, where programs and variables look for them, and what uv keeps."""
    places = [*_installation(program), *(path / ".venv" for path in checkouts)]
    places += [Path(env[name]) for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT") if env.get(name)]
    if workers := env.get("NEMO_RL_VENV_DIR"):
        places += sorted(Path(workers).glob("*/"))
    made = [path for path in dict.fromkeys(places) if (path / _MADE).is_file()]
    pythons = [place / ".local/share/uv" / name for place in (home, sandbox.account_home()) for name in _UV]
    yield from dict.fromkeys((*made, *(path for path in pythons if path.is_dir()), *_linked(made, caches)))


def _linked(environments: Sequence[Path], caches: Sequence[Path]) -> list[Path]:
    """Packages in uv's caches whose files are those of an environment; whole folders of them where these are many."""
    installed = {_identity(file) for place in environments for file in place.glob("lib*/python3*/*-packages/" + _FILE)}
    installed.discard(None)
    places = dict.fromkeys(place for path in caches for place in (path, path / "uv")) if installed else {}
    found = [file.parent.parent for place in places for file in place.glob(f"archive-v*/*/{_FILE}")
             if _identity(file) in installed]  # fmt: skip
    return found if len(found) <= _MOST_PACKAGES else sorted({path.parent for path in found})


def _identity(file: Path) -> tuple[int, int] | None:
    """Which file it is, of one that has other names."""
    try:
        status = file.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if status.st_nlink > 1 else None


def _lies_in(path: Path, places: Iterable[Path]) -> bool:
    return any(path.resolve().is_relative_to(place.resolve()) for place in places)


def _holds(place: Path, paths: Iterable[Path]) -> bool:
    return any(_lies_in(path, [place]) for path in paths)


def _roots(env: Mapping[str, str]) -> Iterator[Path]:
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "CONDA_PREFIX", "PYTHONPATH", "LD_LIBRARY_PATH", "CUDA_HOME"):
        yield from (Path(entry) for entry in env.get(name, "").split(":") if entry.startswith("/"))


def _is_revealed(path: Path, hidden: Sequence[Path], own: Sequence[Path]) -> bool:
    """Whether what is shown lies in something hidden, and nothing of the run's own would vanish behind it."""
    within = any(path.is_relative_to(place) for place in hidden)
    return within and not any(place.is_relative_to(path) for place in own)


def _pins(held: Sequence[Path], own: Sequence[Path]) -> tuple[Path, ...]:
    """Folders above what is read-only: as mount points they cannot be moved out of the way with what they hold."""
    found: dict[Path, None] = {}
    for path in held:
        for place in own:
            if path.is_relative_to(place):
                found |= {up: None for up in path.parents if up != place and up.is_relative_to(place)}
    return tuple(sorted(found))


def _sealed(wanted: RunSandbox, tree: Path) -> Iterator[Path]:
    for path in map(Path, wanted.sealed):
        # A link would lead the mount elsewhere; what is left of an earlier run is not trusted.
        with contextlib.suppress(OSError):
            if path.is_symlink() or path.is_file():
                path.unlink()
            if path.parent.is_dir() and path.parent.resolve() == tree.resolve() / path.parent.relative_to(tree):
                path.mkdir(exist_ok=True)
                yield path
