#!/bin/bash
# run 'ar-night--lower-kl--3', limit 3600 s, then TERM, 10 s, KILL
cd '/data/my repo/.autoresearch/worktrees/lower-kl' || exit
export COMMAND='bash '"'"'/data/my repo/reports/run-3/command.sh'"'"''
export CONTAINER=/images/nemo-rl.sqsh
export MOUNTS='/data:/data,/data/my repo/.autoresearch/worktrees/lower-kl:/data/my repo/.autoresearch/worktrees/lower-kl,/data/my repo/reports/run-3:/data/my repo/reports/run-3'
export BASE_LOG_DIR='/data/my repo/reports/run-3'
export GPUS_PER_NODE=8
sbatch \
  --job-name=ar-night--lower-kl--3-f284d23a \
  --nodes=2 \
  --time=62 \
  --account=lab \
  --partition=batch \
  --qos=high \
  --gres=gpu:8 \
  --cpus-per-task=16 \
  --mem=95880M \
  '--output=/data/my repo/reports/run-3/slurm-%j.out' \
  --no-requeue \
  --open-mode=append \
  ray.sub
