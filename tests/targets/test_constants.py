"""Constants and tables of a script as knobs and as the place of its seed."""

import subprocess
from pathlib import Path

import pytest

from autoresearch.errors import CampaignError
from autoresearch.ports.plugins import knob_finder
from autoresearch.ports.target import RunRequest
from autoresearch.targets.command import CommandTarget
from autoresearch.targets.constants import constants

OBJECTIVE = {"metric": "acc", "direction": "maximize"}


def request(tree, folder, seed):
    return RunRequest(run_id="r", tree=tree, folder=folder, log=folder / "run.log", seed=seed, limit_s=60.0, commit="c")


def values(text):
    return {name: value for name, (value, _) in constants(text).items()}


def test_entries_of_a_table_that_is_written_out_are_constants():
    """`{"lr": 0.1}` and `dict(lr=0.1)`, at the top and under `if __name__ == "__main__"`."""
    text = 'a = {"lr": 0.1, "n": 3, "f": g()}\nif __name__ == "__main__":\n    b = dict(gamma=0.9)\n    LR = 0.5\n'
    assert values(text) == {"a.lr": 0.1, "a.n": 3, "b.gamma": 0.9, "LR": 0.5}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def main():\n    LR, N = 0.5, 3\n    x = 0\n    x += 1\nmain()\n", {"LR": 0.5, "N": 3}),
        ("def main(lr=1):\n    lr = 2\nmain()\n", {}),
        ("def step():\n    LR = 0.5\nfor _ in x:\n    step()\nstep()\n", {}),
        ("LR = 1\nif __name__ == '__main__':\n    main()\ndef main():\n    LR = 2\n", {"LR": 1, "main.LR": 2}),
        ("cfg.lr = 3e-4\ncfg.n = 1\ncfg.n = 2\n", {"cfg.lr": 3e-4}),
        (
            "a, b = t.run(p=0.5, n=40)\nt.add(q=0.1)\nt.add(r=3)\nplt.plot(alpha=0.3)\n",
            {"run.p": 0.5, "run.n": 40, "add.q": 0.1, "add.r": 3},
        ),
        ("t.add(q=0.1)\nt.add(q=0.2)\n", {}),
        ("opt = Adam(p, lr=1e-3, fused=True)\n", {"opt.lr": 1e-3}),
        ("class C:\n    lr: float = 0.1\n    n = 2\nc = C(n=3)\n", {"C.lr": 0.1, "c.n": 3}),
        ("class C:\n    lr = 0.1\nC().lr = 0.2\n", {}),
        ("class C:\n    lr = 0.1\nC(**more)\n", {}),
        ("torch.manual_seed(7)\n", {"seed": 7}),
        ("random.seed(1)\ntorch.manual_seed(7)\n", {}),
        ("random.seed(1 + rank)\n", {}),
    ],
)
def test_plain_values_are_found_where_a_program_keeps_them(text, found):
    """In the function it calls once, in settings of objects, arguments of calls, fields of classes, calls that seed."""
    assert values(text) == found


@pytest.mark.parametrize(
    "call",
    [
        *("json.dump(rows, file, indent=1)", "Path('a').write_text(json.dumps(rows, indent=1))", "time.sleep(secs=1)"),
        *("frame.to_csv('a.csv', index=0)", "np.savetxt('a', x, newline=1)", "np.set_printoptions(precision=3)"),
        *("print(x, flush=1)", "model.save_pretrained('a', shards=2)", "trainer.log_metrics('eval', m, width=3)"),
        *("writer.writerow(row, width=3)", "dumps(rows, indent=2)", "torch.set_printoptions(precision=2)"),
    ],
)
def test_a_call_that_only_writes_shows_or_waits_has_no_constants(call):
    """Its indent is nothing to search over, and for its sake the script that measures would go unprotected."""
    assert values(f"{call}\nmodel.fit(lr=0.1)\nmodel.train_top(p=0.5)\n") == {"fit.lr": 0.1, "train_top.p": 0.5}


def test_fields_of_a_class_are_flags_only_where_a_parser_makes_them(tmp_path):
    """A plain dataclass takes no flags, so its fields are turned where they stand."""
    fields = "from dataclasses import dataclass\n@dataclass\nclass Args:\n    lr: float = 0.1\n"
    for head, place, at in (("", "constant", "Args.lr"), ("import tyro\n", "flag", "--lr")):
        (tmp_path / "t.py").write_text(head + fields)
        assert {(one.place, one.at) for one in knob_finder().find_knobs(tmp_path, ["x", "t.py"], "")} == {(place, at)}


def test_settings_in_a_python_file_that_the_command_names_come_first(tmp_path):
    """`train.py config/small.py`: what the second sets, it sets over the first."""
    (tmp_path / "train.py").write_text("lr = 0.1\ndecay = 0.5\n")
    (tmp_path / "small.py").write_text("lr = 0.2\n")
    found = knob_finder().find_knobs(tmp_path, ["python3", "train.py", "small.py"], "")
    assert [(one.name, one.file) for one in found] == [("lr", "small.py"), ("decay", "train.py")]


