"""Each kind of finding just below and just above its limit, and whatever the windows, the same findings."""

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecg.fibrillation import FLUTTER_LEAKAGE, FLUTTER_LEAKAGE_ON, NO_WAVE
from ecg.findings import PRIORITIES, FindingKind, RhythmFinding, describe_finding, merged
from ecg.irregularity import MIN_INTERVALS
from ecg.p_waves import PWaves
from ecg.rhythm import step
from ecg.rhythm_state import Beat, BeatLetter, RhythmState, Span
from tests.ecg.rhythms import S, beats_of, follow, found_in, grid


def kinds(beats: list[Beat]) -> list[str]:
    return [finding.kind for finding in found_in(beats)]


def one(beats: list[Beat], kind: FindingKind) -> RhythmFinding:
    (finding,) = (finding for finding in found_in(beats) if finding.kind == kind)
    return finding


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNNVNNNN", []),
        ("NNNVVNNN", ["couplet"]),
        ("NNVFVNNN", []),
        ("NNNVVVNN", ["ventricular_run"]),
        ("NNVVVVNN", ["ventricular_run"]),
        ("NNVVVVVN", ["ventricular_tachycardia"]),
        ("VVNNNVVV", ["couplet", "ventricular_run"]),
    ],
)
def test_ventricular_beats_in_a_row(letters: str, expected: list[str]) -> None:
    assert kinds(beats_of(letters, 0.5, start_s=2.0)) == expected


def test_a_run_is_a_tachycardia_from_100_a_minute_on() -> None:
    assert kinds(beats_of("NNVVVVVNN", 0.6)) == ["ventricular_tachycardia"]
    assert kinds(beats_of("NNVVVVVNN", 0.601)) == ["ventricular_run"]


def test_a_run_that_was_fast_once_stays_a_tachycardia() -> None:
    rr = [0.8, 0.8, 0.8, 0.8, 0.8, 0.6, 0.6, 0.6, 0.6, 0.8, 0.8, 0.8]
    finding = one(beats_of("NNVVVVVVVVVNN", rr), "ventricular_tachycardia")
    assert finding.beats == 9
    assert finding.start_ns == 2 * S
    assert finding.rate_bpm == round(8 * 60 / 5.6, 1)


def test_a_run_ends_where_the_heart_pauses() -> None:
    assert kinds(beats_of("NNVVVNN", [0.8, 0.8, 2.0, 0.8, 0.8, 0.8])) == ["ventricular_run"]
    assert kinds(beats_of("NNVVVNN", [0.8, 0.8, 2.01, 0.8, 0.8, 0.8])) == ["pause", "couplet"]


@pytest.mark.parametrize(
    ("letters", "expected"),
    [
        ("NNNNVNVNNN", []),
        ("NNNVNVNVNN", ["bigeminy"]),
        ("NSVSVFVQNN", ["bigeminy"]),
        ("VNVNVNN", []),
        ("NNNVNNVNNN", []),
        ("NNVNNVNNVNN", ["trigeminy"]),
        ("NVNNVNNVNN", []),
        ("NVNVNNVNNN", []),
    ],
)
def test_three_cycles_make_bigeminy_and_trigeminy(letters: str, expected: list[str]) -> None:
    assert kinds(beats_of(letters)) == expected


def test_bigeminy_reaches_from_its_first_beat_to_its_last_ventricular_one() -> None:
    finding = one(beats_of("NNN" + "NV" * 20 + "NNN", 0.5), "bigeminy")
    assert (finding.start_ns, finding.end_ns) == (round(1.9 * S), round((1.9 + 39 * 0.5) * S))
    assert (finding.beats, finding.rate_bpm) == (40, 120.0)


