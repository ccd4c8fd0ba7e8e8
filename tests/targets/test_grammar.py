"""NeMo-RL's standard output."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.run.measurement import Completion
from autoresearch.targets.nemo_rl import grammar

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"
GRPO = (GOLDEN / "grpo_ok" / "run.log").read_text()


def header(step, steps):
    return f"{'=' * 25} Step {step}/{steps} {'=' * 25}\n"


def epoch(number, count):
    return f"{'=' * 25} Epoch {number}/{count} {'=' * 25}\n"


def results(loss, reward=0.5):
    return f"📊 Training Results:\n  • Loss: {loss}\n  • Avg Reward: {reward:.4f}\n"


def validation(step, accuracy):
    return f"▶ Starting validation at step {step}...\n\n📊 Validation Results:\n    • Accuracy: {accuracy:.4f}\n"


def test_real_logs():
    """Losses, rewards and validations of the sample runs sit at their global steps."""
    found = grammar.read(GRPO).series
    assert found["validation/accuracy"].steps == (0, 5, 10, 15, 20, 25, 30)
    assert found["train/loss"].steps == tuple(range(1, 31))
    assert found["train/loss"].last == (30, -0.0223)
    assert found["train/reward"].last == (30, 0.875)
    sft = grammar.read((GOLDEN / "sft_ok" / "run.log").read_text()).series
    assert sft["validation/loss"].last == (20, 1.1487)


def test_steps_count_on_over_epochs():
    """The printed counter restarts every epoch; ours does not."""
    text = "".join(epoch(e, 3) + "".join(header(s, 4) + results(e) for s in range(1, 5)) for e in (1, 2, 3))
    assert grammar.read(text).series["train/loss"].steps == tuple(range(1, 13))


def test_a_tail_finds_its_global_step_again():
    """Read from the middle of a late epoch, the first validation line sets the count right."""
    text = header(7, 10) + validation(47, 0.5) + results(0.1) + header(8, 10) + results(0.2)
    found = grammar.read(text).series
    assert found["validation/accuracy"].points() == ((47, 0.5),)
    assert found["train/loss"].points() == ((47, 0.1), (48, 0.2))


def test_dpo_sets_keep_their_names():
    """DPO names the validation set in the heading; its tags equal the logger's."""
    text = (
        header(2, 9) + "▶ Starting validation at step 2 for `hard` set...\n📊 Validation Results for `hard` set:\n"
        "    • Validation loss: 0.6645\n    • Validation accuracy: 1.0000\n"
    )
    found = grammar.read(text).series
    assert found["validation-hard/loss"].points() == ((2, 0.6645),)
    assert found["validation-hard/accuracy"].points() == ((2, 1.0),)


def test_a_step_of_dpo_is_printed_by_field_names():
    """Written after the loops that print it in dpo.py and rm.py (commit 7ea279abf): fields in lower case, 4 decimals."""
    fields = ("loss", "sft_loss", "preference_loss", "accuracy", "rewards_chosen_mean", "rewards_rejected_mean")
    block = "".join(f"  • {name}: {index / 8:.4f}\n" for index, name in enumerate(fields))
    found = grammar.read(header(3, 9) + "\n📊 Training Results:\n" + block + "  • num valid samples: 8\n").series
    assert {tag: one.points() for tag, one in found.items()} == {
        f"train/{name}": ((3, index / 8),) for index, name in enumerate(fields)
    }


def test_a_step_of_ppo_has_two_losses():
    """Written after ppo.py: the synchronous loop prints them unrounded, and no policy loss while the critic warms up."""
    text = header(1, 9) + "  • Critic Loss: 0.5\n" + header(2, 9)
    text += "  • Policy Loss: -1.25e-05\n  • Generation KL Error: N/A\n  • Critic Loss: 0.25\n"
    found = grammar.read(text).series
    assert found["train/loss"].points() == ((2, -1.25e-05),)
    assert found["train/critic/loss"].points() == ((1, 0.5), (2, 0.25))


