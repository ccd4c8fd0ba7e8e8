"""Where runs happen: one file per launcher."""

BUILTIN = {
    "local": "autoresearch.launchers.local:LocalLauncher",
    "ray": "autoresearch.launchers.ray:RayLauncher",
    "scripted": "autoresearch.launchers.scripted:ScriptedLauncher",
    "slurm": "autoresearch.launchers.slurm:SlurmLauncher",
}
