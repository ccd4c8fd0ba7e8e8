from importlib import import_module
from types import ModuleType


class _Late(ModuleType):
    def __getattr__(self, name: str) -> object:
        return getattr(import_module(self.__name__), name)


def late(folder: str, *names: str) -> list[ModuleType]:
    """Modules of a folder that are loaded when something of them is first asked for."""
    return [_Late(f"autoresearch.{folder}.{name}") for name in names]
