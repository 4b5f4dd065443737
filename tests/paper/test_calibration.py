"""Pulses of a page agree; a wave that looks like one does not count."""

from paper.calibration import Pulse, agreeing


def _pulse(begin_px: int, high_mm: float) -> Pulse:
    return Pulse(begin_px=begin_px, end_px=begin_px + 40, high_mm=high_mm, foot_px=100.0)


def test_a_flat_wave_of_one_row_is_no_pulse() -> None:
    true, wave = _pulse(80, 10.0), _pulse(230, 8.2)
    assert agreeing([[true, wave], [true], [true]]) == [[true], [true], [true]]


def test_what_stands_with_the_pulses_but_is_lower_is_none() -> None:
    assert agreeing([[_pulse(80, 10.0)], [_pulse(81, 10.1)], [_pulse(82, 6.0)]])[2] == []


def test_pulses_before_each_column_are_kept() -> None:
    row = [_pulse(80, 10.0), _pulse(580, 10.1)]
    assert agreeing([row, row]) == [row, row]


def test_the_first_pulse_of_a_strip_says_how_high_the_others_are() -> None:
    assert agreeing([[_pulse(80, 10.0), _pulse(400, 5.0)]]) == [[_pulse(80, 10.0)]]
