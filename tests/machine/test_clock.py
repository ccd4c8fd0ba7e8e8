"""The clock: whatever is done to the wall clock, time goes on evenly."""

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