def test_rates_just_within_and_just_beyond_their_limits() -> None:
    assert kinds(beats_of("N" * 30, 1.2)) == []
    assert kinds(beats_of("N" * 30, 1.201)) == ["bradycardia"]
    assert kinds(beats_of("N" * 30, 0.5)) == []
    assert kinds(beats_of("N" * 30, 0.499)) == ["tachycardia"]


def test_a_rate_needs_eight_intervals() -> None:
    assert kinds(beats_of("N" * 8, 1.3)) == []
    finding = one(beats_of("N" * 9, 1.3), "bradycardia")
    assert (finding.beats, finding.start_ns, finding.rate_bpm) == (9, round(0.4 * S), round(60 / 1.3, 1))
    assert kinds(beats_of("N" * 8, 0.4)) == []
    assert kinds(beats_of("N" * 9, 0.4)) == ["tachycardia"]


def test_two_missed_beats_are_no_bradycardia_and_three_ectopic_beats_no_tachycardia() -> None:
    assert kinds(beats_of("N" * 21, [0.8] * 8 + [1.6] * 2 + [0.8] * 10)) == ["dropped_beat"]
    assert kinds(beats_of("N" * 8 + "SSS" + "N" * 10, [0.8] * 7 + [0.4] * 3 + [0.8] * 10)) == ["supraventricular_run"]


@pytest.mark.parametrize(
    ("rr_s", "expected"),
    [
        ([1.6] * 4, ["extreme_bradycardia"]),
        ([1.6] * 3, []),
        ([1.49] * 4, []),
        ([0.9, 0.9, 3.9, 0.9], ["pause"]),  # slow in the mean, but for one pause
        ([0.42] * 16, ["extreme_tachycardia"]),
        ([0.42] * 15, []),
        ([0.43] * 16, []),
        ([0.4] * 5 + [0.8] + [0.4] * 10, ["extreme_tachycardia"]),  # a beat was missed
        ([0.4, 0.6] * 8, []),
    ],
)
def test_five_very_slow_and_seventeen_very_fast_beats(rr_s: list[float], expected: list[str]) -> None:
    found = kinds(beats_of("N" * (len(rr_s) + 1), rr_s))
    assert [kind for kind in found if kind not in {"tachycardia", "bradycardia"}] == expected


def test_a_rate_that_wavers_at_its_limit_is_one_finding() -> None:
    (finding,) = found_in(beats_of("N" * 61, [0.45] * 20 + [60 / 116] * 20 + [0.45] * 20))
    assert (finding.kind, finding.beats) == ("tachycardia", 61)
    (finding,) = found_in(beats_of("N" * 61, [1.3] * 20 + [60 / 54] * 20 + [1.3] * 20))
    assert (finding.kind, finding.beats) == ("bradycardia", 61)
    assert kinds(beats_of("N" * 61, [0.45] * 20 + [60 / 114] * 20 + [0.45] * 20)) == ["tachycardia"] * 2
    assert kinds(beats_of("N" * 61, [1.3] * 20 + [60 / 56] * 20 + [1.3] * 20)) == ["bradycardia"] * 2


@pytest.mark.parametrize(
    ("rr_s", "expected"),
    [(2.0, []), (2.001, ["pause"]), (3.999, ["pause"]), (4.0, ["asystole"]), (9.0, ["asystole"])],
)
def test_a_silence_is_a_pause_or_an_asystole(rr_s: float, expected: list[str]) -> None:
    found = found_in(beats_of("NNNNNN", [0.8, 0.8, rr_s, 0.8, 0.8]))
    assert [finding.kind for finding in found] == expected
    for finding in found:
        assert (finding.start_ns, finding.end_ns - finding.start_ns) == (2 * S, round(rr_s * S))
        assert (finding.beats, finding.rate_bpm) == (None, None)


@pytest.mark.parametrize(("letter", "expected"), [("V", []), ("S", []), ("N", ["pause"])])
def test_the_rest_after_a_premature_beat_is_no_pause(letter: str, expected: list[str]) -> None:
    rr = [1.3, 1.3, 1.3, 0.6, 2.1, 1.3]
    assert kinds(beats_of(f"NNNN{letter}NN", rr)) == expected


