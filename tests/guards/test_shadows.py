"""What Python would load before a protected file is refused; what shadows nothing is allowed."""

import pytest

from autoresearch.experiment.change import FileChange
from autoresearch.guards.scope import Scope
from autoresearch.guards.shadows import SearchedTree, loaded_later, redirects, shadows

FILES = frozenset({
    "README.md",
    "setup.cfg",
    "model.py",
    "score.py",
    "tasks/words.py",
    "tasks/words/list.txt",
    "src/lab/__init__.py",
    "src/lab/judge/__init__.py",
    "src/lab/judge/exact.py",
    "src/lab/net.py",
    "parts/fast.py",
    "jobs/train.py",
    "jobs/sets/eval.json",
})  # fmt: skip
PROTECTED = (
    *("score.py", "tasks/words.py", "src/lab/judge/exact.py"),
    *("parts/fast.py", "jobs/train.py", "jobs/sets/**"),
)


def found(path, *, subject=(), protect=PROTECTED, link=""):
    tree = SearchedTree(files=FILES, scripts=("jobs/train.py",), outside=lambda: {"numpy", "torch"})
    limits = Scope(protect=protect, subject=subject)
    return "; ".join(shadows([FileChange(path=path, added=1, link_target=link)], limits, tree))


@pytest.mark.parametrize(("path", "told"), [
    ("score/__init__.py", "score.py"), ("score/data.txt", "score.py"), ("score.cpython-312-x86_64-linux-gnu.so", "score.py"),
    ("score.abi3.so", "score.py"), ("score.pyc", "score.py"), ("__pycache__/score.cpython-311.pyc", "score.py"),
    ("score.pyd", "score.py"), ("tasks/words/__init__.py", "tasks/words.py"), ("tasks/__init__.py", "tasks/words.py"),
    ("src/lab/judge/exact/__init__.py", "exact.py"), ("src/lab/judge/exact/inner/deep.py", "exact.py"),
    ("src/lab/judge/__pycache__/exact.cpython-313.pyc", "exact.py"), ("src/lab/judge/__init__.py", "exact.py"),
    ("src/lab/__init__.py", "exact.py"), ("src/lab/judge/__init__.abi3.so", "exact.py"), ("parts.py", "parts/fast.py"), ("SCORE/__init__.py", "score.py"),
])  # fmt: skip
def test_a_twin_beside_a_protected_module_is_refused(path, told):
    """A package, a compiled or cached form, a package's own first file: each goes before the module, or around it."""
    assert f"{told}, which is protected" in found(path)


@pytest.mark.parametrize(("path", "told"), [
    ("lab/__init__.py", "src/lab/judge/exact.py"), ("jobs/lab.py", "src/lab/judge/exact.py"), ("jobs/score.py", "score.py"),
    ("jobs/tasks/words.py", "tasks/words.py"), ("src/score/__init__.py", "score.py"), ("src/parts/fast.py", "parts/fast.py"),
])  # fmt: skip
def test_an_import_name_of_a_protected_module_on_another_path_is_refused(path, told):
    """The script's folder and the worktree's root are searched too, one of them first."""
    assert told in found(path)


@pytest.mark.parametrize("path", [
    "random.py", "statistics/__init__.py", "jobs/math.py", "jobs/pickle/__init__.py", "csv.abi3.so", "jobs/logging.py",
    "numpy.py", "torch/__init__.py", "jobs/torch.py", "typing.pyc",
])  # fmt: skip
def test_names_of_python_and_of_installed_packages_are_taken(path):
    """Where the protected evaluation imports them, a file of that name would be loaded instead."""
    assert "would be loaded in place of" in found(path)
    assert found(path, protect=())


