"""Who else is told: one file per tracker."""

BUILTIN = {
    "mlflow": "autoresearch.trackers.mlflow:MlflowTracker",
    "wandb": "autoresearch.trackers.wandb:WandbTracker",
}