def test_a_rest_longer_than_the_premature_beat_explains_is_a_pause() -> None:
    assert kinds(beats_of("NNNNVNN", [1.3, 1.3, 1.3, 0.6, 2.4, 1.3])) == ["pause"]


def test_no_rhythm_goes_on_over_an_asystole() -> None:
    found = found_in(beats_of("NVNVNVNVNVNV", [0.8] * 5 + [5.0] + [0.8] * 5))
    assert [finding.kind for finding in found] == ["bigeminy", "asystole", "bigeminy"]
    assert kinds(beats_of("NNVVV", [0.8, 5.0, 0.8, 0.8])) == ["asystole", "ventricular_run"]


def test_an_asystole_is_told_while_it_lasts_and_grows() -> None:
    beats = [*beats_of("NNNNN"), (30 * S, "N"), (31 * S, "N")]
    steps = follow(beats, grid(33))
    last_ns = round(3.6 * S)
    open_until = [
        [(finding.start_ns, finding.end_ns) for finding in found if finding.kind == "asystole"] for found in steps
    ]
    sure = [round((5 * window - 0.8) * S) for window in range(1, 8)]
    assert open_until[:6] == [[], *([(last_ns, until)] for until in sure[1:6])]
    assert open_until[6] == [(last_ns, 30 * S)]


def irregular(letters: str, seed: int = 0) -> list[Beat]:
    generator = random.Random(seed)
    return beats_of(letters, [generator.uniform(0.45, 1.0) for _ in letters[1:]])


def test_irregular_intervals_are_fibrillation_once_there_are_enough() -> None:
    assert kinds(irregular("N" * MIN_INTERVALS)) == []
    finding = one(irregular("N" * 80), "atrial_fibrillation")
    assert finding.beats is not None
    assert finding.beats > 40
    assert finding.start_ns == round(0.4 * S)  # all of it that is known


SINUS, FIBRILLATION = PWaves(alike=0.7, rest=0.02), PWaves(alike=0.0, rest=0.03)


def fibrillates(beats: list[Beat], p_waves: PWaves | None) -> list[tuple[int, int]]:
    found = merged(f for window in follow(beats, grid(beats[-1][0] / S), p_waves=p_waves) for f in window)
    return [(f.start_ns, f.end_ns) for f in found if f.kind == "atrial_fibrillation"]


@pytest.mark.parametrize("seed", range(5))
def test_p_waves_speak_against_fibrillation_and_their_lack_for_it(seed: int) -> None:
    generator = random.Random(seed)
    beats = beats_of("N" * 60, [generator.gauss(0.75, 0.09) for _ in range(59)])
    assert not fibrillates(beats, SINUS)
    assert fibrillates(beats, FIBRILLATION)


def test_a_strip_of_thirty_seconds_is_long_enough() -> None:
    beats = [beat for beat in irregular("N" * 60, seed=1) if beat[0] < 30 * S]
    steps = follow(beats, [5 * S * number for number in range(1, 7)], p_waves=FIBRILLATION)
    assert "atrial_fibrillation" in {f.kind for found in steps for f in found}


def test_fibrillation_that_ends_is_told_to_have_ended() -> None:
    before = irregular("N" * 60)
    after = [(before[-1][0] + round(0.8 * S * number), letter) for number, (_, letter) in enumerate(before, 1)]
    ((start_ns, end_ns),) = fibrillates([*before, *after], None)
    assert start_ns == before[0][0]
    assert before[-1][0] - 5 * S <= end_ns <= before[-1][0] + 25 * S


@pytest.mark.parametrize("pattern", ["NS", "NNS"])
def test_atrial_bigeminy_is_no_fibrillation(pattern: str) -> None:
    letters = pattern * 30
    rr = [0.55 if letter == "S" else 0.95 for letter in letters[1:]]
    assert not fibrillates(beats_of(letters, rr), None if pattern == "NS" else SINUS)


