"""Numbers in rows: which are found, and what reads them."""

import re

import pytest

from autoresearch.campaign.own_script.printed_rows import columns_in, listed_in


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("step 20: train loss 3.9093, val loss 3.9189", {"train loss": ("20", "3.9093"), "val loss": ("20", "3.9189")}),
        ("| epoch 1 | valid ppl 164.0", {"valid ppl": ("1", "164.0")}),
        ("step 2: loss 1,234.5, acc 98.5%", {"acc": ("2", "98.5")}),
        ("step 500 | step time 775.83ms", {}),
        ("loss 3, acc 2", {}),
    ],
)
def test_numbers_listed_behind_a_step_are_found_with_what_reads_them(line, found):
    """Names without a sign before their numbers, as many training loops print; a number is whole or none."""
    read = {
        name: (re.search(one["step"], line).group(1), re.search(one["patterns"][name], line).group(1))
        for name, one in listed_in(line).items()
    }
    assert read == found


@pytest.mark.parametrize(
    ("log", "found"),
    [
        (
            "gen\tnevals\tavg  \tmax\n0  \t300   \t50.1\t63\n1\t182\t53.2 \t66 \n",
            {"nevals": 182, "avg": 53.2, "max": 66},
        ),
        ("epoch  train_loss  accuracy  time\n0  0.5  0.81  00:03\n", {"train_loss": 0.5, "accuracy": 0.81}),
        (
            "| episode | eps | eval_return |\n|---|---|---|\n| 20 | 0.3 | 1.6 |\n| 40 | 0.2 | 1.7 |\n",
            {"eps": 0.2, "eval_return": 1.7},
        ),
        ("Start of it\n1 2\n", {}),
        ("two words\n1,234 2\n", {}),
        ("a a\n1 2\n", {}),
    ],
)
def test_columns_under_a_heading_are_found_with_what_reads_them(log, found):
    """As DEAP and fastai print them: the last row's number of each column; a cell that is no whole number is none."""
    read = {}
    for name, one in columns_in(log).items():
        read[name] = float(
            [hit for line in log.splitlines() if (hit := re.search(one["patterns"][name], line))][-1].group(1)
        )
    assert read == found
