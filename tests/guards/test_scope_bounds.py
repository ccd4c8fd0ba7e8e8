"""Every protection and every bound of the guards has a row: what is one beyond it, and what is still within."""

import pytest

from autoresearch.experiment.change import FileChange, changed_keys
from autoresearch.guards.scope import (
    Permission,
    Scope,
    Wish,
    breaches,
    is_data,
    matches,
    names_code,
    permission,
    protectable,
    simplifies,
    yardstick,
)

PROTECTED = (
    ".git", ".git/config", "sub/.git", "sub/.git/hooks/x", ".gitmodules", ".gitattributes", "a/.gitattributes", ".githooks/x",
    ".husky/x", "reports/x/y", "session/x/y", ".autoresearch/x", "CLAUDE.md", "a/CLAUDE.md", "AGENTS.md", "a/AGENTS.md",
    "GEMINI.md", "a/GEMINI.md", ".mcp.json", "a/.mcp.json", ".claude/x", "a/.claude/x", ".agents/x", "a/.agents/x", ".codex/x",
    "a/.codex/x", ".gemini/x", "a/.gemini/x", ".opencode/x", "a/.opencode/x", ".cursor/x", "a/.cursor/x", "claude.md", "MCP.json",
    "opencode.json", "a/opencode.jsonc", ".aider.conf.yml", "a/.aider.model.settings.yml", "CLAUDE.local.md", "AGENTS.override.md",
    ".cursorrules", "a/.cursorrules", ".github/copilot-instructions.md", ".github/instructions/a/b.instructions.md", ".goosehints",
    "a/.goosehints", ".windsurfrules", ".clinerules", ".clinerules/x", ".roo/rules/x", ".roorules-code", ".envrc", "a/.envrc",
    ".vscode/mcp.json", ".devcontainer/devcontainer.json", "QWEN.md", "WARP.md", ".kiro/steering/x.md", ".Claude/settings.json",
    "AGENT.md", "agents/x/SKILL.md", ".agent/x", ".rules", ".vscode/settings.json", ".vscode/tasks.json", ".devcontainer.json",
    ".mise.toml", "mise.toml", ".mise/config.toml", ".tool-versions", ".claude.json", ".claudeignore", ".claude-plugin/plugin.json",
    ".codexignore", ".geminiignore", ".qwen/settings.json", "tui.json", "tui.jsonc", "CONTEXT.md", ".aider.tags.cache.v4/x",
    ".mini-swe-agent/x", ".mswea/x", ".cursorignore", ".cursorindexingignore", ".github/copilot/x", ".github/prompts/x",
    ".github/agents/x", ".github/chatmodes/x", ".github/skills/x", ".github/hooks/x", "x.prompt.md", "x.chatmode.md", "x.agent.md",
    ".copilot/x", ".gooseignore", ".goose/x", ".windsurf/rules/x", ".codeium/x", ".codeiumignore", ".cline/x", ".clineignore",
    ".roomodes", ".rooignore", ".kilocode/x", ".kilocodemodes", ".continue/x", ".continuerules", ".zed/settings.json", ".junie/x",
    ".amp/x", ".augment/x", ".augment-guidelines", "CRUSH.md", "crush.json", ".crush.json", ".crush/x", ".openhands/x",
    ".openhands_instructions", ".trae/x", ".amazonq/x", ".idx/x", "replit.md", ".replit", ".factory/x", ".forge/x", ".tabnine/x",
    ".cody/x", ".sourcegraph/x", ".pearai/x", ".void/x", ".zencoder/x", ".plandex-v2/x", ".jules/x", "JULES.md", ".mentat/x",
    ".mentat_config.json", ".gptme.toml", "gptme.toml", ".pr_agent.toml", ".coderabbit.yaml", ".rovodev/x", ".iflow/x", "IFLOW.md",
    ".vibe/x", "CONVENTIONS.md", "firebender.json", ".firebender/rules/x.mdc", ".pi/skills/x/SKILL.md", ".skills/x/SKILL.md",
)  # fmt: skip
FREE = (
    "a/.gitmodules", "gitmodules", ".gitignore", "a/.githooks/x", "a/reports/x", "a/session/x", "reports.py", "sweep.yaml", "mini.yaml",
    ".cursorrule", "xCLAUDE.md", "CLAUDE.md.txt", ".gitlab/x", "agents/x", "llms.txt", "devbox.json",
)  # fmt: skip


