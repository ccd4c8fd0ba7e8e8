"""Numbers in files that scripts write."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.metrics import checkpoints, files, logs, samples, tensorboard
from autoresearch.metrics.files import FileSource
from autoresearch.metrics.safe_read import Found, files_below, open_found
from autoresearch.metrics.tensorboard import TensorBoardSource

GOLDEN = Path(__file__).parents[1] / "golden" / "nemo_rl_logs"


def read(folder, name=None, text="", **options: object):
    if name:
        (folder / name).write_text(text, newline="")
    return FileSource(options=options).read(folder)


def points(found):
    return {tag: series.points() for tag, series in found.series.items()}


@pytest.mark.parametrize("run", ["grpo_ok", "sft_ok"])
def test_upstreams_own_dump_equals_the_event_file(run):
    """metrics.json as NeMo-RL extracts it and the event files we read agree in every point."""
    events = TensorBoardSource().read(GOLDEN / run).series
    found = read(GOLDEN / run).series
    assert len(found) >= 10
    assert {tag: series.points() for tag, series in found.items()} == {tag: events[tag].points() for tag in found}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"loss": {"1": 0.5, "10": 0.25, "2": 0.4}}', {"loss": ((1, 0.5), (2, 0.4), (10, 0.25))}),
        ('{"accuracy": 0.8}', {"accuracy": ((0, 0.8),)}),
        ('{"step": 100, "accuracy": 0.8}', {"accuracy": ((100, 0.8),)}),
        ('{"val": {"accuracy": 0.8, "name": "x"}}', {"val/accuracy": ((0, 0.8),)}),
        ('[{"step": 1, "loss": 2}, {"step": 2, "loss": 1}]', {"loss": ((1, 2.0), (2, 1.0))}),
        ('{"a": true, "b": null, "c": "text", "d": [1, 2], "e": {}}', {}),
    ],
)
def test_json_shapes(tmp_path, text, expected):
    """Tag by step, flat, nested and listed objects are understood; what is no number is not one."""
    assert points(read(tmp_path, "metrics.json", text)) == expected


def test_json_lines(tmp_path):
    """One object per line; lines without a step are counted; a torn last line is told."""
    text = '{"step": 5, "loss": 1}\n\n{"loss": 0.5}\n{"step": 9, "lo'
    found = read(tmp_path, "metrics.jsonl", text)
    assert points(found) == {"loss": ((2, 0.5), (5, 1.0))}
    assert "1 torn or unreadable lines" in found.notes[0]


def test_the_step_key_can_be_named(tmp_path):
    """W&B-like files call the step `_step`."""
    found = read(tmp_path, "history.jsonl", '{"_step": 7, "loss": 1}\n', path="history.jsonl", step="_step")
    assert points(found) == {"loss": ((7, 1.0),)}


@pytest.mark.parametrize(("name", "mark", "end"), [("metrics.csv", ",", "\r\n"), ("metrics.tsv", "\t", "\n")])
def test_tables(tmp_path, name, mark, end):
    """CSV and TSV with a header; empty cells are no numbers, NaN is one."""
    rows = [("step", "loss", "note"), ("1", "0.5", "warm"), ("2", "", "up"), ("3", "nan", "x")]
    found = read(tmp_path, name, "".join(mark.join(row) + end for row in rows))
    assert set(found.series) == {"loss"}
    assert found.series["loss"].steps == (1, 3)
    assert math.isnan(found.series["loss"].values[1])


def test_half_a_number_is_never_read_from_a_table(tmp_path):
    """Cut anywhere, a table shows only numbers it held: 0.7969 never becomes 0.79."""
    text = "step,accuracy\n1,0.5123\n2,0.7969\n"
    for cut in range(len(text) + 1):
        found = points(read(tmp_path, "metrics.csv", text[:cut]))
        assert set(dict(found.get("accuracy", ())).values()) <= {0.5123, 0.7969}


def test_tags_choose_and_rename(tmp_path):
    """A list picks keys, a mapping renames them as well."""
    text = '{"acc": 1, "loss": 2}'
    assert set(points(read(tmp_path, "metrics.json", text, tags=["acc"]))) == {"acc"}
    assert points(read(tmp_path, tags={"acc": "validation/accuracy"})) == {"validation/accuracy": ((0, 1.0),)}


def test_globs_and_formats(tmp_path):
    """Any path below the run folder can be named, and a format for files with an odd suffix."""
    (tmp_path / "out" / "deep").mkdir(parents=True)
    (tmp_path / "out" / "deep" / "result.txt").write_text('{"acc": 1}')
    assert points(read(tmp_path, path="out/*.txt", format="json")) == {"acc": ((0, 1.0),)}
    assert read(tmp_path, path="out/*.txt").files == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [({"format": "xml"}, "it can be json"), ({"paths": "x"}, "no option 'paths'"), ({"path": 3}, "a string or a list")],
)
def test_wrong_options_are_refused(options, message):
    """The message names the option and what it can be."""
    with pytest.raises(CampaignError, match=message):
        FileSource(options=options)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=80), name=st.sampled_from(["metrics.json", "metrics.jsonl", "metrics.csv", "metrics.tsv"]))
def test_any_text_is_read_without_failing(tmp_path_factory, text, name):
    """Whatever is in a file, there are readings."""
    folder = tmp_path_factory.mktemp("any")
    (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
    FileSource().read(folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4) | st.just("1"), inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(document=JSON, cut=st.integers(0, 100))
def test_any_json_is_read_without_failing(tmp_path_factory, document, cut):
    """Whatever a script dumps, whole or torn, there are readings."""
    folder = tmp_path_factory.mktemp("any")
    text = json.dumps(document)
    (folder / "metrics.json").write_text(text)
    (folder / "metrics.jsonl").write_text(f"{text}\n{text[:cut]}")
    FileSource().read(folder)


def lines(steps):
    return "".join(f'{{"step": {step}, "score": {step / 1e6}}}\n' for step in steps)


def test_json_lines_are_read_from_where_the_last_look_ended(tmp_path):
    """What was read is not read again, a line without its end counts for now, and a shorter or new file starts anew."""
    source, file = FileSource(), tmp_path / "metrics.jsonl"
    file.write_text(lines(range(300)) + '{"step": 300, "score": 0.5}')
    assert points(source.read(tmp_path))["score"][-1] == (300, 0.5)
    with file.open("r+") as stream:  # what was read before is no longer there to be read
        stream.write("x" * 20)
        stream.seek(0, 2)
        stream.write("\n" + lines([301, 2]))
    expected = (*((step, step / 1e6) for step in range(300)), (300, 0.5), (301, 301 / 1e6))
    assert points(source.read(tmp_path)) == {"score": expected}
    file.write_text(lines([7]))
    assert points(source.read(tmp_path)) == {"score": ((7, 7e-6),)}


@pytest.mark.parametrize("count", [300, 700], ids=["same size", "larger"])
def test_json_lines_written_anew_in_place_are_read_anew(tmp_path, count):
    """Points of a file that no longer holds them go, whether it has grown or not; the inode stays the same."""
    source, file = FileSource(), tmp_path / "metrics.jsonl"
    old, new = ("".join(f'{{"step": {step}, "{tag}": 0.{step:03}}}\n' for step in range(count)) for tag in "ab")
    file.write_text("".join(old.splitlines(keepends=True)[:300]))
    assert list(points(source.read(tmp_path))) == ["a"]
    inode, moment = file.stat().st_ino, file.stat().st_mtime
    file.write_text(new)
    os.utime(file, (moment + 1, moment + 1))
    assert file.stat().st_ino == inode
    assert points(source.read(tmp_path)) == points(read(tmp_path))
    assert list(points(source.read(tmp_path))) == ["b"]


SWAPS = """
import os, sys
from pathlib import Path
file, kept, pipe = Path(sys.argv[1]), Path("kept"), Path("pipe")
print("ready", flush=True)
while True:
    kept.write_text(sys.argv[2])
    kept.replace(file)
    os.mkfifo(pipe)
    pipe.replace(file)
