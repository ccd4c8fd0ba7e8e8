"""Packages with adapters of their own, as a person would install them: a folder on the path, with metadata."""

import importlib
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from autoresearch.ports import plugins


def write(folder: Path, points: Mapping[str, Mapping[str, str]], source: str, package: str = "their-package") -> Path:
    """A package with one module, `their_adapters`, and the entry points given by room."""
    (folder / "their_adapters.py").write_text(source)
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    sections = [
        f"[autoresearch.{room}]\n" + "".join(f"{name} = {value}\n" for name, value in named.items())
        for room, named in points.items()
    ]
    (metadata / "entry_points.txt").write_text("\n".join(sections))
    return folder


@contextmanager
def installed(folder: Path) -> Iterator[None]:
    """This process finds the package while the block lasts, and forgets it afterwards."""
    sys.path.insert(0, str(folder))
    _forget()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("their_adapters", None)
        _forget()


def _forget() -> None:
    importlib.invalidate_caches()
    plugins.forget()
