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
"""

from autoresearch.testing.launchers import JobFactory, LauncherContract, LauncherMaker, ProcessContract, settle
from autoresearch.testing.metric_sources import MetricSourceContract, RunWriter, SourceMaker
from autoresearch.testing.policies import PolicyContract, PolicyMaker
from autoresearch.testing.researchers import ResearcherContract, ResearcherMaker
from autoresearch.testing.targets import RunEnder, TargetContract, TargetMaker
from autoresearch.testing.trackers import Shown, TrackerContract, TrackerMaker

__all__ = [
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
