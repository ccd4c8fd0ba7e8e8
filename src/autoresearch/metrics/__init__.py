"""What a run wrote, read back: one file per format."""

BUILTIN = {
    "tensorboard": "autoresearch.metrics.tensorboard:TensorBoardSource",
    "checkpoints": "autoresearch.metrics.checkpoints:CheckpointSource",
    "samples": "autoresearch.metrics.samples:SampleSource",
    "files": "autoresearch.metrics.files:FileSource",
    "logs": "autoresearch.metrics.logs:LogSource",
    "wandb": "autoresearch.metrics.wandb_run:WandbSource",
    "mlflow": "autoresearch.metrics.run_stores:MlflowSource",
    "trackio": "autoresearch.metrics.run_stores:TrackioSource",
}

FOREIGN = {".aim": "Aim's store is not read; write the number to a JSONL file or print it as well"}
"""Folders of trackers that no source of ours reads, with what to do."""

OWN_FORMATS = ("tensorboard", "wandb", "mlflow", "trackio")
"""Sources that know the files they read by themselves."""

FOUND_BY = {"json": "*.json", "jsonl": "*.jsonl", "csv": "*.csv", "tsv": "*.tsv"}
"""What files with numbers are called, by what a campaign file calls the source that reads them."""

BELONGS = ("wandb", "mlruns", "mlartifacts", "trackio", ".aim")
"""Folders of trackers: what lies in them is theirs to be read."""

KEPT_HERE = {
    "wandb": {"WANDB_MODE": "offline"},
    "trackio": {"TRACKIO_DIR": "{folder}/trackio"},
}
"""Variables by which a tracker writes where its run is, and not to an account or a home."""
