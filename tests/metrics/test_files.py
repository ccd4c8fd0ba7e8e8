"""Numbers in files that scripts write."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoresearch.errors import CampaignError
from autoresearch.metrics.files import FileSource
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
    file.write_text(lines(range(3)) + '{"step": 3, "score": 0.5}')
    assert points(source.read(tmp_path))["score"][-1] == (3, 0.5)
    with file.open("r+") as stream:  # what was read before is no longer there to be read
        stream.write("x" * 20)
        stream.seek(0, 2)
        stream.write("\n" + lines([4, 2]))
    assert points(source.read(tmp_path)) == {"score": ((0, 0.0), (1, 1e-6), (2, 2e-6), (3, 0.5), (4, 4e-6))}
    file.write_text(lines([7]))
    assert points(source.read(tmp_path)) == {"score": ((7, 7e-6),)}


def test_a_line_too_long_to_hold_is_skipped_and_what_follows_is_read(tmp_path):
    """However its end comes, later lines count."""
    found = read(tmp_path, "metrics.jsonl", lines([1]) + "x" * (17 << 20) + "\n" + lines([2]))
    assert [step for step, _ in points(found)["score"]] == [1, 2]
    assert "1 torn" in found.notes[0]


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
