"""What the name of a number says."""

import pytest

from autoresearch.run.known_metrics import against_goal, direction_of, likelihood
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


@pytest.mark.parametrize("name", ["neg_log_loss", "neg_mean_squared_error", "test_neg_mse", "negative_loss"])
def test_a_negated_loss_rises(name):
    """scikit-learn's scoring names are losses with their sign turned."""
    assert direction_of(name) is Direction.MAXIMIZE


@pytest.mark.parametrize(
    "name",
    [
        "error_free_rate",
        "reward_hacking_rate",
        "acc_drop",
        "neg_acc",
        "error_reduction",
        "false_negative_error",
        "acc_gap",
    ],
)
def test_a_word_that_turns_the_meaning_makes_a_name_unknown(name):
    """Less of `error` is better and more of `error_free_rate`; less of `acc_drop`: it is asked for."""
    assert direction_of(name) is None


@pytest.mark.parametrize(("goal", "name", "better", "says"), [
    ("lower the loss", "eval_loss", "maximize", "'lower'"), ("Reduce zeal", "zeal", "maximize", "'Reduce'"),
    ("minimise cost", "val/acc", "maximize", "'minimise'"), ("raise zeal", "zeal", "minimize", "'raise'"),
    ("improve val accuracy", "accuracy", "minimize", "'improve'"),
    ("lower the loss", "eval_loss", "minimize", ""), ("lower the eval loss", "eval_acc", "maximize", ""),
    ("raise accuracy", "eval_loss", "minimize", ""), ("raise robustness", "eval_loss", "minimize", ""),
    ("improve eval_loss", "eval_loss", "minimize", ""), ("accuracy at lower cost", "accuracy", "maximize", ""),
    ("reduce memory, raise accuracy", "accuracy", "maximize", ""), ("", "accuracy", "maximize", ""),
])  # fmt: skip
def test_a_goal_that_says_the_other_way_is_told(goal, name, better, says):
    """By its verb; who measures one number for the sake of another is not asked."""
    said = against_goal(goal, name, Direction(better))
    assert bool(said) is bool(says)
    assert says in said


def test_what_is_held_out_comes_before_what_is_trained_on():
    """The result is likelier measured on data that was not learned from, and a goal rather than a loss."""
    names = ["throughput", "train_loss", "train_accuracy", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert sorted(names, key=likelihood) == names