@pytest.mark.parametrize(
    ("letters", "rr_s", "expected"),
    [
        ("NNNNNSSNN", [0.8] * 4 + [0.5] * 2 + [0.8] * 2, []),
        ("NNNNNSSSNN", [0.8] * 4 + [0.5] * 3 + [0.8] * 2, ["supraventricular_run"]),
        ("NNNNNSSSSNN", [0.8] * 4 + [0.5] * 4 + [0.8] * 2, ["supraventricular_run"]),
        ("NNNNNSSSSSNN", [0.8] * 4 + [0.5] * 5 + [0.8] * 2, ["supraventricular_tachycardia"]),
        ("NNNNNSSSSSNN", [0.9] * 4 + [0.61] * 5 + [0.9] * 2, ["supraventricular_run"]),
        ("NNNNNSSSSSNN", [0.6] * 4 + [0.55] * 5 + [0.6] * 2, []),  # by degrees, not at once
        ("NSSSSSNN", [0.8] + [0.5] * 4 + [0.8] * 2, []),  # what is usual is not known
    ],
)
def test_supraventricular_beats_in_a_row(letters: str, rr_s: list[float], expected: list[str]) -> None:
    assert kinds(beats_of(letters, rr_s)) == expected


@pytest.mark.parametrize(
    ("letters", "rr_s", "expected"),
    [
        ("N" * 12, [0.8] * 9 + [1.6, 0.8], ["dropped_beat"]),
        ("N" * 12, [0.8] * 9 + [1.4, 0.8], []),
        ("N" * 12, [0.8] * 9 + [1.8, 0.8], []),
        ("N" * 12, [1.01] * 9 + [2.02, 1.01], ["pause"]),
        ("N" * 9 + "SNN", [0.8] * 8 + [0.6, 1.6, 0.8], []),
        ("N" * 10 + "VN", [0.8] * 9 + [1.6, 0.8], []),  # an escape beat
        ("N" * 12, [0.8, 1.0] * 4 + [0.8, 1.8, 0.8], []),  # not steady
        ("N" * 6, [0.8] * 3 + [1.6, 0.8], []),
    ],
)
def test_an_interval_of_two_in_a_steady_rhythm_is_a_dropped_beat(
    letters: str, rr_s: list[float], expected: list[str]
) -> None:
    assert kinds(beats_of(letters, rr_s)) == expected


def test_a_state_of_before_p_waves_were_looked_for_is_read() -> None:
    state, _ = step(RhythmState(), beats_of("NNVV"), Span(start_ns=0, end_ns=5 * S, settled_ns=4 * S, usable=True))
    assert RhythmState.load(state.dump()[:7]) == state


@pytest.mark.parametrize("seed", range(5))
def test_sinus_rhythm_that_breathes_is_no_fibrillation(seed: int) -> None:
    generator = random.Random(seed)
    rr = [0.8 + 0.08 * (number % 5 - 2) / 2 + generator.gauss(0, 0.015) for number in range(199)]
    assert kinds(beats_of("N" * 200, rr)) == []


def test_extrasystoles_alone_are_no_fibrillation() -> None:
    generator = random.Random(1)
    letters, rr = "N", []
    for _ in range(60):
        normal = generator.randint(2, 5)
        letters += "N" * normal + "V"
        rr += [0.8 + generator.gauss(0, 0.01) for _ in range(normal)] + [0.5]
    rr = [1.1 if before == "V" else interval for before, interval in zip(letters, rr, strict=False)]
    assert "atrial_fibrillation" not in kinds(beats_of(letters, rr))


