"""What is being trained: one file per target."""

BUILTIN = {
    "command": "autoresearch.targets.command:CommandTarget",
    "nemo-rl": "autoresearch.targets.nemo_rl:NemoRLTarget",
}

INSPECTORS = {"nemo-rl": "autoresearch.targets.nemo_rl.inspection"}
"""What answers about single recipes; apart from the target, which is slow to load."""

DIALECTS = "autoresearch.targets.dialects.recognition"
"""What knows how training frameworks spell things."""

KNOB_FINDER = "autoresearch.targets.inventory"
"""What finds the knobs of somebody's own script."""
