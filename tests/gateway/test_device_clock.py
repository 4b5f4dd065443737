from dataclasses import replace

import pytest

from gateway.device_clock import DeviceClock
from tests.gateway.chunks import FS_HZ, STEP_NS, chunk

S = 10**9


def test_a_clock_that_is_behind_is_told_from_packets_that_come_late() -> None:
    clock = DeviceClock()
    delays = []
    for number in range(400):
        came = chunk(50 * number, 50)
        on_its_way_ns = 300_000_000 if number % 10 == 3 else 20_000_000
        delays.append(clock.see(came, came.end_ns + 5 * S + on_its_way_ns))
    assert clock.state is not None
    assert clock.state.behind_ms == pytest.approx(5020)
    assert clock.state.drift_ppm == pytest.approx(0)
    assert delays[303] == pytest.approx(0.28)
    assert delays[304] == pytest.approx(0)


def test_a_clock_that_runs_slow_is_told_from_a_rate_that_is_higher_than_it_says() -> None:
    slow, fast = DeviceClock(), DeviceClock()
    for number in range(400):
        came = chunk(250 * number, 250)
        true_ns = came.end_ns - 10**18
        slow.see(came, 10**18 + round(true_ns * (1 + 80e-6)))
        # It takes 50 samples more in a million than it says, by a clock that is right.
        start_ns = 10**18 + round(250 * number * STEP_NS * (1 - 50e-6))
        fast.see(replace(came, start_ns=start_ns), start_ns + S)
    assert slow.state is not None
    assert fast.state is not None
    assert slow.state.drift_ppm == pytest.approx(80, abs=2)
    assert slow.state.rate_ppm == pytest.approx(0, abs=0.1)
    assert fast.state.drift_ppm == pytest.approx(0, abs=2)
    assert fast.state.rate_ppm == pytest.approx(50, abs=1)


def test_lost_packets_are_neither_drift_nor_a_jump() -> None:
    clock = DeviceClock()
    for number in range(0, 400, 7):
        came = chunk(250 * number, 250)
        clock.see(came, came.end_ns + S)
    assert clock.state is not None
    assert (clock.state.jumps, clock.state.rate_ppm) == (0, 0)
    assert clock.state.drift_ppm == pytest.approx(0)


def test_a_jump_is_counted_and_what_was_before_it_is_no_drift() -> None:
    clock = DeviceClock()
    for number in range(400):
        came = chunk(250 * number, 250, origin_ns=10**18 + (2 * S if number >= 200 else 0))
        clock.see(came, 10**18 + round((250 * number + 250) / FS_HZ * S) + S)
    assert clock.state is not None
    assert clock.state.jumps == 1
    assert clock.state.behind_ms == pytest.approx(-1000)
    assert clock.state.drift_ppm == pytest.approx(0)


def test_a_clock_of_which_nothing_was_seen_has_no_state() -> None:
    assert DeviceClock().state is None
