"""What is being trained: one file per target."""

BUILTIN = {
    "command": "autoresearch.targets.command:CommandTarget",
    "nemo-rl": "autoresearch.targets.nemo_rl:NemoRLTarget",
}
