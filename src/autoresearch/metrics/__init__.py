"""What a run wrote, read back: one file per format."""

BUILTIN = {
    "tensorboard": "autoresearch.metrics.tensorboard:TensorBoardSource",
    "checkpoints": "autoresearch.metrics.checkpoints:CheckpointSource",
    "samples": "autoresearch.metrics.samples:SampleSource",
    "files": "autoresearch.metrics.files:FileSource",
    "logs": "autoresearch.metrics.logs:LogSource",
}

FOREIGN = {
    "wandb": "offline W&B files are not read; write the number to a JSONL file or print it as well",
    "mlruns": "an MLflow file store is not read; write the number to a JSONL file or print it as well",
    ".trackio": "Trackio's database is not read; write the number to a JSONL file or print it as well",
    ".aim": "Aim's store is not read; write the number to a JSONL file or print it as well",
}
"""Folders of trackers that no source of ours reads, with what to do."""

FOUND_BY = {
    "tensorboard": "*tfevents*",
    "json": "*.json",
    "jsonl": "*.jsonl",
    "csv": "*.csv",
    "tsv": "*.tsv",
}
"""What files with numbers are called, by what a campaign file calls the source that reads them."""