def _change(path, added=0, deleted=0) -> FileChange:
    return FileChange(path=path, added=added, deleted=deleted)


@pytest.mark.parametrize("path", PROTECTED)
def test_the_repositorys_machinery_is_nobodys_to_change(path):
    """Whatever the campaign file allows, and whatever it names as its subject."""
    (told,) = breaches([FileChange(path=path, added=1)], Scope(subject=("**",)))
    assert told.startswith(path)


@pytest.mark.parametrize("path", FREE)
def test_what_only_looks_like_it_may_change(path):
    """The names are held to as a whole, and most of them at the root."""
    assert breaches([FileChange(path=path, added=1)], Scope()) == ()


LINKS = [
    ("a", "b", True), ("a", "b/c", True), ("a", "./b", True), ("d/a", "b..c/d", True), ("a", ".b", True), ("a", "...", True),
    ("a", "..", False), ("a", "../b", False), ("d/a", "../b", False), ("a", "/b", False), ("a", "b/../../c", False), ("a", "/", False),
    ("a", "x/../b", False),
]  # fmt: skip


@pytest.mark.parametrize(("path", "target", "within"), LINKS)
def test_a_link_may_lead_to_a_place_in_the_tree(path, target, within):
    """One that stays in it is a file like any other; one that goes up or starts at the root is a breach."""
    told = breaches([FileChange(path=path, added=1, link_target=target)], Scope())
    wanted = () if within else (f"{path} is a symbolic link to {target!r}, which may lead out of the tree",)
    assert told == wanted


@pytest.mark.parametrize(("files", "lines", "told"), [
    (2, (50, 50), ()), (3, (50, 50), ("3 files changed, at most 2 allowed (scope.max_files)",)),
    (1, (51, 50), ("101 lines changed, at most 100 allowed (scope.max_lines)",)), (1, (0, 101), ("101 lines changed, at most 100 allowed (scope.max_lines)",)),
    (1, (101, 0), ("101 lines changed, at most 100 allowed (scope.max_lines)",)),
])  # fmt: skip
def test_an_idea_is_small(files, lines, told):
    """At the bound it is still; lines added and removed count alike, over all its files."""
    changes = [_change(f"f{n}", *(lines if n == 0 else (0, 0))) for n in range(files)]
    assert breaches(changes, Scope(max_files=2, max_lines=100)) == told


def test_without_other_words_twenty_files_and_a_thousand_lines_are_small():
    """What a campaign file that says nothing means."""
    assert Scope() == Scope(allow=("**",), protect=(), protect_keys=(), subject=(), max_files=20, max_lines=1000)
    assert breaches([FileChange(path=f"f{n}", added=50) for n in range(20)], Scope()) == ()
    assert len(breaches([FileChange(path=f"f{n}", added=50) for n in range(21)], Scope())) == 2


def test_a_change_of_nothing_but_its_path_is_no_lines_and_no_link():
    """What git tells of a file that was only renamed."""
    assert FileChange(path="a") == FileChange(
        path="a", added=0, deleted=0, binary=False, link_target="", submodule=False
    )


SCOPE = Scope(
    allow=("src/**", "conf/*.yaml"),
    protect=("src/eval/**",),
    protect_keys=("grpo.val_*", "seed"),
    subject=("src/eval/x.py", "seed"),
)


@pytest.mark.parametrize(("path", "told"), [
    ("src/a.py", ""), ("conf/a.yaml", ""), ("conf/b/a.yaml", "outside the campaign's scope"), ("README.md", "outside"),
    ("src/eval/a.py", "part of the evaluation"), ("src/eval/x.py", ""),
])  # fmt: skip
def test_a_file_is_within_the_scope_or_is_told_why_not(path, told):
    """What measures may change only where the campaign calls it its subject."""
    found = breaches([FileChange(path=path, added=1)], SCOPE)
    assert (told in found[0]) if told else not found


