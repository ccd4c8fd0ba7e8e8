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

# What command.sh is, which ray.sub starts in the container of the first node:
#   #!/bin/bash
#   ended_at='/data/my repo/reports/run-3/exit.json'
#   for file in "$ended_at" '/data/my repo/reports/run-3/run.log'; do
#     [ -e "$file" ] && mv "$file" "$file.attempt-${SLURM_RESTART_COUNT:-0}"
#   done
#   cd '/data/my repo/.autoresearch/worktrees/lower-kl' || exit
#   echo printing to '/data/my repo/reports/run-3/run.log'; exec > '/data/my repo/reports/run-3/run.log' 2>&1
#   begun=$(date +%s)
#   timeout --signal=TERM --kill-after=10 3600 \
#     env PYTHONUNBUFFERED=1 PYTHONPATH='/data/my repo' AUTORESEARCH_RUN_ID=ar-night--lower-kl--3 uv run examples/run_grpo.py --config 'a b.yaml' grpo.seed=44
#   code=$?
#   ending=exited reason="exited with code $code"
#   if [ 3600 != 0 ] && [ $SECONDS -ge 3600 ] && [[ $code = 124 || $code = 137 ]]; then
#     ending=timed-out reason="timed out: still running after 3600 s"
#   fi
#   printf '{"ending": "%s", "reason": "%s", "exit_code": %d, "node": "%s", "started_at": %d, "ended_at": %d}\n' \
#     "$ending" "$reason" "$code" "$(hostname)" "$begun" "$(date +%s)" > "$ended_at.new"
#   mv "$ended_at.new" "$ended_at"
#   exit $code
