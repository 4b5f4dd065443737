"""Checks: the rules at their limits, on signals made for them."""

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from ecg.lethal import CHECK_S, Measured, Sign, judge_check
from ecg.records import MISSING, Int16Array
from ecg.usual_swing import MIN_USUAL_CHECKS, UsualSwing
from tests.ecg.checks import measured

GAIN = 200.0
RNG = np.random.default_rng(5)


def beat(seconds: npt.NDArray[np.float64], width_s: float, height: float) -> npt.NDArray[np.float64]:
    return height * np.exp(-((seconds / width_s) ** 2))


def ecg(
    beats_s: npt.NDArray[np.float64],
    *,
    fs_hz: float = 360.0,
    seconds: float = CHECK_S,
    width_s: float = 0.02,
    height: float = 1.0,
    dip: float = 0.0,
) -> npt.NDArray[np.float64]:
    """One lead in mV: a spike for each beat, a dip behind it, and noise of 10 uV."""
    t = np.arange(round(seconds * fs_hz)) / fs_hz
    lead = RNG.normal(0, 0.01, len(t))
    for at in beats_s:
        lead += beat(t - at, width_s, height) - beat(t - at - 3 * width_s, 2 * width_s, dip)
    return lead


def check(*leads: npt.NDArray[np.float64], fs_hz: float = 360.0) -> Measured:
    return measured(raw(*leads), fs_hz=fs_hz, gain=(GAIN,) * len(leads), baseline=(100,) * len(leads))[0]


def raw(*leads: npt.NDArray[np.float64]) -> Int16Array:
    together = np.stack(leads, axis=1)[None]
    units = np.rint(np.nan_to_num(together) * GAIN + 100).astype(np.int16)
    return np.where(np.isnan(together), np.int16(MISSING), units)


def kind(sign: Sign | None) -> str | None:
    return None if sign is None else sign.kind


def used_to(*swing_mv: float) -> UsualSwing:
    return UsualSwing(swing_mv=swing_mv, checks=(30,) * len(swing_mv))


SINUS = np.arange(0.3, CHECK_S, 0.8)
NONE = np.empty(0)


def taught(usual: UsualSwing) -> tuple[object, object]:
    """What was learned of the QRS, without what the newest checks have shown."""
    return usual.swing_mv, usual.checks


def twice(measured: Measured, usual: UsualSwing) -> tuple[UsualSwing, Sign | None]:
    """The same check two times in a row."""
    return judge_check(measured, judge_check(measured, usual, None)[0], None)


@pytest.mark.parametrize("fs_hz", [100.0, 128.0, 250.0, 250.5, 360.0, 500.0, 1000.0])
def test_a_rhythm_shows_nothing_and_becomes_usual(fs_hz: float) -> None:
    usual = UsualSwing()
    for _ in range(MIN_USUAL_CHECKS):
        usual, sign = judge_check(
            check(ecg(SINUS, fs_hz=fs_hz), ecg(SINUS, fs_hz=fs_hz, height=0.5), fs_hz=fs_hz), usual, None
        )
        assert sign is None
    assert usual.checks == (MIN_USUAL_CHECKS,) * 2
    assert usual.swing_mv == pytest.approx((0.95, 0.47), rel=0.15)
    assert [usual.quiet_mv(column) for column in range(2)] == pytest.approx([0.19, 0.095], rel=0.15)
    assert UsualSwing.load(usual.dump()) == usual


def test_no_qrs_in_any_lead_is_asystole() -> None:
    usual, sign = judge_check(check(ecg(NONE), ecg(NONE)), used_to(1.0, 0.5), None)
    assert sign is not None
    assert (sign.kind, sign.value, sign.limit, sign.unit) == ("asystole", 4.0, 4.0, "s")
    assert sign.from_s == 0.0
    assert taught(usual) == taught(used_to(1.0, 0.5)), "nothing is learned from silence"
    assert usual.lately_still


@pytest.mark.parametrize("at_s", [0.05, 1.0, 2.0, 3.9])
def test_one_qrs_in_one_lead_is_no_asystole(at_s: float) -> None:
    one = ecg(np.array([at_s]), height=0.5)
    assert judge_check(check(ecg(NONE), one), used_to(1.0, 0.5), None)[1] is None


