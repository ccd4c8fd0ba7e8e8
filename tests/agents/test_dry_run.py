"""The dry run: what an agent is told of its edit in one line, before it spends an attempt on it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.agents.conftest import call

from autoresearch.experiment.hypothesis import Brief, Facts
from autoresearch.git import worktree
from autoresearch.researchers.agent import dry_run
from autoresearch.run.measurement import Objective

FILES = {
    "train.py": "import lib.step\nprint('score: 1')\nraise SystemExit(lib.step.CODE)\n",
    "lib/__init__.py": "",
    "lib/step.py": "CODE = 0\n",
    "eval.py": "print(1)\n",
    "config.json": '{"lr": 0.1, "eval": {"size": 3}}\n',
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A worktree of a small project."""
    root = tmp_path / "project"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for words in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-q", "-m", "start")):
        call(root, *words)
    made = root / ".autoresearch" / "worktrees" / "tree"
    worktree.add(root, made, call(root, "rev-parse", "HEAD"))
    return made


def brief(**said: object) -> Brief:
    """What the campaign would tell of it."""
    target = {
        "name": "command", "recipe": "config.json", "command": ["python3", "train.py"], "env": {}, "check": [],
        "objective": {"metric": "score", "direction": "maximize", "goal": ""}, "options": {},
    }  # fmt: skip
    facts = Facts({"lr": 0.1, "eval.size": 3})
    return Brief(
        campaign="night", index=2, objective=Objective("raise it", "score"), facts=facts,
        protect=("eval.py",), protect_keys=("eval.*",), max_files=3, target=target | said,
    )  # fmt: skip


def looked(tree: Path, *overrides: str, **said: object) -> tuple[bool, str]:
    """What the dry run says of a worktree as it stands."""
    folder = tree.parents[3] / "io"
    folder.mkdir(exist_ok=True)
    dry_run.write(folder, brief(**said), tree, tree.parents[2])
    return dry_run.look(json.loads((folder / dry_run.SPEC).read_bytes()), overrides)


def test_a_sound_edit_is_said_to_be_one(tree):
    """Files, size, what the recipe becomes and what was imported stand in one line; nothing is left in the worktree."""
    (tree / "lib/step.py").write_text("CODE = 0\nRATE = 2\n")
    (tree / "config.json").write_text('{"lr": 0.2, "eval": {"size": 3}}\n')
    fine, line = looked(tree)
    assert fine, line
    assert line == "ok: 2 files, 3 lines, within the scope; the recipe resolves, lr 0.1 -> 0.2; 1 imported"
    assert call(tree, "status", "--porcelain").split() == ["M", "config.json", "M", "lib/step.py"]


@pytest.mark.parametrize(
    ("path", "text", "words"),
    [
        ("lib/step.py", "CODE = (\n", "lib/step.py:1: SyntaxError"),
        ("lib/step.py", "CODE = 1 / 0\n", "ZeroDivisionError: division by zero (lib/step.py:1)"),
        ("lib/step.py", "import lib.gone\n", "no module named lib.gone"),
        ("lib/step.py", "import sys\nsys.exit(3)\n", "SystemExit"),
        ("eval.py", "print(2)\n", "eval.py is protected"),
        ("config.json", '{"lr": 0.1, "eval": {"size": 4}}\n', "recipe key eval.size is protected"),
        ("config.json", '{"lr": 0.1\n', "the recipe is refused"),
        ("AGENTS.md", "be bold\n", "it tells coding agents what to do"),
        ("lib/blob", "\0\1", "lib/blob is a binary file"),
    ],
)
def test_a_slip_is_named_with_its_place(tree, path, text, words):
    """What would cost an attempt, or end as a crash, is said in one line."""
    (tree / path).write_text(text)
    fine, line = looked(tree)
    assert not fine
    assert line.startswith("not yet: ")
    assert words in line
    assert "\n" not in line


def test_what_is_not_installed_here_is_no_slip(tree):
    """A library that only the runs' machine has is named as not looked at; the edit stands."""
    (tree / "lib/step.py").write_text("import torch_of_the_cluster\n")
    fine, line = looked(tree)
    assert fine
    assert "not checked: the import of lib/step.py, because torch_of_the_cluster is not installed here" in line


def test_overrides_of_an_answer_are_tried_and_taken_back(tree):
    """They go through the target as they will later; the worktree is as it was."""
    assert looked(tree, "lr=0.3")[1].endswith("the recipe resolves, lr 0.1 -> 0.3")
    assert "eval.size is protected" in looked(tree, "eval.size=9")[1]
    assert "nothing is changed yet" in looked(tree)[1]
    assert call(tree, "status", "--porcelain") == ""


def test_the_campaigns_quick_check_has_the_last_word(tree):
    """`run.check` runs on the edit, away from the worktree; its last line says what was wrong."""
    (tree / "lib/step.py").write_text("CODE = 0  # still\n")
    words = ["python3", "-c", "open('left', 'w').close(); import train"]
    assert looked(tree, check=words)[1].endswith("the quick check ran")
    (tree / "lib/step.py").write_text("CODE = 'score is gone'\n")
    assert looked(tree, check=words) == (False, "not yet: the quick check ends with code 1: score is gone")
    assert not (tree / "left").exists()


def test_an_agent_is_told_the_command_and_has_it_in_its_sandbox(either, monkeypatch):
    """The brief names it, it works from inside, and what it said stands in the evidence."""
    said = replace(brief(command=["true"]), facts=Facts({"lr": 0.1}), protect=("notes.txt",))
    monkeypatch.setattr(either, "brief", lambda: said)
    check = '"$AUTORESEARCH_CHECK"'
    script = f"echo no > notes.txt; {check} && exit 7; echo one > notes.txt\n{either.EDIT}{check} || exit 8"
    either.ask(script)
    assert "/io/check'`" in either.evidence("agent-prompt.md")
    assert either.last_call()["dry_runs"] == [
        "not yet: notes.txt is protected (notes.txt): it is part of the evaluation",
        "ok: 1 file, 2 lines, within the scope; the recipe resolves, lr 0.1 -> 0.2",
    ]
    assert either.edited() == ("config.json",)
