"""Verdict policies on invented campaigns: `python benchmarks/verdicts/run.py [--quick]` measures and writes the page.

Results go to `results.json` beside this file as they come, and from there to `docs/benchmarks-verdicts.md` and its
plots; `--page` writes those again from the results at hand, also from those of an interrupted run. `--quick` prints its
tables and leaves both alone.
"""

import argparse
import json
import time
from multiprocessing import Pool
from pathlib import Path

from cells import Cell, measure
from page import table, write

RESULTS = Path(__file__).with_name("results.json")
STREAMS = ("base", "sparse", "heavy", "builds", "drift")
HEADLINE = 2
"""Times as many campaigns in the cells that the page leads with."""


def main() -> None:
    options = _options()
    if options.page:
        write(json.loads(RESULTS.read_text()))
        return
    began = time.monotonic()
    cells = _quick() if options.quick else _cells(options.campaigns)
    found: list[dict[str, object]] = []
    with Pool(options.processes) as pool:
        for result in pool.imap(measure, cells, chunksize=1):
            found.append(result)
            seconds = time.monotonic() - began
            print(f"{len(found)}/{len(cells)} after {seconds:.0f} s", flush=True)
            if options.quick:
                print(table(result), flush=True)
            else:
                RESULTS.write_text(json.dumps({"seconds": seconds, "cells": found}, indent=1) + "\n")
    if not options.quick:
        write(json.loads(RESULTS.read_text()))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="three cells of a few campaigns, printed: under a minute")
    parser.add_argument("--page", action="store_true", help="write the page from the last results")
    parser.add_argument(
        "--campaigns", type=int, default=24, help="campaigns per cell, twice as many in six (default: 24)"
    )
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _quick() -> list[Cell]:
    return [Cell("null", 50, 1.0, 8), Cell("base", 50, 0.5, 8), Cell("base", 50, 2.0, 8)]


def _cells(campaigns: int) -> list[Cell]:
    """The most telling first, for results are written as they come: an interrupted run leaves a page of what it did."""
    cells = [Cell("null", 100, 1.0, HEADLINE * campaigns)]
    cells += [Cell("base", 100, noise, HEADLINE * campaigns) for noise in (2.0, 0.5, 1.0, 4.0, 0.25)]
    for noise in (2.0, 0.5):
        cells += [Cell(stream, 100, noise, campaigns) for stream in STREAMS[1:]]
        cells.append(Cell("base", 50, noise, campaigns))
    for noise in (1.0, 4.0, 0.25):
        cells += [Cell(stream, 100, noise, campaigns) for stream in STREAMS[1:]]
    cells += [Cell("interactions", 100, noise, campaigns) for noise in (2.0, 0.5)]
    cells += [Cell(stream, 50, noise, campaigns) for stream in STREAMS[1:] for noise in (2.0, 0.5)]
    return cells + [Cell("base", 200, noise, campaigns) for noise in (2.0, 0.5)]


if __name__ == "__main__":
    main()