def test_p_waves_alone_are_asystole() -> None:
    waves = ecg(SINUS, width_s=0.05, height=0.12)
    assert kind(judge_check(check(waves), used_to(1.0), None)[1]) == "asystole"


def test_while_nothing_is_usual_silence_must_be_deeper() -> None:
    waves = ecg(SINUS, width_s=0.03, height=0.15)
    assert judge_check(check(waves), UsualSwing(), None)[1] is None
    assert kind(judge_check(check(waves), used_to(1.0), None)[1]) == "asystole"
    assert kind(judge_check(check(ecg(NONE)), UsualSwing(), None)[1]) == "asystole"


def test_a_line_that_does_not_move_is_a_lead_that_is_off() -> None:
    off = np.full(CHECK_S * 360, 5.0)
    assert judge_check(check(off, off), used_to(1.0, 1.0), None)[1] is None
    assert judge_check(check(off, ecg(SINUS)), used_to(1.0, 1.0), None)[1] is None
    measured = check(off, ecg(NONE))
    assert measured.judged == 1
    usual, sign = judge_check(measured, used_to(1.0, 1.0), None)
    assert kind(sign) == "asystole", "what is left of the signal shows no beat"
    assert taught(usual) == taught(used_to(1.0, 1.0))


def marked(lead: npt.NDArray[np.float64], *spans_s: tuple[float, float]) -> npt.NDArray[np.float64]:
    """A lead with samples that were never received, at 360 Hz."""
    lead = lead.copy()
    for start_s, end_s in spans_s:
        lead[round(start_s * 360) : round(end_s * 360)] = np.nan
    return lead


ALL = (0.0, float(CHECK_S))
PERIODIC = [(at, at + 0.05) for at in np.arange(0, CHECK_S, 0.25)]


@pytest.mark.parametrize("spans", [[ALL], [(0, 3.9)], [(2.0, 2.1)], [(0, 0.03)], PERIODIC], ids=str)
def test_a_lead_with_holes_shows_nothing(spans: list[tuple[float, float]]) -> None:
    for lead in (ecg(NONE), 0.4 * np.sin(2 * np.pi * 4.5 * np.arange(CHECK_S * 360) / 360)):
        holed = check(marked(lead, *spans))
        assert holed.judged is None
        assert judge_check(holed, used_to(1.0), QRS) == (used_to(1.0), None)


def test_a_lead_with_harmless_bits_missing_is_judged_but_not_learned_from() -> None:
    bits = [(at, at + 0.019) for at in np.arange(0.1, CHECK_S, 0.5)]
    assert kind(judge_check(check(marked(ecg(NONE), *bits)), used_to(1.0), None)[1]) == "asystole"
    usual, sign = judge_check(check(marked(ecg(SINUS), *bits)), used_to(1.0), None)
    assert (taught(usual), sign) == (taught(used_to(1.0)), None)
    wide = [(at - 0.0095, at + 0.0095) for at in SINUS]
    assert judge_check(check(marked(ecg(SINUS, width_s=0.03), *wide)), used_to(1.0), None)[1] is None, (
        "the flanks are left"
    )


def test_the_lead_that_is_whole_is_judged_beside_one_that_is_not() -> None:
    off = marked(ecg(SINUS), ALL)
    measured = check(off, ecg(NONE))
    assert measured.judged == 1
    assert kind(judge_check(measured, used_to(1.0, 1.0), None)[1]) == "asystole"
    usual, sign = judge_check(check(off, ecg(SINUS)), used_to(1.0, 0.5), None)
    assert sign is None
    assert usual.swing_mv[0] == 1.0, "nothing is learned of the lead that is missing"
    assert usual.swing_mv[1] > 0.5


@pytest.mark.parametrize(
    "usual",
    [UsualSwing(), used_to(1.0, 0.2), UsualSwing(swing_mv=(1.0, 1.0), checks=(30, MIN_USUAL_CHECKS - 1))],
    ids=["unknown", "low", "new"],
)
def test_a_stand_in_whose_qrs_does_not_stand_out_tells_of_no_asystole(usual: UsualSwing) -> None:
    assert judge_check(check(marked(ecg(SINUS), ALL), ecg(NONE)), usual, None)[1] is None