@pytest.mark.parametrize(("key", "values", "told"), [
    ("lr", (1, 2), False), ("seed", (1, 2), False), ("grpo.val_batch", (1, 1), False), ("grpo.val_batch", (1, 2), True), ("grpo.batch", (1, 2), False),
    ("grpo.val_x.y", (1, 2), False), ("x.grpo.val_a", (1, 2), False),
])  # fmt: skip
def test_a_protected_key_may_not_get_another_value(key, values, told):
    """Unless it is the subject; its old and new value are named."""
    found = breaches([], SCOPE, {key: values[0]}, {key: values[1]})
    words = f"recipe key {key} is protected (grpo.val_*): it is part of the evaluation (1 became 2); a person may allow it in the campaign file (scope.subject)"
    assert found == ((words,) if told else ())


def test_a_key_that_comes_or_goes_was_changed():
    """Also when its value is null: unset is not null."""
    assert changed_keys({"a": None, "b": 1, "d": 1}, {"b": 1, "c": None, "d": 2}) == ("a", "c", "d")
    (gone,) = breaches([], SCOPE, {"grpo.val_batch": 1}, {})
    assert "(1 became 'unset')" in gone
    (new,) = breaches([], SCOPE, {}, {"grpo.val_batch": 1})
    assert "('unset' became 1)" in new
    assert breaches([], SCOPE, None, {"grpo.val_batch": 1}) == breaches([], SCOPE, {"grpo.val_batch": 1}, None) == ()


def test_the_yardstick_is_files_and_keys_that_measure_and_are_the_subject():
    """Sorted; what is protected and not the subject is no yardstick, nor is a subject that measures nothing."""
    changes = [FileChange(path="src/eval/x.py"), FileChange(path="src/eval/y.py"), FileChange(path="src/a.py")]
    limits = Scope(protect=("src/eval/**",), protect_keys=("seed", "exam.*"), subject=("src/**", "seed", "lr"))
    before, after = {"seed": 1, "exam.n": 1, "lr": 1}, {"seed": 2, "exam.n": 2, "lr": 2}
    assert yardstick(changes, limits, before, after) == ("seed", "src/eval/x.py", "src/eval/y.py")
    assert yardstick(changes[2:], limits) == yardstick(changes[2:], limits, before, before) == ()
    assert yardstick([], limits, None, after) == yardstick([], limits, before, None) == ("seed",)


@pytest.mark.parametrize(("glob", "path", "fits"), [
    ("a/**/b", "a/b", True), ("a/**/b", "a/x/y/b", True), ("**/b", "ab", False), ("a**", "a/b/c", True), ("*", "a", True),
    ("*", "a/b", False), ("a/*", "a/", True), ("?", "", False), ("a/", "a", False), ("a/", "ab", False), ("a", "a/b", False), ("a", "ba", False),
    ("a+b", "aab", False), ("[ab]", "a", False), ("a*c", "a\nc", True),
])  # fmt: skip
def test_a_glob_covers_the_whole_path_and_its_signs_mean_one_thing_each(glob, path, fits):
    """The first one that does is told."""
    assert matches(path, ("never", glob)) == (glob if fits else None)


@pytest.mark.parametrize(("wish", "answer"), [
    (Wish("execute", outside=("/x",)), Permission(True, "a command runs within the bounds that hold every agent")),
    (Wish("edit", paths=("src/a.py",), outside=("/x", "/y")), Permission(False, "/x is outside the worktree")),
    (Wish("read", outside=("/x",)), Permission(False, "/x is outside the worktree")),
    *((Wish(kind, paths=("src/a.py",)), Permission(True, "within the scope")) for kind in ("edit", "delete", "move")),
    *((Wish(kind), Permission(False, "it does not say which file")) for kind in ("edit", "delete", "move")),
    (Wish("edit", own=True), Permission(True, "within the scope")),
    *((Wish(kind), Permission(True, "it only looks")) for kind in ("read", "search", "think")),
    (Wish("other"), Permission(False, "nothing in the campaign allows 'other'")),
    (Wish("fetch"), Permission(True, "the network is open to it")),
])  # fmt: skip
def test_each_kind_of_wish_has_its_answer(wish, answer):
    """In words that the agent reads."""
    assert permission(wish, SCOPE, network=True) == answer


def test_a_refused_edit_says_what_the_guards_would_say():
    """The first breach; and a closed network is closed."""
    told = permission(Wish("edit", paths=("src/a.py", "src/eval/a.py", "x")), SCOPE, network=False)
    assert told == Permission(False, breaches([FileChange(path="src/eval/a.py")], SCOPE)[0])
    assert permission(Wish("fetch"), SCOPE, network=False) == Permission(False, "the network is closed to it")


