"""What to install for a module that is missing: the one place that words this advice.

A distribution's name is no advice while no index has it, and neither is a path relative to a clone: whoever reads the
message stands in their own repository. So the advice names the place this program was installed from.
"""

import importlib.util
import json
import shlex
import sys
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

EXTRAS = MappingProxyType(
    {
        "PIL": "demo",
        "acp": "acp",
        "apprise": "notices",
        "kubernetes": "kubernetes",
        "mcp": "mcp",
        "mlflow": "mlflow",
        "numpy": "search",
        "starlette": "dashboard",
        "trackio": "trackio",
        "uvicorn": "dashboard",
        "wandb": "wandb",
    }
)
"""The extra that brings a package, by the module it is imported as: all that parts of the program import late."""


def advice(module: str | None) -> str:
    """How to get a module: a command that can be typed in any folder, for the Python that runs this program.

    Args:
        module: Its dotted name, as an ImportError has it; None when the error does not say.
    """
    package = (module or "").partition(".")[0]
    if package not in EXTRAS:
        return f"install the package that provides {module!r}" if module else "install the packages it imports"
    source, extra = _source(), EXTRAS[package]
    if source is None:
        return f"install it in a clone of autoresearch: {_pip()} '.[{extra}]'"
    return f"install it with: {_pip()} {source.flag}{shlex.quote(f'{source.path}[{extra}]')}"


class _Source(NamedTuple):
    """What this program was installed from."""

    path: Path
    flag: str


def _source() -> _Source | None:
    """The clone or the file that this program was installed from (PEP 610), while it is still there."""
    from importlib.metadata import PackageNotFoundError, distribution  # noqa: PLC0415 - only when something is missing

    try:
        text = distribution("nemo-autoresearch").read_text("direct_url.json")
    except PackageNotFoundError:
        text = None
    told = json.loads(text) if text else {}
    url = urlsplit(told.get("url", ""))
    path = Path(unquote(url.path))
    editable = told.get("dir_info", {}).get("editable", False)
    return _Source(path, "-e " if editable else "") if url.scheme == "file" and path.exists() else None


def _pip() -> str:
    """A pip that installs where this program runs; uv makes environments that have none."""
    python = shlex.quote(sys.executable)
    return f"{python} -m pip install" if importlib.util.find_spec("pip") else f"uv pip install --python {python}"