"""


@pytest.mark.parametrize("name", ["metrics.json", "metrics.jsonl", "metrics.csv"])
def test_a_pipe_put_in_a_files_place_holds_no_look_up(tmp_path, name):
    """Whatever a run swaps between the check and the opening, the look comes back, and later ones see the file again."""
    text = "step,loss\n1,0.5\n" if name.endswith("csv") else '{"step": 1, "loss": 0.5}\n'
    source, command = FileSource(), (sys.executable, "-c", SWAPS, name, text)
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as swapper:
        try:
            assert swapper.stdout is not None
            assert swapper.stdout.readline() == b"ready\n"
            for _ in range(2000):
                source.read(tmp_path)
        finally:
            swapper.kill()
    (tmp_path / name).unlink(missing_ok=True)
    (tmp_path / name).write_text(text)
    assert points(source.read(tmp_path)) == {"loss": ((1, 0.5),)}


SOURCES = pytest.mark.parametrize(
    ("module", "source", "name"),
    [
        (files, FileSource(), "metrics.json"),
        (files, FileSource(), "metrics.jsonl"),
        (files, FileSource(), "metrics.tsv"),
        (logs, logs.LogSource(options={"patterns": {"loss": "loss=(.+)"}}), "run.log"),
        (samples, samples.SampleSource(), "val_data_step1.jsonl"),
        (tensorboard, TensorBoardSource(), "events.out.tfevents.1"),
        (checkpoints, checkpoints.CheckpointSource(), "step_1/training_info.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)


@SOURCES
def test_no_source_opens_a_pipe(tmp_path, monkeypatch, module, source, name):
    """One put there right after the folder was listed is told of, in every source."""
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("x")

    def list_and_swap(*asked: Any) -> list[Found]:
        found = files_below(*asked)
        file.unlink()
        os.mkfifo(file)
        return found

    monkeypatch.setattr(module, "files_below", list_and_swap)
    assert len(source.read(tmp_path).notes) == 1


@SOURCES
def test_no_source_reads_a_file_that_has_a_name_outside_of_the_folder(tmp_path, module, source, name):
    """A hard link to what another run wrote is told of; a second name within the run's own folder is its own affair."""
    assert module.files_below is files_below
    file = tmp_path / "run" / name
    file.parent.mkdir(parents=True)
    file.write_text("x")
    (tmp_path / "run" / "best").hardlink_to(file)
    assert "another name" not in "".join(source.read(tmp_path / "run").notes)
    (tmp_path / "other run").hardlink_to(file)
    found = source.read(tmp_path / "run")
    assert not found.series
    assert found.notes[-1] == f"{name}: cannot be read: another name of it lies outside of the run's folder"


