"""placeholder"""
from pathlib import Path
class Custody:
    @classmethod
    def take(cls, root: Path, tree: Path, folder: Path, uncontained: bool) -> "Custody":
        return cls()
    def settle(self, keep: Path) -> tuple[str, ...]:
        return ()
