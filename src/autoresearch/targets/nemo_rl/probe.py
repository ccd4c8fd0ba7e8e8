# ruff: noqa: PLC0415  (imports cost every process of a run start-up time, so they wait until they are needed)
"""Says where a run's `nemo_rl` really came from. Python runs it first: in a run folder it is `sitecustomize`.

It must never hurt a run: every failure is swallowed, nothing is printed unless the log is the only way back, and it
steps aside after one import. It runs inside the training environment, so it uses the standard library only and nothing
of this package.
"""

import os
import sys
from pathlib import Path
from typing import Any

_CONTAINER = ("NRL_CONTAINER", "NRL_GIT_REF", "NVIDIA_PYTORCH_VERSION", "CUDA_VERSION", "SLURM_JOB_ID")


class _Watch:
    """An import finder that finds nothing: it only notices the first `import nemo_rl`."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002
        if name == "nemo_rl":
            try:
                sys.meta_path.remove(self)
                _report()
            except Exception:  # noqa: BLE001, S110
                pass


def _report() -> None:
    """Write what this process is about to import. One report when it is right, one per process when it is wrong."""
    import json
    import platform
    from importlib.util import find_spec

    folder, tree = Path(os.environ["AUTORESEARCH_FOLDER"]), Path(os.environ["AUTORESEARCH_TREE"])
    spec: Any = find_spec("nemo_rl")
    found = Path(spec.origin or next(iter(spec.submodule_search_locations))).resolve()
    right = tree.resolve() in found.parents
    name = "provenance.json" if right else f"provenance-mismatch-{platform.node()}-{os.getpid()}.json"
    if (folder / name).exists():  # every worker imports the package; the first one has said it
        return
    gpus, driver = _nvml() or (_listed_gpus(), _first_line(Path("/proc/driver/nvidia/version")))
    report = {
        "nemo_rl": str(found),
        "tree": str(tree.resolve()),
        "commit": _commit(found.parent.parent),
        "arrived": os.environ.get("AUTORESEARCH_FINGERPRINT", ""),
        "python": platform.python_version(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "argv": getattr(sys, "argv", []),
        "host": platform.node(),
        "gpus": gpus,
        "driver": driver,
        "container": {key: os.environ[key] for key in _CONTAINER if key in os.environ},
    }
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{name}.{platform.node()}.{os.getpid()}"
    aside.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    aside.replace(folder / name)
    if "AUTORESEARCH_BY_LOG" in os.environ:  # nobody sees that folder: the launcher finds this line in the log
        sys.stderr.write(f"autoresearch-file {name} {json.dumps(report)}\n")


def _commit(root: Path) -> str:
    """The commit checked out in `root`, read from git's files; empty where there is no repository."""
    git = root / ".git"
    if git.is_file():
        git = root / _first_line(git).partition("gitdir: ")[2]
    head = _first_line(git / "HEAD")
    if not head.startswith("ref: "):
        return head
    common, ref = git / _first_line(git / "commondir"), head.partition("ref: ")[2]
    return _first_line(git / ref) or _first_line(common / ref) or _packed(common / "packed-refs", ref)


def _packed(path: Path, ref: str) -> str:
    lines = path.read_text("utf-8").splitlines() if path.is_file() else []
    return next((line.split()[0] for line in lines if line.endswith(f" {ref}")), "")


def _nvml() -> tuple[list[str], str] | None:
    """Model names of this node's GPUs and the driver's version, as the driver's library says; None without one."""
    from ctypes import CDLL, byref, c_uint, c_void_p, create_string_buffer

    try:
        library = CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    if library.nvmlInitWithFlags(0):
        return None
    try:
        count, device, text = c_uint(), c_void_p(), create_string_buffer(96)
        driver = "" if library.nvmlSystemGetDriverVersion(text, 96) else text.value.decode("utf-8", "replace")
        names = []
        for index in range(0 if library.nvmlDeviceGetCount_v2(byref(count)) else count.value):
            failed = library.nvmlDeviceGetHandleByIndex_v2(index, byref(device))
            failed = failed or library.nvmlDeviceGetName(device, text, 96)
            names.append("unknown" if failed else text.value.decode("utf-8", "replace"))
        return names, driver
    finally:
        library.nvmlShutdown()


def _listed_gpus() -> list[str]:
    """The same names from the driver's own files, where a container has no library."""
    files = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in files for line in file.read_text("utf-8", "replace").splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model")]


def _first_line(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").partition("\n")[0].strip()
    except OSError:
        return ""


def _next_sitecustomize() -> None:
    """Let the environment's own sitecustomize, hidden by this one, run as it would have."""
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    here = Path(__file__).resolve().parent
    spec = PathFinder.find_spec("sitecustomize", [path for path in sys.path if Path(path or ".").resolve() != here])
    if spec and spec.loader:
        spec.loader.exec_module(module_from_spec(spec))


if __name__ == "sitecustomize":
    if "AUTORESEARCH_FOLDER" in os.environ:
        sys.meta_path.insert(0, _Watch())
    try:
        _next_sitecustomize()
    except Exception:  # noqa: BLE001, S110
        pass
