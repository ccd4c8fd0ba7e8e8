"""What a run wrote, read back: one file per format."""

BUILTIN = {
    "tensorboard": "autoresearch.metrics.tensorboard:TensorBoardSource",
    "checkpoints": "autoresearch.metrics.checkpoints:CheckpointSource",
    "samples": "autoresearch.metrics.samples:SampleSource",
    "files": "autoresearch.metrics.files:FileSource",
    "logs": "autoresearch.metrics.logs:LogSource",
}
