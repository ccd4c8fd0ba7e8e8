"""Where runs happen: one file per launcher."""

BUILTIN = {
    "kubernetes": "autoresearch.launchers.kubernetes.launcher:KubernetesLauncher",
    "local": "autoresearch.launchers.local:LocalLauncher",
    "nrl-k8s": "autoresearch.launchers.kubernetes.nrl_k8s:NrlK8sLauncher",
    "ray": "autoresearch.launchers.ray.launcher:RayLauncher",
    "scripted": "autoresearch.launchers.scripted:ScriptedLauncher",
    "slurm": "autoresearch.launchers.slurm.launcher:SlurmLauncher",
}
