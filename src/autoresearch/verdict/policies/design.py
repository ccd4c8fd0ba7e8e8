"""Two-level screening designs: many changes judged at once, each by half of all runs.

Plackett and Burman, The design of optimum multifactorial experiments, Biometrika 33 (1946): a generating row shifted
cyclically, and a last row of all lows. Any two columns are orthogonal, so each main effect has variance 4 s^2 / N.
"""

_GENERATORS = {
    4: "++-",
    8: "+++-+--",
    12: "++-+++---+-",
    16: "++++-+-++--+---",
    20: "++--++++-+-+----++-",
    24: "+++++-+-++--++--+-+----",
}

SIZES = tuple(_GENERATORS)
"""Numbers of runs for which there is a design; one fewer is the most changes it can hold."""


def rows_for(changes: int) -> int | None:
    """The least number of runs that can screen `changes`, None when there is no design so large."""
    return next((size for size in SIZES if size > changes), None)


def plackett_burman(size: int) -> tuple[tuple[bool, ...], ...]:
    """The design with `size` runs: one row per run, one column per change (`size` - 1), True where it is switched on.

    Raises:
        ValueError: There is no design of that size.
    """
    if size not in _GENERATORS:
        raise ValueError(f"no screening design has {size} runs; there are {', '.join(map(str, SIZES))}")
    first = tuple(sign == "+" for sign in _GENERATORS[size])
    shifted = tuple(first[-turn:] + first[:-turn] if turn else first for turn in range(size - 1))
    return (*shifted, (False,) * (size - 1))
