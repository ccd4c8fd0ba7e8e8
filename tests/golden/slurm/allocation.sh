#!/bin/bash
#SBATCH --time=240
#SBATCH --ntasks-per-node=2
#SBATCH --no-kill
#SBATCH --job-name=allocation-782ff7bb
#SBATCH --nodes=2
#SBATCH --account=lab
#SBATCH --partition=batch
#SBATCH --qos=high
#SBATCH --gres=gpu:8
#SBATCH --cpus-per-task=16
#SBATCH --mem=191760M
#SBATCH --output=slurm-%j.out
#SBATCH --no-requeue
#SBATCH --open-mode=append

# a warm allocation: runs handed over in '/data/my repo/reports/.slurm/warm' become steps of it
module load cuda
python=/opt/venv/bin/python
if ! [ -x "$python" ]; then
  echo "node $(hostname) has no $python; set the launcher's option python to one that all nodes see" >&2
  exit 127
fi
exec "$python" -P -m autoresearch.launchers.slurm.warm_node '/data/my repo/reports/.slurm/warm' 4 900 $((14400 - SECONDS))

# run 'ar-night--lower-kl--3', limit 3600 s, then TERM, 10 s, KILL; under supervision it does:
#   cd '/data/my repo/.autoresearch/worktrees/lower-kl' && PYTHONUNBUFFERED=1 RAY_TMPDIR=/tmp/ar-ed26fbabbf88 PYTHONPATH='/data/my repo' AUTORESEARCH_RUN_ID=ar-night--lower-kl--3 uv run examples/run_grpo.py --config 'a b.yaml' grpo.seed=44
#   > '/data/my repo/reports/run-3/run.log' 2>&1
# handed over through the spool, and started there with srun