def test_a_lead_that_lacks_little_speaks_against_the_flutter_of_its_stand_in() -> None:
    wave = 0.4 * np.sin(2 * np.pi * 4.5 * np.arange(CHECK_S * 360) / 360)
    usual = used_to(1.0, 1.0)
    assert twice(check(marked(ecg(SINUS), (2.0, 2.1)), wave), usual)[1] is None
    assert kind(twice(check(marked(wave, (2.0, 2.1)), wave), usual)[1]) == "ventricular_flutter"
    assert kind(twice(check(marked(ecg(SINUS), ALL), wave), usual)[1]) == "ventricular_flutter"


def test_a_beat_in_what_was_received_of_a_lead_is_a_beat() -> None:
    partly = marked(ecg(np.array([3.2])), (0.0, 2.0))
    assert judge_check(check(partly, ecg(NONE)), used_to(1.0, 1.0), None)[1] is None
    hidden = marked(ecg(np.array([1.0])), (0.0, 2.0))
    assert kind(judge_check(check(hidden, ecg(NONE)), used_to(1.0, 1.0), None)[1]) == "asystole"


def test_the_slope_over_a_hole_is_no_beat() -> None:
    steps = np.where(np.arange(CHECK_S * 360) < 720, 0.0, 2.0) + RNG.normal(0, 0.01, CHECK_S * 360)
    holed = marked(steps, (1.9, 2.1))
    assert kind(judge_check(check(holed, ecg(NONE)), used_to(1.0, 1.0), None)[1]) == "asystole"


def test_what_was_usual_before_leads_were_counted_apart_is_read() -> None:
    assert UsualSwing.load([[1.0, 0.5], 7]) == UsualSwing(swing_mv=(1.0, 0.5), checks=(7, 7))
    assert UsualSwing.load([[], 0]) == UsualSwing()


def test_a_wave_without_rest_is_flutter_when_a_second_check_shows_it() -> None:
    t = np.arange(CHECK_S * 360) / 360
    wave = check(np.sin(2 * np.pi * 4.5 * t) + RNG.normal(0, 0.01, len(t)))
    before = used_to(1.0)
    usual, sign = judge_check(wave, before, None)
    assert sign is None, "a burst of motion fills one check"
    usual, sign = judge_check(wave, usual, None)
    assert sign is not None
    assert usual.lately_wave
    for passed in range(1, 7):
        usual, sign = judge_check(check(ecg(SINUS)), usual, None)
        assert sign is None
        assert usual.lately_wave == (passed < 5), "a window is five checks"


def test_silence_while_the_baseline_leaps_is_not_asystole() -> None:
    settled = np.where(np.arange(CHECK_S * 360) < 3 * 360, 0.0, 6.0)
    leap = ecg(NONE) + np.convolve(np.pad(settled, 180, mode="edge"), np.ones(361) / 361, mode="valid")
    usual, sign = judge_check(check(leap), used_to(1.0), None)
    assert sign is None
    assert usual.restless == 1


def test_beats_that_a_window_does_not_find_in_a_restless_signal_are_no_silence() -> None:
    usual = used_to(1.0)
    for passed in range(1, 12):
        usual, _ = judge_check(check(ecg(SINUS)), usual, None)
        assert usual.lately_still == (passed <= 8)
    usual, _ = judge_check(check(ecg(SINUS[:2])), usual, None)
    assert usual.lately_still, "two seconds without a beat"


def test_strange_beats_on_a_baseline_that_moves_as_they_do_are_no_tachycardia() -> None:
    swaying = 3 * np.sin(2 * np.pi * 0.3 * np.arange(CHECK_S * 360) / 360)
    moved = check(ecg(np.arange(0.4, CHECK_S - 0.3, 0.45), width_s=0.04, height=-1.0) + swaying)
    usual = used_to(1.0)
    for _ in range(3):
        assert not usual.lately_swaying
        usual, sign = judge_check(moved, usual, QRS)
        assert sign is None
    assert usual.lately_swaying
    assert UsualSwing.load(json.loads(json.dumps(usual.dump()))) == usual


