"""Batches of training problems, prepared ahead of time by worker threads."""

import threading
from collections.abc import Iterator

import numpy as np

from nemo_rl.data.arithmetic import Problems


class PrefetchDataLoader:
    """Serves the batches of one pass over the data, in order, however many workers prepare them.

    Workers claim the next batch number, prepare that batch and put it on a shelf. They stay at most
    `prefetch` batches ahead of the consumer.
    """

    def __init__(self, problems: Problems, batch_size: int, order: np.ndarray, num_workers: int, prefetch: int) -> None:
        self._problems, self._batch_size, self._order, self._prefetch = problems, batch_size, order, prefetch
        self._shelf: dict[int, Problems] = {}
        self._next_to_prepare = self._next_to_serve = 0
        self._changed = threading.Condition()
        for _ in range(num_workers):
            threading.Thread(target=self._prepare, daemon=True).start()

    def __len__(self) -> int:
        return len(self._order) // self._batch_size

    def skip(self, batches: int) -> None:
        """Begin after the first `batches` batches, which an earlier run has consumed."""
        with self._changed:
            self._next_to_prepare = self._next_to_serve = batches
            self._shelf.clear()
            self._changed.notify_all()

    def __iter__(self) -> Iterator[Problems]:
        while self._next_to_serve < len(self):
            with self._changed:
                self._changed.wait_for(lambda: self._next_to_serve in self._shelf)
                batch = self._shelf.pop(self._next_to_serve)
                self._next_to_serve += 1
                self._changed.notify_all()
            yield batch

    def _prepare(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._room_on_the_shelf)
                number = self._next_to_prepare
                self._next_to_prepare += 1
            rows = self._order[number * self._batch_size : (number + 1) * self._batch_size]
            batch = self._problems.take(rows)
            with self._changed:
                self._shelf[number] = batch
                self._changed.notify_all()

    def _room_on_the_shelf(self) -> bool:
        return self._next_to_prepare < min(len(self), self._next_to_serve + self._prefetch)
