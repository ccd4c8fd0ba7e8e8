"""What the name of a number says."""

import pytest

from autoresearch.run.known_metrics import direction_of, likelihood
from autoresearch.run.measurement import Direction


@pytest.mark.parametrize(
    "name", ["loss", "eval_loss", "val/nll", "test perplexity", "WER", "rewardLoss", "return_mse", "Loss/train"]
)
def test_losses_and_errors_fall(name):
    """The last word that says a direction counts: the loss of a reward model is a loss."""
    assert direction_of(name) is Direction.MINIMIZE


@pytest.mark.parametrize(
    "name",
    [
        "acc",
        "Test accuracy",
        "val/acc",
        "mean_reward",
        "ep_rew_mean",
        "pass@1",
        "win_rate",
        "tokens_per_second",
        "rouge1",
        "a/acc/0",
    ],
)
def test_goals_rise(name):
    """Accuracy, rewards, returns and throughput."""
    assert direction_of(name) is Direction.MAXIMIZE


@pytest.mark.parametrize(
    "name",
    [
        "lr",
        "step",
        "kl",
        "grad_norm",
        "zeal",
        "",
        "epoch",
        "entropy",
        "global_step",
        "losses/approx_kl",
        "losses/policy_loss",
        "value_loss",
        "pg_loss",
        "train/critic_loss",
        "losses/qf1_loss",
    ],
)
def test_what_is_not_known_says_nothing(name):
    """It is asked for and never guessed."""
    assert direction_of(name) is None


def test_what_is_held_out_comes_before_what_is_trained_on():
    """The result is likelier measured on data that was not learned from, and a goal rather than a loss."""
    names = ["throughput", "train_loss", "train_accuracy", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert sorted(names, key=likelihood) == names
