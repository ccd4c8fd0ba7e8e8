"""Event files read by our own reader, against TensorBoard's."""

import math
import os
import struct
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import event_pb2, summary_pb2
from tensorboard.compat.tensorflow_stub.pywrap_tensorflow import crc32c
from tensorboard.plugins.scalar import metadata
from tensorboard.summary.writer.record_writer import RecordWriter
from tensorboard.util import tensor_util

from autoresearch.errors import CampaignError
from autoresearch.machine.tfrecord import masked_crc32c
from autoresearch.metrics.tensorboard import TensorBoardSource, WireError, fields, scalars_of

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"


def event(step, tag="loss", value=0.5, **kinds: object):
    summary = summary_pb2.Summary(value=[summary_pb2.Summary.Value(tag=tag, **(kinds or {"simple_value": value}))])
    return event_pb2.Event(wall_time=1.0, step=step, summary=summary).SerializeToString()


def write(path, records, mtime=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as stream:
        writer = RecordWriter(stream)
        for record in records:
            writer.write(record)
        writer.flush()
    if mtime is not None:
        os.utime(path, (mtime, mtime))
    return path


def read(folder):
    return TensorBoardSource(options={}).read(folder)


@pytest.mark.parametrize("run", ["grpo_ok", "sft_ok"])
def test_real_files_equal_tensorboard_point_for_point(run):
    """Every scalar of a real NeMo-RL run is what TensorBoard's own reader says, bit for bit."""
    folder = GOLDEN / run
    (file,) = folder.rglob("*tfevents*")
    oracle = EventAccumulator(str(file.parent), size_guidance={"scalars": 0})
    oracle.Reload()
    expected = {tag: {e.step: e.value for e in oracle.Scalars(tag)} for tag in oracle.Tags()["scalars"]}
    found = read(folder)
    assert {tag: dict(series.points()) for tag, series in found.series.items()} == expected
    assert found.notes == ()


def test_the_known_numbers_of_the_sample_run():
    """Validation accuracy and loss of the sample runs are the ones upstream wrote."""
    accuracy = read(GOLDEN / "grpo_ok").series["validation/accuracy"]
    assert accuracy.steps == (0, 5, 10, 15, 20, 25, 30)
    assert accuracy.last == (30, 0.703125)
    assert read(GOLDEN / "sft_ok").series["validation/val_loss"].last == (20, 1.1487420797348022)


def test_a_crc_equals_tensorboards():
    """The checksum is the masked CRC-32C that TFRecord uses."""
    for data in (b"", b"a", struct.pack("<Q", 72), bytes(range(256))):
        value = crc32c(data)
        assert masked_crc32c(data) == ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF


def test_special_values_survive(tmp_path):
    """NaN, infinities, negative zero, tiny numbers and negative steps arrive as written."""
    values = [math.nan, math.inf, -math.inf, -0.0, 1e-45, 3.4e38]
    write(tmp_path / "events.out.tfevents.1", [event(step, value=value) for step, value in enumerate(values, -2)])
    series = read(tmp_path).series["loss"]
    assert series.steps == (-2, -1, 0, 1, 2, 3)
    for found, value in zip(series.values, values, strict=True):
        assert struct.pack("<f", found) == struct.pack("<f", value)


def test_scalar_tensors_are_read_and_other_tensors_are_not(tmp_path):
    """TF2-style scalars count whatever their number type; images, text and histograms never become numbers."""
    scalar = metadata.create_summary_metadata("", "")
    records = [
        event(1, "f", tensor=tensor_util.make_tensor_proto(0.25), metadata=scalar),
        event(1, "d", tensor=tensor_util.make_tensor_proto(0.1, dtype="float64"), metadata=scalar),
        event(1, "i", tensor=tensor_util.make_tensor_proto(-7, dtype="int32"), metadata=scalar),
        event(1, "vector", tensor=tensor_util.make_tensor_proto([1.0, 2.0]), metadata=scalar),
        event(1, "text", tensor=tensor_util.make_tensor_proto("hello")),
        event(1, "picture", image=summary_pb2.Summary.Image(width=1, encoded_image_string=b"x" * 300)),
        event(1, "histogram", histo=summary_pb2.HistogramProto(min=0, max=1, num=2)),
    ]
    write(tmp_path / "events.out.tfevents.1", records)
    found = {tag: series.values for tag, series in read(tmp_path).series.items()}
    assert found == {"f": (0.25,), "d": (0.1,), "i": (-7.0,)}


def test_restarts_are_merged_and_the_later_file_wins(tmp_path):
    """A resumed run continues the curve; steps done twice are the later file's, whatever the files are called."""
    write(tmp_path / "exp_002/tensorboard/events.out.tfevents.9", [event(s, value=1) for s in (1, 2, 3)], mtime=100)
    write(tmp_path / "exp_001/tensorboard/events.out.tfevents.1", [event(s, value=2) for s in (3, 4)], mtime=200)
    assert read(tmp_path).series["loss"].points() == ((1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0))


def test_files_of_one_moment_are_merged_by_name(tmp_path):
    """Equal modification times leave the order to the names, so that a merge is reproducible."""
    for name, value in (("b", 2), ("a", 1)):
        write(tmp_path / f"events.out.tfevents.{name}", [event(1, value=value)], mtime=100)
    assert read(tmp_path).series["loss"].values == (2.0,)


def test_hparams_sub_runs_are_ignored(tmp_path):
    """The clock-named folder that add_hparams makes adds nothing to the curves."""
    write(tmp_path / "tensorboard/events.out.tfevents.1", [event(1, value=1)], mtime=100)
    write(tmp_path / "tensorboard/1795427227.123/events.out.tfevents.2", [event(1, value=9)], mtime=200)
    found = read(tmp_path)
    assert found.series["loss"].values == (1.0,)
    assert len(found.files) == 1


def test_a_live_run_is_followed_from_where_reading_stopped(tmp_path):
    """Reading again after more was written costs only what is new and equals reading everything at once."""
    source, file = TensorBoardSource(), tmp_path / "events.out.tfevents.1"
    whole = b"".join(bytes(write(tmp_path / f"part{i}", [event(i, value=i)]).read_bytes()) for i in range(6))
    for cut in range(0, len(whole) + 1, 7):
        file.write_bytes(whole[:cut])
        source.read(tmp_path)
    file.write_bytes(whole)
    assert source.read(tmp_path).series["loss"].points() == tuple((i, float(i)) for i in range(6))
    assert source.read(tmp_path) == TensorBoardSource().read(tmp_path)


def test_a_replaced_file_is_read_anew(tmp_path):
    """A shorter file under the same name is another file; nothing of the old one remains."""
    source, file = TensorBoardSource(), tmp_path / "events.out.tfevents.1"
    write(file, [event(s) for s in range(5)])
    assert len(source.read(tmp_path).series["loss"].steps) == 5
    file.unlink()
    write(file, [event(1, value=8)])
    assert source.read(tmp_path).series["loss"].points() == ((1, 8.0),)


def test_a_file_cut_at_any_byte_gives_a_prefix(tmp_path):
    """Whatever a crash left of a file, reading never fails and shows the events that were whole, no others."""
    records = [event(step, tag, step / 3) for step in range(4) for tag in ("loss", "reward")]
    data = write(tmp_path / "all", records).read_bytes()
    file = tmp_path / "run" / "events.out.tfevents.1"
    file.parent.mkdir()
    whole = read_bytes(file, data)
    for cut in range(len(data)):
        for tag, points in read_bytes(file, data[:cut]).items():
            assert points == whole[tag][: len(points)]
    assert sum(map(len, whole.values())) == 8


def read_bytes(file, data):
    file.write_bytes(data)
    return {tag: series.points() for tag, series in read(file.parent).series.items()}


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("events") / "events.out.tfevents.1"


REAL = next((GOLDEN / "sft_ok").rglob("*tfevents*")).read_bytes()


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(REAL)))
def test_a_real_file_cut_anywhere_gives_a_prefix(scratch, cut):
    """The same for a real file, wherever it was cut."""
    whole = read_bytes(scratch, REAL)
    for tag, points in read_bytes(scratch, REAL[:cut]).items():
        assert points == whole[tag][: len(points)]


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.integers(0, len(REAL) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@example(changes=[(7208, 0)])
def test_a_damaged_file_costs_at_most_what_follows(scratch, changes):
    """Flipped bytes never fail the reading, and every number that stands before them is read as it was."""
    data = bytearray(REAL)
    for place, byte in changes:
        data[place] = byte
    before = read_bytes(scratch, REAL[: min(place for place, _ in changes)])
    found = read_bytes(scratch, bytes(data))
    assert {tag: found[tag][: len(points)] for tag, points in before.items()} == before


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=200))
def test_random_bytes_never_fail(scratch, data):
    """A file that is no event file at all reads as empty or as something, but reads."""
    read_bytes(scratch, data)
    framed = struct.pack("<QI", len(data), masked_crc32c(struct.pack("<Q", len(data)))) + data + b"0000"
    read_bytes(scratch, framed)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=60))
