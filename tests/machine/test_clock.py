"""The clock: whatever is done to the wall clock, time goes on evenly; a run's time: without what others stopped it for."""

import pytest

from autoresearch.machine import clock
from autoresearch.machine.clock import SteadyClock, since_boot


class Wall:
    """Two clocks that a test moves: the wall's, which jumps, and the machine's own, which does not."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_800_000_000.0, 500.0

    def clock(self, not_before=0.0):
        return SteadyClock(lambda: self.wall, lambda: self.steady, not_before)


def test_jumps_of_the_wall_clock_change_nothing():
    """Three hours forth, eight hours back, a second in truth: a second has passed."""
    both = Wall()
    clock = both.clock()
    for jump in (3 * 3600.0, -8 * 3600.0):
        both.wall += jump
        both.steady += 1.0
    assert clock() == 1_800_000_002.0


def test_a_new_process_does_not_go_back_before_what_is_known():
    """The wall clock was set back between two runs of the program: the deadline does not move away."""
    both = Wall()
    known = both.clock()() + 10.0
    both.wall -= 7200.0
    assert both.clock(not_before=known)() == known


def test_the_machine_has_such_a_clock():
    """It counts on and is not the wall's."""
    assert 0 < since_boot() <= since_boot()


class Times:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.asleep = self.worked = 0.0

    def monotonic(self) -> float:
        return self.now

    def thread_time(self) -> float:
        return self.worked

    def time(self) -> float:
        return self.now


@pytest.fixture
def times(monkeypatch):
    fake = Times()
    monkeypatch.setattr(clock, "time", fake)
    monkeypatch.setattr(clock, "since_boot", lambda: fake.now + fake.asleep)
    return fake


def running(times, *turns: tuple[float, float, bool]):
    """A stopwatch after turns of a loop: seconds waited, seconds passed, whether the run is stopped then."""
    watch = clock.Stopwatch()
    watch.start()
    for waits, passed, stopped in turns:
        watch.wait(waits)
        times.now += passed
        watch.turn(stopped=stopped)
    return watch


def test_time_in_which_all_of_it_is_stopped_is_not_counted(times):
    """From the look that sees it to the look that sees it go on."""
    watch = running(times, (1, 1, False), (1, 1, True), (1, 1, True), (1, 1, True), (1, 1, False), (1, 1, False))
    assert (watch.running_s, watch.paused_s, watch.paused_since) == (3.0, 3.0, None)
    assert running(times, (1, 1, True)).paused_since == times.now


def test_time_in_which_the_watcher_itself_was_stopped_is_not_counted(times):
    """A scheduler suspends both at once, so nobody sees it; a look that is a little late is no pause."""
    watch = running(times, (1, 3600, False), (1, 2, False))
    assert (watch.running_s, watch.paused_s) == (3.0, 3599.0)


@pytest.mark.parametrize(("worked", "ran"), [(4.0, 21.0), (0.001, 1.01)])
def test_a_long_look_is_no_pause(times, worked, ran):
    """Twenty seconds at a tree of many processes: the run went on; twenty seconds without work: a stop in between."""
    watch = running(times)
    times.now, times.worked = times.now + 20, times.worked + worked
    watch.wait(1)
    times.now += 1
    watch.turn(stopped=False)
    assert watch.running_s == pytest.approx(ran)


def test_a_pause_that_lasts_is_not_counted_meanwhile(times):
    """What is asked between two looks is right as well."""
    watch = running(times, (1, 1, True))
    times.now += 50
    assert watch.running_s == 1.0


def test_sleep_is_known(times):
    """A closed laptop: time that the machine's own clock does not count."""
    watch = running(times, (1, 1, False))
    times.asleep = 7200.0
    assert (watch.asleep_s, watch.running_s) == (7200.0, 1.0)
