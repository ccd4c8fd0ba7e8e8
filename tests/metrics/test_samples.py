"""Rewards of single validation rollouts."""

import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.metrics.samples import TAG, SampleSource

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"


def line(reward, prompt="q", answer="a"):
    content = [[{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}]]
    return json.dumps({"content": content, "rewards": [reward], "idx": 0})


def write(folder, step, lines, mtime=None):
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"val_data_step{step}.jsonl"
    file.write_text("".join(f"{each}\n" for each in lines))
    if mtime:
        os.utime(file, (mtime, mtime))


def read(folder, **options: object):
    return SampleSource(options=options).read(folder)


def test_real_rollouts_average_to_the_logged_accuracy():
    """The mean of the 64 rewards at step 30 is the accuracy the run logged, exactly."""
    found = read(GOLDEN / "grpo_ok")
    assert [(each.step, len(each.rewards)) for each in found.samples] == [(0, 64), (5, 64), (30, 64)]
    assert found.series[TAG].points() == ((0, 0.234375), (5, 0.296875), (30, 0.703125))


def test_generations_of_a_prompt_count_once(tmp_path):
    """With k answers per prompt there are as many samples as prompts, each the mean of its answers."""
    rewards = [("p", 1), ("p", 0), ("q", 1), ("q", 1), ("r", 0), ("r", 0)]
    write(tmp_path, 5, [line(r, prompt, answer=str(i)) for i, (prompt, r) in enumerate(rewards)])
    assert read(tmp_path).samples[0].rewards == (0.5, 1.0, 0.0)


def test_a_set_that_comes_round_again_is_not_more_problems(tmp_path):
    """AIME asked twice in a row: each problem counts once, with the mean of its answers."""
    rewards = [("p", 1), ("q", 1), ("r", 0), ("p", 0), ("q", 1), ("r", 0)]
    write(tmp_path, 5, [line(reward, prompt) for prompt, reward in rewards])
    assert read(tmp_path).samples[0].rewards == (0.5, 1.0, 0.0)


def test_uneven_repeats_keep_the_mean_of_all_lines(tmp_path):
    """A set cut off in its second round: what is logged as accuracy stays the mean of the numbers offered."""
    write(tmp_path, 5, [line(1, "p"), line(0, "q"), line(1, "p")])
    found = read(tmp_path)
    assert found.samples[0].rewards == pytest.approx((4 / 3, 0.0))
    assert found.series[TAG].values == pytest.approx((2 / 3,))


def test_one_prompt_for_all_is_no_repetition(tmp_path):
    """A game may open every episode with the same words: every line is a sample."""
    write(tmp_path, 5, [line(1, "p")] * 4)
    assert len(read(tmp_path).samples[0].rewards) == 4


def test_validations_of_the_same_prompts_can_be_told(tmp_path):
    """Only they can be paired sample by sample: same prompts, same order."""
    for step, prompts in ((1, "pqr"), (2, "pqr"), (3, "prq"), (4, "pqs")):
        write(tmp_path, step, [line(step % 2, prompt) for prompt in prompts])
    one, same, turned, other = (each.prompts for each in read(tmp_path).samples)
    assert one == same
    assert len({one, turned, other}) == 3


def test_the_number_of_generations_can_be_told(tmp_path):
    """The option decides where prompts cannot; nonsense is refused."""
    write(tmp_path, 5, [line(r) for r in (1, 0, 0, 0)])
    assert read(tmp_path, generations=2).samples[0].rewards == (0.5, 0.0)
    with pytest.raises(CampaignError, match="positive whole number"):
        read(tmp_path, generations=0)


def test_torn_and_odd_lines_are_skipped_and_told(tmp_path):
    """Half a line, no reward, several rewards: skipped with a count, the rest is read."""
    odd = ['{"rewards": [1.0', "{}", '{"rewards": [1, 2]}', '{"rewards": "1"}', "[]", ""]
    write(tmp_path, 5, [line(1), *odd, line(0, "other")])
    found = read(tmp_path)
    assert found.samples[0].rewards == (1.0, 0.0)
    assert "5 torn or unreadable lines" in found.notes[0]


def test_nan_rewards_stay_nan(tmp_path):
    """A reward that is NaN makes the mean NaN; it is not silently dropped."""
    write(tmp_path, 5, [line(1, "a"), line(math.nan, "b")])
    found = read(tmp_path)
    assert math.isnan(found.series[TAG].values[0])
    assert found.samples[0].rewards[0] == 1.0


def test_the_newer_of_two_restarts_counts(tmp_path):
    """A validation repeated after a resume is the newer one."""
    write(tmp_path / "exp_002", 5, [line(0)], mtime=100)
    write(tmp_path / "exp_001", 5, [line(1)], mtime=200)
    assert read(tmp_path).series[TAG].values == (1.0,)


def test_a_live_run_is_seen_to_grow(tmp_path):
    """One instance read twice sees what was added, and only re-reads what changed."""
    source = SampleSource()
    write(tmp_path, 5, [line(1, "a")])
    assert source.read(tmp_path).samples[0].rewards == (1.0,)
    write(tmp_path, 5, [line(1, "a"), line(0, "b")])
    assert source.read(tmp_path).samples[0].rewards == (1.0, 0.0)


REAL = (GOLDEN / "grpo_ok/logs/exp_001/val_data_step30.jsonl").read_bytes()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(REAL)), noise=st.binary(max_size=30))
def test_a_file_cut_anywhere_gives_its_whole_lines(tmp_path_factory, cut, noise):
    """Cut anywhere and followed by rubbish, the whole lines before are read and nothing fails."""
    folder = tmp_path_factory.mktemp("cut")
    (folder / "val_data_step30.jsonl").write_bytes(REAL[:cut] + b"\xff" + noise)
    lines = REAL[:cut].count(b"\n")
    found = read(folder).samples
    assert (len(found[0].rewards) if found else 0) >= lines