def test_a_state_of_an_earlier_version_believes_the_windows() -> None:
    usual = UsualSwing.load([[1.0, 0.5], [7, 8]])
    assert usual.lately_still
    assert usual.lately_wave
    assert not usual.lately_swaying


def test_a_sine_is_flutter() -> None:
    t = np.arange(CHECK_S * 360) / 360
    usual, sign = twice(check(np.sin(2 * np.pi * 4.5 * t) + RNG.normal(0, 0.01, len(t))), used_to(1.0))
    assert sign is not None
    assert sign.kind == "ventricular_flutter"
    assert sign.value < sign.limit
    assert usual.checks == (30,)


QRS = beat(np.arange(-10, 15) / 100, 0.02, 1.0).astype(np.float32)


def tachycardia(**changes: Any) -> Measured:
    beats = np.arange(0.4, CHECK_S - 0.3, 0.45) if "beats" not in changes else changes.pop("beats")
    return check(ecg(beats, **({"width_s": 0.04, "height": -1.0} | changes)))


def test_five_strange_beats_alike_steady_and_fast_are_tachycardia() -> None:
    _, sign = judge_check(tachycardia(), used_to(1.0), QRS)
    assert sign is not None
    assert (sign.kind, sign.limit, sign.unit) == ("ventricular_tachycardia", 100.0, "/min")
    assert sign.value == pytest.approx(60 / 0.45, rel=0.02)
    assert 0 < sign.from_s < CHECK_S


@pytest.mark.parametrize(
    "other",
    [
        {"width_s": 0.02, "height": 1.0, "dip": 0.0},  # the usual QRS, only faster
        {"beats": np.arange(0.4, 3.7, 0.65)},  # 92/min
        {"beats": np.array([0.4, 0.85, 1.3, 1.75])},  # four
        {"beats": np.array([0.4, 0.75, 1.3, 1.65, 2.2, 2.55, 3.1])},  # not steady
    ],
    ids=["usual", "slow", "four", "unsteady"],
)
def test_short_of_any_of_that_it_is_none(other: dict[str, Any]) -> None:
    assert judge_check(tachycardia(**other), used_to(1.0), QRS)[1] is None


def test_beats_of_many_shapes_are_left_to_the_windows() -> None:
    leads = [
        ecg(np.array([at]), width_s=width, height=height, dip=dip)
        for at, width, height, dip in zip(
            np.arange(0.4, 3.5, 0.45), (0.05, 0.02, 0.07) * 3, (-1.0, -1.0, 1.0) * 3, (-0.8, 0.9, 0.8) * 3, strict=False
        )
    ]
    assert judge_check(check(np.sum(leads, axis=0)), used_to(1.0), QRS)[1] is None


def test_without_a_usual_qrs_none_is_strange() -> None:
    assert judge_check(tachycardia(), used_to(1.0), None)[1] is None


def test_an_artefact_moves_what_is_usual_only_a_little() -> None:
    usual, _ = judge_check(check(ecg(SINUS, height=50.0)), used_to(1.0), None)
    assert usual.swing_mv[0] == pytest.approx(1 + 1 / 30, abs=1e-3)


def test_a_check_is_measured_alike_in_any_batch() -> None:
    leads = [ecg(SINUS), ecg(NONE), ecg(SINUS, height=2.0)]
    batch = np.concatenate([raw(lead) for lead in leads])
    together = measured(batch, fs_hz=360.0, gain=(GAIN,), baseline=(100,))
    for one, lead in zip(together, leads, strict=True):
        alone = check(lead)
        # A BLAS may round the last bit by a row's place.
        np.testing.assert_allclose(one.signal, alone.signal, atol=1e-5)
        assert one.swing_mv == pytest.approx(alone.swing_mv, abs=1e-5)
        assert one.leakage == pytest.approx(alone.leakage, abs=1e-5)
        assert one.peaks.tolist() == alone.peaks.tolist()