@pytest.mark.parametrize("path", [
    "sitecustomize.py", "jobs/usercustomize.py", "usercustomize/__init__.py", "x.pth", "conftest.py", "tests/conftest.py",
    ".env", "jobs/.env", ".envrc", "uv.lock", "poetry.lock", "pylock.gpu.toml", "pytest.ini", "jobs/tox.ini", "uv.toml",
    "plugin-1.0.dist-info/entry_points.txt", "src/lab.egg-info/PKG-INFO", "lab.egg", ".pytest.ini", "pytest.toml", ".pytest.toml",
    "lab.egg-link", ".env.local", "lib/pyvenv.cfg", "package-lock.json", "web/pnpm-lock.yaml",
])  # fmt: skip
def test_what_is_loaded_around_the_evaluation_is_refused(path):
    """Unless the campaign names it as its subject."""
    assert found(path, protect=())
    assert found(path, subject=(path,)) == ""


@pytest.mark.parametrize("path", [
    "Score.py", "src/lab/Judge/exact.py", "src/Lab/net.py", "ｓcore.py", "jobs/Sets/other.json", "ſcore.py",
])  # fmt: skip
def test_case_and_unicode_twins_are_refused(path):
    """They are one file where the file system knows no case, and one name where Python normalises it."""
    assert "only in case or Unicode form" in found(path)


@pytest.mark.parametrize(("path", "link", "told"), [
    ("jobs/copy.json", "sets/eval.json", "jobs/sets/eval.json"), ("extra", "src/lab", "src/lab"), ("jobs/s.py", "../score.py", "score.py"),
    ("score", "model_parts", "score.py"), ("jobs/json", "elsewhere", "json"), ("jobs/./a", "./sets", "jobs/sets"),
])  # fmt: skip
def test_links_that_lead_to_or_stand_for_what_is_protected_are_refused(path, link, told):
    """A link inside the tree is a second way to write a file, or a package in disguise."""
    assert told in found(path, link=link)


@pytest.mark.parametrize("path", [
    "helpers/__init__.py", "helpers/json.py", "helpers.py", "src/lab/fresh.py", "src/lab/fresh/__init__.py", "src/lab/judge/more.py",
    "model.py", "src/lab/net.py", "src/other/__init__.py", "jobs/tools.py", "src/lab/random.py", "tasks/words/more.txt",
    "scores.py", "score.md", "numpy/notes.md", "docs/conftest.md", "notes.locked", "jobs/x.txt",
])  # fmt: skip
def test_an_honest_new_module_is_allowed(path):
    """Shadowing nothing, however near it lies; inside a package a name of Python's is nobody else's."""
    assert found(path) == ""


def test_a_link_to_what_nobody_protects_is_allowed():
    """As long as its own name stands for nothing."""
    assert found("newest.md", link="README.md") == ""
    assert found("jobs/nets", link="../helpers") == ""


@pytest.mark.parametrize(("path", "counts"), [
    ("json.py", True), ("json/__init__.py", True), ("json.pyc", True), ("json.abi3.so", True), ("json/pyvenv.cfg", False),
    ("conftest.py", True), ("jobs/conftest.py", True), ("deps/numpy/conftest.py", False), ("out/model.pth", False),
    ("model.pth", False), ("deps/site-packages/a.pth", True), (".venv/lib/python3.11/site-packages/a.pth", False),
    (".venv/lib/python3.11/site-packages/sitecustomize.py", False), ("src/lib/x.py", True),
    ("__pycache__/json.cpython-311.pyc", False), ("out/metrics.csv", False), ("evil-1.dist-info/entry_points.txt", True),
    (".venv/lib/python3.11/site-packages/x-1.dist-info/entry_points.txt", False), ("src/lab.egg-info/PKG-INFO", False),
])  # fmt: skip
def test_what_a_run_left_counts_where_the_next_one_would_load_it(path, counts):
    """Weights, caches and an environment of its own are its affair; a mark of an environment covers nothing but that."""
    left = {path, ".venv/pyvenv.cfg", "src/pyvenv.cfg", "pyvenv.cfg", "json/pyvenv.cfg"}
    assert (path in loaded_later(left, SearchedTree(files=FILES))) is counts


