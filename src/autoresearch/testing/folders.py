"""The contents of a folder as a value, to be compared before and after."""

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, by relative path; a folder that holds nothing ends in a slash."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink()).encode()
        elif path.is_file():
            found[name] = path.read_bytes()
        elif path.is_dir() and not any(path.iterdir()):
            found[f"{name}/"] = b""
    return found


def changed(before: dict[str, bytes], after: dict[str, bytes]) -> set[str]:
    """Paths that are new, gone, or hold other bytes."""
    return {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)}