@pytest.mark.parametrize("later", ['a["lr"] = 0.2', 'a.update({"lr": 2})', "a[key] = 1", "a = {}", 'del a["lr"]'])
def test_an_entry_that_is_set_again_is_none(later):
    """Editing the first would change nothing."""
    assert "a.lr" not in values(f'a = {{"lr": 0.1}}\n{later}\n')


def test_an_entry_is_edited_where_it_stands(tmp_path):
    """Every other byte stays."""
    (tmp_path / "t.py").write_text('params = {"lr": 0.05,  # as the paper\n  "depth": 3}\n')
    options = {"knobs": {"params.lr": {"constant": "params.lr", "file": "t.py"}}}
    target = CommandTarget(command=["x"], objective=OBJECTIVE, options=options)
    assert target.apply(tmp_path, ["params.lr=0.1"]) == ("t.py",)
    assert (tmp_path / "t.py").read_text() == 'params = {"lr": 0.1,  # as the paper\n  "depth": 3}\n'


@pytest.mark.parametrize(
    ("file", "text", "seed_at", "then"),
    [
        ("t.py", "SEED = 7  # mine\nLR = 0.1\n", {"constant": "SEED"}, "SEED = 1234  # mine\nLR = 0.1\n"),
        ("t.py", 'c = {"seed": 7}\n', {"constant": "c.seed"}, 'c = {"seed": 1234}\n'),
        ("t.py", "SEED = 1234\n", {"constant": "SEED"}, "SEED = 1234\n"),
        ("t.py", "é = 1\nSEED = 12\n", {"constant": "SEED"}, "é = 1\nSEED = 1234\n"),
        ("c.yaml", "# mine\nrun:\n  seed: 7\nlr: 1\n", {"key": "run.seed"}, "# mine\nrun:\n  seed: 1234\nlr: 1\n"),
        ("a dir/c.json", '{"lr": 1, "seed": 7}\n', {"key": "seed"}, '{"lr": 1, "seed": 1234}\n'),
    ],
)
def test_a_seed_that_is_a_constant_or_a_key_is_the_runs_own(tmp_path, file, text, seed_at, then):
    """In a copy of that one file in the run's folder; the worktree stays as it is."""
    tree, folder = tmp_path / "tree", tmp_path / "run"
    (tree / file).parent.mkdir(parents=True)
    folder.mkdir()
    (tree / file).write_text(text)
    options = {"seed_at": {**seed_at, "file": file}, "start_in": "folder"}
    target = CommandTarget(command=["cat", file], objective=OBJECTIVE, options=options)
    job = target.job(request(tree, folder, 1234))
    done = subprocess.run(job.argv, cwd=job.directory, capture_output=True, text=True, check=True)
    assert done.stdout == then
    assert (tree / file).read_text() == text


def test_a_command_starts_in_its_folder_of_the_repository(tmp_path):
    """Where a person stood who typed it, also in a run's own copy; knobs are found from there."""
    (tmp_path / "tree/examples/one").mkdir(parents=True)
    (tmp_path / "tree/examples/one/t.py").write_text("LR = 0.5\n")
    for start in ("tree", "folder"):
        options = {"directory": "examples/one", "start_in": start}
        target = CommandTarget(command=["ls"], objective=OBJECTIVE, options=options)
        job = target.job(request(tmp_path / "tree", tmp_path / start, 1))
        done = subprocess.run(job.argv, cwd=job.directory, capture_output=True, text=True, check=True)
        assert done.stdout == "t.py\n"
    (knob,) = knob_finder().find_knobs(tmp_path / "tree", ["python3", "t.py"], "", "examples/one")
    assert (knob.name, knob.file) == ("LR", "examples/one/t.py")


def test_a_seed_needs_a_folder_of_the_runs_own():
    """In the worktree that all runs share there is one file for all of them."""
    with pytest.raises(CampaignError, match="start_in: folder"):
        CommandTarget(command=["x"], objective=OBJECTIVE, options={"seed_at": {"constant": "SEED", "file": "t.py"}})


def test_a_file_outside_of_the_repository_holds_no_knobs(tmp_path):
    """`../other.yaml` from its top is somebody else's."""
    (tmp_path / "c.yaml").write_text("lr: 0.1\n")
    (tmp_path / "tree").mkdir()
    assert knob_finder().find_knobs(Path(tmp_path, "tree"), ["x", "../c.yaml"], "") == ()


def test_a_flag_that_only_the_command_shows_is_a_knob(tmp_path):
    """A program that reads its own flags, without help: what is typed with a number can be turned in its place."""
    argv = ["x", "--trainer.learning_rate=0.0005", "--name=me", "--verbose"]
    (knob,) = knob_finder().find_knobs(tmp_path, argv, "")
    assert (knob.at, knob.kind, knob.default) == ("--trainer.learning_rate", "float", 0.0005)
