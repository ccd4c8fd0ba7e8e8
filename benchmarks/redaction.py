"""What redaction costs: `python benchmarks/redaction.py`, in milliseconds of processor time per megabyte of log.

Ordinary lines of training, a progress bar with block letters, and logs of NeMo-RL runs that the tests keep (colours,
emoji, long names). None holds a secret, three values of the environment are known. The least of five looks counts.
"""

import random
import time
from pathlib import Path

from autoresearch.secrets.redactor import Redactor

LOGS = Path(__file__).parents[1] / "tests" / "golden" / "nemo_rl_logs"
LINES = 8000


def main() -> None:
    redactor = Redactor(["supersecretvalue123", "hunter2hunter2", "tok-abcdefghijkl"])
    for kind, text in logs().items():
        size = len(text.encode()) / 1e6
        print(f"{kind:20} {size:4.1f} MB  {1000 * least(redactor, text) / size:6.1f} ms/MB")


def logs() -> dict[str, str]:
    """A log of each kind, drawn from one seed."""
    draw = random.Random(1)
    plain = "".join(
        f"step {step}/{LINES} loss={draw.random():.4f} grad_norm={draw.random() * 3:.3f} lr=1.00e-05 "
        f"tokens_per_sec={draw.randint(900, 9000)} mem=41.2GB\n"
        for step in range(LINES)
    )
    bar = "".join(
        f"\rTraining: {step % 100}%|{'█' * (step % 10):10}| {step}/{LINES} [00:{step % 60:02d}<01:10, 12.3it/s, "
        f"loss={draw.random():.3f}]"
        for step in range(LINES)
    )
    nemo = "".join(path.read_text() for path in sorted(LOGS.glob("*/run.log")))
    return {"lines of training": plain, "a progress bar": bar, "NeMo-RL": nemo * (1 + 2_000_000 // len(nemo))}


def least(redactor: Redactor, text: str) -> float:
    """Seconds of processor time, the least of five looks."""
    spent = []
    for _ in range(5):
        began = time.process_time()
        redactor.clean(text)
        spent.append(time.process_time() - began)
    return min(spent)


if __name__ == "__main__":
    main()