@pytest.mark.parametrize(("path", "line", "name"), [
    ("pyproject.toml", "[tool.pytest.ini_options]", "tool.pytest"), ("pyproject.toml", 'addopts = "-p tune"', "addopts"),
    ("lab/pyproject.toml", '["tool"."pytest"]', 'tool"."pytest'), ("setup.cfg", "[tool:pytest]", "tool:pytest"),
    ("pyproject.toml", "[project.entry-points.pytest11]", "entry-points"), ("setup.py", "setup(entry_points={})", "entry_points"),
])  # fmt: skip
def test_words_for_pytest_and_plugins_in_a_projects_own_file_are_refused(path, line, name):
    """They need no file of their own, and the file is otherwise free."""
    (told,) = redirects(added(path, line), Scope())
    assert told.startswith(f"{path} sets {name}, which decides what is loaded")
    assert not redirects(added(path, line), Scope(subject=(path,)))


def added(path, *lines: str):
    body = "".join(f"+{line}\n" for line in lines)
    return f"diff --git a/{path} b/{path}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1,{len(lines) + 1} @@\n kept\n{body}"


LOADERS = (
    *(f"PYTHON{name}" for name in ["PATH", "HOME", "STARTUP", "USERBASE", "PLATLIBDIR", "PYCACHEPREFIX", "EXECUTABLE", "BREAKPOINT", "CASEOK"]),
    *["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "DYLD_INSERT_LIBRARIES", "BASH_ENV", "VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT"],
)  # fmt: skip


@pytest.mark.parametrize("name", LOADERS)
@pytest.mark.parametrize(
    "way",
    [
        "export {}=x",
        "{}: x",
        '"{}": "x"',
        "env['{}'] = x",
        "setenv('{}', x)",
        "putenv('{}', x)",
        "e.setdefault('{}', x)",
    ],
)
def test_each_variable_by_which_code_is_found_is_known_in_each_way_to_set_it(name, way):
    """Shells, configuration files and Python set them in ways of their own."""
    (told,) = redirects(added("job.py", way.format(name)), Scope())
    assert told.startswith(f"job.py sets {name}, ")


@pytest.mark.parametrize("name", ["__path__", "meta_path", "path_hooks", "path_importer_cache", "sys.modules"])
@pytest.mark.parametrize("way", [" = x", " += x", "['a'] = x", *(f".{deed}(x)" for deed in (
    "insert", "append", "extend", "update", "clear", "setdefault", "__setitem__"))])  # fmt: skip
def test_each_place_where_python_looks_is_known_in_each_way_to_change_it(name, way):
    """Whatever a list or a mapping offers."""
    (told,) = redirects(added("net.py", f"{name}{way}"), Scope())
    assert told.startswith(f"net.py sets {name}, ")


@pytest.mark.parametrize("name", ["__path__", "meta_path", "path_hooks"])
def test_a_place_where_python_looks_is_known_by_its_name_as_text(name):
    """`setattr` takes one."""
    (told,) = redirects(added("net.py", f"setattr(thing, '{name}', x)"), Scope())
    assert told.startswith(f"net.py sets {name}, ")


@pytest.mark.parametrize("path", ["jobs/queue.py", "platform.py", "jobs/json/__init__.py"])
def test_what_was_there_before_the_idea_may_bear_a_name_of_python(path):
    """It was loaded so for the baseline too, by whichever folder is searched."""
    tree = SearchedTree(files=FILES | {path}, scripts=("jobs/train.py",), outside=lambda: {"numpy"})
    assert shadows([FileChange(path=path, added=1, link_target="")], Scope(protect=PROTECTED), tree) == ()
    assert found(path)


@pytest.mark.parametrize("file", ["pyproject.toml", "setup.cfg", "setup.py"])
@pytest.mark.parametrize("word", [
    "tool.pytest", "tool:pytest", "entry-points", "entry_points", "addopts", "pythonpath", "python_files", "required_plugins", "testpaths",
])  # fmt: skip
def test_each_word_for_pytest_and_plugins_is_known_in_each_file_that_has_them(file, word):
    """All of them are read before the code of a run."""
    (told,) = redirects(added(file, f"[{word}]"), Scope())
    assert told.startswith(f"{file} sets {word}, ")
    assert not redirects(added("notes.txt", f"[{word}]"), Scope())


@pytest.mark.parametrize("ending", [".sh", ".bash", ".zsh", ".env", ".envrc"])
def test_where_programs_are_looked_for_is_set_in_files_for_shells(ending):
    """`PATH` is a word of its own in other files, and in prose all of them are."""
    (told,) = redirects(added(f"job{ending}", "PATH=x"), Scope())
    assert " sets PATH, " in told
    assert not redirects(added("job.cfg", "PATH=x"), Scope())
    for prose in (".md", ".rst"):
        assert not redirects(added(f"job{prose}", "PATH=x PYTHONPATH=x"), Scope())


def test_each_hunk_of_a_file_is_read_by_its_own_counts():
    """Also one that begins where another ended, and one of a single line."""
    hunks = "@@ -1,2 +1,2 @@\n a\n-b\n+c\n@@ -9,2 +9,3 @@\n x\n+export PYTHONPATH=lib\n y\n@@ -20 +21,2 @@\n z\n+LD_AUDIT=x\n"
    found = redirects(f"diff --git a/env.sh b/env.sh\n--- a/env.sh\n+++ b/env.sh\n{hunks}", Scope())
    assert "PYTHONPATH" in " ".join(found)
    only_last = hunks.replace("PYTHONPATH", "PLACE")
    assert "LD_AUDIT" in " ".join(redirects(f"--- a/env.sh\n+++ b/env.sh\n{only_last}", Scope()))


@pytest.mark.parametrize(("path", "line", "name"), [
    ("env.sh", "export PYTHONPATH=lib.zip", "PYTHONPATH"), ("env.sh", "export PATH=$PWD/tools:$PATH", "PATH"),
    ("job.yaml", "  LD_PRELOAD: ./x.so", "LD_PRELOAD"), ("conf.json", '"PYTHONHOME": "py"', "PYTHONHOME"),
    ("net.py", "os.environ['PYTHONSTARTUP'] = 'a.py'", "PYTHONSTARTUP"), ("net.py", 'setenv("LD_AUDIT", "x")', "LD_AUDIT"),
    ("net.py", "lab.__path__.insert(0, place)", "__path__"), ("net.py", "lab.__path__ = [place]", "__path__"),
    ("net.py", "sys.meta_path.insert(0, F())", "meta_path"), ("net.py", "sys.modules['j'] = me", "sys.modules"),
    ("net.py", "sys.path_hooks[:] = []", "path_hooks"), ("net.py", "setattr(lab, '__path__', [])", "__path__"),
    ("net.py", "env = dict(os.environ, BASH_ENV='x.sh')", "BASH_ENV"), ("env.sh", "PYTHONPATH+=:lib", "PYTHONPATH"),
])  # fmt: skip
def test_a_variable_by_which_code_is_found_is_not_set_by_an_idea(path, line, name):
    """In whatever file, also below lines that look like the heading of another; the campaign's subject may."""
    (told,) = redirects(added(path, "++ b/notes.md", "@@ -1 +1 @@", line), Scope())
    assert told.startswith(f"{path} sets {name}, which decides what is loaded")
    assert not redirects(added(path, line), Scope(subject=(path,)))


@pytest.mark.parametrize(("path", "line"), [
    ("pyproject.toml", 'dev = ["pytest>=8", "entry-points-tools"]'), ("pyproject.toml", "[tool.ruff]"), ("net.py", "addopts = 1"),
    ("net.py", 'path = os.environ.get("PYTHONPATH", "")'), ("net.py", 'if os.environ["LD_PRELOAD"] == "x":'),
    ("net.py", 'PATH = "model"'), ("env.sh", "MY_PATH=a"), ("env.sh", "echo $PATH"), ("notes.md", "PYTHONPATH=."),
    ("env.sh", "DATA_PYTHONPATH=1"), ("net.py", "for m in iter_modules(lab.__path__):"), ("net.py", "sys.modules[__name__]"),
])  # fmt: skip
def test_reading_such_a_variable_and_names_that_only_hold_it_are_allowed(path, line):
    """Nothing is led elsewhere by them."""
    assert redirects(added(path, line), Scope()) == ()
