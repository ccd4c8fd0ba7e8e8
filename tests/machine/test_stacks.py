"""What a hanging process leaves behind before it is ended."""

import re
import signal
import subprocess
import sys

import pytest

from autoresearch.machine import processes, stacks

SLEEPER = "import time\ndef where_it_hangs():\n    print('up', flush=True)\n    time.sleep(600)\nwhere_it_hangs()\n"


FAMILY = """\
import os, time
def where_it_hangs(ready):
    ready()
    time.sleep(600)
heard, said = os.pipe()
if os.fork():
    os.read(heard, 1)
    where_it_hangs(lambda: print("up", flush=True))
else:
    where_it_hangs(lambda: os.write(said, b"x"))
"""


def started(*options: str, script: str = SLEEPER):
    """A sleeping Python, once it sleeps."""
    child = subprocess.Popen((sys.executable, *options, "-c", script), stdout=-1, stderr=-1, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def test_the_kernels_words_are_always_there(monkeypatch, tmp_path):
    """Command, threads and what each of them waits in; without py-spy it says so."""
    child = started()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    text = stacks.told([processes.process_info(child.pid)])
    child.kill()
    child.communicate()
    assert f"process {child.pid} (" in text
    assert "where_it_hangs" in text.partition("command: ")[2]
    assert f"thread {child.pid} " in text
    assert "py-spy is not installed" in text


@pytest.mark.skipif(stacks.spy() is None, reason="py-spy is not installed: pip install py-spy")
def test_py_spy_tells_where_each_process_hangs():
    """Of a Python that prints no stacks itself, and of its child; both go on."""
    child = started("-I", script=FAMILY)
    tree = [processes.process_info(child.pid), *processes.descendants([child.pid], processes.everyone())]
    text = stacks.told(tree, patience_s=1800.0)
    states = [processes.process_info(one.pid).state for one in tree]
    for one in reversed(tree):
        processes.signal_tree(one, signal.SIGKILL)
    child.communicate()
    if refused := re.search(r"py-spy could not look into it: (.*)", text):
        pytest.skip(f"this system lets py-spy look into no other process: {refused[1]}")
    assert text.count("where_it_hangs (<string>:") == 2
    assert not {"T", "t", "Z", "X"} & set(states)  # neither stopped nor gone


def test_a_process_that_can_prints_its_stack_and_dies():
    """`faulthandler` names the function in which it hangs; a process without it is left alone."""
    child, plain = started("-X", "faulthandler"), started("-I")
    tree = [processes.process_info(one.pid) for one in (child, plain)]
    assert stacks.abort(tree) == 1
    assert "where_it_hangs" in child.communicate()[1]
    assert child.returncode == -signal.SIGABRT
    assert plain.poll() is None
    plain.kill()
    plain.communicate()


def test_a_process_that_is_gone_is_no_trouble():
    """Between the look and the question it may have ended."""
    child = started()
    seen = processes.process_info(child.pid)
    child.kill()
    child.communicate()
    assert f"process {child.pid}" in stacks.told([seen])
    assert stacks.abort([seen]) == 0
