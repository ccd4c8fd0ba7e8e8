"""Who else is told: one file per tracker."""

BUILTIN = {
    "mlflow": "autoresearch.trackers.mlflow:MlflowTracker",
    "notices": "autoresearch.trackers.notices:NoticesTracker",
    "wandb": "autoresearch.trackers.wandb:WandbTracker",
}
