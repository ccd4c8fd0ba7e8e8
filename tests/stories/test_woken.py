"""A controller looks again when something has happened: here it would look once an hour by itself."""

RARELY = ("run", "--yes", "--plain", "--poll", "3600")


def test_the_end_of_a_run_wakes_the_controller(lab):
    """A whole campaign of local runs, two at a time, without a single look that was not called for."""
    lab.local(parallel=2)
    lab.gate.touch()
    done = lab.cli(*RARELY)
    assert done.returncode == 0, done.stderr
    assert len(lab.rows()) == 4


def test_a_person_wakes_the_controller(lab):
    """Its run goes on for ever; what another command writes into the journal is heard."""
    lab.local()
    working = lab.start(*RARELY)
    lab.until(lambda: lab.journal("run_submitted"), "a run")
    assert lab.cli("stop", "--now").returncode == 0
    working.communicate(timeout=200)
    assert working.returncode == 0
    assert lab.journal("controller_stopped")


def test_what_has_happened_is_heard_before_anybody_is_asked(lab):
    """Two slots, and the controller stands still after it filled one: the stop that comes then comes before the idea."""
    lab.local(parallel=2)
    lab.gate.touch()
    working = lab.start_stepwise()
    lab.step(working, lambda: len(lab.journal("run_submitted")) == 2, "the first idea's run")
    asked = len(lab.journal("experiment_opened"))
    assert lab.cli("stop").returncode == 0
    lab.let_go()
    working.communicate(timeout=200)
    assert len(lab.journal("experiment_opened")) == asked
