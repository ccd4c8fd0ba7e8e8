#!/usr/bin/env bash
set -eu
# the recipe, as verl's own examples lay it out
DATA=(
    data.train_files=data/train.parquet
    data.train_batch_size=64
)
ACTOR=(
    actor_rollout_ref.actor.optim.lr=1e-6   # as published
    actor_rollout_ref.actor.use_kl_loss=True
    actor_rollout_ref.actor.kl_loss_coef=0.001
    actor_rollout_ref.rollout.n=4
)
python3 -m verl.trainer.main_ppo \
    algorithm.adv_estimator=grpo "${DATA[@]}" "${ACTOR[@]}" \
    trainer.logger='["console"]' \
    trainer.total_training_steps=12 "$@"
