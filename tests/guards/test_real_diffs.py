"""The count of honest commits that the guards stop, on a history made for it."""

import subprocess
import sys

TOOL = "tools/real_diffs.py"


def test_each_commit_of_training_code_is_counted_once_by_what_becomes_of_it(repo, run_git):
    """Tests and pages that come along are none of it, nor is a commit of nothing else; what was said stands below."""
    steps = [
        {"nemo_rl/algorithms/grpo.py": "x = 1\n", "nemo_rl/utils/logger.py": "def log_metrics(m, s, prefix): ...\n"},
        {"nemo_rl/algorithms/grpo.py": "x = 2\n", "tests/test_x.py": "", "docs/x.md": ""}, {"README.md": "once more\n"},
        {"nemo_rl/algorithms/grpo.py": "x = 2\nlogger.log_metrics({}, 1, 'validation')\n"},
        {"nemo_rl/utils/logger.py": "def log_metrics(m, s, prefix): pass\n"},
    ]  # fmt: skip
    for files in steps:
        for name, text in files.items():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text(text)
        run_git(repo, "add", "-A")
        run_git(repo, "commit", "-qm", "step")
    told = subprocess.run([sys.executable, TOOL, repo], capture_output=True, text=True, check=True).stdout
    counted = {line.split("%  ")[1]: int(line.split()[0]) for line in told.splitlines() if "%  " in line}
    assert counted == {"let through": 1, "held": 1, "changes a file that measures": 2}
    assert "1  tells log_metrics" in told
