"""Who else is told: one file per tracker."""

BUILTIN = {
    "mlflow": "autoresearch.trackers.mlflow:MlflowTracker",
    "notices": "autoresearch.trackers.notices:NoticesTracker",
    "tensorboard": "autoresearch.trackers.event_files:TensorBoardTracker",
    "trackio": "autoresearch.trackers.trackio:TrackioTracker",
    "wandb": "autoresearch.trackers.wandb:WandbTracker",
}