def test_a_file_replaced_while_it_is_looked_at_keeps_its_points_for_that_look(tmp_path, monkeypatch):
    """A script that replaces its file whole does nothing wrong; the next look has the new one."""
    source, new = FileSource(), tmp_path / "new"
    assert points(read(tmp_path, "metrics.json", '{"loss": 1}')) == points(source.read(tmp_path))
    (tmp_path / "metrics.json").write_text('{"loss": 22}')

    def list_and_replace(*asked: Any) -> list[Found]:
        found = files_below(*asked)
        new.write_text('{"loss": 333}')
        new.replace(tmp_path / "metrics.json")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(files, "files_below", list_and_replace)
        assert points(source.read(tmp_path)) == {"loss": ((0, 1.0),)}
    assert points(source.read(tmp_path)) == {"loss": ((0, 333.0),)}


def test_a_pipe_between_the_check_and_the_opening_is_refused(tmp_path):
    """So is another file; a link that stays in the folder is opened."""
    file, link = tmp_path / "a.json", tmp_path / "b.json"
    file.write_text("1")
    link.symlink_to(file)
    found = files_below(tmp_path, "*.json")
    assert [open_and_read(item) for item in found] == [b"1", b"1"]
    file.rename(tmp_path / "aside")
    for put in (os.mkfifo, lambda path: path.write_text("2"), lambda path: path.symlink_to("/dev/zero")):
        put(file)
        for item in found:
            with pytest.raises(OSError, match="replaced"):
                open_found(item)
        file.unlink()


def open_and_read(item):
    with open_found(item) as stream:
        return stream.read()


def test_a_line_too_long_to_hold_is_skipped_and_what_follows_is_read(tmp_path):
    """However its end comes, later lines count."""
    found = read(tmp_path, "metrics.jsonl", lines([1]) + "x" * (17 << 20) + "\n" + lines([2]))
    assert [step for step, _ in points(found)["score"]] == [1, 2]
    assert "1 torn" in found.notes[0]


@pytest.mark.full
def test_a_million_lines_are_read_in_bounded_memory(tmp_path):
    """Few points are kept, among them the first, the last and the extremes; the peak is told by a process of its own."""
    with (tmp_path / "metrics.jsonl").open("w") as stream:
        for step in range(1_000_000):
            value = {123_456: -5.0, 654_321: 7.0}.get(step, step / 1e6)
            stream.write(f'{{"step": {step}, "score": {value}}}\n')
    script = (
        "import resource, sys; from pathlib import Path; from autoresearch.metrics.files import FileSource\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "series = FileSource().read(Path(sys.argv[1])).series['score']\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "points = series.points()\n"
        "print(grown >> 10, len(points), points[0], points[-100], min(series.values), max(series.values))\n"
    )
    done = subprocess.run((sys.executable, "-c", script, str(tmp_path)), capture_output=True, text=True, check=True)
    grown, kept, *rest = done.stdout.split(maxsplit=2)
    assert rest == ["(0, 0.0) (999900, 0.9999) -5.0 7.0\n"]
    assert int(kept) <= 100_000
    assert int(grown) < 100, f"{grown} MiB"


def test_states_of_a_trainer_that_tell_two_histories_are_known(tmp_path):
    """Each repeats what came before it, so one that was put beside them shows; rounding and new steps do not."""

    def state(step: int, value: float) -> None:
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        rows = [{"step": s, "score": value * s, "other": 1.0} for s in range(1, step + 1)]
        (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "log_history": rows}))

    source = FileSource(options={"path": "trainer_state.json"})
    state(4, 0.1)
    state(8, 0.10001)
    assert source.read(tmp_path).clashes == {}
    state(9, 0.2)
    (sentence,) = source.read(tmp_path).clashes.values()
    assert "its files disagree at step 1: " in sentence
    assert "checkpoint-9/trainer_state.json 0.2" in sentence


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["step", "a", "b"]), st.integers() | st.floats() | st.booleans() | st.text())
    )
)
@settings(max_examples=50, deadline=None)
def test_a_line_of_plain_numbers_says_what_the_long_way_reads_in_it(tmp_path_factory, rows):
    """Such lines are taken a shorter way; numbers too large, words and booleans are not among them."""
    folder = tmp_path_factory.mktemp("plain")
    (folder / "short.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "long.jsonl").write_text("".join(f"{json.dumps({**row, 'deep': {}})}\n" for row in rows))
    short, long = (FileSource(options={"path": f"{name}.jsonl"}).read(folder) for name in ("short", "long"))
    assert (repr(short.series), short.counted) == (repr(long.series), long.counted)
