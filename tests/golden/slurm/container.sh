#!/bin/bash
#SBATCH --job-name=ar-night--lower-kl--3-f284d23a
#SBATCH --nodes=2
#SBATCH --time=62
#SBATCH --account=lab
#SBATCH --partition=batch
#SBATCH --qos=high
#SBATCH --gres=gpu:8
#SBATCH --cpus-per-task=16
#SBATCH --mem=95880M
#SBATCH --output=slurm-%j.out
#SBATCH --requeue
#SBATCH --open-mode=append

# run 'ar-night--lower-kl--3', limit 3600 s, then TERM, 10 s, KILL; under supervision it does:
#   cd '/data/my repo/.autoresearch/worktrees/lower-kl' && PYTHONUNBUFFERED=1 RAY_TMPDIR=/tmp/ar-ed26fbabbf88 PYTHONPATH='/data/my repo' AUTORESEARCH_RUN_ID=ar-night--lower-kl--3 srun --nodes=1 --ntasks=1 --overlap --kill-on-bad-exit=1 --container-image=/images/nemo-rl.sqsh '--container-mounts=/data:/data,/data/my repo/.autoresearch/worktrees/lower-kl:/data/my repo/.autoresearch/worktrees/lower-kl,/data/my repo/reports/run-3:/data/my repo/reports/run-3' '--container-workdir=/data/my repo/.autoresearch/worktrees/lower-kl' uv run examples/run_grpo.py --config 'a b.yaml' grpo.seed=44
#   > '/data/my repo/reports/run-3/run.log' 2>&1
python=/opt/venv/bin/python
if ! [ -x "$python" ]; then
  echo "node $(hostname) has no $python; set the launcher's option python to one that all nodes see" >&2
  exit 127
fi
exec "$python" -P -m autoresearch.launchers.on_node '/data/my repo/reports/run-3/spec.json'
