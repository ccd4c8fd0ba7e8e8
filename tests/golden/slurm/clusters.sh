#!/bin/bash
#SBATCH --time=600
#SBATCH --ntasks-per-node=1
#SBATCH --no-kill
#SBATCH --exclusive
#SBATCH --job-name=allocation-782ff7bb
#SBATCH --nodes=8
#SBATCH --account=lab
#SBATCH --partition=batch
#SBATCH --qos=high
#SBATCH --gres=gpu:8
#SBATCH --output=slurm-%j.out
#SBATCH --no-requeue
#SBATCH --open-mode=append

# a warm allocation: runs handed over in '/data/my repo/reports/.slurm/warm' become steps of it
python=/opt/venv/bin/python
if ! [ -x "$python" ]; then
  echo "node $(hostname) has no $python; set the launcher's option python to one that all nodes see" >&2
  exit 127
fi
exec "$python" -P -m autoresearch.launchers.slurm.warm_node '/data/my repo/reports/.slurm/warm' 8 900 $((36000 - SECONDS))

# run 'ar-night--lower-kl--3', limit 3600 s, then TERM, 10 s, KILL; under supervision it does:
#   cd '/data/my repo/.autoresearch/worktrees/lower-kl' && AUTORESEARCH_RUN_ID=ar-night--lower-kl--3 bash '/data/my repo/reports/run-3/in-job.sh'
#   > '/data/my repo/reports/run-3/ray.sub.log' 2>&1
# handed over through the spool, and started there with srun
# command.sh:
# #!/bin/bash
# cd '/data/my repo/.autoresearch/worktrees/lower-kl' || exit
# echo printing to '/data/my repo/reports/run-3/run.log'; exec > '/data/my repo/reports/run-3/run.log' 2>&1
# exec env PYTHONUNBUFFERED=1 PYTHONPATH='/data/my repo' AUTORESEARCH_RUN_ID=ar-night--lower-kl--3 uv run examples/run_grpo.py --config 'a b.yaml' grpo.seed=44
# in-job.sh:
# #!/bin/bash
# job=$SLURM_JOB_ID nodes=$AUTORESEARCH_NODES
# for found in "${!SLURM_@}"; do [ "$found" = SLURM_CONF ] || unset "$found"; done
# export SLURM_JOB_ID=$job SLURM_JOBID=$job SLURM_JOB_NODELIST=$nodes SLURM_NODELIST=$nodes
# all=(${nodes//,/ })
# export SLURM_JOB_NUM_NODES=${#all[@]} SLURM_NNODES=${#all[@]}
# export SLURM_JOB_PARTITION=${AUTORESEARCH_PARTITION:-none}
# export SLURM_JOB_ACCOUNT=${AUTORESEARCH_ACCOUNT:-none}
# export SLURM_SUBMIT_DIR='/data/my repo/.autoresearch/worktrees/lower-kl' run_name=ar-night--lower-kl--3-f284d23a
# srun() {
#   local word words=()
#   for word; do [[ $word = --container-name=* ]] && word+=-$run_name; words+=("$word"); done
#   [ "$BASHPID" = "$$" ] || exec srun --job-name="$run_name" "${words[@]}"
#   command srun --job-name="$run_name" "${words[@]}"
# }
# export -f srun
# cd '/data/my repo/.autoresearch/worktrees/lower-kl' || exit
# export COMMAND='bash '"'"'/data/my repo/reports/run-3/command.sh'"'"''
# export CONTAINER=/images/nemo-rl.sqsh
# export MOUNTS='/data/my repo/.autoresearch/worktrees/lower-kl:/data/my repo/.autoresearch/worktrees/lower-kl,/data/my repo/reports/run-3:/data/my repo/reports/run-3'
# export BASE_LOG_DIR='/data/my repo/reports/run-3'
# export GPUS_PER_NODE=8
# export PORT=$((1200 + 2 * (AUTORESEARCH_SLOT % 50)))
# export RAY_CLIENT_SERVER_PORT=$((1201 + 2 * (AUTORESEARCH_SLOT % 50)))
# bash ray.sub
# code=$?
# [ -e '/data/my repo/reports/run-3/run.log' ] || cp '/data/my repo/reports/run-3/ray.sub.log' '/data/my repo/reports/run-3/run.log'
# exit $code