def test_nothing_is_concluded_from_what_was_not_seen() -> None:
    beats = [beat for beat in beats_of("N" * 40) if not 9 * S <= beat[0] < 20 * S]
    ends = grid(28)
    assert follow(beats, ends, unusable=frozenset({1, 2, 3})) == [()] * len(ends)
    assert any(follow(beats, ends))


@pytest.mark.parametrize("saved_before", [frozenset(), frozenset({1}), frozenset({2})])
def test_right_behind_noise_no_tachycardia_begins_but_it_is_told_when_it_lasts(saved_before: frozenset[int]) -> None:
    run = beats_of("V" * 24, 0.5, start_s=5.2)

    def kinds_by_window(unusable: frozenset[int], noisy: frozenset[int]) -> list[list[str]]:
        by_window = follow(run, grid(15), unusable=unusable, noisy=noisy, saved_before=saved_before)
        return [[str(each.kind) for each in of] for of in by_window][1:3]

    first, none = frozenset({0}), frozenset[int]()
    assert kinds_by_window(first, none) == [["ventricular_tachycardia"]] * 2
    assert kinds_by_window(none, first) == [["ventricular_run"], ["ventricular_tachycardia"]]


@pytest.mark.parametrize(("hop_s", "first_s"), [(1, 11), (2, 12), (5, 15)])
def test_so_long_no_tachycardia_begins_behind_noise_whatever_the_hop(hop_s: int, first_s: int) -> None:
    run = beats_of("V" * 40, 0.5, start_s=5.2)
    noisy = frozenset(range(-(-5 // hop_s)))
    ends = [second * S for second in range(hop_s, 21, hop_s)]
    by_window = follow(run, ends, noisy=noisy)
    begun = [
        end_ns // S
        for end_ns, of in zip(ends, by_window, strict=True)
        if any(each.kind == "ventricular_tachycardia" for each in of)
    ]
    assert begun[0] == first_s


def test_a_clock_that_was_put_back_hides_no_tachycardia() -> None:
    state, _ = step(
        RhythmState(), (), Span(start_ns=95 * S, end_ns=100 * S, settled_ns=99 * S, usable=False, noisy=True)
    )
    _, found = step(state, beats_of("V" * 8, 0.5), Span(start_ns=0, end_ns=5 * S, settled_ns=4 * S, usable=True))
    assert [each.kind for each in found] == ["ventricular_tachycardia"]


def test_a_gap_between_windows_ends_all_that_was_open() -> None:
    state, found = step(RhythmState(), beats_of("NNVV"), Span(start_ns=0, end_ns=5 * S, settled_ns=4 * S, usable=True))
    assert [finding.kind for finding in found] == ["couplet"]
    later = [(25 * S + t_ns, letter) for t_ns, letter in beats_of("VVNN")]
    after = Span(start_ns=25 * S, end_ns=30 * S, settled_ns=29 * S, usable=True)
    _, found = step(state, later, after)
    assert [(finding.kind, finding.start_ns) for finding in found] == [("couplet", round(25.4 * S))]


def test_silence_is_counted_from_where_the_signal_is_known() -> None:
    def steps(first_s: float) -> list[str]:
        found = follow([(round(first_s * S), "N")], [5 * S, 10 * S, 15 * S], unusable=frozenset({0}))
        return [finding.kind for window in found for finding in window if finding.start_ns == 5 * S]

    assert steps(8.99) == []
    assert steps(9.0) == ["asystole"]


def test_flat_or_missing_signal_is_not_silence() -> None:
    beats = [*beats_of("NNNN"), (7 * S, "N"), *[(7 * S + round(0.8 * n * S), "N") for n in range(1, 9)]]
    ends = grid(11)
    (finding,) = merged(finding for found in follow(beats, ends) for finding in found)
    assert finding.kind == "asystole"
    doubted = follow(beats, ends, doubtful_ns={0: S, 1: S // 10})
    assert [finding.kind for found in doubted for finding in found] == ["pause"]
    assert follow(beats, ends, doubtful_ns={0: S, 1: 2 * S})[:2] == [(), ()]


def with_holes(beats: list[Beat], *holes_s: tuple[float, float]) -> list[str]:
    steps = follow(beats, grid(beats[-1][0] / S), holes=[(round(start * S), round(end * S)) for start, end in holes_s])
    return [finding.kind for finding in merged(f for found in steps for f in found) if finding.start_ns < beats[-1][0]]


def test_no_extreme_reaches_across_a_hole() -> None:
    slow = beats_of("N" * 5, [1.6] * 4)
    assert "extreme_bradycardia" in with_holes(slow)
    assert "extreme_bradycardia" not in with_holes(slow, (3.9, 4.0))


def test_no_silence_reaches_across_a_hole() -> None:
    beats = [*beats_of("NNNN"), (round(7.5 * S), "N"), (round(8.3 * S), "N")]
    assert with_holes(beats) == ["asystole"]
    assert with_holes(beats, (5.0, 5.1)) == []
    assert with_holes([*beats_of("NNNN"), (6 * S, "N")]) == ["pause"]
    assert with_holes([*beats_of("NNNN"), (6 * S, "N")], (4.0, 4.03)) == []


@pytest.mark.parametrize("hole_s", [(3.0, 3.1), (11.9, 12.0), (14.4, 14.6), (15.0, 15.1)])
def test_four_seconds_of_silence_before_or_behind_a_hole_are_asystole(hole_s: tuple[float, float]) -> None:
    beats = [*beats_of("NNN"), (20 * S, "N"), (21 * S, "N")]  # the last at 2 s
    assert set(with_holes(beats, hole_s)) == {"asystole"}


def test_no_run_and_no_pattern_reaches_across_a_hole() -> None:
    run = beats_of("NNVVVVVN", 0.5)
    assert with_holes(run) == ["ventricular_tachycardia"]
    assert with_holes(run, (2.1, 2.2)) == ["couplet", "ventricular_run"]
    bigeminy = beats_of("NNNVNVNVNN")
    assert with_holes(bigeminy) == ["bigeminy"]
    assert with_holes(bigeminy, (4.9, 5.0)) == []


def test_a_rate_and_an_irregular_rhythm_go_on_over_holes_without_the_intervals_across() -> None:
    assert with_holes(beats_of("N" * 30, 0.45), (3.3, 3.4)) == ["tachycardia"]
    slow = beats_of("N" * 7 + "N" * 7, [0.8] * 6 + [1.6] + [0.8] * 6)
    assert with_holes(slow, (5.9, 6.0)) == []
    assert "atrial_fibrillation" in with_holes(irregular("N" * 90), (10.05, 10.1), (20.0, 20.05), (31.0, 31.05))


def test_flutter_begins_below_its_limit_and_lasts_below_a_higher_one() -> None:
    wavering = {1: FLUTTER_LEAKAGE, 2: FLUTTER_LEAKAGE - 0.01, 3: FLUTTER_LEAKAGE_ON - 0.01, 4: FLUTTER_LEAKAGE_ON}
    steps = follow([], grid(28), leakage=wavering | {5: FLUTTER_LEAKAGE_ON - 0.01})
    flutter = [[(f.start_ns // S, f.end_ns // S) for f in found if f.kind == "ventricular_flutter"] for found in steps]
    assert flutter == [[], [], [(10, 15)], [(10, 20)], [], []]


def test_flutter_that_begins_again_is_another_one() -> None:
    steps = follow(beats_of("N" * 60), grid(48), leakage=dict.fromkeys((2, 3, 6, 7), 0.3))
    found = merged(f for found in steps for f in found)
    assert [(f.kind, f.start_ns // S, f.end_ns // S, f.beats) for f in found] == [
        ("ventricular_flutter", 10, 20, None),
        ("ventricular_flutter", 30, 40, None),
    ]


@pytest.mark.parametrize("letters", ["N" * 80, "NV" * 40, "NNV" * 27, "NVVN" * 20])
def test_of_the_waves_of_flutter_no_rate_and_no_pattern_is_told(letters: str) -> None:
    beats = beats_of(letters, 0.25, start_s=10.1)
    ends = grid(24)  # to 30 s
    assert {f.kind for found in follow(beats, ends) for f in found} > {"tachycardia"}
    in_flutter = follow(beats, ends, leakage=dict.fromkeys(range(2, 6), 0.3))
    steps = [f for found in in_flutter for f in found if f.end_ns > 10 * S]
    assert {f.kind for f in steps} == {"ventricular_flutter"}


def test_flutter_without_any_beat_found_is_no_asystole_but_what_follows_may_be() -> None:
    beats = beats_of("N" * 12)
    steps = follow(beats, grid(38), leakage=dict.fromkeys((2, 3, 4), 0.3))
    found = merged(f for found in steps for f in found)
    assert [(f.kind, f.start_ns / S) for f in found] == [("ventricular_flutter", 10), ("asystole", 25)]


def test_ventricular_tachycardia_is_told_before_flutter_and_in_its_first_window() -> None:
    beats = beats_of("N" * 10 + "V" * 30, [0.8] * 9 + [0.3] * 30)
    steps = follow(beats, grid(14), leakage={2: 0.3, 3: 0.3})
    assert [[(f.kind, f.start_ns / S) for f in found] for found in steps[1:]] == [
        [("tachycardia", 5.2), ("ventricular_tachycardia", 7.9)],
        [("ventricular_tachycardia", 7.9), ("ventricular_flutter", 10)],
        [("ventricular_flutter", 10)],
    ]


def test_a_gap_ends_flutter() -> None:
    wave = {1: 0.3, 3: (FLUTTER_LEAKAGE + FLUTTER_LEAKAGE_ON) / 2}
    steps = follow(beats_of("N" * 25), grid(18), leakage=wave | {2: 0.3}, unusable=frozenset({2}))
    assert [[f.kind for f in found] for found in steps] == [[], ["ventricular_flutter"], [], []]
    state, _ = step(RhythmState(), [], Span(start_ns=0, end_ns=5 * S, settled_ns=4 * S, usable=True, leakage=0.3))
    later = Span(start_ns=9 * S, end_ns=14 * S, settled_ns=13 * S, usable=True, leakage=0.3)
    _, (flutter,) = step(state, [], later)
    assert (flutter.start_ns, flutter.end_ns) == (9 * S, 14 * S)


LETTERS: st.SearchStrategy[BeatLetter] = st.sampled_from(["N", "N", "N", "V", "V", "S", "F", "Q"])
RR_MS = st.one_of(
    st.integers(250, 700), st.integers(700, 1300), st.sampled_from([500, 600, 1200, 2000, 2100, 4000, 6000])
)
STRETCH = st.tuples(st.sampled_from(["any", "NV", "NNV", "V", "N"]), st.integers(1, 40), RR_MS, st.booleans())


@st.composite
def rhythms(draw: st.DrawFn) -> list[Beat]:
    """Beats in stretches: a repeated pattern or any, at one RR interval or at any."""
    beats: list[Beat] = []
    t_ns = draw(st.integers(0, 6000)) * 1_000_000
    for pattern, count, rr_ms, steady in draw(st.lists(STRETCH, min_size=1, max_size=4)):
        for number in range(count):
            letter: BeatLetter = (
                draw(LETTERS) if pattern == "any" else "V" if pattern[number % len(pattern)] == "V" else "N"
            )
            beats.append((t_ns, letter))
            t_ns += (rr_ms if steady else draw(RR_MS)) * 1_000_000
    return beats


@settings(max_examples=200)
@given(
    beats=rhythms(),
    cuts_s=st.sets(st.integers(1, 300), max_size=60),
    tail_s=st.integers(2, 9),
    holes_ms=st.sets(st.integers(1, 200_000), max_size=6),
    data=st.data(),
)
def test_any_split_into_windows_gives_the_same_findings(
    beats: list[Beat], cuts_s: set[int], tail_s: int, holes_ms: set[int], data: st.DataObject
) -> None:
    end_ns = beats[-1][0] + tail_s * S
    ends = [*(cut * S for cut in sorted(cuts_s) if cut * S < end_ns), end_ns]
    saved = data.draw(st.frozensets(st.integers(0, len(ends) - 1)))
    holes = [(start * 1_000_000, start * 1_000_000 + 1) for start in sorted(holes_ms)]
    in_parts = follow(beats, ends, holes=holes, saved_before=saved)
    (whole,) = follow(beats, [end_ns], holes=holes)
    assert merged(finding for found in in_parts for finding in found) == merged(whole)


@settings(max_examples=100)
@given(
    beats=rhythms(),
    unusable=st.frozensets(st.integers(0, 30), max_size=8),
    saved=st.frozensets(st.integers(0, 40)),
    doubtful=st.dictionaries(st.integers(0, 30), st.integers(0, 2 * S), max_size=5),
    leakage=st.dictionaries(st.integers(0, 30), st.sampled_from([0.3, 0.7, NO_WAVE]), max_size=8),
)
def test_a_state_that_was_saved_and_loaded_is_the_same_state(
    beats: list[Beat],
    unusable: frozenset[int],
    saved: frozenset[int],
    doubtful: dict[int, int],
    leakage: dict[int, float],
) -> None:
    ends = grid(beats[-1][0] / S)

    def steps(saved_before: frozenset[int]) -> list[tuple[RhythmFinding, ...]]:
        return follow(beats, ends, unusable=unusable, doubtful_ns=doubtful, leakage=leakage, saved_before=saved_before)

    assert steps(saved) == steps(frozenset())


@settings(max_examples=50)
@given(beats=rhythms(), first=st.integers(1, 12), windows=st.integers(1, 6))
def test_behind_flutter_all_is_as_if_the_signal_began_there(beats: list[Beat], first: int, windows: int) -> None:
    ends = grid(beats[-1][0] / S)
    over = first + windows
    steps = follow(beats, ends, leakage=dict.fromkeys(range(first, over), 0.3))[over:]
    after = [beat for beat in beats if beat[0] >= over * 5 * S]
    anew = follow(after, ends, unusable=frozenset(range(over)))[over:]
    within = {"ventricular_tachycardia"}  # of the last half second of flutter, which the window behind hands over
    assert [tuple(f for f in found if f.end_ns >= over * 5 * S or f.kind not in within) for found in steps] == anew


def test_the_state_stays_small() -> None:
    generator = random.Random(2)
    state = RhythmState()
    for window in range(500):
        beats: list[Beat] = [
            (window * 5 * S + n * 400_000_000 + generator.randrange(10**8), generator.choice(("N", "V")))
            for n in range(12)
        ]
        span = Span(start_ns=window * 5 * S, end_ns=(window + 1) * 5 * S, settled_ns=window * 5 * S, usable=True)
        state, _ = step(state, beats, span)
        assert len(json.dumps(state.dump())) < 1500


def test_every_kind_has_words_and_a_priority() -> None:
    for kind, priority in PRIORITIES.items():
        beats = None if kind in {"pause", "asystole", "ventricular_flutter", "dropped_beat"} else 7
        described = describe_finding(RhythmFinding(kind=kind, start_ns=0, end_ns=3 * S, beats=beats))
        assert "None" not in described
        assert priority in {"high", "medium", "low"}
    run = RhythmFinding(kind="ventricular_tachycardia", start_ns=0, end_ns=2 * S, beats=7)
    assert describe_finding(run) == "ventricular tachycardia, 7 beats at 180/min"
