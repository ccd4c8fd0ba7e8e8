"""A ledger of a hundred thousand rows, as a busy group's shared repository has it after a year."""

import hashlib

import pytest

from autoresearch.records.row import COLUMNS, INTEGRITY, header

MANY = 100_000
WIDTH = (*COLUMNS, INTEGRITY)


def theirs() -> bytes:
    """A ledger of other campaigns."""
    row = dict.fromkeys(WIDTH, "") | {"status": "discard", "metric_value": "0.500000", "runs": "3", "reason": "noise"}
    lines = (
        "\t".join((row | {"index": str(n), "branch": f"autoresearch/old-{n // 100}/idea-{n}"}).values())
        for n in range(1, MANY + 1)
    )
    return (header(WIDTH) + "\n" + "\n".join(lines) + "\n").encode()


@pytest.mark.full
def test_a_campaign_adds_its_rows_to_a_hundred_thousand(lab):
    """Every byte of theirs stays, ours come once, and the records are found to agree."""
    before = theirs()
    lab.ledger.parent.mkdir(parents=True, exist_ok=True)
    lab.ledger.write_bytes(before)
    lab.write(stop="2 experiments", verdict={"policy": "greedy", "baseline_runs": 1, "confirm": 0})
    assert lab.run(fault="settle.row#2=kill").returncode == -9
    done = lab.run()
    assert done.returncode == 0, done.stderr
    after = lab.ledger.read_bytes()
    assert hashlib.sha256(after[: len(before)]).digest() == hashlib.sha256(before).digest()
    assert [line.split(b"\t")[1] for line in after[len(before) :].splitlines()] == [
        b"autoresearch/night/baseline",
        b"autoresearch/night/raise-the-learning-rate",
    ]
    assert lab.cli("ledger", "check").stdout == "ledger, journals and notes agree\n"
    assert "night: ended" in lab.cli("status").stdout