def test_the_single_controller_names_its_step_last():
    """Written after single_controller.py: timings and a dictionary come first, `train step N/M` closes them."""

    def step(number, loss) -> str:
        numbers = f"step_metrics={{'grad_norm': 1.0, 'loss': {loss}, 'reward': np.float64(0.5), 'lr': 1e-06}}\n"
        line = f"train step {number}/3  trainer_v={number}  lag=1  \n"
        return f"\n⏱️  Timing:\n  • Total step time: {number}.50s\n  • sync: 0.1s (2.0%)\n{numbers}{line}"

    text = step(1, 0.25) + step(2, float("nan")) + "\n⏱️  Timing:\n  • Total step time: 9.00s\n"
    found = grammar.read(text).series
    assert found["timing/train/total_step_time"].points() == ((1, 1.5), (2, 2.5))
    assert found["train/loss"].points()[0] == (1, 0.25)
    assert found["train/loss"].steps == (1, 2)
    assert found["train/reward"].points() == ((1, 0.5), (2, 0.5))
    assert grammar.facts(text).step == (2, 3)


def test_a_step_of_off_policy_distillation_gives_its_sum():
    """Written after xtoken_off_policy_distillation.py, which prints no step: the number alone is read where one is."""
    found = grammar.read(header(1, 2) + "  • Loss: 12.5000 (per-MB-mean: 0.7812)\n").series
    assert found["train/loss"].points() == ((1, 12.5),)


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "-0.25", "1e-05", "3.2e+10"])
def test_all_ways_to_print_a_number(word):
    """NaN, infinities and exponents are numbers."""
    (value,) = grammar.read(header(1, 2) + results(word)).series["train/loss"].values
    assert repr(value) == repr(float(word))


@pytest.mark.parametrize(
    ("line", "ending"),
    [
        ("Max number of steps has been reached, stopping training early", Completion.DONE),
        ("Max steps reached, stopping training.", Completion.DONE),
        ("Configured step/epoch limit has been reached, stopping training", Completion.DONE),
        ("Timeout has been reached, stopping training early", Completion.TIMED_OUT),
        ("Timeout reached, stopping training early.", Completion.TIMED_OUT),
        ("accuracy reached the early-stop threshold (0.8125 >= 0.8)", Completion.EARLY_STOPPED),
        ("the answer is: Timeout has been reached, stopping training early", None),
    ],
)
def test_endings(line, ending):
    """Each of the lines a run ends with is understood, and only at the start of a line."""
    assert grammar.facts(f"x\n{line}\n🛑 Shutting down environment math...\n").ending is ending


def test_facts_of_a_real_log():
    """Folders, steps, epochs and the way it ended."""
    said = grammar.facts(GRPO)
    assert said.ending is Completion.DONE
    assert (said.step, said.epoch, said.ran_out) == ((30, 30), (1, 1), True)
    assert said.log_dir.endswith("grpo_ok/logs/exp_001")
    assert said.checkpoint_dir.endswith("grpo_ok/ckpts")
    assert said.wandb == ""


def test_the_wandb_link():
    """The link to the run is found among other links of the site."""
    text = "View project at https://wandb.ai/team/proj\nView run at https://wandb.ai/team/proj/runs/ab12cd\n"
    assert grammar.facts(text).wandb == "https://wandb.ai/team/proj/runs/ab12cd"


@pytest.mark.parametrize(
    ("text", "steps", "target"),
    [
        ("", 50, 50),
        ("", None, None),
        (epoch(1, 1) + header(3, 30), None, 30),
        (epoch(1, 1) + header(3, 30), 1_000_000, 30),
        (epoch(1, 4) + header(3, 30), 1_000_000, 120),
        (epoch(1, 4) + header(3, 30), 30, 30),
        (epoch(1, 4) + header(3, 30), None, None),
        (epoch(1, -1) + header(3, 30), 500, 500),
    ],
)
def test_where_a_run_is_complete(text, steps, target):
    """Configured steps, or fewer when the data run out before."""
    assert grammar.facts(text).target(steps) == target


@settings(max_examples=40, deadline=None)
@given(start=st.integers(0, len(GRPO)), end=st.integers(0, len(GRPO)))
def test_any_piece_of_a_log_gives_true_numbers(start, end):
    """A piece of a log shows a part of what the whole shows, at the same steps."""
    whole = dict(grammar.read(GRPO).series["validation/accuracy"].points())
    piece = GRPO[start : max(start, end)].rpartition("\n")[0]
    found = grammar.read(piece).series.get("validation/accuracy")
    assert found is None or dict(found.points()).items() <= whole.items()
    grammar.facts(piece)
