"""Ten digits, an end and a beginning: all the words the little model knows."""

from collections.abc import Sequence

EOS = 10
"""Ends an answer; it can be generated."""

BOS = 11
"""Stands before the first token of an answer; it is only ever read."""

NUM_OUTPUTS = 11
"""Tokens the model may write: the digits and the end."""

NUM_INPUTS = 12
"""Tokens the model may read: those, and the beginning."""


def encode(answer: str) -> list[int]:
    """Token ids of a number, most significant digit first, end included."""
    return [int(digit) for digit in answer] + [EOS]


def decode(ids: Sequence[int]) -> str:
    """The text before the end token."""
    written = list(ids)
    if EOS in written:
        written = written[: written.index(EOS)]
    return "".join(str(token) for token in written)
