"""TensorBoard: one run for each experiment that was judged, and one for the campaign, with the hparams plugin's table.

Overrides and the commit become hyperparameters, final figures and the curves of seeds scalars. A page is written whole,
as one event file with what it says of it now, and takes the place of the one before: told twice, it is the same file.
The formats are those that `metrics/tensorboard` reads, written with the standard library alone: no package is needed.
Messages are those of TensorBoard's `event.proto`, `summary.proto` and `plugins/hparams/plugin_data.proto`.
"""

import struct
from collections.abc import Iterator
from typing import ClassVar

from autoresearch.machine import disk
from autoresearch.machine.tfrecord import framed
from autoresearch.trackers.options import TrackerOptions
from autoresearch.trackers.page_tracker import PageTracker
from autoresearch.trackers.story import StoryPage

_SUCCESS, _FAILURE = 1, 2
_VARINT, _DOUBLE, _BYTES, _FLOAT = 0, 1, 2, 5
_LARGEST = (1 << 64) - 1
_CAMPAIGN = "campaign"


class TensorBoardOptions(TrackerOptions):
    """Options of the TensorBoard tracker: `folder` is what `tensorboard --logdir` is given."""

    tracker: ClassVar[str] = "tensorboard"


class TensorBoardTracker(PageTracker[TensorBoardOptions]):
    """Writes event files. Options are described in `TensorBoardOptions`."""

    name = "tensorboard"
    reads = TensorBoardOptions

    def _write(self, page: StoryPage) -> None:
        folder = self.options.folder / (page.name if "/" in page.key else _CAMPAIGN)
        folder.mkdir(parents=True, exist_ok=True)
        disk.replace(folder / "events.out.tfevents.autoresearch", b"".join(map(framed, _events(page))))


def _events(page: StoryPage) -> Iterator[bytes]:
    """The messages of one run: its hyperparameters, its scalars by step, and how it ended."""
    yield _event(page.at, 0, _field(3, b"brain.Event:2"))
    texts = {**page.settings, **page.words}
    settings = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _field(3, _plain(text)))) for name, text in texts.items()
    )
    start = settings + _field(4, page.campaign.encode()) + _double(5, page.at)
    yield _event(page.at, 0, _hparams("session_start_info", _field(3, start)))
    final = max((step for curve in page.curves.values() for step, _ in curve), default=0)
    figures = [(step, name, value) for name, curve in page.curves.items() for step, value in curve]
    figures += [(final, name, value) for name, value in page.numbers.items()]
    for step, name, value in sorted(figures):
        scalar = _field(1, name.encode()) + _key(2, _FLOAT) + struct.pack("<f", value)
        yield _event(page.at, step, _field(5, _field(1, scalar)))
    ended = _FAILURE if page.outcome == "crash" else _SUCCESS
    yield _event(page.at, 0, _hparams("session_end_info", _field(4, _whole(1, ended) + _double(2, page.at))))


def _plain(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _event(at: float, step: int, what: bytes) -> bytes:
    """An `Event`."""
    return _double(1, at) + (_whole(2, step) if step else b"") + what


def _hparams(tag: str, data: bytes) -> bytes:
    """A `Summary` that the hparams plugin reads: its data stands in the metadata of a value without a number."""
    plugin = _field(1, _field(1, b"hparams") + _field(2, data))
    return _field(5, _field(1, _field(1, f"_hparams_/{tag}".encode()) + _field(9, plugin)))


def _field(number: int, content: bytes) -> bytes:
    return _key(number, _BYTES) + _varint(len(content)) + content


def _double(number: int, value: float) -> bytes:
    return _key(number, _DOUBLE) + struct.pack("<d", value)


def _whole(number: int, value: int) -> bytes:
    return _key(number, _VARINT) + _varint(value)


def _key(number: int, kind: int) -> bytes:
    return _varint(number << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    value &= _LARGEST
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*found, value))
