"""Where runs happen: one file per launcher."""

BUILTIN = {
    "kubernetes": "autoresearch.launchers.kubernetes:KubernetesLauncher",
    "local": "autoresearch.launchers.local:LocalLauncher",
    "nrl-k8s": "autoresearch.launchers.nrl_k8s:NrlK8sLauncher",
    "ray": "autoresearch.launchers.ray:RayLauncher",
    "scripted": "autoresearch.launchers.scripted:ScriptedLauncher",
    "slurm": "autoresearch.launchers.slurm:SlurmLauncher",
}