def test_random_messages_are_fields_or_a_wire_error(data):
    """The wire reader knows one exception and no other."""
    try:
        list(fields(data))
        list(scalars_of(data))
    except WireError:
        pass


def test_a_damaged_record_is_skipped_and_told(tmp_path):
    """One undecodable record loses itself only; a damaged frame loses what follows. Both are noted."""
    write(tmp_path / "events.out.tfevents.1", [event(1), b"\x2a\xff\xff", event(2)])
    found = read(tmp_path)
    assert found.series["loss"].steps == (1, 2)
    assert "1 damaged records were skipped" in found.notes[0]
    (tmp_path / "events.out.tfevents.2").write_bytes(b"x" * 40)
    assert any("damaged at byte 0" in note for note in read(tmp_path).notes)


def test_odd_places_read_as_empty(tmp_path):
    """A missing folder, a folder or a pipe named like an event file: nothing is found and nothing hangs."""
    assert read(tmp_path / "nowhere").series == {}
    (tmp_path / "events.out.tfevents.1").mkdir()
    os.mkfifo(tmp_path / "events.out.tfevents.2")
    assert read(tmp_path).files == ()


def test_a_misspelt_option_is_refused():
    """An option that does not exist is named."""
    with pytest.raises(CampaignError, match="no option 'tagz'"):
        TensorBoardSource(options={"tagz": 1})


@pytest.mark.parametrize(("said", "values", "first"), [
    ([(1, 0.5), (2, 0.25)], 1, "0.25"), ([(1, 0.5), (2, 0.25), (2, 0.25)], 1, "0.25"),
    ([(1, 0.5), (2, 0.25), (2, 0.75)], 2, "0.25"), ([(1, 0.5), (1, 0.75), (2, 0.25)], 1, "0.25"),
])  # fmt: skip
@pytest.mark.parametrize("apart", [False, True], ids=["one file", "a file each"])
def test_what_was_said_before_of_the_last_step_is_told(tmp_path, said, values, first, apart):
    """The later one counts, and whoever judges hears that there was another, in whichever file."""
    for number, (step, value) in enumerate(said):
        write(
            tmp_path / f"events.out.tfevents.{number if apart else 0}", [event(step, value=value)], mtime=1000 + number
        )
    found = TensorBoardSource().read(tmp_path)
    assert found.series["loss"].values[-1] == said[-1][1]
    assert (found.ends["loss"].values, found.ends["loss"].first) == (values, f"loss = {first} at its last step")