@pytest.mark.parametrize(("files", "candidates"), [
    (("train.py", "model.py"), ("train.py",)), (("train.py", "my_eval.py", "testing/x", "a-score.txt"), ("train.py", "a-score.txt", "my_eval.py", "testing/x")),
    (("data/x.csv", "a/dataset/y", "b/datasets/z"), ("a/dataset/**", "b/datasets/**", "data/**")),
    (("gold/x", "a/eval/y", "evals/z", "benchmark/z", "benchmarks/z"), ("a/eval/**", "benchmark/**", "benchmarks/**", "evals/**", "gold/**")),
    (("data/test.csv", "test.csv", "a/data/test.csv"), ("test.csv", "a/data/**", "data/**")), (("words.txt", "other.txt", "loader.py"), ("words.txt",)),
    (tuple(f"test_{n}.py" for n in range(9)), tuple(f"test_{n}.py" for n in range(8))), (("contest.py", "latest.py", "mydata/x"), ()),
])  # fmt: skip
def test_what_may_measure_is_offered_for_protection(files, candidates):
    """Scripts of the command first, then what is called after measuring or named by a script, then folders of data."""
    assert protectable(("python", "train.py"), files, ("words.txt", "loader.py")) == candidates


RECIPE, BEFORE = ("r.yaml", "base.yaml"), {"kl": 0.1, "off": False, "word": "x"}


@pytest.mark.parametrize(
    ("lines", "simpler"),
    [(((1, 2),), True), (((2, 2),), False), (((3, 2),), False), (((5, 0), (0, 6)), True), (((5, 0), (0, 5)), False)],
)
def test_a_commit_that_removes_more_than_it_adds_simplifies(lines, simpler):
    """Over all its files; as many of either is no simplification."""
    assert simplifies([_change(f"f{n}.py", *each) for n, each in enumerate(lines)], RECIPE, BEFORE, BEFORE) is simpler


@pytest.mark.parametrize(("files", "after", "simpler"), [
    (["r.yaml"], {"kl": 0}, True), (["base.yaml", "r.yaml"], {"kl": None}, True), (["r.yaml"], {"kl": "null"}, True), (["r.yaml"], {"kl": []}, True),
    (["r.yaml"], {"kl": ""}, True), (["r.yaml"], {"kl": 0.2}, False), (["r.yaml"], {"kl": 0, "word": "y"}, False), (["r.yaml"], {"off": None}, False),
    (["r.yaml"], {"new": 0}, False), (["r.yaml", "a.py"], {"kl": 0}, False), (["r.yaml"], {"kl": 0, "off": 0}, True), (["r.yaml"], {}, False),
])  # fmt: skip
def test_turning_something_off_and_nothing_else_simplifies(files, after, simpler):
    """In the recipe alone; something that was off already is nothing turned off."""
    changes = [FileChange(path=file, added=1, deleted=1) for file in files]
    assert simplifies(changes, RECIPE, BEFORE, BEFORE | after) is simpler
    assert simplifies(changes, RECIPE, None, BEFORE | after) is False
    assert simplifies(changes, RECIPE, BEFORE, None) is False


def test_a_setting_that_names_code_is_code():
    """What a run loads by name and calls, and recipes that are programs; a rate or a name like it is none."""
    assert [key for key in ("optimizer._target_", "model.class_path", "_target_", "lr", "target", "m.retarget_") if names_code([key])] == [
        "optimizer._target_", "model.class_path", "_target_",
    ]  # fmt: skip
    was, now = (
        [{"_target_": "pkg.Clip", "at": 1.0}],
        [{"_target_": "pkg.Clip", "at": 2.0}, {"deep": {"class_path": "os.system"}}],
    )
    assert not names_code(["hooks"], {"hooks": was}, {"hooks": now[:1]})
    assert names_code(["hooks"], {"hooks": was}, {"hooks": now})
    assert names_code(["custom_reward_function.path", "lr"])
    assert [path for path in ("a/grpo.yaml", "config.json", "x.toml", "config.py", "run.sh", "LICENSE") if is_data(path)] == [
        "a/grpo.yaml", "config.json", "x.toml",
    ]  # fmt: skip
