"""The skill pack: valid, true to the program, installed where agents look, never over somebody else's."""

import json
import re
from importlib.resources import files

import pytest

from autoresearch.cli.main import COMMANDS
from autoresearch.errors import UsageError
from autoresearch.records import row
from autoresearch.skills import skill_pack

HERE = files("autoresearch") / "skills" / skill_pack.NAME
TASKS = json.loads((HERE / "evals" / "evals.json").read_text())


def prose() -> str:
    return "\n".join(content.decode() for content in skill_pack.pack().values())


def test_the_pack_is_valid_by_the_formats_own_checker():
    """The reference implementation of the Agent Skills format finds nothing to object to."""
    from pathlib import Path

    from skills_ref import validate

    assert validate(Path(str(HERE))) == []


def test_every_command_the_pack_speaks_of_exists():
    """An agent is never sent to a command that the program does not have."""
    told = set(re.findall(r"`autoresearch ([a-z]+)", prose() + json.dumps(TASKS)))
    assert told
    assert told <= set(COMMANDS)


def test_the_pack_names_the_ledgers_columns():
    """All of them, in file order."""
    words = re.findall(r"[a-z_]+", (HERE / "references" / "results.md").read_text())
    assert [word for word in dict.fromkeys(words) if word in row.COLUMNS] == list(row.COLUMNS)


def test_the_front_page_is_short_and_leads_to_every_other_page():
    """An agent's context is dear; what is rarely needed lies in a page of its own."""
    front = skill_pack.pack()["SKILL.md"].decode()
    assert len(front.splitlines()) < 60
    assert set(re.findall(r"\]\((references/[a-z-]+\.md)\)", front)) == set(skill_pack.pack()) - {"SKILL.md"}


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task["id"])
def test_an_evaluation_task_is_whole(task):
    """The fields NeMo-RL's own tasks have; a negative one expects that the skill stays silent."""
    assert task["question"]
    assert task["ground_truth"]
    assert task["expected_behavior"]
    negative = "-negative-" in task["id"]
    assert task["expected_skill"] == (None if negative else skill_pack.NAME)
    assert task.get("should_trigger", True) is not negative


def test_there_are_at_least_twenty_tasks_of_both_kinds():
    """Distinct, and enough that a skill which always or never fires fails."""
    assert len({task["question"] for task in TASKS}) == len(TASKS) >= 20
    assert sum(task["expected_skill"] is None for task in TASKS) >= 5


def stems(text: str) -> set[str]:
    """The telling words of a text, cut so that their forms are one."""
    return {word[:6] for word in re.findall(r"[a-z]{4,}", text.lower())} - {
        "what",
        "this",
        "that",
        "with",
        "when",
        "which",
    }


def test_the_description_fires_for_the_tasks_and_not_for_the_others():
    """A scripted reader, where no model is at hand: a question shares more words with what to use it for than with what not.

    It is coarse, so one may go wrong; a model reads more than words.
    """
    uses, _, others = re.search(r"description: (.*)", prose())[1].partition("Do not use for")
    wrong = []
    for task in TASKS:
        words = stems(task["question"])
        fires = len(words & stems(uses)) > len(words & stems(others))
        if fires is not (task["expected_skill"] is not None):
            wrong.append(task["question"])
    assert len(wrong) <= 1, wrong


def test_what_no_program_can_enforce_is_said():
    """What the skill that this one replaces says, and only a reader can keep."""
    page = skill_pack.pack()["references/ideas.md"].decode()
    for words in ("underpowered", "set-up costs", "code paths first", "| you see | look at first |"):
        assert words in page


def test_installing_again_updates_and_keeps_what_was_changed(tmp_path):
    """One folder for Claude Code, one for the others; a file edited meanwhile is kept beside the new one."""
    first = skill_pack.install(tmp_path)
    assert {found.folder.parent.parent.name for found in first} == {".claude", ".agents"}
    assert all(not found.written for found in skill_pack.install(tmp_path))
    page = first[0].folder / "references" / "results.md"
    page.write_text("my notes")
    again = skill_pack.install(tmp_path)[0]
    assert again.written == ("references/results.md",)
    assert again.kept[0].read_text() == "my notes"


def test_a_skill_of_somebody_else_is_left_alone(tmp_path):
    """The same name, another author: refused before anything is written anywhere."""
    theirs = tmp_path / ".agents" / "skills" / "autoresearch" / "SKILL.md"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("---\nname: autoresearch\ndescription: mine\n---\nprogram: nemo-autoresearch\n")
    with pytest.raises(UsageError, match="another skill of this name"):
        skill_pack.install(tmp_path)
    assert not (tmp_path / ".claude").exists()
    assert skill_pack.install(tmp_path, ["claude"])[0].written


def test_an_unknown_agent_is_refused_by_name(tmp_path):
    """With the ones that are known."""
    with pytest.raises(UsageError, match=r"'emacs'.*known: claude, codex"):
        skill_pack.install(tmp_path, ["emacs"])
