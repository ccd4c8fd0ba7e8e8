"""What every adapter of a kind promises, as test suites to subclass.

```python
class TestMyLauncher(ProcessContract):
    @pytest.fixture
    def make(self, tmp_path):
        return lambda: MyLauncher({}, tmp_path / "campaign")     # each call a new one on the same folder

    @pytest.fixture
    def job(self, tmp_path):
        return JobFactory(tmp_path)
```

Each kind has a page "write your own ..." in the documentation. Suites need pytest, the rest of this package does not: a
suite is loaded when it is asked for.
"""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autoresearch.testing.dialects import DialectContract
    from autoresearch.testing.launchers import JobFactory, LauncherContract, LauncherMaker, ProcessContract, settle
    from autoresearch.testing.metric_sources import MetricSourceContract, RunWriter, SourceMaker
    from autoresearch.testing.policies import PolicyContract, PolicyMaker
    from autoresearch.testing.researchers import ResearcherContract, ResearcherMaker
    from autoresearch.testing.targets import RunEnder, TargetContract, TargetMaker
    from autoresearch.testing.trackers import Shown, TrackerContract, TrackerMaker

__all__ = [
    "DialectContract",
    "JobFactory",
    "LauncherContract",
    "LauncherMaker",
    "MetricSourceContract",
    "PolicyContract",
    "PolicyMaker",
    "ProcessContract",
    "ResearcherContract",
    "ResearcherMaker",
    "RunEnder",
    "RunWriter",
    "Shown",
    "SourceMaker",
    "TargetContract",
    "TargetMaker",
    "TrackerContract",
    "TrackerMaker",
    "settle",
]

_FILES = ("launchers", "researchers", "targets", "metric_sources", "trackers", "policies", "dialects")

if pytest := sys.modules.get("pytest"):  # a failed promise shows what it found, as an assertion in a test file does
    pytest.register_assert_rewrite(*(f"{__name__}.{file}" for file in _FILES))


def __getattr__(name: str) -> Any:
    for file in _FILES if name in __all__ else ():
        found = getattr(import_module(f"autoresearch.testing.{file}"), name, None)
        if found is not None:
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
