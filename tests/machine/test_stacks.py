"""What a hanging process leaves behind before it is ended."""

import signal
import subprocess
import sys

from autoresearch.machine import processes, stacks

SLEEPER = "import time\ndef where_it_hangs():\n    print('up', flush=True)\n    time.sleep(600)\nwhere_it_hangs()\n"


def started(*options: str):
    """A sleeping Python, once it sleeps."""
    child = subprocess.Popen((sys.executable, *options, "-c", SLEEPER), stdout=-1, stderr=-1, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


def test_the_kernels_words_are_always_there(monkeypatch):
    """Command, threads and what each of them waits in; without py-spy it says so."""
    monkeypatch.setattr(stacks, "_spy", lambda: None)
    child = started()
    text = stacks.told([processes.process_info(child.pid)])
    child.kill()
    child.communicate()
    assert f"process {child.pid} (" in text
    assert "where_it_hangs" in text.partition("command: ")[2]
    assert f"thread {child.pid} " in text
    assert "py-spy is not installed" in text


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
